"""New points land where they belong, and the others stay."""

from __future__ import annotations

import numpy as np
import pytest

from raremine.brain.errors import RaremineError
from raremine.brain.maps.pca import pca_map
from raremine.brain.maps.placing import place
from raremine.brain.maps.tsne import tsne_map
from raremine.brain.maps.umap import umap_map

METHODS = {"pca": pca_map, "tsne": tsne_map, "umap": umap_map}
KINDS = 6


@pytest.fixture(scope="module")
def clusters() -> tuple[np.ndarray, np.ndarray]:
    """(700, 16) vectors of six kinds, and their kinds."""
    rng = np.random.default_rng(1)
    kind = rng.integers(0, KINDS, 700)
    # wide in two directions, so that two components tell kinds apart too
    centres = np.zeros((KINDS, 16))
    turn = 2 * np.pi * np.arange(KINDS) / KINDS
    centres[:, 3], centres[:, 8] = 30 * np.cos(turn), 20 * np.sin(turn)
    vectors = centres[kind] + rng.normal(size=(700, 16))
    return vectors.astype(np.float32), kind


@pytest.fixture(scope="module")
def maps(clusters: tuple[np.ndarray, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: make(clusters[0][:600]) for name, make in METHODS.items()}


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("method", METHODS)
def test_held_out_points_land_in_their_cluster(
    method: str,
    exact: bool,
    clusters: tuple[np.ndarray, np.ndarray],
    maps: dict[str, np.ndarray],
) -> None:
    vectors, kind = clusters
    points = maps[method]
    before = points.copy()
    placed = place(vectors[:600], points, vectors[600:], method, exact=exact)
    np.testing.assert_array_equal(points, before)
    distance = np.linalg.norm(placed[:, None] - points, axis=2)
    assert (kind[:600][distance.argmin(axis=1)] == kind[600:]).all()
    # among the points of its cluster, not in the empty space around
    spacing = np.linalg.norm(points[:, None] - points, axis=2)
    np.fill_diagonal(spacing, np.inf)
    limit = 5 * np.median(spacing.min(axis=1))
    assert np.median(distance.min(axis=1)) < limit
    np.testing.assert_array_equal(
        placed,
        place(vectors[:600], points, vectors[600:], method, exact=exact),
    )


@pytest.mark.parametrize("method", METHODS)
def test_a_vector_of_the_map_is_placed_where_it_is(
    method: str,
    clusters: tuple[np.ndarray, np.ndarray],
    maps: dict[str, np.ndarray],
) -> None:
    vectors = clusters[0][:600]
    again = place(vectors, maps[method], vectors[:40], method)
    apart = np.linalg.norm(again - maps[method][:40], axis=1)
    assert apart.max() < 0.03 * np.ptp(maps[method])


@pytest.mark.parametrize("method", METHODS)
def test_nobody_s_place_depends_on_where_the_map_lies(
    method: str,
    clusters: tuple[np.ndarray, np.ndarray],
    maps: dict[str, np.ndarray],
) -> None:
    vectors = clusters[0]
    away = np.array([500.0, -300.0])
    placed = place(vectors[:600], maps[method], vectors[600:], method)
    moved = place(vectors[:600], maps[method] + away, vectors[600:], method)
    distance = np.linalg.norm(moved - away - placed, axis=1)
    assert np.median(distance) < 0.02 * np.ptp(maps[method])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [1, 2, 3, 5, 8, 30])
def test_on_a_map_of_any_size(method: str, n: int) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(n + 3, 4)).astype(np.float32)
    points = METHODS[method](vectors[:n])
    new = vectors[n:].copy()
    new[1, 2] = np.nan
    placed = place(vectors[:n], points, new, method)
    assert np.isnan(placed[1]).all()
    assert np.isfinite(placed[[0, 2]]).all()
    assert place(vectors[:n], points, new[:0], method).shape == (0, 2)
    one_place = place(np.ones((n, 4)), np.zeros((n, 2)), new[[0]], method)
    assert np.isfinite(one_place).all()


@pytest.mark.parametrize("method", METHODS)
def test_what_has_no_point_is_no_neighbour(
    method: str,
    clusters: tuple[np.ndarray, np.ndarray],
    maps: dict[str, np.ndarray],
) -> None:
    vectors, points = clusters[0][:600].copy(), maps[method].copy()
    expected = place(vectors[2:], points[2:], clusters[0][600:], method)
    points[0] = np.nan
    vectors[1] = np.nan
    np.testing.assert_allclose(
        place(vectors, points, clusters[0][600:], method), expected
    )


def test_pca_places_by_the_axes_of_the_map() -> None:
    vectors = np.random.default_rng(0).normal(size=(80, 6)) * [
        9,
        5,
        1,
        1,
        1,
        1,
    ]
    points = pca_map(vectors)
    # some of the map's objects are gone meanwhile
    placed = place(vectors[:30], points[:30], vectors[30:], "pca")
    np.testing.assert_allclose(placed, points[30:], atol=1e-8)


def test_mistakes_are_told() -> None:
    vectors, points = np.ones((4, 3)), np.zeros((4, 2))
    with pytest.raises(RaremineError, match="Unknown map method 'som'"):
        place(vectors, points, vectors, "som")
    with pytest.raises(RaremineError, match="does not belong to 4"):
        place(vectors, points[:3], vectors, "pca")
    with pytest.raises(RaremineError, match="2 dimensions have no place"):
        place(vectors, points, vectors[:, :2], "pca")
    for broken in (vectors[:0], np.full((4, 3), np.nan)):
        with pytest.raises(RaremineError, match="no map to place others"):
            place(broken, points[: len(broken)], vectors, "tsne")
