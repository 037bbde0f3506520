"""Reads pickles of plain values and NumPy arrays, and nothing else.

A pickle is a program: whatever it names is imported and called. Here a name
is looked up in a short table and nothing is ever imported. NumPy's own
functions are not in that table either, but stand-ins that check what they are
given: a data type or an array that is set up from a forged state could make
NumPy read the file's bytes as addresses. A file made for it can still use up
the memory, as any pickle can.
"""

from __future__ import annotations

import math
import pickle
import re
from collections import OrderedDict
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from raremine.brain.errors import RaremineError
from raremine.brain.nuscenes.garbage import collection_paused

_TYPE_CODE = re.compile(r"[<>|=]?[biufcSUO]\d{0,7}")
"""Data types of numbers, texts and objects: no structures, no void."""

_make_scalar: Any = np.float64(0).__reduce__()[0]
_BUFFER = 1 << 20


class _RefusedError(Exception):
    """Something in a pickle that is not plain data."""


def load_pickle(path: Path) -> Any:
    """Reads a pickle of plain values and NumPy arrays and scalars.

    Pickles of NumPy 1 and NumPy 2 are read under either. Arrays come back as
    a subclass of ``ndarray`` that is pickled as an ``ndarray``.

    Args:
        path: the file

    Returns:
        what it holds

    Raises:
        RaremineError: if it cannot be read, is no pickle, or asks for
            anything else; nothing of what it asks for has been run then
    """
    try:
        with path.open("rb", buffering=_BUFFER) as file, collection_paused():
            return _Unpickler(file).load()
    except OSError as error:
        raise RaremineError(
            f"Cannot read {path}: {error.strerror}; pass the path of an "
            "existing file."
        ) from error
    except _RefusedError as error:
        raise _refusal(path, str(error)) from error
    except Exception as error:  # a broken file can raise almost anything
        raise RaremineError(
            f"{path} is not a whole pickle of plain values ({error!r}); make "
            "or copy it again."
        ) from error


def check_name(path: Path, module: str, name: str) -> None:
    """Refuses a class or function that ``load_pickle`` would not take.

    Args:
        path: the file that names it
        module: its module
        name: its name

    Raises:
        RaremineError: if the name may not be in a pickle
    """
    if (module, name) not in _ALLOWED:
        raise _refusal(path, f"'{module}.{name}'")


def _refusal(path: Path, what: str) -> RaremineError:
    return RaremineError(
        f"{path} was not read: it holds {what}. A pickle can run any code, "
        "so only dictionaries, lists, numbers, texts and NumPy arrays are "
        "taken. If you trust the file, load it where it was made and save it "
        "again as such."
    )


class _Unpickler(pickle.Unpickler):
    """Looks names up in ``_ALLOWED``; never imports."""

    def find_class(self, module: str, name: str) -> Any:
        found = _ALLOWED.get((module, name))
        if found is None:
            raise _RefusedError(f"'{module}.{name}'")
        return found


class _StandIn:
    """What a pickle gets in place of a class or function.

    It has no attributes, and refuses the state that a pickle may set on
    anything it can name.
    """

    __slots__ = ()

    def __setstate__(self, state: Any) -> NoReturn:
        raise _RefusedError("a changed function or class")


class _NDArrayName(_StandIn):
    """``numpy.ndarray``, which is named only to be reconstructed."""

    __slots__ = ()


class _Reconstruct(_StandIn):
    """``_reconstruct``: an empty array, whose contents follow."""

    __slots__ = ()

    def __call__(self, subtype: Any, shape: Any, code: Any) -> _Array:
        if subtype is not _NDARRAY:
            raise _RefusedError("an array of a class of its own")
        return np.ndarray.__new__(_Array, (0,))


class _Scalar(_StandIn):
    """``scalar``: a NumPy number or text of some bytes."""

    __slots__ = ()

    def __call__(self, kind: Any, raw: Any) -> Any:
        if type(kind) is not _Kind or kind.is_object or type(raw) is not bytes:
            raise _RefusedError("a malformed NumPy scalar")
        return _make_scalar(kind.dtype, raw)


