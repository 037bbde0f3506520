"""Neighbour distance on a two-dimensional map."""

from __future__ import annotations

import numpy as np

from raremine.brain.errors import RaremineError


def layout_knn_scores(points: np.ndarray, *, k: int = 20) -> np.ndarray:
    """Scores each point by its mean distance to its neighbours on a map.

    Distance on a t-SNE or UMAP map is no density; the scores are kept
    because a published method uses them (arXiv 2512.05482).

    Args:
        points: (n, 2) float; rows with NaN are points that lie nowhere
        k (20): neighbours, of which the point itself counts as one

    Returns:
        (n,) float64, higher = more unusual, NaN for a point that lies nowhere
    """
    from scipy.spatial import cKDTree

    scores = np.full(len(points), np.nan)
    known = np.isfinite(points).all(axis=1)
    count = min(k, int(known.sum()))
    if count:
        places = np.asarray(points[known], dtype=np.float64)
        distances, _ = cKDTree(places).query(places, k=range(1, count + 1))
        scores[known] = distances.mean(axis=1)
    return scores


def check_layout(layout: np.ndarray, count: int) -> np.ndarray:
    """Returns a map that belongs to that many vectors.

    Raises:
        RaremineError: if its shape is another
    """
    if layout.shape != (count, 2):
        raise RaremineError(
            f"A map of shape {layout.shape} does not belong to {count} "
            f"vectors; pass one point each, an array ({count}, 2)."
        )
    return layout


def few_points(layout: np.ndarray, smallest: int) -> np.ndarray:
    """Returns a map of too few points with all of them in one place.

    Args:
        layout: (n, 2) float, NaN for a point that lies nowhere
        smallest: points from which a map says something
    """
    known = np.isfinite(layout).all(axis=1)
    if known.sum() >= smallest:
        return layout
    places = np.full(layout.shape, np.nan)
    places[known] = 0.0
    return places
