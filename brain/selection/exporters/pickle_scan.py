"""Compiled walk through a pickle that finds its entries without making them.

A pickle is a program for a machine with one stack: most of its opcodes push a
value, a few gather values into a container below them. To know which bytes
make which value it is enough to follow where each value on the stack began.
Values that are made once and fetched again by number ("memo") are followed
too, so that a part of the pickle can be cut out together with what it
fetches from elsewhere.

What Python's pickler writes for plain data is followed. For anything else the
walk gives up, and the pickle is read as a whole. The walk runs nothing.
"""

from __future__ import annotations

import pickle as _p

import numpy as np
from numba import njit

(
    _BAD,
    _PUSH,
    _COUNTED,
    PUT,
    GET,
    MEMOIZE,
    _MARK,
    _EXTEND,
    _APPEND,
    _UPDATE,
    _SET,
    _TUPLE,
    _GATHER,
    _JOIN,
    _BUILD,
    _NAME,
    _POP,
    SKIP,
    _STOP,
) = range(19)
"""Kinds of opcodes, by what they do to the stack."""


def _tables() -> tuple[np.ndarray, np.ndarray]:
    """Returns kind and number by opcode.

    The number is that of the bytes that follow it, of the bytes of the length
    that follows it (``_COUNTED``), or of the values that it takes.
    """
    kinds = np.zeros(256, np.uint8)
    numbers = np.zeros(256, np.int64)
    for kind, codes in (
        (
            _PUSH,
            (
                *((_p.NONE, 0), (_p.NEWTRUE, 0), (_p.NEWFALSE, 0)),
                *((_p.BININT, 4), (_p.BININT1, 1), (_p.BININT2, 2)),
                *((_p.BINFLOAT, 8), (_p.EMPTY_LIST, 0), (_p.EMPTY_DICT, 0)),
                *((_p.EMPTY_TUPLE, 0), (_p.EMPTY_SET, 0)),
            ),
        ),
        (
            _COUNTED,
            (
                *((_p.SHORT_BINBYTES, 1), (_p.BINBYTES, 4)),
                *((_p.BINBYTES8, 8), (_p.SHORT_BINUNICODE, 1)),
                *((_p.BINUNICODE, 4), (_p.BINUNICODE8, 8)),
                *((_p.LONG1, 1), (_p.LONG4, 4), (_p.BYTEARRAY8, 8)),
            ),
        ),
        (PUT, ((_p.BINPUT, 1), (_p.LONG_BINPUT, 4))),
        (GET, ((_p.BINGET, 1), (_p.LONG_BINGET, 4))),
        (MEMOIZE, ((_p.MEMOIZE, 0),)),
        (_MARK, ((_p.MARK, 0),)),
        (_EXTEND, ((_p.APPENDS, 0), (_p.ADDITEMS, 0))),
        (_APPEND, ((_p.APPEND, 1),)),
        (_UPDATE, ((_p.SETITEMS, 0),)),
        (_SET, ((_p.SETITEM, 2),)),
        (_TUPLE, ((_p.TUPLE1, 1), (_p.TUPLE2, 2), (_p.TUPLE3, 3))),
        (_GATHER, ((_p.TUPLE, 0), (_p.LIST, 0), (_p.DICT, 0))),
        (_GATHER, ((_p.FROZENSET, 0),)),
        (_JOIN, ((_p.REDUCE, 2), (_p.NEWOBJ, 2), (_p.STACK_GLOBAL, 2))),
        (_BUILD, ((_p.BUILD, 1),)),
        (_NAME, ((_p.GLOBAL, 0),)),
        (_POP, ((_p.POP, 1),)),
        (SKIP, ((_p.PROTO, 1), (_p.FRAME, 8))),
        (_STOP, ((_p.STOP, 0),)),
    ):
        for code, number in codes:
            kinds[code[0]] = kind
            numbers[code[0]] = number
    return kinds, numbers


KINDS, NUMBERS = _tables()

_BELOW = (_EXTEND, _APPEND, _UPDATE, _SET, _BUILD)
"""Kinds that put values into the one below them."""