class _FromBuffer(_StandIn):
    """``_frombuffer``: an array of bytes (protocol 5)."""

    __slots__ = ()

    def __call__(self, raw: Any, kind: Any, shape: Any, order: Any) -> _Array:
        if order not in ("C", "F") or type(raw) not in (bytes, bytearray):
            raise _RefusedError("a malformed NumPy array")
        array: _Array = np.ndarray.__new__(_Array, (0,))
        array.__setstate__((1, shape, kind, order == "F", bytes(raw)))
        return array


class _MakeKind(_StandIn):
    """``numpy.dtype``."""

    __slots__ = ()

    def __call__(
        self, code: Any, align: Any = False, copy: Any = True
    ) -> _Kind:
        if not isinstance(code, str) or not _TYPE_CODE.fullmatch(code):
            raise _RefusedError(f"NumPy data of type {code!r:.40}")
        return _Kind(np.dtype(code))


class _Latin1(_StandIn):
    """``_codecs.encode``, by which protocol 2 writes bytes as a text."""

    __slots__ = ()

    def __call__(self, text: Any, encoding: Any) -> bytes:
        if encoding not in ("latin1", "latin-1"):
            raise _RefusedError(f"a text encoded as {encoding!r:.40}")
        return str.encode(text, "latin1")


class _Container(_StandIn):
    """A container that is made whole or empty."""

    __slots__ = ("_kind",)

    def __init__(self, kind: type) -> None:
        self._kind = kind

    def __call__(self, *items: Any) -> Any:
        # a number would ask for that many zeros
        if len(items) > 1 or not all(type(i) in (list, tuple) for i in items):
            raise _RefusedError(f"a malformed {self._kind.__name__}")
        return self._kind(*items)


class _Kind:
    """A data type that its pickled state can check but not change.

    Attributes:
        dtype: the data type
        is_object: whether it is of Python objects
    """

    __slots__ = ("dtype", "is_object")

    def __init__(self, dtype: np.dtype) -> None:
        self.dtype = dtype
        self.is_object = dtype.hasobject

    def __setstate__(self, state: Any) -> None:
        # version, order, subarray, names, fields, size, alignment, flags and
        # the metadata of some versions
        if (
            type(state) is not tuple
            or not 8 <= len(state) <= 9
            or any(state[2:5])
            or any(state[8:])
            or state[1] not in ("<", ">", "=", "|")
        ):
            raise _RefusedError("a NumPy data type with parts")
        if state[1] != "|":
            self.dtype = self.dtype.newbyteorder(state[1])

    def __reduce__(self) -> tuple[Any, ...]:
        return np.dtype, (self.dtype.str,)


class _Array(np.ndarray):
    """An array that checks its pickled state before NumPy sees it."""

    def __setstate__(self, state: Any) -> None:
        if type(state) is not tuple or len(state) != 5:
            raise _RefusedError("a malformed NumPy array")
        version, shape, kind, fortran, raw = state
        if type(kind) is not _Kind:
            raise _RefusedError("a NumPy array without a data type")
        if type(shape) is not tuple or not all(
            type(n) is int and n >= 0 for n in shape
        ):
            raise _RefusedError("a NumPy array of a malformed shape")
        count = math.prod(shape)
        fits = (
            type(raw) is list and len(raw) == count
            if kind.is_object
            else type(raw) is bytes and len(raw) == count * kind.dtype.itemsize
        )
        if version != 1 or not fits or (count and not kind.dtype.itemsize):
            raise _RefusedError("a NumPy array that does not fit its shape")
        super().__setstate__((1, shape, kind.dtype, bool(fortran), raw))

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.view(np.ndarray).__reduce_ex__(protocol)


_NDARRAY = _NDArrayName()

_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _NDARRAY,
    ("numpy", "dtype"): _MakeKind(),
    ("_codecs", "encode"): _Latin1(),
    ("collections", "OrderedDict"): _Container(OrderedDict),
    **{
        (f"numpy.{core}.{module}", name): what
        for core in ("core", "_core")
        for module, name, what in (
            ("multiarray", "_reconstruct", _Reconstruct()),
            ("multiarray", "scalar", _Scalar()),
            ("numeric", "_frombuffer", _FromBuffer()),
        )
    },
    **{
        (module, kind.__name__): _Container(kind)
        for module in ("builtins", "__builtin__")
        for kind in (list, set, frozenset, bytes)
    },
}
"""All that a pickle may name, and what it gets for it."""
