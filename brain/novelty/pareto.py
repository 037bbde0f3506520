"""Exact Pareto fronts of any number of signals (arXiv 2409.15486)."""

from __future__ import annotations

import numpy as np

from raremine.brain.errors import RaremineError


def pareto_fronts(signals: np.ndarray) -> np.ndarray:
    """Peels objects off in fronts that no other object beats.

    An object beats another if it is at least as high in all signals and
    higher in one. Front 0 holds the objects that none beats; without them,
    front 1 holds those that none beats; and so on. Objects that are equal in
    all signals share a front.

    NaN (no value) is lower than every number, minus infinity too, and equal
    to NaN: an object without a value is never better for that, and can still
    win by its other signals.

    Args:
        signals: (n, s) float, higher = more worth mining, s >= 1

    Returns:
        (n,) int64 front of each object

    Raises:
        RaremineError: if there is no signal
    """
    values = _checked(signals)
    if not len(values):
        return np.zeros(0, dtype=np.int64)
    if values.shape[1] == 2 and not np.isnan(values).any():
        # saves the ranks, which would take as long as the rest
        points = -values
    else:
        points = _ranks(values)
    if points.shape[1] == 1:
        return points[:, 0].astype(np.int64)
    # whatever beats a point comes before it
    order = _sorted_rows(points)
    points = points[order]
    is_first = np.ones(len(points), dtype=bool)
    is_first[1:] = points[1:, 0] != points[:-1, 0]
    for column in points.T[1:]:
        is_first[1:] |= column[1:] != column[:-1]
    fronts = np.empty(len(points), dtype=np.int64)
    fronts[order] = _fronts_of_unique(points[is_first])[
        np.cumsum(is_first) - 1
    ]
    return fronts


def pareto_order(
    signals: np.ndarray, fronts: np.ndarray | None = None
) -> np.ndarray:
    """Orders objects by front, inside a front by the mean of their ranks.

    The first b rows are VLMine's choice for a budget of b objects.

    Args:
        signals: (n, s) float, higher = more worth mining; NaN ranks last
        fronts (None): (n,) fronts of these signals, if they are known

    Returns:
        (n,) int64 row numbers, the most wanted first; ties keep their order
    """
    from scipy.stats import rankdata

    if fronts is None:
        fronts = pareto_fronts(signals)
    # ties share the middle of their places
    places = rankdata(_ranks(_checked(signals)), axis=0)
    return np.lexsort((places.mean(axis=1), fronts))


def _checked(signals: np.ndarray) -> np.ndarray:
    """Returns (n, s) float64.

    Raises:
        RaremineError: if there is no signal
    """
    values = np.asarray(signals, dtype=np.float64)
    if values.ndim != 2 or not values.shape[1]:
        raise RaremineError(
            "Pareto fronts need at least one signal, as an (objects, "
            f"signals) array; got shape {values.shape}."
        )
    return values


def _ranks(values: np.ndarray) -> np.ndarray:
    """Returns (n, s) int32 dense ranks, 0 = a signal's highest, NaN last."""
    ranks = np.empty(values.shape, dtype=np.int32, order="F")
    for column in range(values.shape[1]):
        # negated, for NaN is sorted to the end
        _, ranks[:, column] = np.unique(
            -values[:, column], return_inverse=True
        )
    return ranks


def _sorted_rows(points: np.ndarray) -> np.ndarray:
    """Returns row numbers by the first column, ties by the next ones."""
    first = points[:, 0]
    order = np.argsort(first)
    in_order = first[order]
    if (in_order[1:] == in_order[:-1]).any():
        return np.lexsort(points.T[::-1])
    return order


def _fronts_of_unique(points: np.ndarray) -> np.ndarray:
    """Returns the fronts of sorted points without repeated rows."""
    # compiled when it is first needed, and then kept on the disk
    from raremine.brain.novelty.dominance import many_signals, two_signals

    if points.shape[1] == 2:
        return np.asarray(two_signals(np.ascontiguousarray(points[:, 1])))
    rest = np.ascontiguousarray(points[:, 1:])
    by_first = np.argsort(rest[:, 0], kind="stable").astype(np.int32)
    return np.asarray(many_signals(rest, by_first))
