"""A pickle of others runs nothing, and plain data come through whole."""

from __future__ import annotations

import collections
import io
import os
import pickle
import pickletools
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from raremine.brain.errors import RaremineError
from raremine.brain.selection.exporters.restricted_pickle import load_pickle


def read(data: bytes, folder: Path) -> Any:
    path = folder / "infos.pkl"
    path.write_bytes(data)
    return load_pickle(path)


def unframed(data: bytes) -> bytes:
    """Takes the frames out, so that texts may change their length."""
    ops = pickletools.genops(data)
    places = [at or 0 for op, _, at in ops if op.name == "FRAME"]
    for place in reversed(places):
        data = data[:place] + data[place + 9 :]
    return data


def of_numpy_2(data: bytes) -> bytes:
    """Names NumPy's functions as NumPy 2 does."""
    data = unframed(data)
    for name in (b"numpy.core.multiarray", b"numpy.core.numeric"):
        new = name.replace(b"core", b"_core")
        short = b"\x8c" + bytes([len(name)])
        data = data.replace(short + name, b"\x8c" + bytes([len(new)]) + new)
        data = data.replace(b"c" + name, b"c" + new)
    return data


PLAIN = {
    "number": [1, -5, 10**30, 2.5, float("inf"), True, None],
    "text": ["", "ä", "x" * 300],
    "bytes": [b"", b"\x00\xff" * 200],
    "set": {1, 2},
    "frozen": frozenset("ab"),
    "ordered": collections.OrderedDict([("b", 1), ("a", 2)]),
    "tuple": ((), (1,), (1, 2), (1, 2, 3, 4)),
}
ARRAYS = [
    np.arange(12.0).reshape(3, 4),
    np.asfortranarray(np.arange(6, dtype="f4").reshape(2, 3)),
    np.arange(6).reshape(2, 3)[:, ::2],
    np.array([True, False]),
    np.array(["car", "construction_vehicle"]),
    np.array([b"a", b"bc"]),
    np.array([], dtype=str),
    np.zeros((0, 7)),
    np.array(2.5),
    np.array([1 + 2j]),
    np.array([None, "a", [1, 2]], dtype=object),
    np.array([np.arange(2), np.arange(3)], dtype=object),
]
SCALARS = [
    np.bool_(True),
    np.int64(-3),
    np.uint8(200),
    np.float32(0.1),
    np.float64("nan"),
    np.str_("ä"),
]


def same(a: Any, b: Any) -> bool:
    if isinstance(b, np.ndarray):
        if a.dtype != b.dtype or a.shape != b.shape:
            return False
        if b.dtype == object:
            return all(map(same, a.ravel(), b.ravel()))
        return bool(np.array_equal(a, b))
    if isinstance(b, list | tuple):
        return type(a) is type(b) and all(map(same, a, b))
    return type(a) is type(b) and (a == b or (a != a and b != b))


@pytest.mark.parametrize("numpy_2", [False, True])
@pytest.mark.parametrize("protocol", range(6))
def test_plain_data_come_through(
    protocol: int, numpy_2: bool, tmp_path: Path
) -> None:
    data = pickle.dumps([PLAIN, ARRAYS, SCALARS], protocol)
    if numpy_2:
        assert b"numpy._core" not in data
        data = of_numpy_2(data)
        assert b"numpy._core" in data
    plain, arrays, scalars = read(data, tmp_path)
    assert plain == PLAIN
    assert type(plain["ordered"]) is collections.OrderedDict
    assert all(map(same, arrays, ARRAYS))
    assert all(map(same, scalars, SCALARS))
    # what is written again is NumPy's own, for environments without raremine
    again = pickle.dumps([arrays, scalars], 3)
    assert b"raremine" not in again
    arrays, scalars = pickle.loads(again)
    assert all(type(a) is np.ndarray for a in arrays)
    assert all(map(same, arrays, ARRAYS))
    assert all(map(same, scalars, SCALARS))


