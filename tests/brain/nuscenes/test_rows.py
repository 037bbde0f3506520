import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from raremine.brain.errors import DatarootError
from raremine.brain.nuscenes import rows
from raremine.brain.nuscenes.problems import Problems
from raremine.brain.nuscenes.rows import (
    Quaternion,
    Table,
    Vector,
    read_vectors,
)

ROWS: list[dict[str, Any]] = [
    {"token": "a", "numbers": [1.5, -2e3], "text": 'with "]}, {[" inside'},
    {"token": "b", "numbers": [], "text": "\u00e4\u20ac \\ \n"},
    {"token": "c", "numbers": [[1, 2], [3]], "text": '}, {"'},
    {"token": "d", "numbers": [{"x": 1}, {"token": "no row"}], "text": ""},
    {"token": "e", "numbers": {}, "text": "", "else": [{}, {}]},
]


class Thing(msgspec.Struct, gc=False):
    token: str
    numbers: Any = None
    text: str = ""


class Pose(msgspec.Struct, gc=False):
    token: str
    translation: Vector = (0.0, 0.0, 0.0)
    rotation: Quaternion = (1.0, 0.0, 0.0, 0.0)
    timestamp: int = 0
    width: int = 0
    names: tuple[str, ...] = ()
    raw: msgspec.Raw = msgspec.Raw(b"")


def read(folder: Path, text: str, row: Any = Thing) -> list[Any]:
    """Reads a table; raises what is wrong with it, as a load does."""
    (folder / "thing.json").write_text(text, encoding="utf-8")
    problems = Problems()
    found = list(Table(folder, "thing", row, problems))
    problems.raise_fatal()
    return found


def pose(folder: Path, **values: Any) -> Any:
    (row,) = read(folder, json.dumps([{"token": "a", **values}]), Pose)
    return row


@pytest.mark.parametrize("indent", [None, 0, 4])
@pytest.mark.parametrize("window", [1, 7, 64, 1 << 22])
def test_any_window_reads_the_same_rows(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    window: int,
    indent: int | None,
) -> None:
    monkeypatch.setattr(rows, "_WINDOW", window)
    expected = [Thing(r["token"], r["numbers"], r["text"]) for r in ROWS]
    text = json.dumps(ROWS, indent=indent) + "\n"
    assert read(tmp_path, text) == expected
    problems = Problems()
    batches = Table(tmp_path, "thing", Thing, problems).batches()
    assert [
        (first + at, row)
        for first, batch in batches
        for at, row in enumerate(batch)
    ] == list(enumerate(expected))


def test_plain_rows_are_read_without_the_lenient_decoder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "_WINDOW", 50)
    monkeypatch.setattr(Table, "_lenient", None)
    plain = [{"token": str(at), "text": "x"} for at in range(50)]
    assert len(read(tmp_path, json.dumps(plain, indent=0))) == 50


@pytest.mark.parametrize("window", [40, 1 << 22])
def test_an_odd_row_shifts_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, window: int
) -> None:
    monkeypatch.setattr(rows, "_WINDOW", window)
    plain: list[dict[str, Any]]
    plain = [{"token": str(at), "timestamp": at} for at in range(40)]
    plain[20]["timestamp"] = 20.0
    found = read(tmp_path, json.dumps(plain, indent=1), Pose)
    assert [(r.token, r.timestamp) for r in found] == [
        (str(at), at) for at in range(40)
    ]
    plain[30] = {"no": "token"}
    (tmp_path / "thing.json").write_text(json.dumps(plain, indent=1))
    problems = Problems()
    batches = list(Table(tmp_path, "thing", Pose, problems).batches())
    numbered = [
        (first + at, row.timestamp)
        for first, batch in batches
        for at, row in enumerate(batch)
    ]
    assert numbered == [(at, at) for at in range(40) if at != 30]
    with pytest.raises(DatarootError, match="row 30 .*has no token"):
        problems.raise_fatal()


def test_empty_table(tmp_path: Path) -> None:
    assert read(tmp_path, " [ \n ] ") == []


