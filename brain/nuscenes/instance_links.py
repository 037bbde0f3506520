"""How annotations of one instance follow each other, and its velocity."""

from __future__ import annotations

import operator

import numpy as np

MAX_GAP = 1.5
"""Longest time between two keyframes that a velocity is taken over, in
seconds, as in the devkit's ``box_velocity``."""


class InstanceLinks:
    """Which row each ``prev`` and ``next`` of a table leads to.

    Most tables list an instance's annotations one after the other, so the
    neighbouring row is tried first; only the links that lead elsewhere are
    kept as texts.
    """

    def __init__(self) -> None:
        self._count = 0
        self._last = ("", "")
        self._before: list[np.ndarray] = []
        self._after: list[np.ndarray] = []
        self._far_before: dict[int, str] = {}
        self._far_after: dict[int, str] = {}

    def add(self, tokens: list[str], prev: list[str], next: list[str]) -> None:
        """Takes a batch of rows."""
        if not tokens:
            return
        start, count = self._count, len(tokens)
        last_token, last_next = self._last
        rows = np.arange(start, start + count)
        hit = list(map(operator.eq, prev, [last_token, *tokens]))
        self._before.append(np.where(hit, rows - 1, -1))
        for at in (at for at, near in enumerate(hit) if not near):
            if prev[at]:
                self._far_before[start + at] = prev[at]
        # the last row's next is known with the first row of the next batch
        ahead = [last_next, *next]
        hit = list(map(operator.eq, ahead, tokens))
        self._after.append(np.where(hit, rows, -1))
        for at in (at for at, near in enumerate(hit) if not near):
            if ahead[at]:
                self._far_after[start + at - 1] = ahead[at]
        self._count += count
        self._last = (tokens[-1], next[-1])

    def rows(self, tokens: list[str]) -> tuple[np.ndarray, np.ndarray]:
        """Returns the rows that prev and next lead to, -1 for none.

        Args:
            tokens: of all rows
        """
        none = np.full(1, -1)
        before = np.concatenate([none, *self._before])[1:]
        after = np.concatenate([none, *self._after, none])[2:][: self._count]
        far_after = self._far_after
        if self._last[1]:
            far_after = {**far_after, self._count - 1: self._last[1]}
        if self._far_before or far_after:
            row_of = {token: row for row, token in enumerate(tokens)}
            for links, far in (
                (before, self._far_before),
                (after, far_after),
            ):
                links[list(far)] = [row_of.get(t, -1) for t in far.values()]
        return before, after


def velocities(
    before: np.ndarray,
    after: np.ndarray,
    center: np.ndarray,
    seconds: np.ndarray,
) -> np.ndarray:
    """Returns velocities (n, 3) in m/s, as the devkit's ``box_velocity``.

    The difference between the next and the previous annotation of the
    instance; where one of them is missing, the current one takes its place;
    NaN where both are, or where they lie too far apart in time.

    Args:
        before: (n,) row of the previous annotation, -1 for none
        after: (n,) row of the next annotation, -1 for none
        center: (n, 3) metres, global frame
        seconds: (n,) times of the keyframes
    """
    own = np.arange(len(before))
    both = (before >= 0) & (after >= 0)
    first = np.where(before < 0, own, before)
    last = np.where(after < 0, own, after)
    gap = seconds[last] - seconds[first]
    valid = (gap > 0) & (gap <= np.where(both, 2 * MAX_GAP, MAX_GAP))
    distance = center[last] - center[first]
    return np.where(
        valid[:, None], distance / np.where(valid, gap, 1.0)[:, None], np.nan
    )