_TEXT1, _TEXT4 = _p.SHORT_BINUNICODE[0], _p.BINUNICODE[0]
_STACK_NAME = _p.STACK_GLOBAL[0]
_TOKEN = np.frombuffer(b"token", np.uint8)

OK, OTHER, HOSTILE = 0, 1, 2
"""Outcomes: followed to the end; not followed; not the work of a pickler."""


@njit(cache=True)
def little(data: np.ndarray, at: int, count: int) -> int:
    """Returns the little-endian number of some bytes."""
    value = 0
    for byte in range(count):
        value |= int(data[at + byte]) << (8 * byte)
    return value


@njit(cache=True)
def op_end(data: np.ndarray, at: int) -> int:
    """Returns where an opcode's arguments end; past the data if broken."""
    code = data[at]
    kind, number = KINDS[code], NUMBERS[code]
    if kind == _COUNTED:
        if at + 1 + number > len(data):
            return len(data) + 1
        length = little(data, at + 1, number)
        if length < 0 or length > len(data):
            return len(data) + 1
        return at + 1 + number + length
    if kind == _NAME:
        end, lines = at + 1, 0
        while end < len(data) and lines < 2:
            lines += data[end] == 10
            end += 1
        return end if lines == 2 else len(data) + 1
    if kind in (_PUSH, PUT, GET, SKIP):
        return at + 1 + number
    return at + 1


@njit(cache=True)
def text_at(
    data: np.ndarray, at: int, memo_start: np.ndarray
) -> tuple[int, int]:
    """Returns the bounds of a text that is pushed or fetched at a place.

    Returns:
        start and end; -1 twice where it is no text
    """
    code = data[at]
    if KINDS[code] == GET:
        at = memo_start[little(data, at + 1, NUMBERS[code])]
        code = data[at]
    if code in (_TEXT1, _TEXT4):
        return at + 1 + NUMBERS[code], op_end(data, at)
    return -1, -1


@njit(cache=True)
def _is_token(data: np.ndarray, at: int, memo_start: np.ndarray) -> bool:
    """Tells whether the text at a place is the key of an entry's token."""
    start, end = text_at(data, at, memo_start)
    if end - start != len(_TOKEN):
        return False
    for byte in range(len(_TOKEN)):
        if data[start + byte] != _TOKEN[byte]:
            return False
    return True


