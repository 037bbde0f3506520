"""Cuts the wanted entries out of a large pickle before it is loaded.

Info files of all of nuScenes are lists of tens of thousands of entries. As
Python objects they take ten times the memory of the file, and making them
takes most of the time. Here only the entries that are wanted are made.
"""

from __future__ import annotations

import io
import pickle as _p
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit

from raremine.brain.errors import RaremineError
from raremine.brain.selection.exporters.pickle_scan import (
    GET,
    HOSTILE,
    KINDS,
    MEMOIZE,
    NUMBERS,
    OK,
    PUT,
    SKIP,
    little,
    op_end,
    text_at,
    walk,
)
from raremine.brain.selection.exporters.restricted_pickle import load_stream

_SHORT_GET, _LONG_GET = _p.BINGET[0], _p.LONG_BINGET[0]
_LIST, _DICT = _p.EMPTY_LIST[0], _p.EMPTY_DICT[0]
_MARK_CODE, _APPENDS = _p.MARK[0], _p.APPENDS[0]
_MEMOIZE_CODE, _POP, _END = _p.MEMOIZE[0], _p.POP[0], _p.STOP[0]

_PAIRS, _STACK, _MARKS = 256, 1 << 17, 1 << 10


def load_entries(
    path: Path, keys: Sequence[str], wanted: Collection[str]
) -> tuple[Any, int] | None:
    """Reads a pickle of entries with tokens, but only the wanted entries.

    The entries are the pickled list itself, or a list that the pickled
    dictionary holds. Each is a dictionary with a "token".

    Args:
        path: the file
        keys: key of the list in the dictionary: the first of these that it
            has
        wanted: the tokens

    Returns:
        what the file holds, with the wanted entries alone, and how many
        entries it has; None if the file is not of that form, or not written
        in the way of Python's pickler

    Raises:
        RaremineError: as ``load_pickle``
    """
    try:
        data = np.memmap(path, np.uint8, "r")
    except (OSError, ValueError):
        return None
    found = _Walked.of(path, data)
    if found is None:
        return None
    root = found.root
    if data[root] == _LIST:
        pairs, list_start = np.zeros((0, 3), np.int64), root
    elif data[root] == _DICT:
        pairs = found.pairs
        names = [found.text(int(at)) for at in pairs[:, 0]]
        key = next((k for k in keys if k in names), None)
        if key is None or len(set(names)) < len(names) or None in names:
            return None
        list_start = int(pairs[names.index(key), 1])
    else:
        return None
    if data[list_start] != _LIST:
        return None
    entries = found.entries[found.entries[:, 0] == list_start]
    tokens = [found.text(int(at)) for at in entries[:, 3]]
    if None in tokens:
        return None
    rows = [row for row, token in enumerate(tokens) if token in wanted]
    # everything of the root but the list, then the entries
    parts = [
        part
        for key_start, start, end in pairs.tolist()
        for part in ((key_start, start), (start, end))
        if part[0] != list_start
    ]
    head = len(parts)
    parts += [(int(entries[r, 1]), int(entries[r, 2])) for r in rows]
    values = found.load(path, parts)
    if values is None:
        return None
    kept = values[head:]
    if not all(isinstance(entry, dict) for entry in kept):
        return None
    if [entry.get("token") for entry in kept] != [tokens[r] for r in rows]:
        return None
    if data[root] == _LIST:
        return kept, len(entries)
    document, rest = {}, iter(values[:head])
    for start in pairs[:, 1].tolist():
        name = next(rest)
        document[name] = kept if start == list_start else next(rest)
    return document, len(entries)


