"""The scorers: equal to scikit-learn, defined for any number of objects."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors

from raremine.brain.errors import RaremineError
from raremine.brain.neighbors.graph import neighbor_graph
from raremine.brain.outliers import scoring, tsne_knn
from raremine.brain.outliers.class_rarity import class_rarity_scores
from raremine.brain.outliers.isolation_forest import (
    IsolationTrees,
    isolation_forest_scores,
)
from raremine.brain.outliers.knn import knn_scores
from raremine.brain.outliers.lof import class_lof_scores, lof_scores
from raremine.brain.outliers.scoring import SCORERS, ScoringInput
from raremine.brain.outliers.tsne_knn import tsne_knn_scores
from raremine.brain.outliers.umap_knn import umap_knn_scores


def cloud(n: int, d: int = 6, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def with_outlier(n: int = 60) -> np.ndarray:
    vectors = cloud(n)
    vectors[17] += 12
    return vectors


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 5, 6, 19, 40])
@pytest.mark.parametrize("name", sorted(SCORERS))
def test_any_number_of_objects_gets_finite_scores(name: str, n: int) -> None:
    labels = np.array([("car", "truck")[i % 2] for i in range(n)], object)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        scores = SCORERS[name](ScoringInput(cloud(n), labels))
    assert scores.shape == (n,)
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("n", [2, 5, 19])
@pytest.mark.parametrize("name", sorted(SCORERS))
def test_identical_objects_are_not_told_apart(name: str, n: int) -> None:
    labels = np.array(["car"] * n, object)
    scores = SCORERS[name](ScoringInput(np.ones((n, 4), np.float32), labels))
    assert np.isfinite(scores).all()
    assert np.ptp(scores) < 1e-9


@pytest.mark.parametrize("name", ["isolation_forest", "knn", "lof"])
def test_the_strange_one_scores_highest(name: str) -> None:
    vectors = with_outlier()
    labels = np.array(["car"] * len(vectors), object)
    assert np.argmax(SCORERS[name](ScoringInput(vectors, labels, k=20))) == 17


def test_isolation_forest_is_scikit_learn_s() -> None:
    vectors = with_outlier()
    forest = IsolationForest(
        n_estimators=100, max_samples="auto", random_state=42
    ).fit(vectors)
    scores = isolation_forest_scores(vectors, seed=42)
    np.testing.assert_allclose(scores, -forest.score_samples(vectors))
    assert ((scores > 0) & (scores <= 1)).all()
    assert not np.allclose(scores, isolation_forest_scores(vectors, seed=1))


def test_a_component_at_the_threshold_goes_left() -> None:
    trees = IsolationTrees(
        roots=np.array([0], np.int32),
        feature=np.array([1, 0, 0], np.int32),
        threshold=np.array([1.0, -2.0, -2.0]),
        children=np.array([[1, 2], [1, 1], [2, 2]], np.int32),
        path_length=np.array([0.0, 1.0, 3.0]),
        levels=1,
        expected=2.0,
    )
    vectors = np.array([[9, 1.0], [9, 1.001], [9, -5]], np.float32)
    np.testing.assert_allclose(
        trees.scores(vectors), [2**-0.5, 2**-1.5, 2**-0.5]
    )


@pytest.mark.parametrize(("n", "k"), [(60, 20), (10, 9), (10, 20)])
def test_lof_is_scikit_learn_s(n: int, k: int) -> None:
    # of float32 vectors scikit-learn's own scores are float32
    vectors = cloud(n).astype(np.float64)
    model = LocalOutlierFactor(n_neighbors=min(k, n - 1)).fit(vectors)
    np.testing.assert_allclose(
        lof_scores(vectors, k=k), -model.negative_outlier_factor_
    )


@pytest.mark.parametrize(("n", "k"), [(60, 20), (60, 1), (5, 20)])
def test_knn_is_the_mean_distance_without_the_point_itself(
    n: int, k: int
) -> None:
    vectors = cloud(n).astype(np.float64)
    distance = np.linalg.norm(vectors[:, None] - vectors[None], axis=2)
    distance[np.arange(n), np.arange(n)] = np.inf
    nearest = np.sort(distance, axis=1)[:, : min(k, n - 1)]
    graph = neighbor_graph(vectors, k, exact=True)
    np.testing.assert_allclose(graph.distances, nearest)
    np.testing.assert_allclose(knn_scores(vectors, k=k), nearest.mean(axis=1))


@settings(deadline=None, max_examples=30)
@given(n=st.integers(3, 50), k=st.integers(1, 25), seed=st.integers(0, 10_000))
def test_lof_of_duplicates_is_scikit_learn_s(
    n: int, k: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    # each point one to four times; no two distances are the same otherwise,
    # so that which neighbours are nearest is no matter of taste
    points = rng.normal(size=(n, 2))
    vectors = rng.permutation(np.repeat(points, rng.integers(1, 5, n), axis=0))
    k = min(k, len(vectors) - 1)
    with warnings.catch_warnings():
        # scikit-learn tells of the duplicates
        warnings.simplefilter("ignore", UserWarning)
        model = LocalOutlierFactor(n_neighbors=k).fit(vectors)
    np.testing.assert_allclose(
        lof_scores(vectors, k=k), -model.negative_outlier_factor_, rtol=1e-6
    )


@pytest.mark.parametrize("name", sorted(SCORERS))
def test_broken_vectors_have_no_score_and_change_no_other(name: str) -> None:
    vectors = cloud(45)
    labels = np.array([("car", "truck")[i % 2] for i in range(45)], object)
    expected = SCORERS[name](ScoringInput(vectors, labels))
    vectors = np.insert(vectors, [3, 20], 0, axis=0)
    vectors[3, 2], vectors[21] = np.nan, -np.inf
    labels = np.insert(labels, [3, 20], "truck")
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        scores = SCORERS[name](ScoringInput(vectors, labels))
    if name == "class_rarity":
        # it needs no vector
        assert np.isfinite(scores).all()
        return
    assert np.flatnonzero(np.isnan(scores)).tolist() == [3, 21]
    np.testing.assert_array_equal(np.delete(scores, [3, 21]), expected)


@pytest.mark.parametrize("name", sorted(SCORERS))
def test_nothing_but_broken_vectors(name: str) -> None:
    vectors = np.full((3, 4), np.nan, np.float32)
    labels = np.array(["car"] * 3, object)
    scores = SCORERS[name](ScoringInput(vectors, labels))
    assert np.isnan(scores).all() or name == "class_rarity"


def test_all_methods_share_one_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    original = scoring.stored_graph
    monkeypatch.setattr(
        scoring,
        "stored_graph",
        lambda *a, **b: made.append(a[1]) or original(*a, **b),
    )
    for name in ("tsne", "umap"):
        monkeypatch.setattr(f"raremine.brain.maps.{name}.neighbor_graph", None)
    labels = np.array(["a"] * 40)
    names = ["knn", "lof", "umap_knn"]
    inputs = ScoringInput(cloud(40), labels, k=5, methods=names)
    scores = {name: SCORERS[name](inputs) for name in names}
    # the fourteen others that UMAP asks for
    assert made == [14]
    np.testing.assert_allclose(scores["knn"], knn_scores(cloud(40), k=5))
    np.testing.assert_allclose(scores["lof"], lof_scores(cloud(40), k=5))
    many = cloud(120)
    inputs = ScoringInput(
        many, np.array(["a"] * 120), k=5, methods=[*names, "tsne_knn"]
    )
    scores = {name: SCORERS[name](inputs) for name in [*names, "tsne_knn"]}
    # three times the perplexity of 30
    assert made == [14, 90]
    np.testing.assert_allclose(scores["knn"], knn_scores(many, k=5))
    np.testing.assert_allclose(scores["lof"], lof_scores(many, k=5))


def test_a_method_nobody_announced_has_a_graph_of_its_own() -> None:
    inputs = ScoringInput(cloud(60), np.array(["a"] * 60), k=5)
    for name, alone in (
        ("tsne_knn", tsne_knn_scores),
        ("umap_knn", umap_knn_scores),
    ):
        np.testing.assert_array_equal(
            SCORERS[name](inputs), alone(cloud(60), k=5)
        )


@pytest.mark.parametrize(
    ("scores", "smallest"), [(tsne_knn_scores, 4), (umap_knn_scores, 6)]
)
def test_a_map_of_too_few_points_says_nothing(
    scores: Callable[[np.ndarray], np.ndarray], smallest: int
) -> None:
    assert (scores(cloud(smallest - 1)) == 0).all()
    assert (scores(cloud(smallest)) > 0).all()


def test_a_map_that_is_there_is_used() -> None:
    points = np.array([[0, 0], [3, 4], [np.nan, 0], [0, 1], [50, 0]])
    expected = [0.5, np.sqrt(18) / 2, np.nan, 0.5, np.hypot(47, 4) / 2]
    for scores in (tsne_knn_scores, umap_knn_scores):
        np.testing.assert_allclose(
            scores(cloud(5), k=2, layout=points), expected
        )
        with pytest.raises(RaremineError, match="does not belong to 6"):
            scores(cloud(6), layout=points)


def test_a_duplicate_counts_as_a_neighbour() -> None:
    vectors = np.array([[0.0], [0.0], [3.0]])
    np.testing.assert_allclose(knn_scores(vectors, k=1), [0, 0, 3])


def test_class_lof_compares_within_a_class() -> None:
    rng = np.random.default_rng(5)
    cars = rng.normal(0, 1, (40, 3))
    buses = rng.normal(50, 1, (12, 3))
    cars[7] += 9
    vectors = np.concatenate([cars, buses])
    labels = np.array(["car"] * 40 + ["bus"] * 12, object)
    scores = class_lof_scores(vectors, labels)
    np.testing.assert_allclose(scores[:40], lof_scores(cars, k=5))
    np.testing.assert_allclose(scores[40:], lof_scores(buses, k=5))
    assert np.argmax(scores) == 7


def test_class_lof_neighbours_grow_with_the_class() -> None:
    vectors = cloud(200)
    labels = np.array(["car"] * 200, object)
    np.testing.assert_allclose(
        class_lof_scores(vectors, labels), lof_scores(vectors, k=20)
    )


def test_a_class_under_ten_objects_scores_highest_not_nothing() -> None:
    labels = np.array(["car"] * 30 + ["dog"] * 9, object)
    scores = class_lof_scores(cloud(39), labels)
    assert np.isfinite(scores).all()
    assert (scores[30:] == scores.max()).all()
    ten = np.array(["car"] * 30 + ["dog"] * 10, object)
    scores = class_lof_scores(cloud(40), ten)
    assert len(set(scores[30:].tolist())) > 1


def test_class_rarity_is_the_surprise_of_the_class() -> None:
    labels = np.array(["car"] * 6 + ["bus"] * 2, object)
    scores = class_rarity_scores(labels)
    np.testing.assert_allclose(scores[:6], -np.log(6 / 8))
    np.testing.assert_allclose(scores[6:], -np.log(2 / 8))
    assert (class_rarity_scores(labels[:6]) == 0).all()


def test_tsne_knn_counts_the_point_among_its_neighbours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    points = np.array([[0, 0], [3, 4], [0, 1], [50, 0]], float)
    monkeypatch.setattr(tsne_knn, "tsne_map", lambda *_, **__: points)
    scores = tsne_knn_scores(cloud(4), k=2)
    np.testing.assert_allclose(
        scores, [0.5, np.sqrt(18) / 2, 0.5, np.hypot(47, 4) / 2]
    )
    search = NearestNeighbors(n_neighbors=4).fit(points)
    np.testing.assert_allclose(
        tsne_knn_scores(cloud(4), k=20),
        search.kneighbors(points)[0].mean(axis=1),
    )


def test_the_seed_decides_the_map() -> None:
    np.testing.assert_array_equal(
        tsne_knn_scores(cloud(25), seed=7), tsne_knn_scores(cloud(25), seed=7)
    )
