"""Neighbour distance on a UMAP map (McInnes, Healy, Melville 2018)."""

from __future__ import annotations

import warnings

import numpy as np

from raremine.brain.neighbors.graph import NeighborGraph, neighbor_graph
from raremine.brain.outliers.layout_knn import (
    check_layout,
    layout_knn_scores,
)

SMALLEST = 6
"""Vectors below which UMAP's spectral start fails."""

NEIGHBORS = 15
"""UMAP's own default; the point itself counts as one."""


def umap_map(
    vectors: np.ndarray,
    *,
    seed: int = 42,
    graph: NeighborGraph | None = None,
    exact: bool | None = None,
) -> np.ndarray:
    """Lays vectors out in two dimensions, from a neighbour graph.

    Args:
        vectors: (n, d) float
        seed (42): seed of the layout
        graph (None): the vectors' neighbour graph with k >= 14, if it is
            known already
        exact (None): how to search if it is not, see ``neighbor_graph``

    Returns:
        (n, 2) float64; NaN where the vector is not finite, 0 for fewer than
        six vectors and for vectors that are all the same
    """
    if graph is None:
        graph = neighbor_graph(vectors, NEIGHBORS - 1, exact=exact)
    points = np.full((len(vectors), 2), np.nan)
    rows = np.flatnonzero(graph.finite)
    count = min(NEIGHBORS, len(rows))
    points[rows] = 0.0
    if len(rows) < SMALLEST:
        return points
    near = graph.nearest(count - 1)
    known = vectors if len(rows) == len(vectors) else vectors[rows]
    if (known == known[0]).all():
        return points
    place = np.full(len(vectors), -1, dtype=np.int32)
    place[rows] = np.arange(len(rows))
    # UMAP's own search returns each point as its first neighbour
    indices = np.column_stack([place[rows], place[near.indices[rows]]])
    distances = np.column_stack(
        [np.zeros(len(rows)), near.distances[rows]]
    ).astype(np.float32)
    import umap

    layout = umap.UMAP(
        n_neighbors=count,
        random_state=seed,
        precomputed_knn=(indices, distances),
        # below 4096 points UMAP would search once more by itself
        force_approximation_algorithm=True,
        # a seeded layout is single-threaded anyway; saying so avoids a warning
        n_jobs=1,
    )
    with warnings.catch_warnings():
        # told of parameters that it overrides as it was asked to
        warnings.simplefilter("ignore", UserWarning)
        points[rows] = layout.fit_transform(known)
    return points


def umap_knn_scores(
    vectors: np.ndarray,
    *,
    k: int = 20,
    seed: int = 42,
    layout: np.ndarray | None = None,
    graph: NeighborGraph | None = None,
    exact: bool | None = None,
) -> np.ndarray:
    """Scores each vector by its mean distance to neighbours on the map.

    Args:
        vectors: (n, d) float
        k (20): neighbours on the map, of which the point itself counts as one
        seed (42): seed of the layout
        layout (None): (n, 2) UMAP map, if there is one already
        graph (None): the vectors' neighbour graph for a new map
        exact (None): how to search if neither is given

    Returns:
        (n,) float64, higher = more unusual; 0 for fewer than six vectors,
        NaN where the vector is not finite
    """
    if layout is None:
        layout = umap_map(vectors, seed=seed, graph=graph, exact=exact)
    return layout_knn_scores(check_layout(layout, len(vectors)), k=k)
