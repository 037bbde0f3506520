"""How evenly a selection shows the target classes."""

from __future__ import annotations

import numpy as np


def class_divergence(counts: np.ndarray) -> np.ndarray:
    """Returns the Kullback-Leibler divergence of class counts to uniform.

    Σ p ln(p C) with the shares p of C classes: 0 where all classes come
    equally often, ln C where only one comes. In nats.

    Args:
        counts: (..., C) non-negative

    Returns:
        (...) float64, NaN where nothing was counted
    """
    counts = np.asarray(counts, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = counts / counts.sum(axis=-1, keepdims=True)
        log = np.log(share * counts.shape[-1])
        # p ln p goes to 0 with p
        terms = np.where(share == 0, 0.0, share * log)
    # rounding may leave a little below 0
    return np.asarray(np.maximum(terms.sum(axis=-1), 0.0))