def test_byte_order_is_kept(tmp_path: Path) -> None:
    given = [np.arange(3, dtype=">f8"), np.arange(3, dtype=">i4")]
    for found, expected in zip(
        read(pickle.dumps(given), tmp_path), given, strict=True
    ):
        assert found.tolist() == expected.tolist()


def test_the_real_infos_come_through(shared_dir: Path, tmp_path: Path) -> None:
    path = next((shared_dir / "nuscenes-keyframe" / "infos").glob("*.pkl"))
    found = load_pickle(path)
    expected = pickle.loads(path.read_bytes())
    assert repr(found) == repr(expected)
    assert found["data_list"][0]["token"] == (
        "ca9a282c9e77460f8360f564131a8af5"
    )


class Calls:
    """Is pickled as a call."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def named(module: str, name: str, *arguments: Any) -> bytes:
    """A call of something by its name, which is not looked up here."""
    body = pickle.dumps(arguments, 2)[2:-1]
    return b"\x80\x02c" + f"{module}\n{name}\n".encode() + body + b"R."


@pytest.mark.parametrize("protocol", range(6))
def test_nothing_is_run(protocol: int, tmp_path: Path) -> None:
    marker = tmp_path / "it ran"
    evil = Calls(os.system, f"touch '{marker}'")
    assert pickle.loads(pickle.dumps(evil, protocol)) == 0 and marker.exists()
    marker.unlink()
    for document in (
        evil,
        {"infos": [{"token": "a", "x": evil}], "metadata": {}},
        {"metainfo": evil, "data_list": []},
        [Calls(list, [1]), evil],
        np.array([evil], dtype=object),
    ):
        with pytest.raises(
            RaremineError, match="not read: it holds 'posix.system'"
        ):
            read(pickle.dumps(document, protocol), tmp_path)
        assert not marker.exists()


@pytest.mark.parametrize(
    ("module", "name", "arguments"),
    [
        ("builtins", "eval", ("1",)),
        ("__builtin__", "eval", ("1",)),
        ("builtins", "exec", ("pass",)),
        ("builtins", "getattr", ([], "append")),
        ("builtins", "__import__", ("os",)),
        ("builtins", "open", ("/etc/passwd",)),
        ("builtins", "bytearray", (1,)),
        ("builtins", "list.__class__", ()),
        ("copyreg", "_reconstructor", (1, 2, None)),
        ("copyreg", "__newobj__", (1,)),
        ("operator", "attrgetter", ("a",)),
        ("functools", "partial", (1,)),
        ("pickle", "loads", (b".",)),
        ("_pickle", "loads", (b".",)),
        ("subprocess", "Popen", ("true",)),
        ("numpy", "load", ("x",)),
        ("numpy", "fromfile", ("x",)),
        ("numpy", "memmap", ("x",)),
        ("numpy", "frompyfunc", (1, 1, 1)),
        ("numpy", "dtype.__class__", ()),
        ("numpy.testing", "runstring", ("1", {})),
        ("numpy.testing._private.utils", "runstring", ("1", {})),
        ("numpy.f2py.capi_maps", "getinit", ("1", {})),
        ("numpy.f2py.diagnose", "run_command", ("true",)),
        ("numpy.distutils.exec_command", "exec_command", ("true",)),
        ("numpy.ctypeslib", "load_library", ("c", "/")),
        ("numpy.core.multiarray", "fromfile", ("x",)),
        ("numpy.core.multiarray", "scalar.__self__", ()),
        ("numpy.matlib", "np.os.system", ("true",)),
        ("pandas", "read_pickle", ("x",)),
        ("raremine.brain.selection.exporters.restricted_pickle", "_Array", ()),
        ("turtledemo", "main", ()),
    ],
)
def test_names_are_refused(
    module: str, name: str, arguments: tuple[Any, ...], tmp_path: Path
) -> None:
    before = set(sys.modules)
    with pytest.raises(RaremineError, match="not read") as caught:
        read(named(module, name, *arguments), tmp_path)
    assert f"'{module}.{name}'" in str(caught.value)
    assert set(sys.modules) == before


def test_every_way_to_name_something_is_guarded(tmp_path: Path) -> None:
    for data in (
        b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x04true\x85R.",
        b"(S'true'\niposix\nsystem\n.",
        b"(cposix\nsystem\nS'true'\no.",
        b"\x80\x02cposix\nsystem\n)\x81.",
        b"\x80\x04cposix\nsystem\n)}\x92.",
    ):
        with pytest.raises(RaremineError, match=r"'posix.system'"):
            read(data, tmp_path)
    for data in (b"Pname\n.", b"\x80\x02K\x01Q.", b"\x80\x02\x82\x01."):
        with pytest.raises(RaremineError, match="not a whole pickle"):
            read(data, tmp_path)


RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n"
NDARRAY = b"cnumpy\nndarray\n"
SCALAR = b"cnumpy.core.multiarray\nscalar\n"
FROM_BUFFER = b"cnumpy.core.numeric\n_frombuffer\n"
EMPTY = RECONSTRUCT + b"(" + NDARRAY + b"K\x00\x85C\x01btR"


def value(thing: Any) -> bytes:
    return unframed(pickle.dumps(thing, 4))[2:-1]


def dtype(code: str, *state: Any) -> bytes:
    made = b"cnumpy\ndtype\n" + value((code, False, True)) + b"R"
    return made + (value(state) + b"b" if state else b"")


def array(shape: Any, kind: bytes, raw: Any, version: int = 1) -> bytes:
    return b"".join(
        [
            *(EMPTY, b"(", value(version), value(shape), kind),
            *(value(False), value(raw), b"tb"),
        ]
    )


def from_buffer(raw: Any, kind: bytes, shape: Any, order: Any) -> bytes:
    arguments = value(raw) + kind + value(shape) + value(order)
    return FROM_BUFFER + b"(" + arguments + b"tR"


PLAIN_STATE = (3, "<", None, None, None, -1, -1, 0)


def test_the_forgeries_are_wellformed(tmp_path: Path) -> None:
    one = np.array([1.0])
    forged = array((1,), dtype("f8", *PLAIN_STATE), one.tobytes())
    assert same(read(b"\x80\x04" + forged + b".", tmp_path), one)
    number = SCALAR + dtype("f8", *PLAIN_STATE) + value(one.tobytes())
    assert read(b"\x80\x04" + number + b"\x86R.", tmp_path) == 1.0
    kind = dtype("f8", *PLAIN_STATE)
    forged = from_buffer(one.tobytes(), kind, (1,), "C")
    assert same(read(b"\x80\x04" + forged + b".", tmp_path), one)


@pytest.mark.parametrize(
    "body",
    [
        # bytes as pointers
        array((1,), dtype("O8"), b"A" * 8),
        SCALAR + dtype("O8") + value(b"A" * 8) + b"\x86R",
        from_buffer(b"A" * 8, dtype("O8"), (1,), "C"),
        from_buffer(b"A" * 8, dtype("f8"), (2,), "C"),
        from_buffer(b"A" * 8, dtype("f8"), (1,), "A"),
        from_buffer(1 << 40, dtype("f8"), (1 << 37,), "C"),
        # a structure whose field is an object that its flags deny
        dtype("V8"),
        dtype("V8", 3, "|", None, ("a",), {"a": ("O", 0)}, 8, 1, 0),
        dtype("f8", 3, "<", None, ("a",), {"a": ("O", 0)}, 8, 1, 0),
        dtype("f8", 3, "<", ("O", (1,)), None, None, 8, 1, 0),
        dtype("U2", 4, "<", None, None, None, 8, 4, 8, {"a": 1}),
        dtype("f8", 3, "x", None, None, None, -1, -1, 0),
        dtype("f8", 3, "<"),
        dtype("f8,O"),
        dtype("object"),
        # contents that do not fit
        array((2,), dtype("f8"), b"A" * 8),
        array((-1,), dtype("f8"), b""),
        array((1 << 62, 4), dtype("f8"), b""),
        array((1 << 40,), dtype("U0"), b""),
        array([1], dtype("f8"), b"A" * 8),
        array((1.0,), dtype("f8"), b"A" * 8),
        array((1,), dtype("f8"), "A" * 8),
        array((2,), dtype("O8"), [1]),
        array((1,), dtype("O8"), (1,)),
        array((1,), value("f8"), b"A" * 8),
        array((1,), dtype("f8"), b"A" * 8, version=9),
        EMPTY + value((1, 2)) + b"b",
        EMPTY + value([1]) + b"b",
        SCALAR + dtype("f8") + value(b"A") + b"\x86R",
        SCALAR + value("f8") + value(b"A" * 8) + b"\x86R",
        # the array's class called, or another one in its place
        NDARRAY + value(((1 << 40,), "O")) + b"R",
        NDARRAY + value(((1,), "O")) + b"\x81",
        RECONSTRUCT + b"(" + value("x") + value((0,)) + value(b"b") + b"tR",
        RECONSTRUCT
        + (b"(" + b"ccollections\nOrderedDict\n")
        + (value((1 << 40,)) + value(b"b") + b"tR"),
        # what was named gets another state
        RECONSTRUCT + value((None, {"__call__": 1})) + b"b",
        SCALAR + value({"__defaults__": (1,)}) + b"b",
        NDARRAY + value((None, {"__setstate__": 1})) + b"b",
        b"cbuiltins\nlist\n" + value((None, {"_kind": 1})) + b"b",
        # memory
        b"cbuiltins\nbytes\n" + value((1 << 40,)) + b"R",
        b"cbuiltins\nlist\n" + value(("ab",)) + b"R",
        b"cbuiltins\nset\n" + value(([1], [2])) + b"R",
        b"c_codecs\nencode\n" + value(("a", "zlib")) + b"R",
        b"c_codecs\nencode\n" + value(("a", "rot13")) + b"R",
    ],
)
def test_forged_states_are_refused(body: bytes, tmp_path: Path) -> None:
    with pytest.raises(RaremineError, match=r"not read|not a whole pickle"):
        read(b"\x80\x04" + body + b".", tmp_path)


def test_a_refusal_changes_nothing_for_the_next_file(tmp_path: Path) -> None:
    data = pickle.dumps([ARRAYS, SCALARS], 2)
    for name in (RECONSTRUCT, SCALAR, NDARRAY, b"cnumpy\ndtype\n"):
        for state in ({"a": 1}, (None, {"__call__": 1}), (None, {"a": 1})):
            with pytest.raises(RaremineError):
                read(b"\x80\x04" + name + value(state) + b"b.", tmp_path)
    arrays, scalars = read(data, tmp_path)
    assert all(map(same, arrays, ARRAYS))
    assert all(map(same, scalars, SCALARS))


def test_broken_files_are_told(tmp_path: Path) -> None:
    whole = pickle.dumps([PLAIN, ARRAYS], 4)
    for data in (
        b"",
        b"PK\x03\x04",
        b"{}",
        whole[:-1],
        whole[: len(whole) // 2],
    ):
        with pytest.raises(RaremineError, match=r"infos.pkl is not a whole"):
            read(data, tmp_path)
    with pytest.raises(RaremineError, match="Cannot read .*none.pkl"):
        load_pickle(tmp_path / "none.pkl")
    with pytest.raises(RaremineError, match="Cannot read"):
        load_pickle(tmp_path)
    # claims far more than there is
    huge = b"\x80\x04\x8e" + (1 << 50).to_bytes(8, "little") + b"."
    with pytest.raises(RaremineError, match="not a whole pickle"):
        read(huge, tmp_path)


def test_an_unpickler_of_its_own_for_numpy_only() -> None:
    """The guard is Python's documented hook, not a copy of its machine."""
    from raremine.brain.selection.exporters import restricted_pickle

    reader = restricted_pickle._Unpickler(io.BytesIO(b"N."))
    assert isinstance(reader, pickle.Unpickler) and reader.load() is None