class _Walked:
    """A pickle that was walked through.

    Attributes:
        root: where its root starts
        pairs: see ``walk``
        entries: see ``walk``
    """

    def __init__(
        self,
        data: np.ndarray,
        memo: tuple[np.ndarray, np.ndarray, np.ndarray],
        pairs: np.ndarray,
        entries: np.ndarray,
        root: int,
    ) -> None:
        self.root, self.pairs, self.entries = root, pairs, entries
        self._data = data
        self._memo_start, self._memo_end, self._memo_put = memo

    @classmethod
    def of(cls, path: Path, data: np.ndarray) -> _Walked | None:
        """Walks through a pickle; None if that is not possible."""
        kind = np.uint32 if len(data) < 1 << 32 else np.int64
        # more than there will be; pages that are not used take no memory
        memo = [np.zeros(len(data) // 6 + 1024, kind) for _ in range(3)]
        pairs = np.zeros((_PAIRS, 3), np.int64)
        entries = np.zeros((len(data) // 32 + 1024, 4), np.int64)
        stack = np.zeros((_STACK, 5), np.int64)
        marks = np.zeros((_MARKS, 2), np.int64)
        outcome, memos, pair_count, entry_count = walk(
            data, *memo, pairs, entries, stack, marks
        )
        if outcome == HOSTILE:
            raise RaremineError(
                f"{path} was not read: it is a pickle that would use up the "
                "memory. Take another copy of it."
            )
        if outcome != OK:
            return None
        # the first of them is never at 0, where the protocol is
        placed = memos if memo[2][0] else 0
        return cls(
            data,
            (memo[0][:memos], memo[1][:memos], memo[2][:placed]),
            pairs[:pair_count],
            entries[:entry_count],
            int(stack[0, 0]),
        )

    def text(self, at: int) -> str | None:
        """Returns the text that is made at a place, None if none is."""
        if at < 0:
            return None
        start, end = text_at(self._data, at, self._memo_start)
        if start < 0:
            return None
        return self._data[start:end].tobytes().decode("utf-8", "replace")

    def load(
        self, path: Path, parts: list[tuple[int, int]]
    ) -> list[Any] | None:
        """Loads parts of the pickle; None if they cannot be cut out."""
        order = sorted(range(len(parts)), key=parts.__getitem__)
        bounds = np.array(parts, np.int64).reshape(-1, 2)[order]
        memo_start, memo_end = self._memo_start, self._memo_end
        possible, needed = fetched(
            self._data, bounds[:, 0], bounds[:, 1], memo_start, memo_end
        )
        if not possible:
            return None
        extra = np.stack([memo_start[needed], memo_end[needed]], axis=1)
        both = np.concatenate([bounds, extra.astype(np.int64)])
        dropped = np.arange(len(both)) >= len(bounds)
        # an outer value before those that begin with it
        first = np.lexsort((-both[:, 1], both[:, 0]))
        both, dropped = both[first], dropped[first]
        reach = np.maximum.accumulate(both[:, 1])
        alone = np.r_[True, both[1:, 1] > reach[:-1]][: len(both)]
        both, dropped = both[alone], dropped[alone]
        out = np.empty((both[:, 1] - both[:, 0]).sum() + len(both) + 16, "u1")
        length = copy_parts(
            self._data,
            both[:, 0].copy(),
            both[:, 1].copy(),
            dropped,
            self._memo_put,
            np.empty(len(memo_start), memo_start.dtype),
            out,
        )
        values = load_stream(io.BytesIO(out[:length].data), path)
        placed: list[Any] = [None] * len(parts)
        for at, value in zip(order, values, strict=True):
            placed[at] = value
        return placed


@njit(cache=True)
def fetched(
    data: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    memo_start: np.ndarray,
    memo_end: np.ndarray,
) -> tuple[bool, np.ndarray]:
    """Finds what parts of a pickle fetch from outside of them.

    Args:
        data: (n,) uint8, a pickle that was walked through
        starts: (p,) int64, where the parts start, ascending
        ends: (p,) int64, where they end
        memo_start: where each memoized value starts
        memo_end: where it ends

    Returns:
        whether the parts can be cut out, and the numbers of the memoized
        values that they need, directly or through others
    """
    needed = np.zeros(len(memo_start), np.bool_)
    queue = np.empty(1024, np.int64)
    count = 0
    for step in range(len(starts) + len(memo_start)):
        if step < len(starts):
            start, end = starts[step], ends[step]
        elif step - len(starts) < count:
            value = queue[step - len(starts)]
            start, end = np.int64(memo_start[value]), np.int64(memo_end[value])
        else:
            break
        at = start
        while at < end:
            code = data[at]
            after = op_end(data, at)
            if KINDS[code] == GET:
                index = little(data, at + 1, NUMBERS[code])
                place = np.int64(memo_start[index])
                stop = np.int64(memo_end[index])
                part = np.searchsorted(starts, place, side="right") - 1
                inside = start <= place < end or (
                    part >= 0 and place < ends[part]
                )
                if not inside and not needed[index]:
                    # what holds itself, or one of the parts, cannot be moved
                    following = part + 1 < len(starts)
                    if (
                        stop == 0
                        or stop > at
                        or (following and starts[part + 1] < stop)
                    ):
                        return False, queue[:0]
                    needed[index] = True
                    if count == len(queue):
                        more = np.empty(2 * count, np.int64)
                        more[:count] = queue
                        queue = more
                    queue[count] = index
                    count += 1
            at = after
    return True, queue[:count]


@njit(cache=True)
def copy_parts(
    data: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    dropped: np.ndarray,
    memo_put: np.ndarray,
    numbers: np.ndarray,
    out: np.ndarray,
) -> int:
    """Writes the opcodes that make a list of parts of a pickle.

    Memoized values are numbered anew, without gaps.

    Args:
        data: (n,) uint8, a pickle that was walked through
        starts: (p,) int64, where the parts start, ascending
        ends: (p,) int64, where they end
        dropped: (p,) bool, parts that are only there to be fetched from
        memo_put: where each value was memoized, empty if the pickle numbers
            them itself
        numbers: (m,) room for the new number of each memoized value
        out: uint8, as long as the parts together plus 16 + p

    Returns:
        length written
    """
    used, memos = 2, 0
    out[0], out[1] = _LIST, _MARK_CODE
    for part in range(len(starts)):
        at, end = starts[part], ends[part]
        counted = np.searchsorted(memo_put, at) if len(memo_put) else 0
        while at < end:
            code = data[at]
            kind = KINDS[code]
            after = op_end(data, at)
            if kind in (PUT, MEMOIZE):
                if kind == PUT:
                    counted = little(data, at + 1, NUMBERS[code])
                numbers[counted] = memos
                counted += 1
                memos += 1
                out[used] = _MEMOIZE_CODE
                used += 1
            elif kind == GET:
                index = numbers[little(data, at + 1, NUMBERS[code])]
                wide = index > 255
                out[used] = _LONG_GET if wide else _SHORT_GET
                used += 1
                for byte in range(4 if wide else 1):
                    out[used] = (index >> (8 * byte)) & 255
                    used += 1
            elif kind != SKIP:
                for byte in range(at, after):
                    out[used] = data[byte]
                    used += 1
            at = after
        if dropped[part]:
            out[used] = _POP
            used += 1
    out[used], out[used + 1] = _APPENDS, _END
    return used + 2
