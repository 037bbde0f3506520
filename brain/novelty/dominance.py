"""Compiled kernels of the Pareto fronts: divide and conquer.

A point's front is the number of points in the longest chain that beats it, so
``front = 1 + max(front of whatever beats it)``. Points come as ranks, sorted
so that whatever beats a point stands before it: half of them is solved, hands
its fronts on to the other half, and then that half is solved (Jensen, IEEE
TEVC 2003). Handing on splits by one signal after the other, until two are
left, which a sweep with a Fenwick tree over the fronts answers. For n points
and s signals that is O(n log^(s-1) n), whether they lie in one front or in
thousands. Splits halve the range of ranks, not the points, and so end with
any ties (Fortin et al., GECCO 2013, split the points by three for that).

Loops and work lists, no recursion: Numba keeps the compiled code on the disk,
and what it keeps of functions that call themselves does not run again.
"""

from __future__ import annotations

import numpy as np
from numba import njit

BLOCK = 32
"""Points of which all pairs are compared."""

PAIRS = 1024
"""Pairs up to which comparing all is faster than splitting."""

_WORST = np.iinfo(np.int32).max


@njit(cache=True)
def two_signals(second: np.ndarray) -> np.ndarray:
    """Fronts of unique points by two signals, in O(n log n).

    ``best[f]`` is the best rank of front f so far. It worsens with f, and a
    front beats a point if its best is no worse, so bisection finds the front.

    Args:
        second: (n,) float64 or int32, lower = better, of points sorted by the
            first signal, then by this one

    Returns:
        (n,) int32
    """
    n = len(second)
    fronts = np.empty(n, np.int32)
    best = np.empty(n, second.dtype)
    used = 0
    for row in range(n):
        low, high = 0, used
        while low < high:
            middle = (low + high) // 2
            if best[middle] <= second[row]:
                low = middle + 1
            else:
                high = middle
        best[low] = second[row]
        used = max(used, low + 1)
        fronts[row] = low
    return fronts