@pytest.mark.parametrize("window", [5, 1 << 22])
def test_every_cut_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, window: int
) -> None:
    monkeypatch.setattr(rows, "_WINDOW", window)
    text = json.dumps(ROWS, indent=0)
    for length in range(len(text)):
        with pytest.raises(DatarootError, match=r"thing\.json is not valid"):
            read(tmp_path, text[:length])


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('[{"token": "a"},\n {"token": b}]', "line 2, column 12"),
        ('[{"token": "a"}\n {"token": "b"}]', "line 2, column 2"),
        ('[{"token": "a"},]', "line 1, column 17"),
        ('[{"token": "a"}] x', "line 1, column 18"),
        ('{"token": "a"}', "line 1, column 1"),
    ],
)
def test_invalid_json_is_located(
    tmp_path: Path, text: str, place: str
) -> None:
    with pytest.raises(DatarootError, match=place):
        read(tmp_path, text)


def test_a_fault_in_a_large_file_is_found_without_reading_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "_WINDOW", 100)
    monkeypatch.setattr(rows, "_LONGEST_ROW", 1000)
    # what comes before is not read in one go to count its lines
    sizes = []
    place = rows._position

    class Counted:
        def __init__(self, file: Any) -> None:
            self.seek = file.seek
            self.file = file

        def read(self, size: int) -> bytes:
            sizes.append(size)
            return bytes(self.file.read(size))

    monkeypatch.setattr(
        rows, "_position", lambda file, at: place(Counted(file), at)
    )
    good = '{"token": "a"},\n'
    text = "[" + good * 50 + "{'bad'}," + good * 500 + "{}]"
    with pytest.raises(DatarootError, match="line 51, column 2"):
        read(tmp_path, text)
    assert len(sizes) > 1
    assert max(sizes) <= 100


def test_faults_name_row_and_token_and_all_are_told(tmp_path: Path) -> None:
    text = json.dumps(
        [
            {"token": "a"},
            {"text": "no token"},
            {"token": "c", "text": 7.5},
            3,
            {"token": "e"},
        ]
    )
    with pytest.raises(DatarootError, match="3 problems") as raised:
        read(tmp_path, text)
    told = str(raised.value)
    assert "row 1 (token None): has no token" in told
    assert "row 2 (token 'c'): text is 7.5, expected a text" in told
    assert "row 3 is '3', expected an object with the keys token" in told


def test_not_text(tmp_path: Path) -> None:
    (tmp_path / "thing.json").write_bytes(b"\x80\x00\xff[]")
    problems = Problems()
    assert list(Table(tmp_path, "thing", Thing, problems)) == []
    with pytest.raises(DatarootError, match="not UTF-8"):
        problems.raise_fatal()


def test_absent_table(tmp_path: Path) -> None:
    problems = Problems()
    table = Table(tmp_path, "thing", Thing, problems)
    assert list(table) == []
    assert table.broken
    with pytest.raises(DatarootError, match=r"thing\.json does not exist"):
        problems.raise_fatal()


def test_what_converters_write_is_taken(tmp_path: Path) -> None:
    matrix = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
    row = pose(
        tmp_path,
        rotation=matrix,
        translation=["1", 2, 3],
        timestamp=1.5e15,
        width=None,
        names=None,
    )
    half = 2**-0.5
    assert row.rotation == pytest.approx([half, 0, 0, half])
    assert row.translation == (1, 2, 3)
    assert (row.timestamp, row.width, row.names) == (
        1_500_000_000_000_000,
        0,
        (),
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("rotation", [1, 0, 0]),
        ("rotation", ["a", 0, 0, 0]),
        ("rotation", [[1, 0], [0, 1], [0, 0]]),
        ("rotation", 3),
        ("translation", [1, 2]),
        ("translation", [1, 2, "x"]),
        ("translation", [1, float("nan"), float("inf")]),
        ("timestamp", "noon"),
        ("names", "moving"),
    ],
)
def test_what_cannot_be_taken_is_told(
    tmp_path: Path, key: str, value: object
) -> None:
    with pytest.raises(DatarootError, match=rf"row 0 .*{key} is .*\."):
        pose(tmp_path, **{key: value})


def test_raw_vectors(tmp_path: Path) -> None:
    text = '[{"token": "a", "raw": [1, 2.5, 3]}, {"token": "b", "raw": [NaN]}]'
    raws = [row.raw for row in read(tmp_path, text, Pose)]
    assert read_vectors(raws[:1], Vector) == [(1.0, 2.5, 3.0)]
    good, bad = read_vectors(raws, Vector)
    assert good == (1.0, 2.5, 3.0)
    assert bad == "[nan], expected 3 numbers"
    assert read_vectors([], Vector) == []
