"""The neighbour graph: exact where it says so, close where it does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from raremine.brain.errors import RaremineError
from raremine.brain.neighbors import exact_search
from raremine.brain.neighbors import graph as graph_module
from raremine.brain.neighbors.approximate_search import ClusteredIndex
from raremine.brain.neighbors.exact_search import exact_neighbors
from raremine.brain.neighbors.graph import neighbor_graph
from raremine.brain.outliers.knn import knn_scores


def clusters(n: int, d: int = 24, seed: int = 0) -> np.ndarray:
    """Unit vectors around a few centres."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(12, d))
    vectors = centres[rng.integers(0, 12, n)] + 0.5 * rng.normal(size=(n, d))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32)


def by_definition(vectors: np.ndarray, k: int) -> np.ndarray:
    wide = vectors.astype(np.float64)
    squares = ((wide[:, None] - wide[None]) ** 2).sum(axis=2)
    np.fill_diagonal(squares, np.inf)
    return np.sqrt(np.sort(squares, axis=1)[:, :k])


@pytest.mark.parametrize("n", [300, 2500])
def test_the_exact_graph_is_scikit_learn_s(n: int) -> None:
    vectors = clusters(n)
    distances, indices = (
        NearestNeighbors(n_neighbors=20, algorithm="brute")
        .fit(vectors.astype(np.float64))
        .kneighbors()
    )
    graph = neighbor_graph(vectors, 20)
    assert graph.exact
    np.testing.assert_array_equal(graph.indices, indices)
    np.testing.assert_allclose(graph.distances, distances, rtol=1e-7)


def test_float32_search_was_used_and_made_certain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # far from the origin float32 sees no difference between the vectors
    vectors = clusters(2500, 4) + np.float32(3000)
    again = []
    original = exact_search._float64_candidates
    monkeypatch.setattr(
        exact_search,
        "_float64_candidates",
        lambda q, *rest: again.append(len(q)) or original(q, *rest),
    )
    graph = neighbor_graph(vectors, 5, exact=True)
    assert sum(again) > 2000
    np.testing.assert_allclose(
        graph.distances[:200],
        by_definition(vectors, 5)[:200],
        atol=1e-9,
    )
    again.clear()
    neighbor_graph(clusters(2500), 5, exact=True)
    assert sum(again) < 250


