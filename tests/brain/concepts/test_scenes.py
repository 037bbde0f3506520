"""Evidence that crops of a scene share."""

from __future__ import annotations

import numpy as np
import pytest

from raremine.brain.concepts import scenes
from raremine.brain.concepts.evidence import CropVectors
from raremine.brain.concepts.scenes import pool_in_scenes


def crops_of(vectors: np.ndarray) -> CropVectors:
    has = np.flatnonzero(np.isfinite(vectors).all(axis=1))
    return CropVectors(vectors[has], has, len(vectors))


def drawn(n: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(n, 8)) + 1
    scene = rng.choice(["a", "b", "c"], n)
    return rng.random((n, 2)), vectors, scene


def by_definition(
    scores: np.ndarray,
    vectors: np.ndarray,
    scene: np.ndarray,
    neighbours: int,
    sharpness: float,
) -> np.ndarray:
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosine = units @ units.T
    mean = cosine.mean()
    out = np.empty_like(scores)
    for row in range(len(scores)):
        own = np.flatnonzero(scene == scene[row])
        near = own[np.argsort(-cosine[row, own])[:neighbours]]
        weight = np.exp(-sharpness * (1 - cosine[row, near]) / (1 - mean))
        out[row] = weight @ scores[near] / weight.sum()
    return out


@pytest.mark.parametrize("neighbours", [1, 5, 100])
@pytest.mark.parametrize("pairs", [1, 1 << 24])
def test_it_is_the_weighted_mean_of_the_nearest_in_the_scene(
    monkeypatch: pytest.MonkeyPatch, neighbours: int, pairs: int
) -> None:
    scores, vectors, scene = drawn()
    monkeypatch.setattr(scenes, "PAIRS_AT_ONCE", pairs)
    found = pool_in_scenes(
        scores, crops_of(vectors), scene, neighbours=neighbours, sharpness=3
    )
    expected = by_definition(scores, vectors, scene, neighbours, 3)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    if neighbours == 1:
        np.testing.assert_allclose(found, scores)


def test_one_dark_crop_of_a_truck_is_believed_with_its_others() -> None:
    truck, car, tree = np.eye(3)
    vectors = np.array([truck, truck, truck, car, tree, truck])
    scores = np.array([[0.9], [0.9], [0.3], [0.0], [0.0], [0.3]])
    scene = np.array(["a", "a", "a", "a", "a", "b"])
    found = pool_in_scenes(scores, crops_of(vectors), scene)[:, 0]
    assert found[2] > 0.65
    assert found[0] < 0.9
    assert found[3] < 0.05
    # the same crop in another scene is another truck
    assert found[5] == 0.3


def test_who_cannot_be_compared_keeps_its_scores() -> None:
    scores, vectors, scene = drawn(12)
    vectors[3] = np.nan
    scene[5] = ""
    scores[7] = np.nan
    found = pool_in_scenes(scores, crops_of(vectors), scene)
    for row in (3, 5):
        np.testing.assert_array_equal(found[row], scores[row])
    assert np.isnan(found[7]).all()
    others = np.setdiff1d(np.arange(12), [3, 5, 7])
    alone = pool_in_scenes(
        scores[others], crops_of(vectors[others]), scene[others]
    )
    np.testing.assert_allclose(found[others], alone, atol=1e-6)


def test_nothing_to_compare() -> None:
    none = pool_in_scenes(
        np.empty((0, 2)), crops_of(np.empty((0, 4))), np.array([], str)
    )
    assert none.shape == (0, 2)
    same = np.full((3, 1), [[0.5]])
    vectors = np.ones((3, 4))
    kept = pool_in_scenes(same, crops_of(vectors), np.array(["a"] * 3))
    np.testing.assert_allclose(kept, same)


def test_the_order_of_rows_does_not_matter() -> None:
    scores, vectors, scene = drawn()
    found = pool_in_scenes(scores, crops_of(vectors), scene)
    order = np.random.default_rng(1).permutation(len(scores))
    turned = pool_in_scenes(
        scores[order], crops_of(vectors[order]), scene[order]
    )
    np.testing.assert_allclose(turned, found[order], atol=1e-6)
