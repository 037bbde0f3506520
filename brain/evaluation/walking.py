"""Compiled: goes through an order of frames once for many resampled pools."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def walk(
    weight: np.ndarray,
    scene: np.ndarray,
    start: np.ndarray,
    kind: np.ndarray,
    shares: np.ndarray,
    kinds: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Counts what each resampled pool has found at each share of its frames.

    A frame of weight w counts as w frames, one after the other, each with
    the same finds. So finds grow linearly while a frame is gone through, and
    a share that ends inside of a frame has a part of them.

    Args:
        weight: (s, r) float64, how often each scene is in each of r pools
        scene: (f,) int32 scene of each frame, in the order
        start: (f + 1,) int64, where each frame's finds begin in ``kind``
        kind: (e,) int32, of what kind each find is
        shares: (p,) float64 ascending shares of the pool's frames, in (0, 1]
        kinds: number of kinds

    Returns:
        tuple of (p, kinds, r) float32 finds at each share, and (kinds, r)
        float64 finds at all shares up to the last one, on average
    """
    pools, points, frames = weight.shape[1], len(shares), len(scene)
    finds = np.zeros((points, kinds, pools), np.float32)
    area = np.zeros((kinds, pools))
    found = np.zeros((kinds, pools))
    gone = np.zeros(pools)
    total = np.zeros(pools)
    for at in range(frames):
        here = weight[scene[at]]
        for i in range(pools):
            total[i] += here[i]
    goal = shares[0] * total
    last = shares[points - 1] * total
    point = np.zeros(pools, np.int64)
    left = pools
    for at in range(frames):
        here = weight[scene[at]]
        first, end = start[at], start[at + 1]
        reached = False
        for i in range(pools):
            reached |= gone[i] + here[i] >= goal[i]
        if reached:
            for i in range(pools):
                while gone[i] + here[i] >= goal[i]:
                    p = point[i]
                    for k in range(kinds):
                        finds[p, k, i] = found[k, i]
                    for e in range(first, end):
                        finds[p, kind[e], i] += goal[i] - gone[i]
                    point[i] += 1
                    if point[i] == points:
                        goal[i] = np.inf
                        left -= 1
                    else:
                        goal[i] = shares[point[i]] * total[i]
        for e in range(first, end):
            k = kind[e]
            for i in range(pools):
                # what lies behind the last share has no part in the area
                room = max(last[i] - gone[i], 0.0)
                part = min(here[i], room)
                area[k, i] += part * (room - part / 2)
                found[k, i] += here[i]
        for i in range(pools):
            gone[i] += here[i]
        if left == 0:
            break
    for i in range(pools):
        # the sum of shares of weights may miss the whole by a rounding error
        for p in range(point[i], points):
            for k in range(kinds):
                finds[p, k, i] = found[k, i]
        for k in range(kinds):
            # a share of no frames has no area
            area[k, i] /= max(last[i], 1e-300)
    return finds, area
