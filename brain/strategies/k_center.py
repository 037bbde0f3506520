"""k-center greedy: each next frame is the one farthest from all chosen ones.

The plain loop goes through all vectors once for each choice and waits for
the memory. Here choices come in rounds: among the rows farthest away now,
the pool, the greedy order is found from the pool's own distances, and it is
THE greedy order as long as the farthest row of the pool is farther than
anything outside of it, because distances only shrink.

For the same reason a row may know too few of the centers: its distance is
then a bound from above. With many rows, a new center is told to the cells
around it only, and a row learns about the others when it gets into the pool.
That is as exact and takes a fifth of the work.

Vectors are rounded to a grid so coarse that float32 holds every sum of
products exactly, in whatever order a processor adds them up. So the same
vectors give the same order on any machine.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from raremine.brain.ranking import seeded_order

DIRECT = 4096
"""Vectors up to which every center is told to all."""

POOL = 1024
"""Rows among which a round chooses."""

PIVOTS = 512
"""First centers, around which the others form cells."""

NEAR = 16
"""Cells that learn about a new center at once."""

ROWS_AT_ONCE = 2048

_EXACT_INTEGER = 4096
"""Grid steps to the unit sphere: its square is float32's last sure integer."""


def k_center(
    vectors: np.ndarray,
    count: int | None = None,
    *,
    chosen: np.ndarray | Sequence[int] = (),
    seed: int = 0,
    exact: bool = True,
) -> np.ndarray:
    """Orders rows by k-center greedy on the unit sphere.

    Sener and Savarese: Active Learning for Convolutional Neural Networks: A
    Core-Set Approach (ICLR 2018), algorithm 1. The first so many rows cover
    all others within a radius that is at most twice the smallest possible.

    Args:
        vectors: (n, d) float; lengths do not matter, and a row that is zero
            or not finite is never ordered
        count (None): how many rows to order, None = all
        chosen (()): rows that are centers already
        seed (0): draws the first row where none is chosen, and decides ties
        exact (True): False believes the bounds of more than ``DIRECT``
            vectors without a check: work that grows with rows times cells
            and not with rows times centers, for a slightly larger radius

    Returns:
        (m,) int64 rows in the order of choice, none of ``chosen``; fewer
        than ``count`` where all the others equal a row chosen before
    """
    rows = seeded_order(len(vectors), seed, "k_center")
    rows = rows[usable_rows(vectors)[rows]]
    place = np.full(len(vectors), -1, dtype=np.int64)
    place[rows] = np.arange(len(rows))
    given = np.unique(place[np.asarray(chosen, dtype=np.int64)])
    given = given[given >= 0]
    left = len(rows) - len(given)
    wanted = left if count is None else min(count, left)
    if wanted < 1:
        return np.zeros(0, dtype=np.int64)
    gaps = _Gaps(on_grid(vectors[rows]), len(given) + wanted, exact)
    picks = [0]
    if len(given):
        gaps.add(given)
        picks = gaps.farthest(wanted)
    new = picks
    while new and len(picks) < wanted:
        gaps.add(np.array(new, dtype=np.int64))
        new = gaps.farthest(wanted - len(picks))
        picks = picks + new
    return rows[np.array(picks, dtype=np.int64)]


def covering_radius(vectors: np.ndarray, centers: np.ndarray) -> float:
    """Returns how far the farthest row is from its nearest center.

    Args:
        vectors: (n, d) float; unusable rows are left out
        centers: (k,) rows

    Returns:
        Euclidean distance on the unit sphere, from 0 to 2; NaN without
        centers or rows
    """
    usable = usable_rows(vectors)
    centers = np.asarray(centers, dtype=np.int64)
    centers = centers[usable[centers]]
    rows = np.flatnonzero(usable)
    if not len(rows) or not len(centers):
        return float("nan")
    units = unit_rows(vectors[centers])
    farthest = 1.0
    for start in range(0, len(rows), ROWS_AT_ONCE):
        block = unit_rows(vectors[rows[start : start + ROWS_AT_ONCE]])
        farthest = min(farthest, float((block @ units.T).max(axis=1).min()))
    return float(np.sqrt(max(2 - 2 * farthest, 0.0)))