@njit(cache=True)
def walk(
    data: np.ndarray,
    memo_start: np.ndarray,
    memo_end: np.ndarray,
    memo_put: np.ndarray,
    pairs: np.ndarray,
    entries: np.ndarray,
    names: np.ndarray,
    stack: np.ndarray,
    marks: np.ndarray,
) -> tuple[int, int, int, int, int]:
    """Follows a pickle from its first opcode to its last.

    It gives up where an array is too short, too.

    Args:
        data: (n,) uint8, the pickle
        memo_start: (m,) zeros; gets where each memoized value starts, by its
            number
        memo_end: (m,) zeros; gets where each ends, 0 = never complete
        memo_put: (m,) zeros; gets where each was memoized, if its number is
            not written there
        pairs: (k, 3) int64; gets start of key, start and end of value of the
            root, where that is a dictionary
        entries: (e, 5) int64; gets the values of lists that are the root or
            a value of it: start of the list, start, end, start of the
            value's own "token" (-1: none), and where it is appended by an
            opcode of its own (-1: together with others)
        names: (g, 3) int64; gets where a class or function is named, and
            where its module and its name are pushed (-1: written out there)
        stack: (s, 5) int64, room to work in; the first is the root
        marks: (s, 2) int64, room to work in

    Returns:
        outcome; lengths used of memo_start, pairs, entries and names
    """
    # of each value on the stack: start, end, number in the memo (-1: none),
    # where its token is and for which start that was found.
    # of each mark: height of the stack, and place
    memos, pair_count, entry_count, name_count, top, mark = 0, 0, 0, 0, 0, 0
    at, size, outcome, memo_kind = 0, len(data), OTHER, PUT
    while at < size:
        code = data[at]
        kind = KINDS[code]
        number = NUMBERS[code]
        end = at + 1
        if kind in (_PUSH, GET, _COUNTED, _NAME):
            if kind in (_PUSH, GET):
                end += number
            else:
                end = op_end(data, at)
            if end > size or top == len(stack):
                break
            if kind == GET and little(data, at + 1, number) >= memos:
                break
            if kind == _NAME:
                if name_count == len(names):
                    break
                names[name_count, 0] = at
                names[name_count, 1] = names[name_count, 2] = -1
                name_count += 1
            stack[top, 0], stack[top, 1], stack[top, 2] = at, end, -1
            top += 1
            at = end
            continue
        low = marks[mark - 1, 0] if mark else 0
        if kind in (PUT, MEMOIZE):
            end += number
            if end > size or top <= low or memos == len(memo_start):
                break
            if kind == PUT and little(data, at + 1, number) != memos:
                # a pickler counts; a huge number is there to harm
                if little(data, at + 1, number) > size:
                    outcome = HOSTILE
                break
            if stack[top - 1, 2] >= 0 or (memos and kind != memo_kind):
                break
            memo_kind = kind
            memo_start[memos] = stack[top - 1, 0]
            if kind == MEMOIZE:
                memo_put[memos] = at
            stack[top - 1, 1], stack[top - 1, 2] = end, memos
            memos += 1
        elif kind == _MARK:
            if mark == len(marks):
                break
            marks[mark, 0], marks[mark, 1] = top, at
            mark += 1
        elif kind == SKIP:
            end += number
        elif kind == _STOP:
            if top == 1 and mark == 0:
                outcome = OK
            break
        elif kind == _BAD:
            break
        else:
            # values from `first` on go into the one below, or make a new one
            first = top - number
            if kind in (_EXTEND, _UPDATE, _GATHER):
                if mark == 0:
                    break
                mark -= 1
                first = low
                low = marks[mark - 1, 0] if mark else 0
            into = first - (kind in _BELOW)
            if into < low or into >= len(stack):
                break
            if kind in (_UPDATE, _SET) and mark <= 2:
                if (top - first) % 2:
                    break
                for key in range(first, top, 2):
                    if into == 0:
                        if pair_count == len(pairs):
                            return OTHER, 0, 0, 0, 0
                        pairs[pair_count, 0] = stack[key, 0]
                        pairs[pair_count, 1] = stack[key + 1, 0]
                        pairs[pair_count, 2] = stack[key + 1, 1]
                        pair_count += 1
                    elif _is_token(data, stack[key, 0], memo_start):
                        stack[into, 3] = stack[key + 1, 0]
                        stack[into, 4] = stack[into, 0] + 1
            if kind in (_EXTEND, _APPEND) and mark <= 1:
                for item in range(first, top):
                    if entry_count == len(entries):
                        return OTHER, 0, 0, 0, 0
                    own = stack[item, 4] == stack[item, 0] + 1
                    entries[entry_count, 0] = stack[into, 0]
                    entries[entry_count, 1] = stack[item, 0]
                    entries[entry_count, 2] = stack[item, 1]
                    entries[entry_count, 3] = stack[item, 3] if own else -1
                    entries[entry_count, 4] = at if kind == _APPEND else -1
                    entry_count += 1
            if code == _STACK_NAME:
                if name_count == len(names):
                    break
                names[name_count, 0] = at
                names[name_count, 1] = stack[first, 0]
                names[name_count, 2] = stack[first + 1, 0]
                name_count += 1
            for item in range(first, top):
                if stack[item, 2] >= 0:
                    memo_end[stack[item, 2]] = stack[item, 1]
            if kind == _POP:
                top = first
            else:
                if into == first:
                    if kind == _GATHER:
                        stack[into, 0] = marks[mark, 1]
                    stack[into, 2] = -1
                stack[into, 1] = end
                top = into + 1
        at = end
    return outcome, memos, pair_count, entry_count, name_count
