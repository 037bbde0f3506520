"""Cuts entries out of a large pickle without making objects of any.

Info files of all of nuScenes are lists of tens of thousands of entries. As
Python objects they take six times the memory of the file, and making them
takes most of the time. Here the bytes of the unwanted entries are left out,
and values that the others fetch from them are put in their place.
"""

from __future__ import annotations

import pickle as _p
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

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
from raremine.brain.selection.exporters.restricted_pickle import check_name

_SHORT_PUT, _LONG_PUT = _p.BINPUT[0], _p.LONG_BINPUT[0]
_SHORT_GET, _LONG_GET = _p.BINGET[0], _p.LONG_BINGET[0]
_LIST, _DICT = _p.EMPTY_LIST[0], _p.EMPTY_DICT[0]
_PROTO, _POP, _STOP = _p.PROTO[0], _p.POP[0], _p.STOP[0]

_PAIRS, _NAMES, _STACK, _MARKS = 256, 1 << 12, 1 << 17, 1 << 10


class Cut(NamedTuple):
    """What was cut.

    Attributes:
        key: key of the list of entries, None where it is the document
        tokens: tokens of the entries that stayed
        total: number of entries that there were
    """

    key: str | None
    tokens: list[str]
    total: int


def cut_entries(
    path: Path, keys: Sequence[str], wanted: Collection[str], target: Path
) -> Cut | None:
    """Writes a pickle of entries with tokens with the wanted entries alone.

    The entries are the pickled list itself, or a list that the pickled
    dictionary holds. Each is a dictionary with a "token". All that stays is
    copied as it is: nothing is loaded, so nothing can run.

    Args:
        path: the file
        keys: key of the list in the dictionary: the first of these that it
            has
        wanted: the tokens
        target: where to write

    Returns:
        what was cut; None, and nothing written, if the file is not of that
        form, or not written in the way of Python's pickler

    Raises:
        RaremineError: if what stays names anything that ``load_pickle``
            refuses
    """
    try:
        data = np.memmap(path, np.uint8, "r")
    except (OSError, ValueError):
        return None
    walked = _Walked.of(path, data)
    if walked is None:
        return None
    found = walked.entries(keys)
    if found is None:
        return None
    key, entries, tokens = found
    kept = np.array([token in wanted for token in tokens], dtype=bool)
    out = walked.without(path, entries[~kept])
    if out is None:
        return None
    # the same walk through the result
    again = _Walked.of(path, out)
    left = None if again is None else again.entries(keys)
    names = [t for t, stays in zip(tokens, kept, strict=True) if stays]
    if left is None or (left[0], left[2]) != (key, names):
        return None
    out.tofile(target)
    return Cut(key, names, len(tokens))