def usable_rows(vectors: np.ndarray) -> np.ndarray:
    """Returns which rows have a direction: (n,) bool, finite and not zero."""
    out = np.empty(len(vectors), dtype=bool)
    for start in range(0, len(vectors), ROWS_AT_ONCE):
        block = np.asarray(vectors[start : start + ROWS_AT_ONCE], np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            squares = np.einsum("ij,ij->i", block, block)
        out[start : start + len(block)] = np.isfinite(squares) & (squares > 0)
    return out


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    """Returns rows of length one, (n, d) float64."""
    block = np.asarray(vectors, dtype=np.float64)
    return np.asarray(block / np.linalg.norm(block, axis=1, keepdims=True))


def on_grid(vectors: np.ndarray) -> np.ndarray:
    """Rounds directions to integers whose products float32 sums exactly.

    No partial sum of a product of two rows exceeds the product of their
    lengths (Cauchy-Schwarz), and float32 holds every integer up to 2²⁴. A
    direction moves by about sqrt(d / 12) / 4096, 0.0016 with 512 numbers.

    Args:
        vectors: (n, d) float, no row zero or not finite

    Returns:
        (n, d) float32 integers, rows of a length up to 4096
    """
    n, d = vectors.shape
    # rounding may make a row longer by half a step in every number
    steps = _EXACT_INTEGER - 0.5 * np.sqrt(d) - 1
    out = np.empty((n, d), dtype=np.float32)
    for start in range(0, n, ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        out[part] = np.rint(unit_rows(vectors[part]) * steps)
    return out


class _Gaps:
    """Bounds each row's squared distance to its nearest center from above.

    Args:
        points: (n, d) float32 on the grid
        room: most centers that there can be
        exact: whether bounds are checked before they decide
    """

    def __init__(self, points: np.ndarray, room: int, exact: bool) -> None:
        n = len(points)
        self._points = points
        self._squares = np.einsum("ij,ij->i", points, points)
        self._gap = np.full(n, np.inf, dtype=np.float32)
        self._centers = np.empty(room, dtype=np.int64)
        self._count = 0
        # how many centers, from the first on, a row knows for certain
        self._known = np.zeros(n, dtype=np.int64)
        self._told_to_all = room if n <= DIRECT else min(PIVOTS, room)
        self._nearest = np.zeros(n, dtype=np.int32)
        self._cells: _Cells | None = None
        self._exact = exact

    def add(self, centers: np.ndarray) -> None:
        """Tells rows about new centers."""
        while len(centers):
            free = self._told_to_all - self._count
            part = centers[: min(free, POOL) if free > 0 else None]
            centers = centers[len(part) :]
            self._centers[self._count : self._count + len(part)] = part
            if free > 0:
                self._tell_all(part)
            else:
                if self._cells is None:
                    self._cells = _Cells(
                        self._points,
                        self._squares,
                        self._centers[: self._count],
                        self._nearest,
                    )
                self._cells.tell(part, self._gap)
            self._count += len(part)

    def farthest(self, count: int) -> list[int]:
        """Returns the next centers of the greedy order, up to ``count``.

        As many as are certain, at least one unless every gap is zero.
        """
        free = self._told_to_all - self._count
        if free > 0:
            count = min(count, free)
        while True:
            pool, outside = self._pool()
            if self._exact:
                self._settle(pool)
            found = self._greedy(pool, outside, count)
            if found or not self._gap.max(initial=0) > 0:
                return found

    def _pool(self) -> tuple[np.ndarray, float]:
        """Returns the farthest rows, and the largest gap outside of them."""
        n = len(self._gap)
        if n <= POOL:
            return np.arange(n), -1.0
        outside = np.partition(self._gap, n - POOL - 1)[n - POOL - 1]
        farther = np.flatnonzero(self._gap > outside)
        # which of equal rows a partition keeps depends on the processor
        equal = np.flatnonzero(self._gap == outside)[: POOL - len(farther)]
        return np.union1d(farther, equal), float(outside)

    def _greedy(
        self, pool: np.ndarray, outside: float, count: int
    ) -> list[int]:
        points, squares = self._points[pool], self._squares[pool]
        # times two is exact, as the products are
        between = points @ (-2 * points).T
        between += squares
        between += squares[:, None]
        gap = self._gap[pool]
        found: list[int] = []
        while len(found) < count:
            first = int(gap.argmax())
            if gap[first] <= 0 or gap[first] < outside:
                break
            found.append(int(pool[first]))
            np.minimum(gap, between[first], out=gap)
        return found

    def _settle(self, pool: np.ndarray) -> None:
        """Tells rows about all centers that they do not know of."""
        pool = pool[np.argsort(self._known[pool], kind="stable")]
        known, gap = self._known[pool], self._gap[pool]
        points, squares = self._points[pool], self._squares[pool]
        for start in range(int(known[0]), self._count, POOL):
            stop = min(start + POOL, self._count)
            rows = slice(0, int(np.searchsorted(known, stop)))
            centers = self._centers[start:stop]
            distances = points[rows] @ (-2 * self._points[centers]).T
            distances += self._squares[centers]
            nearest = distances.min(axis=1) + squares[rows]
            gap[rows] = np.minimum(gap[rows], nearest)
        self._gap[pool] = gap
        self._known[pool] = self._count

    def _tell_all(self, centers: np.ndarray) -> None:
        points = (-2 * self._points[centers]).T
        squares = self._squares[centers]
        for start in range(0, len(self._points), ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            distances = self._points[part] @ points
            distances += squares
            which = distances.argmin(axis=1)
            nearest = np.take_along_axis(distances, which[:, None], axis=1)
            nearest = nearest[:, 0] + self._squares[part]
            closer = nearest < self._gap[part]
            self._gap[part][closer] = nearest[closer]
            self._nearest[part][closer] = self._count + which[closer]
        self._known[:] = self._count + len(centers)


class _Cells:
    """Rows by their nearest pivot.

    Args:
        points: (n, d) float32 on the grid
        squares: (n,) their squared lengths
        pivots: (p,) rows
        cell: (n,) the pivot of each row
    """

    def __init__(
        self,
        points: np.ndarray,
        squares: np.ndarray,
        pivots: np.ndarray,
        cell: np.ndarray,
    ) -> None:
        self._cell = cell
        self._rows = np.argsort(cell, kind="stable")
        self._bounds = np.searchsorted(
            cell[self._rows], np.arange(len(pivots) + 1)
        )
        self._points = points[self._rows]
        self._squares = squares[self._rows]
        self._at = np.empty(len(cell), dtype=np.int64)
        self._at[self._rows] = np.arange(len(cell))
        between = squares[pivots] - 2 * (points[pivots] @ points[pivots].T)
        self._near = np.argsort(between, axis=1, kind="stable")[:, :NEAR]

    def tell(self, centers: np.ndarray, gap: np.ndarray) -> None:
        """Shrinks the gaps of rows in the cells around new centers."""
        near = self._near[self._cell[centers]]
        told = np.zeros((len(self._bounds) - 1, len(centers)), dtype=bool)
        told[near.T, np.arange(len(centers))] = True
        at = self._at[centers]
        points, squares = -2 * self._points[at], self._squares[at]
        for cell in np.flatnonzero(told.any(axis=1)).tolist():
            part = slice(*self._bounds[cell : cell + 2].tolist())
            who = told[cell]
            distances = points[who] @ self._points[part].T
            distances += squares[who, None]
            nearest = distances.min(axis=0) + self._squares[part]
            rows = self._rows[part]
            gap[rows] = np.minimum(gap[rows], nearest)
