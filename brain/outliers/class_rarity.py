"""How rare an object's detector class is in the data set."""

from __future__ import annotations

import numpy as np


def class_rarity_scores(labels: np.ndarray) -> np.ndarray:
    """Scores each object by -log of its class's share.

    Args:
        labels: (n,) class names

    Returns:
        (n,) float64, higher = rarer class, 0 if there is one class only
    """
    if not len(labels):
        return np.zeros(0)
    _, inverse, counts = np.unique(
        labels.astype(str), return_inverse=True, return_counts=True
    )
    return np.asarray(-np.log(counts / len(labels))[inverse])
