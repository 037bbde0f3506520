"""Neighbour distance on a t-SNE map, as concept-based mining scores it."""

from __future__ import annotations

import numpy as np

from raremine.brain.neighbors.finite import score_finite
from raremine.brain.outliers.layout_knn import (
    check_layout,
    layout_knn_scores,
)

SMALLEST = 4
"""Points below which a t-SNE map says nothing."""


def tsne_map(vectors: np.ndarray, *, seed: int = 42) -> np.ndarray:
    """Lays vectors out in two dimensions (van der Maaten, Hinton 2008).

    The perplexity is min(30, max(5, n - 1)) (arXiv 2512.05482), lowered below
    n where that formula exceeds it.

    Args:
        vectors: (n, d) float, n >= 4
        seed (42): seed of the layout

    Returns:
        (n, 2) float64
    """
    from sklearn.manifold import TSNE

    n = len(vectors)
    if (vectors == vectors[0]).all():
        # scikit-learn divides by their spread and then never ends
        return np.zeros((n, 2))
    perplexity: float = min(30, max(5, n - 1))
    if perplexity >= n:
        perplexity = (n - 1) / 1.01
    points = TSNE(
        n_components=2, perplexity=perplexity, random_state=seed
    ).fit_transform(vectors)
    return np.asarray(points, dtype=np.float64)


def tsne_knn_scores(
    vectors: np.ndarray,
    *,
    k: int = 20,
    seed: int = 42,
    layout: np.ndarray | None = None,
) -> np.ndarray:
    """Scores each vector by its mean distance to neighbours on the map.

    Distance on a t-SNE map is no density; the score is kept because the
    published method uses it (arXiv 2512.05482).

    Args:
        vectors: (n, d) float
        k (20): neighbours, of which the point itself counts as one
        seed (42): seed of the layout
        layout (None): (n, 2) t-SNE map, if there is one already

    Returns:
        (n,) float64, higher = more unusual; 0 for fewer than four vectors,
        NaN where the vector is not finite
    """

    def scores(known: np.ndarray) -> np.ndarray:
        if len(known) < SMALLEST:
            return np.zeros(len(known))
        return layout_knn_scores(tsne_map(known, seed=seed), k=k)

    if layout is not None:
        return layout_knn_scores(check_layout(layout, len(vectors)), k=k)
    return score_finite(vectors, scores)
