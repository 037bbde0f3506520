"""Entries cut out of a pickle are the ones that loading it all gives."""

from __future__ import annotations

import os
import pickle
import pickletools
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from raremine.brain.errors import RaremineError
from raremine.brain.selection.exporters.pickle_cut import cut_entries

KEYS = ("data_list", "infos")


def cut(data: bytes, folder: Path, wanted: set[str]) -> Any:
    """Returns what is left and how many entries there were, or None."""
    path, target = folder / "infos.pkl", folder / "out.pkl"
    path.write_bytes(data)
    target.unlink(missing_ok=True)
    found = cut_entries(path, KEYS, wanted, target)
    assert (found is None) != target.exists()
    if found is None:
        return None
    root = pickle.loads(target.read_bytes())
    left = root if found.key is None else root[found.key]
    assert [entry["token"] for entry in left] == found.tokens
    return root, found.total


def plain(thing: Any) -> Any:
    """Arrays and NumPy numbers as values that can be compared."""
    if isinstance(thing, np.ndarray):
        return "array", str(thing.dtype), thing.shape, thing.tolist()
    if isinstance(thing, np.generic):
        return type(thing).__name__, thing.tobytes()
    if isinstance(thing, dict):
        return {k: plain(v) for k, v in thing.items()}
    if isinstance(thing, list | tuple):
        return type(thing)(map(plain, thing))
    return thing


# objects that several entries hold, as the devkit's calibrations are
SHARED: list[Any] = [
    "a text that is shared",
    [0.5, 0.25, 0.125],
    {"translation": [1.0, 2.0], "rotation": (1, 0, 0)},
    np.arange(6.0).reshape(2, 3),
    np.float64(7.5),
    (("deep", ["er"]), np.array(["car", "bus"])),
    b"bytes",
    OrderedDict([("b", [1]), ("a", 2)]),
    {"x", "y"},
]

leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=5),
    st.binary(max_size=5),
    st.sampled_from(SHARED),
    st.builds(np.int64, st.integers(-5, 5)),
    st.just(np.bool_(True)),
)
things = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(st.sampled_from(["a", "b", "token"]), inner),
    ),
    max_leaves=12,
)


@st.composite
def documents(draw: st.DrawFn) -> tuple[Any, list[Any], set[str]]:
    count = draw(st.integers(0, 8))
    tokens = [f"token-{n}" for n in range(count)]
    entries = []
    for token in tokens:
        extra = draw(st.dictionaries(st.sampled_from("uvwxyz"), things))
        entry = {**extra, "token": token}
        if draw(st.booleans()):
            entry = dict(reversed(entry.items()))
        # a token is fetched where another entry has named it before
        entry["next"] = draw(st.sampled_from([*tokens, ""]))
        entries.append(OrderedDict(entry) if draw(st.booleans()) else entry)
    head = draw(st.dictionaries(st.sampled_from(["m", "version"]), things))
    kind = draw(st.sampled_from(["data_list", "infos", "list", "first"]))
    document: Any = entries
    if kind == "first":
        document = {"infos": entries, **head}
    elif kind != "list":
        document = {**head, kind: entries}
    wanted = set(draw(st.lists(st.sampled_from([*tokens, "other"]))))
    return document, entries, wanted


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield tmp_path_factory.mktemp("cut")


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(
    documents(),
    st.integers(2, 5),
    st.booleans(),
)
def test_cut_is_filter(
    folder: Path,
    drawn: tuple[Any, list[Any], set[str]],
    protocol: int,
    optimize: bool,
) -> None:
    document, entries, wanted = drawn
    data = pickle.dumps(document, protocol)
    if optimize:
        data = pickletools.optimize(data)
    found = cut(data, folder, wanted)
    assert found is not None
    root, total = found
    assert total == len(entries)
    kept = [e for e in entries if e["token"] in wanted]
    if isinstance(document, list):
        assert plain(root) == plain(kept)
    else:
        expected = {
            k: kept if v is entries else v for k, v in document.items()
        }
        assert list(root) == list(expected)
        assert plain(root) == plain(expected)
        types = [type(e) for e in kept]
        key = next(k for k, v in document.items() if v is entries)
        assert [type(e) for e in root[key]] == types


def entries_of(count: int, **more: Any) -> list[dict[str, Any]]:
    return [{"token": f"t{n}", "n": n, **more} for n in range(count)]


@pytest.mark.parametrize("protocol", [2, 4])
def test_many_entries(protocol: int, tmp_path: Path) -> None:
    """More than a pickler gathers at a time, and large memo numbers."""
    shared = [1.5] * 3
    entries = [
        {"token": f"t{n}", "own": [str(n)] * 2, "calibration": shared}
        for n in range(2500)
    ]
    data = pickle.dumps({"infos": entries, "metadata": {}}, protocol)
    found = cut(data, tmp_path, {"t7", "t2400", "t999", "t1000"})
    assert found is not None
    root, total = found
    assert total == 2500
    assert [e["token"] for e in root["infos"]] == [
        "t7",
        "t999",
        "t1000",
        "t2400",
    ]
    assert root["infos"][3] == entries[2400]
    # made once, as it was: not a copy in each
    assert root["infos"][0]["calibration"] is root["infos"][3]["calibration"]


@pytest.mark.parametrize(
    "document",
    [
        "text",
        [],
        {},
        {"other": entries_of(3)},
        {"data_list": (1, 2)},
        {"data_list": "t0"},
        {"data_list": None, "infos": entries_of(3)},
        [{"n": 1}],
        [{"token": 5}],
        [["token", "t0"]],
        {"data_list": [{"n": 1}]},
        {1: entries_of(3)},
    ],
)
def test_other_documents_are_left_to_the_loader(
    document: Any, tmp_path: Path
) -> None:
    data = pickle.dumps(document, 2)
    found = cut(data, tmp_path, {"t0"})
    assert found in (None, ([], 0), ([], 1))


