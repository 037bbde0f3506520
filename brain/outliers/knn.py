"""k-nearest-neighbour distance in the embedding space."""

from __future__ import annotations

import numpy as np

from raremine.brain.neighbors.graph import NeighborGraph, neighbor_graph


def knn_scores(
    vectors: np.ndarray,
    *,
    k: int = 20,
    graph: NeighborGraph | None = None,
    exact: bool | None = None,
) -> np.ndarray:
    """Scores each vector by its mean distance to its nearest neighbours.

    Args:
        vectors: (n, d) float
        k (20): neighbours, the point itself not counted
        graph (None): the vectors' neighbour graph, if it is known already
        exact (None): how to search if it is not, see ``neighbor_graph``

    Returns:
        (n,) float64, higher = more unusual; 0 where there is no other
        vector, NaN where the vector is not finite
    """
    if graph is None:
        graph = neighbor_graph(vectors, k, exact=exact)
    return mean_distance(graph.nearest(k))


def mean_distance(graph: NeighborGraph) -> np.ndarray:
    """Returns the (n,) mean distance to all neighbours of a graph."""
    if not graph.k:
        return np.where(graph.finite, 0.0, np.nan)
    return np.asarray(graph.distances.mean(axis=1, dtype=np.float64))
