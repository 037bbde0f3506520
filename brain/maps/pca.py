"""Principal components of vectors that need not fit in memory.

The covariance is summed over blocks in float64, so a memory map of a million
vectors is read twice and never held.
"""

from __future__ import annotations

import numpy as np

from raremine.brain.neighbors.finite import finite_rows

ROWS_AT_ONCE = 8192

Axes = tuple[np.ndarray, np.ndarray]
"""Mean (d,) and directions (d, 2), both float64."""


def pca_map(
    vectors: np.ndarray, finite: np.ndarray | None = None
) -> np.ndarray:
    """Projects vectors onto the two directions in which they vary most.

    Args:
        vectors: (n, d) float, may be a memory map
        finite (None): (n,) bool, where it is known already

    Returns:
        (n, 2) float64, centred; NaN where the vector is not finite, 0 in
        directions in which nothing varies
    """
    if finite is None:
        finite = finite_rows(vectors)
    return project(vectors, principal_axes(vectors, finite), finite)


def principal_axes(vectors: np.ndarray, finite: np.ndarray) -> Axes:
    """Returns mean and the two directions of largest variance.

    A direction points to where its largest component is positive, so that
    the map is not mirrored on another machine.

    Args:
        vectors: (n, d) float
        finite: (n,) bool, rows that count
    """
    width = vectors.shape[1]
    axes = np.zeros((width, 2))
    count = int(finite.sum())
    if count < 2 or not width:
        mean = vectors[finite].sum(axis=0, dtype=np.float64)
        return mean, axes
    mean = mean_of(vectors, finite)
    found = min(2, width, count - 1)
    if count <= width:
        _, sizes, rows = np.linalg.svd(
            vectors[finite] - mean, full_matrices=False
        )
        variances, directions = sizes[:found] ** 2, rows[:found].T
    else:
        from scipy.linalg import eigh

        covariance = cross_product(vectors, vectors, mean, mean, finite)
        values, columns = eigh(
            covariance, subset_by_index=[width - found, width - 1]
        )
        variances, directions = values[::-1], columns[:, ::-1]
    # rounding alone gives what does not vary a direction
    real = variances > variances[0] * 1e-12
    directions = directions[:, real & (variances > 0)]
    largest = np.abs(directions).argmax(axis=0)
    signs = np.sign(directions[largest, np.arange(directions.shape[1])])
    axes[:, : directions.shape[1]] = directions * signs
    return mean, axes


def project(vectors: np.ndarray, axes: Axes, finite: np.ndarray) -> np.ndarray:
    """Returns the vectors' coordinates along the axes.

    Args:
        vectors: (n, d) float
        axes: of :func:`principal_axes`
        finite: (n,) bool, rows that have coordinates

    Returns:
        (n, 2) float64, NaN where not finite
    """
    mean, directions = axes
    points = np.full((len(vectors), directions.shape[1]), np.nan)
    for part in blocks(len(vectors)):
        rows = finite[part]
        block = vectors[part][rows].astype(np.float64)
        points[part][rows] = (block - mean) @ directions
    return points


def cross_product(
    left: np.ndarray,
    right: np.ndarray,
    left_mean: np.ndarray,
    right_mean: np.ndarray,
    finite: np.ndarray,
) -> np.ndarray:
    """Sums the outer products of centred rows, block by block.

    Args:
        left: (n, d) float
        right: (n, e) float
        left_mean: (d,) what the rows of ``left`` are centred on
        right_mean: (e,) what the rows of ``right`` are centred on
        finite: (n,) bool, rows that count

    Returns:
        (d, e) float64
    """
    total = np.zeros((left.shape[1], right.shape[1]))
    for part in blocks(len(left)):
        rows = finite[part]
        a = left[part][rows].astype(np.float64) - left_mean
        same = left is right
        b = a if same else right[part][rows].astype(np.float64) - right_mean
        total += a.T @ b
    return total


def mean_of(vectors: np.ndarray, finite: np.ndarray) -> np.ndarray:
    """Returns the (d,) float64 mean of the finite rows."""
    total = np.zeros(vectors.shape[1])
    for part in blocks(len(vectors)):
        total += vectors[part][finite[part]].sum(axis=0, dtype=np.float64)
    return total / finite.sum()


def blocks(count: int) -> list[slice]:
    """Returns slices of rows to be read together."""
    return [
        slice(start, min(start + ROWS_AT_ONCE, count))
        for start in range(0, count, ROWS_AT_ONCE)
    ]