def test_what_holds_itself_holds_what_is_left(tmp_path: Path) -> None:
    entries: list[Any] = entries_of(3)
    entries[1]["all"] = entries
    root, _ = cut(pickle.dumps(entries, 2), tmp_path, {"t1"})
    assert len(root) == 1 and root[0]["all"] is root
    twice = {"infos": entries_of(3)}
    twice["again"] = twice["infos"]
    root, _ = cut(pickle.dumps(twice, 2), tmp_path, {"t1"})
    assert len(root["infos"]) == 1 and root["again"] is root["infos"]


@pytest.mark.parametrize("protocol", range(2, 6))
@pytest.mark.parametrize("count", [0, 1, 2, 1000, 1001])
def test_entries_that_are_appended_alone(
    count: int, protocol: int, tmp_path: Path
) -> None:
    """A pickler appends the last one by itself, if it is alone in a batch."""
    entries = entries_of(count)
    for wanted in ({"t0"}, {f"t{count - 1}"}, set(), {"t0", "t1000"}):
        expected = [e for e in entries if e["token"] in wanted]
        for document in (entries, {"infos": entries, "m": 1}):
            data = pickle.dumps(document, protocol)
            root, total = cut(data, tmp_path, wanted)
            left = root if isinstance(root, list) else root["infos"]
            assert left == expected and total == count
            assert isinstance(root, list) or root["m"] == 1


def test_what_was_cut_can_be_cut_again(tmp_path: Path) -> None:
    entries = [{"token": f"t{n}", "x": SHARED[n]} for n in range(5)]
    entries += [{"token": f"t{n}", "x": SHARED[n - 5]} for n in range(5, 9)]
    for protocol in range(2, 6):
        data = pickle.dumps(entries, protocol)
        cut(data, tmp_path, {f"t{n}" for n in range(3, 9)})
        again = (tmp_path / "out.pkl").read_bytes()
        root, total = cut(again, tmp_path, {"t6", "t8"})
        assert total == 6 and plain(root) == plain([entries[6], entries[8]])


def test_a_value_fetched_from_an_entry_that_leaves(tmp_path: Path) -> None:
    """Into the middle, from one to the other, and from within itself."""
    inner = [1.5]
    outer = {"a": (inner, "text"), "b": [inner, inner]}
    entries: list[dict[str, Any]] = [
        {"token": "t0", "x": outer},
        {"token": "t1", "y": [outer["a"]]},
        {"token": "t2", "z": inner, "o": outer},
        {"token": "t3", "z": [inner, outer["b"]]},
    ]
    for protocol in range(2, 6):
        data = pickle.dumps(entries, protocol)
        for wanted in ({"t1"}, {"t3"}, {"t1", "t3"}, {"t2", "t3"}):
            root, _ = cut(data, tmp_path, wanted)
            assert root == [e for e in entries if e["token"] in wanted]
        root, _ = cut(data, tmp_path, {"t3"})
        assert root[0]["z"][1][0] is root[0]["z"][0]


def test_old_and_broken_pickles_are_left_to_the_loader(
    tmp_path: Path,
) -> None:
    entries = entries_of(3)
    assert cut(pickle.dumps(entries, 0), tmp_path, {"t1"}) is None
    assert cut(b"", tmp_path, {"t1"}) is None
    none, target = tmp_path / "none.pkl", tmp_path / "target.pkl"
    assert cut_entries(none, KEYS, {"t1"}, target) is None
    whole = pickle.dumps({"infos": entries}, 4)
    for length in range(len(whole)):
        assert cut(whole[:length], tmp_path, {"t1"}) is None
    # numbers that begin anew, as our own files have
    again = whole[:-1] + whole[2:]
    assert cut(again, tmp_path, {"t1"}) is None


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_nonsense_breaks_nothing(folder: Path, data: st.DataObject) -> None:
    """The walk reads no byte outside, whatever the bytes are."""
    whole = bytearray(
        pickle.dumps({"infos": entries_of(4, x=[np.float64(1)])}, 2)
    )
    for _ in range(data.draw(st.integers(1, 8))):
        place = data.draw(st.integers(2, len(whole) - 1))
        whole[place] = data.draw(st.integers(0, 255))
    path = folder / "nonsense.pkl"
    path.write_bytes(whole)
    try:
        cut_entries(path, KEYS, {"t1", "t3"}, folder / "out.pkl")
    except RaremineError as error:
        assert str(path) in str(error)


def test_cutting_runs_nothing(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return os.system, (f"touch '{tmp_path / 'it ran'}'",)

    for protocol in (2, 4):
        entries = entries_of(3)
        entries[1]["x"] = [Evil()]
        data = pickle.dumps({"infos": entries}, protocol)
        with pytest.raises(RaremineError, match=r"'posix.system'"):
            cut(data, tmp_path, {"t1"})
        # nor is it copied along where nobody wants it
        root, _ = cut(data, tmp_path, {"t0", "t2"})
        assert root == {"infos": [entries[0], entries[2]]}
    assert not (tmp_path / "it ran").exists()


def test_a_memory_bomb_is_refused(tmp_path: Path) -> None:
    bomb = b"\x80\x02]r\xff\xff\xff\x7f."
    with pytest.raises(RaremineError, match="use up the memory"):
        cut(bomb, tmp_path, {"t1"})
