"""k-nearest-neighbour distance in the embedding space."""

from __future__ import annotations

import numpy as np

from raremine.brain.outliers.neighbors import neighbor_distances


def knn_scores(vectors: np.ndarray, *, k: int = 20) -> np.ndarray:
    """Scores each vector by its mean distance to its nearest neighbours.

    Args:
        vectors: (n, d) float
        k (20): neighbours, the point itself not counted

    Returns:
        (n,) float64, higher = more unusual; 0 where there is no other vector
    """
    distances = neighbor_distances(vectors, k)
    if not distances.shape[1]:
        return np.zeros(len(vectors))
    return np.asarray(distances.mean(axis=1))
