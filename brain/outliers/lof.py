"""Local Outlier Factor (Breunig et al., SIGMOD 2000), plain and by class."""

from __future__ import annotations

import numpy as np

SMALLEST_CLASS = 10
"""Objects that a class needs for neighbours of its own."""


def lof_scores(vectors: np.ndarray, *, k: int = 20) -> np.ndarray:
    """Scores each vector by its density against that of its neighbours.

    Args:
        vectors: (n, d) float
        k (20): neighbours, at most n - 1

    Returns:
        (n,) float64 local outlier factor, about 1 inside a cluster, higher =
        more unusual; 1 where there are fewer than two other vectors
    """
    from sklearn.neighbors import LocalOutlierFactor

    n = len(vectors)
    if n < 3:
        return np.ones(n)
    model = LocalOutlierFactor(n_neighbors=min(k, n - 1)).fit(vectors)
    return np.asarray(-model.negative_outlier_factor_, dtype=np.float64)


def class_lof_scores(vectors: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Scores each vector against the others of its own class.

    A class of n >= 10 objects uses k = min(50, max(5, n // 10)) neighbours,
    as concept-based mining does (arXiv 2512.05482). Smaller classes are the
    rarest, not the ones to skip: their objects get the largest score of all.

    Args:
        vectors: (n, d) float
        labels: (n,) class names

    Returns:
        (n,) float64, higher = more unusual
    """
    scores = np.full(len(vectors), np.nan)
    for name in dict.fromkeys(labels):
        rows = np.flatnonzero(labels == name)
        if len(rows) >= SMALLEST_CLASS:
            k = min(50, max(5, len(rows) // 10))
            scores[rows] = lof_scores(vectors[rows], k=k)
    largest = np.nanmax(scores) if np.isfinite(scores).any() else 1.0
    return np.where(np.isnan(scores), largest, scores)
