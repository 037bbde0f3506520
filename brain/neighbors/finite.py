"""Vectors that can be scored: those without NaN or infinity.

A vector that is not finite gets the score NaN, and every other object the
score it would have if that vector were not there.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

ROWS_AT_ONCE = 8192
"""Rows looked at together, so that a memory map is read in pieces."""


def finite_rows(vectors: np.ndarray) -> np.ndarray:
    """Returns which rows can be scored.

    Args:
        vectors: (n, d) float, may be a memory map

    Returns:
        (n,) bool, False where any component is NaN or infinite
    """
    finite = np.ones(len(vectors), dtype=bool)
    for start in range(0, len(vectors), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        finite[part] = np.isfinite(vectors[part]).all(axis=1)
    return finite


def score_finite(
    vectors: np.ndarray,
    scorer: Callable[[np.ndarray], np.ndarray],
    finite: np.ndarray | None = None,
) -> np.ndarray:
    """Scores the finite rows as if there were no others.

    Args:
        vectors: (n, d) float, may be a memory map
        scorer: (m, d) finite vectors → (m,) scores
        finite (None): (n,) bool, where it is known already

    Returns:
        (n,) float64, NaN for a row that is not finite
    """
    if finite is None:
        finite = finite_rows(vectors)
    if finite.all():
        # no copy of what may be a memory map
        return np.asarray(scorer(vectors), dtype=np.float64)
    scores = np.full(len(vectors), np.nan)
    scores[finite] = scorer(vectors[finite])
    return scores