@settings(deadline=None, max_examples=40)
@given(
    n=st.integers(2, 60),
    k=st.integers(1, 30),
    values=st.integers(1, 4),
    seed=st.integers(0, 1000),
)
def test_duplicates_are_neighbours_and_the_point_itself_is_not(
    n: int, k: int, values: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.integers(0, values, (n, 3)).astype(np.float32)
    graph = neighbor_graph(vectors, k)
    assert graph.indices.shape == (n, min(k, n - 1))
    expected = by_definition(vectors, min(k, n - 1))
    np.testing.assert_allclose(graph.distances, expected)
    for row, found in enumerate(graph.indices):
        assert row not in found
        assert len(set(found.tolist())) == len(found)
        np.testing.assert_allclose(
            np.linalg.norm(vectors[found] - vectors[row], axis=1),
            graph.distances[row],
            rtol=1e-6,
        )


@pytest.mark.parametrize("exact", [True, False])
def test_hundreds_of_duplicates(exact: bool) -> None:
    vectors = clusters(3000)
    vectors[500:1500] = vectors[500]
    graph = neighbor_graph(vectors, 20, exact=exact)
    assert (graph.distances[500:1500] == 0).all()
    assert (graph.indices != np.arange(3000)[:, None]).all()
    assert ((graph.indices >= 0) & (graph.indices < 3000)).all()


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("scale", [1e-25, 1e19])
def test_vectors_at_the_ends_of_float32(exact: bool, scale: float) -> None:
    vectors = clusters(2200) * np.float32(scale)
    graph = neighbor_graph(vectors, 3, exact=exact)
    assert (graph.indices != np.arange(2200)[:, None]).all()
    if exact:
        np.testing.assert_array_equal(
            graph.indices, neighbor_graph(clusters(2200), 3).indices
        )


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("n", [40, 2600])
def test_a_broken_vector_leaves_the_others_alone(exact: bool, n: int) -> None:
    vectors = clusters(n)
    vectors[7, 3] = np.nan
    vectors[30] = np.inf
    keep = np.delete(np.arange(n), [7, 30])
    alone = neighbor_graph(vectors[keep], 6, exact=exact)
    graph = neighbor_graph(vectors, 6, exact=exact)
    assert np.flatnonzero(~graph.finite).tolist() == [7, 30]
    np.testing.assert_array_equal(graph.indices[keep], keep[alone.indices])
    np.testing.assert_array_equal(graph.distances[keep], alone.distances)
    assert (graph.indices[[7, 30]] == -1).all()
    assert np.isnan(graph.distances[[7, 30]]).all()


@pytest.mark.parametrize("n", [0, 1, 2, 5, 19])
@pytest.mark.parametrize("exact", [None, True, False])
def test_few_vectors(n: int, exact: bool | None) -> None:
    graph = neighbor_graph(clusters(n), 20, exact=exact)
    assert graph.indices.shape == (n, max(n - 1, 0))
    assert np.isfinite(graph.distances).all()
    assert neighbor_graph(np.empty((0, 0), np.float32), 3).k == 0


def test_the_approximate_graph_is_close_and_the_same_each_time() -> None:
    vectors = clusters(9000)
    exact = neighbor_graph(vectors, 15, exact=True)
    graph = neighbor_graph(vectors, 15, exact=False, seed=3)
    assert not graph.exact
    found = [
        len(set(a.tolist()) & set(b.tolist()))
        for a, b in zip(graph.indices, exact.indices, strict=True)
    ]
    assert np.mean(found) / 15 > 0.97
    ranks = [
        np.argsort(np.argsort(knn_scores(vectors, k=15, graph=one)))
        for one in (graph, exact)
    ]
    assert np.corrcoef(*ranks)[0, 1] > 0.99
    # what is found is told with its own distance, never nearer than true
    assert (graph.distances >= exact.distances - 1e-6).all()
    again = neighbor_graph(vectors, 15, exact=False, seed=3)
    np.testing.assert_array_equal(again.indices, graph.indices)
    np.testing.assert_array_equal(again.distances, graph.distances)


def test_a_list_with_few_vectors_still_gives_all_neighbours() -> None:
    vectors = clusters(3000)
    index = ClusteredIndex(vectors, seed=1, probes=1)
    ids, distances = index.neighbors(vectors[:50], 400, np.arange(50))
    assert np.isfinite(distances).all()
    assert all(len(set(row.tolist())) == 400 for row in ids)


def test_the_size_decides_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph_module, "EXACT_LIMIT", 500)
    assert neighbor_graph(clusters(500), 3).exact
    assert not neighbor_graph(clusters(501), 3).exact
    assert neighbor_graph(clusters(501), 3, exact=True).exact


def test_a_memory_map_gives_what_an_array_gives(tmp_path: Path) -> None:
    vectors = clusters(2300)
    np.save(tmp_path / "vectors.npy", vectors)
    mapped = np.load(tmp_path / "vectors.npy", mmap_mode="r")
    for exact in (True, False):
        np.testing.assert_array_equal(
            neighbor_graph(mapped, 4, exact=exact).indices,
            neighbor_graph(vectors, 4, exact=exact).indices,
        )


def test_a_larger_graph_holds_a_smaller_one() -> None:
    vectors = clusters(100)
    small = neighbor_graph(vectors, 30).nearest(5)
    np.testing.assert_array_equal(
        small.indices, neighbor_graph(vectors, 5).indices
    )
    assert neighbor_graph(vectors[:4], 20).nearest(20).k == 3
    with pytest.raises(RaremineError, match="5 neighbours cannot give 6"):
        small.nearest(6)
    with pytest.raises(RaremineError, match="1 or more"):
        neighbor_graph(vectors, 0)


def test_new_queries_do_not_depend_on_their_company() -> None:
    base, queries = clusters(2500), clusters(70, seed=9)
    ids, distances = exact_neighbors(queries, base, 8)
    one_by_one = [exact_neighbors(q[None], base, 8) for q in queries]
    np.testing.assert_array_equal(ids, np.vstack([i for i, _ in one_by_one]))
    np.testing.assert_array_equal(
        distances, np.vstack([d for _, d in one_by_one])
    )
