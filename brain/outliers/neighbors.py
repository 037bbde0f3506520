"""Exact nearest neighbours, shared by the neighbour-based scores."""

from __future__ import annotations

import numpy as np


def neighbor_distances(vectors: np.ndarray, k: int) -> np.ndarray:
    """Returns distances to the nearest neighbours, the point itself left out.

    Args:
        vectors: (n, d) float
        k: neighbours asked for; fewer when there are fewer other points

    Returns:
        (n, min(k, n - 1)) float64 Euclidean distances, ascending
    """
    from sklearn.neighbors import NearestNeighbors

    n = len(vectors)
    k = min(k, n - 1)
    if k < 1:
        return np.zeros((n, 0))
    search = NearestNeighbors(n_neighbors=k).fit(vectors)
    # no argument = each point's own neighbours without itself
    distances, _ = search.kneighbors()
    return np.asarray(distances, dtype=np.float64)
