"""Chains of rows in time, and which sweeps a keyframe needs: on arrays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Links(NamedTuple):
    """Neighbours in time.

    ``before`` and ``after`` (n,) are rows, -1 for none; ``order`` (n,) lists
    the rows by chain and time.
    """

    before: np.ndarray
    after: np.ndarray
    order: np.ndarray


def in_time(chain: np.ndarray, stamp: np.ndarray) -> np.ndarray:
    """Returns the rows by chain and time; those of one time as they stand.

    Args:
        chain: (n,) int, what each row is a part of
        stamp: (n,) int64, microseconds
    """
    return np.lexsort((np.arange(len(chain)), stamp, chain))


def link(
    chain: np.ndarray, stamp: np.ndarray, max_gap: int | None = None
) -> Links:
    """Links each row to the nearest ones of its chain.

    Args:
        chain: (n,) int, what each row is a part of
        stamp: (n,) int64, microseconds
        max_gap (None): longest time that a link leads over, microseconds;
            None = any
    """
    order = in_time(chain, stamp)
    first, second = order[:-1], order[1:]
    near = chain[first] == chain[second]
    if max_gap is not None:
        near &= stamp[second] - stamp[first] <= max_gap
    before = np.full(len(chain), -1)
    after = np.full(len(chain), -1)
    before[second[near]] = first[near]
    after[first[near]] = second[near]
    return Links(before, after, order)


def ends(
    chain: np.ndarray, order: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Finds where chains begin and end.

    Args:
        chain: (n,) int, what each row is a part of
        order: (n,) the rows by chain and time

    Returns:
        (m,) the chains, ascending; their first row, their last row, and how
        many rows they have
    """
    found, start, count = np.unique(
        chain[order], return_index=True, return_counts=True
    )
    return found, order[start], order[start + count - 1], count


def with_sweeps(
    chain: np.ndarray,
    stamp: np.ndarray,
    shown: np.ndarray,
    own: np.ndarray,
    cloud: np.ndarray,
    count: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Finds the sensor data that kept keyframes need.

    Args:
        chain: (n,) int, one number per scene and channel
        stamp: (n,) int64, microseconds
        shown: (n,) bool, the data of kept keyframes themselves
        own: (n,) bool, the data that the tables assign to kept keyframes
        cloud: (n,) bool, data of a LiDAR or radar, several of which are
            aggregated into one cloud
        count: how many clouds before that of a kept keyframe to keep, with
            all data that the tables assign to it; 0 = neither

    Returns:
        (n,) bool, what is kept; (n,) int, the row of the next data in
        ``shown`` of its chain, itself included, -1 where there is none
    """
    order = in_time(chain, stamp)
    places = np.arange(len(order))
    beyond = len(order)
    ahead = np.where(shown[order], places, beyond)
    ahead = np.minimum.accumulate(ahead[::-1])[::-1]
    safe = np.minimum(ahead, max(beyond - 1, 0))
    same = (ahead < beyond) & (chain[order] == chain[order][safe])
    kept = shown[order].copy()
    if count:
        close = same & (ahead - places <= count)
        kept |= own[order] | (close & cloud[order])
    result = np.empty(len(order), dtype=bool)
    result[order] = kept
    following = np.full(len(order), -1)
    following[order] = np.where(same, order[safe], -1)
    return result, following
