"""PCA, t-SNE and UMAP maps: faithful, repeatable, defined for anything."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE, trustworthiness
from threadpoolctl import threadpool_limits

from raremine.brain.errors import RaremineError
from raremine.brain.maps import pca, tsne
from raremine.brain.maps.pca import pca_map
from raremine.brain.maps.repulsion import Repulsion
from raremine.brain.maps.tsne import perplexity_of, tsne_map, tsne_neighbors
from raremine.brain.maps.umap import umap_map
from raremine.brain.neighbors.graph import neighbor_graph

Method = Callable[..., np.ndarray]

METHODS: dict[str, Method] = {
    "pca": pca_map,
    "tsne": tsne_map,
    "umap": umap_map,
}


def cloud(n: int, d: int = 6, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    return load_digits().data[:600].astype(np.float32)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 5, 6, 19, 40])
def test_any_number_of_vectors(method: str, n: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        points = METHODS[method](cloud(n))
    assert points.shape == (n, 2)
    assert np.isfinite(points).all()
    assert len(np.unique(points, axis=0)) == n


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [1, 5, 19, 400])
def test_equal_vectors_lie_in_one_place(method: str, n: int) -> None:
    points = METHODS[method](np.ones((n, 4), np.float32))
    assert (points == 0).all()


@pytest.mark.parametrize("method", METHODS)
def test_many_duplicates_and_one_dimension(method: str) -> None:
    for vectors in (np.repeat(cloud(4), 30, axis=0), cloud(50)[:, :1]):
        assert np.isfinite(METHODS[method](vectors)).all()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [2, 3, 5, 19, 45])
def test_broken_vectors_have_no_point_and_move_no_other(
    method: str, n: int
) -> None:
    expected = METHODS[method](cloud(n))
    vectors = np.insert(cloud(n), [0, 2], 0, axis=0)
    vectors[0, 1], vectors[3] = np.nan, np.inf
    points = METHODS[method](vectors)
    assert np.flatnonzero(np.isnan(points).any(axis=1)).tolist() == [0, 3]
    np.testing.assert_allclose(np.delete(points, [0, 3], 0), expected)
    broken = np.full((3, 4), np.nan, np.float32)
    assert np.isnan(METHODS[method](broken)).all()


@pytest.mark.parametrize("method", ["tsne", "umap"])
def test_the_seed_decides_the_map(method: str, digits: np.ndarray) -> None:
    first = METHODS[method](digits, seed=3)
    np.testing.assert_array_equal(first, METHODS[method](digits, seed=3))
    assert not np.allclose(first, METHODS[method](digits, seed=4))


@pytest.mark.parametrize("method", ["tsne", "umap"])
def test_a_wider_graph_gives_the_same_map(
    method: str, digits: np.ndarray
) -> None:
    graph = neighbor_graph(digits, 120)
    np.testing.assert_array_equal(
        METHODS[method](digits, graph=graph), METHODS[method](digits)
    )
    with pytest.raises(RaremineError, match="cannot give"):
        METHODS[method](digits, graph=graph.nearest(5))


def test_tsne_keeps_neighbours_as_scikit_learn_s_does(
    digits: np.ndarray,
) -> None:
    # threads that wait for one another take minutes on a busy machine
    with threadpool_limits(1):
        theirs = TSNE(random_state=42).fit_transform(digits)
    ours = tsne_map(digits)
    faithful = trustworthiness(digits, ours, n_neighbors=12)
    assert faithful > trustworthiness(digits, theirs, n_neighbors=12) - 0.01
    # the divergence that both minimise
    matrix = tsne.affinities(neighbor_graph(digits, 90), 90)
    found, expected = (
        tsne.divergence(matrix, points, Repulsion().among(points)[1])
        for points in (ours, theirs.astype(np.float64))
    )
    assert found < expected * 1.05
    random = np.random.default_rng(0).normal(0, 20, ours.shape)
    assert tsne.divergence(matrix, random, 1e4) > 2 * expected


def test_umap_keeps_neighbours_as_umap_learn_does(
    digits: np.ndarray,
) -> None:
    import umap

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = umap.UMAP(random_state=42).fit_transform(digits)
    ours = umap_map(digits)
    faithful = trustworthiness(digits, ours, n_neighbors=12)
    assert faithful > trustworthiness(digits, theirs, n_neighbors=12) - 0.01


@pytest.mark.parametrize("method", ["tsne", "umap"])
def test_clusters_stay_apart(method: str) -> None:
    vectors = cloud(60)
    vectors[30:] += 40
    points = METHODS[method](vectors)
    distance = np.linalg.norm(points[:, None] - points[None], axis=2)
    within = max(distance[:30, :30].max(), distance[30:, 30:].max())
    assert distance[:30, 30:].min() > within


@pytest.mark.parametrize(
    ("n", "perplexity"),
    [(4, 3 / 1.01), (5, 4 / 1.01), (6, 5), (20, 19), (31, 30), (4000, 30)],
)
def test_the_perplexity_is_the_published_one_below_n(
    n: int, perplexity: float
) -> None:
    assert perplexity_of(n) == pytest.approx(perplexity)
    assert tsne_neighbors(n) == min(n - 1, int(3 * perplexity))
    assert perplexity_of(10, 50) == pytest.approx(9 / 1.01)
    assert perplexity_of(1000, 50) == 50


def test_a_map_s_affinities_have_the_perplexity(digits: np.ndarray) -> None:
    graph = neighbor_graph(digits, 90)
    matrix = tsne.affinities(graph, 90)
    assert matrix.sum() == pytest.approx(1)
    assert abs(matrix - matrix.T).max() < 1e-12
    few = tsne.affinities(neighbor_graph(cloud(31), 30), 30)
    rows = few.toarray() * 31
    entropy = -(rows[rows > 0] * np.log2(rows[rows > 0])).sum() / 31
    # thirty equal weights, for there are no more than thirty others
    assert 2**entropy == pytest.approx(30, rel=0.01)


def test_of_very_many_only_the_nearest_count_and_all_alike(
    monkeypatch: pytest.MonkeyPatch, digits: np.ndarray
) -> None:
    monkeypatch.setattr(tsne, "MANY", 500)
    assert tsne_neighbors(600) == 30
    matrix = tsne.affinities(neighbor_graph(digits, 30), 30).tocsr()
    # one of two has the other among its nearest, or both have
    half, whole = np.unique(np.round(matrix.data / matrix.data.max(), 2))
    assert (half, whole) == (0.5, 1)
    monkeypatch.undo()
    usual = trustworthiness(digits, tsne_map(digits), n_neighbors=12)
    monkeypatch.setattr(tsne, "MANY", 500)
    faithful = trustworthiness(digits, tsne_map(digits), n_neighbors=12)
    assert faithful > usual - 0.01


def test_settings_that_are_not_possible_are_told() -> None:
    with pytest.raises(RaremineError, match="perplexity of 1 or more"):
        tsne_map(cloud(20), perplexity=0.2)
    with pytest.raises(RaremineError, match="perplexity of 1 or more"):
        tsne_map(cloud(20), perplexity=float("nan"))
    with pytest.raises(RaremineError, match="2 neighbours or more"):
        umap_map(cloud(20), neighbors=1)


@pytest.mark.parametrize(("n", "d"), [(300, 40), (20, 40), (40, 40), (3, 1)])
def test_pca_is_scikit_learn_s_up_to_sign(n: int, d: int) -> None:
    vectors = cloud(n, d) * np.linspace(3, 1, d, dtype=np.float32) + 5
    width = min(2, d)
    expected = PCA(width, svd_solver="full").fit_transform(
        vectors.astype(np.float64)
    )
    points = pca_map(vectors)[:, :width]
    signs = np.sign((points * expected).sum(axis=0))
    np.testing.assert_allclose(points, expected * signs, atol=1e-9)


def test_pca_reads_a_memory_map_in_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pca, "ROWS_AT_ONCE", 32)
    vectors = np.lib.format.open_memmap(
        tmp_path / "v.npy", "w+", np.float32, (500, 20)
    )
    vectors[:] = cloud(500, 20) + 3
    vectors[7, 1] = np.nan
    points = pca_map(vectors)
    monkeypatch.undo()
    np.testing.assert_allclose(points, pca_map(np.array(vectors)), atol=1e-9)
    assert np.isnan(points[7]).all()
    np.testing.assert_allclose(np.nanmean(points, axis=0), 0, atol=1e-9)


def test_the_signs_of_pca_are_settled() -> None:
    vectors = cloud(200, 5) * [1, 1, 9, 1, 4]
    points = pca_map(vectors)
    # the axes point to where the component that counts most is positive
    assert np.corrcoef(points[:, 0], vectors[:, 2])[0, 1] > 0.99
    assert np.corrcoef(points[:, 1], vectors[:, 4])[0, 1] > 0.99
    np.testing.assert_allclose(pca_map(vectors[::-1])[::-1], points)
