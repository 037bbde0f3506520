"""Isolation Forest (Liu, Ting, Zhou: Isolation Forest, ICDM 2008)."""

from __future__ import annotations

import numpy as np


def isolation_forest_scores(
    vectors: np.ndarray, *, trees: int = 100, seed: int = 42
) -> np.ndarray:
    """Scores each vector by how quickly random splits isolate it.

    Args:
        vectors: (n, d) float
        trees (100): trees of the forest, each on up to 256 vectors
        seed (42): seed of the forest

    Returns:
        (n,) float64 anomaly score s(x) of the paper's equation 2, in (0, 1],
        higher = more unusual; 0 where there is no other vector
    """
    from sklearn.ensemble import IsolationForest

    if len(vectors) < 2:
        return np.zeros(len(vectors))
    forest = IsolationForest(
        n_estimators=trees, max_samples="auto", random_state=seed
    ).fit(vectors)
    return np.asarray(-forest.score_samples(vectors), dtype=np.float64)