class _Walked:
    """A pickle that was walked through; the arrays are those of ``walk``."""

    def __init__(
        self,
        data: np.ndarray,
        memo: tuple[np.ndarray, np.ndarray, np.ndarray],
        pairs: np.ndarray,
        entries: np.ndarray,
        names: np.ndarray,
        root: tuple[int, int],
    ) -> None:
        self._data, self._pairs, self._entries = data, pairs, entries
        self._memo_start, self._memo_end, self._memo_put = memo
        self._names, self._root = names, root

    @classmethod
    def of(cls, path: Path, data: np.ndarray) -> _Walked | None:
        """Walks through a pickle; None if that is not possible."""
        kind = np.uint32 if len(data) < 1 << 32 else np.int64
        # more than there will be; pages that are not used take no memory
        memo = [np.zeros(len(data) // 6 + 1024, kind) for _ in range(3)]
        pairs = np.zeros((_PAIRS, 3), np.int64)
        entries = np.zeros((len(data) // 32 + 1024, 5), np.int64)
        names = np.zeros((_NAMES, 3), np.int64)
        stack = np.zeros((_STACK, 5), np.int64)
        marks = np.zeros((_MARKS, 2), np.int64)
        outcome, memos, pair_count, entry_count, name_count = walk(
            data,
            memo[0],
            memo[1],
            memo[2],
            pairs,
            entries,
            names,
            stack,
            marks,
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
            names[:name_count],
            (int(stack[0, 0]), int(stack[0, 1])),
        )

    def entries(
        self, keys: Sequence[str]
    ) -> tuple[str | None, np.ndarray, list[str]] | None:
        """Returns the list's key, its entries and their tokens."""
        root, key = self._root[0], None
        if self._data[root] == _LIST:
            start = root
        elif self._data[root] == _DICT:
            names = [self._text(int(at)) for at in self._pairs[:, 0]]
            key = next((k for k in keys if k in names), None)
            if key is None or len(set(names)) < len(names) or None in names:
                return None
            start = int(self._pairs[names.index(key), 1])
        else:
            return None
        if self._data[start] != _LIST:
            return None
        entries = self._entries[self._entries[:, 0] == start]
        tokens = [self._text(int(at)) for at in entries[:, 3]]
        known = [token for token in tokens if token is not None]
        return (key, entries, known) if len(known) == len(tokens) else None

    def _text(self, at: int) -> str | None:
        """Returns the text that is made at a place, None if none is."""
        if at < 0:
            return None
        start, end = text_at(self._data, at, self._memo_start)
        if start < 0:
            return None
        return self._data[start:end].tobytes().decode("utf-8", "replace")

    def without(self, path: Path, unwanted: np.ndarray) -> np.ndarray | None:
        """Returns the pickle without entries; None if it does not allow it.

        Args:
            path: its file
            unwanted: rows of ``entries``
        """
        # with the opcode that appends an entry, if it has one of its own
        ends = np.maximum(unwanted[:, 2], unwanted[:, 4] + 1)
        bounds = np.column_stack(
            [
                np.r_[self._root[0], ends],
                np.r_[unwanted[:, 1], self._root[1]],
            ]
        )
        parts = bounds[bounds[:, 0] < bounds[:, 1]]
        possible, needed = fetched(
            self._data,
            parts[:, 0].copy(),
            parts[:, 1].copy(),
            self._memo_start,
            self._memo_end,
        )
        if not possible:
            return None
        extra = np.column_stack(
            [self._memo_start[needed], self._memo_end[needed]]
        ).astype(np.int64)
        both = np.concatenate([parts, extra])
        dropped = np.arange(len(both)) >= len(parts)
        # an outer value before those that begin with it
        first = np.lexsort((-both[:, 1], both[:, 0]))
        both, dropped = both[first], dropped[first]
        reach = np.maximum.accumulate(both[:, 1])
        alone = np.r_[True, both[1:, 1] > reach[:-1]]
        both, dropped = both[alone], dropped[alone]
        self._check_names(path, both)
        out = np.empty((both[:, 1] - both[:, 0]).sum() + len(both) + 3, "u1")
        length = copy_parts(
            self._data,
            both[:, 0].copy(),
            both[:, 1].copy(),
            dropped,
            self._memo_put,
            np.empty(len(self._memo_start), self._memo_start.dtype),
            out,
        )
        out = out[:length]
        # of one type with what was read, for which there are kernels
        out.setflags(write=False)
        return out

    def _check_names(self, path: Path, parts: np.ndarray) -> None:
        """Refuses names in parts that a restricted unpickler refuses."""
        within = np.searchsorted(parts[:, 0], self._names[:, 0], "right") - 1
        for part, (at, module, name) in zip(
            within.tolist(), self._names.tolist(), strict=True
        ):
            if part < 0 or at >= parts[part, 1]:
                continue
            if module < 0:
                end = op_end(self._data, at)
                written = self._data[at + 1 : end].tobytes()
                texts = written.decode("utf-8", "replace").split("\n")[:2]
            else:
                texts = [str(self._text(module)), str(self._text(name))]
            check_name(path, *texts)


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
    """Writes parts of a pickle as a pickle.

    Memoized values are numbered anew, without gaps.

    Args:
        data: (n,) uint8, a pickle that was walked through
        starts: (p,) int64, where the parts start, ascending
        ends: (p,) int64, where they end
        dropped: (p,) bool, parts that are only there to be fetched from
        memo_put: where each value was memoized, empty if the pickle numbers
            them itself
        numbers: (m,) room for the new number of each memoized value
        out: uint8, as long as the parts together plus 3 + p

    Returns:
        length written
    """
    used, memos = 0, 0
    if data[0] == _PROTO:
        out[0], out[1] = data[0], data[1]
        used = 2
    for part in range(len(starts)):
        at, end = starts[part], ends[part]
        counted = np.searchsorted(memo_put, at) if len(memo_put) else 0
        while at < end:
            code = data[at]
            kind = KINDS[code]
            after = op_end(data, at)
            if kind == MEMOIZE:
                numbers[counted] = memos
                counted += 1
                memos += 1
                out[used] = code
                used += 1
            elif kind in (PUT, GET):
                old = little(data, at + 1, NUMBERS[code])
                if kind == PUT:
                    numbers[old] = memos
                    memos += 1
                new = np.int64(numbers[old])
                wide = new > 255
                if kind == PUT:
                    out[used] = _LONG_PUT if wide else _SHORT_PUT
                else:
                    out[used] = _LONG_GET if wide else _SHORT_GET
                used += 1
                for byte in range(4 if wide else 1):
                    out[used] = (new >> (8 * byte)) & 255
                    used += 1
            elif kind != SKIP:
                for byte in range(at, after):
                    out[used] = data[byte]
                    used += 1
            at = after
        if dropped[part]:
            out[used] = _POP
            used += 1
    out[used] = _STOP
    return used + 1