@njit(cache=True)
def many_signals(ranks: np.ndarray, by_first: np.ndarray) -> np.ndarray:
    """Fronts of unique points by three signals or more.

    Args:
        ranks: (n, s - 1) int32 C-contiguous, 0 = best, of points sorted by
            the signal left out (ties by the others, in this order), s >= 3
        by_first: (n,) int32 rows sorted by ``ranks[:, 0]``

    Returns:
        (n,) int32
    """
    n = len(ranks)
    fronts = np.zeros(n, np.int32)
    tree = np.full(n + 2, _WORST, np.int32)
    orders = _orders(by_first)
    _compare_block(ranks, 0, min(BLOCK, n), fronts)
    for middle in range(BLOCK, n, BLOCK):
        # in the order of the recursion each block but the first is once the
        # middle of a range, which is as wide as the number's last bit
        level, size = 0, BLOCK
        while (middle // size) % 2 == 0:
            level, size = level + 1, size * 2
        _hand_on(
            ranks,
            orders[level, middle - size : middle],
            orders[level, middle : min(middle + size, n)],
            fronts,
            tree,
        )
        _compare_block(ranks, middle, min(middle + BLOCK, n), fronts)
    return fronts


@njit(cache=True)
def _orders(by_first: np.ndarray) -> np.ndarray:
    """Sorts the rows of each block by the first rank, for all block sizes.

    Returns:
        (levels, n) int32, blocks of ``BLOCK * 2 ** level`` rows
    """
    n = len(by_first)
    levels = 1
    while BLOCK << (levels - 1) < n:
        levels += 1
    orders = np.empty((levels, n), np.int32)
    for level in range(levels):
        size = BLOCK << level
        used = np.zeros(n // size + 1, np.int32)
        for row in by_first:
            block = row // size
            orders[level, block * size + used[block]] = row
            used[block] += 1
    return orders


@njit(cache=True)
def _no_worse(ranks: np.ndarray, one: int, other: int, signals: int) -> bool:
    for signal in range(signals):
        if ranks[one, signal] > ranks[other, signal]:
            return False
    return True


@njit(cache=True)
def _compare_block(
    ranks: np.ndarray, start: int, stop: int, fronts: np.ndarray
) -> None:
    """Compares all pairs of some rows."""
    for row in range(start + 1, stop):
        for other in range(start, row):
            if fronts[other] >= fronts[row] and _no_worse(
                ranks, other, row, ranks.shape[1]
            ):
                fronts[row] = fronts[other] + 1


@njit(cache=True)
def _hand_on(
    ranks: np.ndarray,
    givers: np.ndarray,
    takers: np.ndarray,
    fronts: np.ndarray,
    tree: np.ndarray,
) -> None:
    """Puts takers behind the givers that beat them.

    The givers' fronts are final, so parts can be done in any order: they wait
    on a stack, givers and takers in ``store``, limits in ``waiting``.

    Args:
        ranks: (n, s - 1) int32, 0 = best
        givers: (g,) int32 rows, no worse than each taker in the signal that
            ``ranks`` leaves out, sorted by the first rank
        takers: (t,) int32 rows, sorted by the first rank
        fronts: (n,) int32, changed
        tree: (n + 2,) int32, all ``_WORST``
    """
    count = len(givers) + len(takers)
    store = np.empty(4 * count, np.int32)
    store[: len(givers)] = givers
    store[len(givers) : count] = takers
    waiting = np.empty((64 * ranks.shape[1], 4), np.int64)
    waiting[0] = (0, len(givers), count, ranks.shape[1])
    depth = 1
    while depth:
        depth -= 1
        start, middle, stop, signals = waiting[depth]
        end = _drop_useless(store, start, middle, stop, fronts)
        if end == start:
            continue
        givers = store[start:end]
        takers = store[middle:stop]
        if len(givers) * len(takers) <= PAIRS:
            _compare(ranks, givers, takers, signals, fronts)
            continue
        # signals in which every giver is good enough decide nothing
        while signals > 2:
            low, high, apart = _range(ranks, givers, takers, signals - 1)
            if apart != 1:
                break
            signals -= 1
        if signals == 2:
            _sweep(ranks, givers, takers, fronts, tree)
            continue
        if apart == -1:
            continue
        if stop + 2 * (stop - start) > len(store):
            grown = np.empty(2 * len(store) + 2 * (stop - start), np.int32)
            grown[:stop] = store[:stop]
            store = grown
            givers = store[start:end]
            takers = store[middle:stop]
        pivot = (low + high) // 2
        for part in range(3):
            # low to low, high to high, and low to high, which is settled in
            # this signal
            first = stop
            for giver in givers:
                if (ranks[giver, signals - 1] > pivot) == (part == 1):
                    store[stop] = giver
                    stop += 1
            second = stop
            for taker in takers:
                if (ranks[taker, signals - 1] > pivot) == (part > 0):
                    store[stop] = taker
                    stop += 1
            if first < second < stop:
                waiting[depth] = (
                    first,
                    second,
                    stop,
                    signals - 1 if part == 2 else signals,
                )
                depth += 1
            else:
                stop = first


@njit(cache=True)
def _drop_useless(
    store: np.ndarray, start: int, middle: int, stop: int, fronts: np.ndarray
) -> int:
    """Drops givers that every taker is behind already.

    Returns:
        where the givers that are left, from ``start`` on, end
    """
    lowest = fronts[store[middle]]
    for at in range(middle + 1, stop):
        lowest = min(lowest, fronts[store[at]])
    end = start
    for at in range(start, middle):
        if fronts[store[at]] >= lowest:
            store[end] = store[at]
            end += 1
    return end


@njit(cache=True)
def _compare(
    ranks: np.ndarray,
    givers: np.ndarray,
    takers: np.ndarray,
    signals: int,
    fronts: np.ndarray,
) -> None:
    """Compares each taker with each giver."""
    for taker in takers:
        for giver in givers:
            if fronts[giver] >= fronts[taker] and _no_worse(
                ranks, giver, taker, signals
            ):
                fronts[taker] = fronts[giver] + 1


@njit(cache=True)
def _range(
    ranks: np.ndarray, givers: np.ndarray, takers: np.ndarray, signal: int
) -> tuple[int, int, int]:
    """Returns the lowest and highest rank in a signal, and how they lie.

    1: each giver is good enough for each taker; -1: none for any; 0: mixed.
    """
    low = high = ranks[givers[0], signal]
    for giver in givers:
        low = min(low, ranks[giver, signal])
        high = max(high, ranks[giver, signal])
    best = worst = ranks[takers[0], signal]
    for taker in takers:
        best = min(best, ranks[taker, signal])
        worst = max(worst, ranks[taker, signal])
    apart = 0
    if high <= best:
        apart = 1
    elif low > worst:
        apart = -1
    return min(low, best), max(high, worst), apart


@njit(cache=True)
def _sweep(
    ranks: np.ndarray,
    givers: np.ndarray,
    takers: np.ndarray,
    fronts: np.ndarray,
    tree: np.ndarray,
) -> None:
    """Hands fronts on where two signals are left to compare.

    Goes through both by the first signal. A Fenwick tree over the givers'
    fronts, from the last to the first, holds the best second rank of fronts:
    a taker asks for the last front with a rank no worse than its own.
    """
    low = high = fronts[givers[0]]
    for giver in givers:
        low = min(low, fronts[giver])
        high = max(high, fronts[giver])
    size = high - low + 1
    widest = 1
    while widest * 2 <= size:
        widest *= 2
    used = 0
    for taker in takers:
        while used < len(givers) and ranks[givers[used], 0] <= ranks[taker, 0]:
            rank = ranks[givers[used], 1]
            at = high - fronts[givers[used]] + 1
            while at <= size:
                tree[at] = min(tree[at], rank)
                at += at & -at
            used += 1
        rank = ranks[taker, 1]
        at, width = 0, widest
        while width:
            if at + width <= size and tree[at + width] > rank:
                at += width
            width //= 2
        if at < size:
            fronts[taker] = max(fronts[taker], high - at + 1)
    for giver in givers[:used]:
        at = high - fronts[giver] + 1
        while at <= size:
            tree[at] = _WORST
            at += at & -at
