"""Exact Pareto fronts of any number of signals (arXiv 2409.15486)."""

from __future__ import annotations

from bisect import bisect_right

import numpy as np

from raremine.brain.errors import RaremineError


def pareto_fronts(signals: np.ndarray) -> np.ndarray:
    """Peels objects off in fronts that no other object beats.

    An object beats another if it is at least as high in all signals and
    higher in one. Front 0 holds the objects that none beats; without them,
    front 1 holds those that none beats; and so on. Objects that are equal in
    all signals share a front. NaN counts as lower than every number.

    Args:
        signals: (n, s) float, higher = more worth mining, s >= 1

    Returns:
        (n,) int64 front of each object

    Raises:
        RaremineError: if there is no signal
    """
    values = np.asarray(signals, dtype=np.float64)
    if values.ndim != 2 or not values.shape[1]:
        raise RaremineError(
            "Pareto fronts need at least one signal, as an (objects, "
            f"signals) array; got shape {values.shape}."
        )
    values = np.where(np.isnan(values), -np.inf, values)
    if not len(values):
        return np.zeros(0, dtype=np.int64)
    points, inverse = np.unique(values, axis=0, return_inverse=True)
    inverse = np.asarray(inverse).reshape(-1)
    if values.shape[1] == 1:
        # unique sorts ascending; the highest is front 0
        return np.asarray(len(points) - 1 - inverse, dtype=np.int64)
    # from the highest down: whatever beats a point comes before it
    order = np.arange(len(points) - 1, -1, -1)
    fronts = np.empty(len(points), dtype=np.int64)
    if values.shape[1] == 2:
        fronts[order] = _two_signals(points[order, 1])
    else:
        fronts[order] = _many_signals(points[order])
    return fronts[inverse]


def pareto_order(signals: np.ndarray) -> np.ndarray:
    """Orders objects by front, inside a front by the mean of their ranks.

    Args:
        signals: (n, s) float, higher = more worth mining

    Returns:
        (n,) int64 row numbers, the most wanted first; ties keep their order
    """
    from scipy.stats import rankdata

    values = np.asarray(signals, dtype=np.float64)
    fronts = pareto_fronts(values)
    ranks = rankdata(np.where(np.isnan(values), -np.inf, values), axis=0)
    return np.lexsort((-ranks.mean(axis=1), fronts))


def _two_signals(second: np.ndarray) -> np.ndarray:
    """Fronts of unique points sorted by (first, second), both descending.

    ``best[f]`` is the highest second signal in front f so far. It falls with
    f, and a point is beaten by front f if ``best[f]`` is not below its own,
    so its front is found by bisection: O(n log n) in all.
    """
    best: list[float] = []
    fronts = np.empty(len(second), dtype=np.int64)
    for row, value in enumerate((-second).tolist()):
        # `best` holds negated values, which rise with f; a front beats this
        # point if its negated best is <= the point's
        front = bisect_right(best, value)
        fronts[row] = front
        if front == len(best):
            best.append(value)
        else:
            best[front] = value
    return fronts


def _many_signals(points: np.ndarray) -> np.ndarray:
    """Fronts of unique points sorted by the first signal, descending.

    Efficient non-dominated sort with binary search (Zhang et al., IEEE TEVC
    2015): whatever beats a point is in a front already, and a point that
    front f does not beat is beaten by no later front.
    """
    members: list[np.ndarray] = []
    used: list[int] = []
    fronts = np.empty(len(points), dtype=np.int64)
    rest = points[:, 1:]
    for row, point in enumerate(rest):
        low, high = 0, len(members)
        while low < high:
            middle = (low + high) // 2
            front = members[middle][: used[middle]]
            if (front >= point).all(axis=1).any():
                low = middle + 1
            else:
                high = middle
        fronts[row] = low
        if low == len(members):
            members.append(np.empty((4, rest.shape[1])))
            used.append(0)
        if used[low] == len(members[low]):
            members[low] = np.concatenate([members[low], members[low]])
        members[low][used[low]] = point
        used[low] += 1
    return fronts
