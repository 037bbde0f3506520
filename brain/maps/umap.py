"""UMAP maps from a neighbour graph (McInnes, Healy, Melville 2018).

The steps are umap-learn's own functions. Two differ from its defaults:
neighbours come from the graph that other methods share, and a map starts
from principal components. The default start, eigenvectors of the graph,
takes most of umap-learn's time where the graph falls into parts, as that of
crops does, and is no better than principal components (Kobak and Linderman,
Nature Biotechnology 2021).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from raremine.brain.errors import RaremineError
from raremine.brain.maps.pca import pca_map
from raremine.brain.neighbors.graph import NeighborGraph, neighbor_graph

SMALLEST = 6
"""Vectors below which a UMAP map says nothing."""

NEIGHBORS = 15
"""UMAP's own default; the point itself counts as one."""

EXTENT = 10.0
"""Largest coordinate of the start, as umap-learn scales its own."""

MIN_DISTANCE = 0.1
NEGATIVES = 5


def umap_map(
    vectors: np.ndarray,
    *,
    seed: int = 42,
    graph: NeighborGraph | None = None,
    exact: bool | None = None,
    neighbors: int | None = None,
) -> np.ndarray:
    """Lays vectors out in two dimensions, from a neighbour graph.

    Args:
        vectors: (n, d) float, may be a memory map
        seed (42): seed of the layout
        graph (None): the vectors' neighbour graph with k >= neighbors - 1,
            if it is known already
        exact (None): how to search if it is not, see ``neighbor_graph``
        neighbors (None): of each point, which itself counts as one, None =
            ``NEIGHBORS``

    Returns:
        (n, 2) float64; NaN where the vector is not finite, 0 where all
        vectors are the same, principal components for fewer than six

    Raises:
        RaremineError: if neighbors is below 2, or the graph holds too few
    """
    count = NEIGHBORS if neighbors is None else neighbors
    if count < 2:
        raise RaremineError(
            f"A UMAP map needs 2 neighbours or more, not {count}; the point "
            "itself counts as one."
        )
    if graph is None:
        graph = neighbor_graph(vectors, count - 1, exact=exact, seed=seed)
    points = pca_map(vectors, graph.finite)
    rows = np.flatnonzero(graph.finite)
    start = points[rows]
    if len(rows) < SMALLEST or not start.any():
        return points
    near = graph.nearest(min(count, len(rows)) - 1)
    place = np.full(len(vectors), -1, dtype=np.int32)
    place[rows] = np.arange(len(rows))
    points[rows] = _optimize(
        place[near.indices[rows]], near.distances[rows], start, seed
    )
    return points


def _optimize(
    indices: np.ndarray, distances: np.ndarray, start: np.ndarray, seed: int
) -> np.ndarray:
    from umap.umap_ import fuzzy_simplicial_set, simplicial_set_embedding

    n = len(indices)
    random = np.random.RandomState(seed)
    # UMAP's own search returns each point as its first neighbour
    own = np.arange(n, dtype=np.int32)
    weights, _, _ = fuzzy_simplicial_set(
        start,
        indices.shape[1] + 1,
        random,
        "euclidean",
        knn_indices=np.column_stack([own, indices]).astype(np.int32),
        knn_dists=np.column_stack([np.zeros(n), distances]).astype(np.float32),
    )
    start = start * (EXTENT / np.abs(start).max())
    # moves duplicates apart, as umap-learn does
    start = start + random.normal(scale=1e-4, size=start.shape)
    a, b = curve()
    points, _ = simplicial_set_embedding(
        start,
        weights,
        2,
        1.0,
        a,
        b,
        1.0,
        NEGATIVES,
        None,
        start.astype(np.float32),
        random,
        "euclidean",
        {},
        False,
        {},
        False,
        # threads would race, and the seed would not decide the map
        parallel=False,
    )
    return np.asarray(points, dtype=np.float64)


@lru_cache(maxsize=1)
def curve() -> tuple[Any, Any]:
    """Returns a and b of UMAP's weight 1 / (1 + a·r^2b) on the map."""
    from umap.umap_ import find_ab_params

    a, b = find_ab_params(1.0, MIN_DISTANCE)
    return a, b
