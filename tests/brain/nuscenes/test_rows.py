import json
from pathlib import Path

import pytest

from raremine.brain.errors import DatarootError
from raremine.brain.nuscenes import rows
from raremine.brain.nuscenes.rows import Table

ROWS = [
    {"token": "a", "numbers": [1.5, -2e3], "text": 'with "]}, {[" inside'},
    {"token": "b", "numbers": [], "text": "\u00e4\u20ac \\ \n"},
    {"token": "c", "numbers": [[1, 2], [3]], "text": ""},
]


def write(folder: Path, text: str) -> Table:
    (folder / "thing.json").write_text(text, encoding="utf-8")
    return Table(folder, "thing", ["token"])


@pytest.mark.parametrize("indent", [None, 0, 4])
@pytest.mark.parametrize("window", [1, 7, 64, 1 << 22])
def test_any_window_reads_the_same_rows(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    window: int,
    indent: int | None,
) -> None:
    monkeypatch.setattr(rows, "_WINDOW", window)
    table = write(tmp_path, json.dumps(ROWS, indent=indent) + "\n")
    assert list(table) == ROWS
    assert list(table) == ROWS


def test_empty_table(tmp_path: Path) -> None:
    assert list(write(tmp_path, " [ \n ] ")) == []


@pytest.mark.parametrize("window", [5, 1 << 22])
def test_every_cut_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, window: int
) -> None:
    monkeypatch.setattr(rows, "_WINDOW", window)
    text = json.dumps(ROWS, indent=0)
    for length in range(len(text)):
        table = write(tmp_path, text[:length])
        with pytest.raises(DatarootError, match=r"thing\.json is not valid"):
            list(table)


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
        list(write(tmp_path, text))


def test_a_fault_in_a_large_file_is_found_without_reading_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "_WINDOW", 100)
    monkeypatch.setattr(rows, "_LONGEST_ROW", 1000)
    good = '{"token": "a"},\n'
    table = write(tmp_path, "[" + good * 50 + "{'bad'}," + good * 500 + "{}]")
    with pytest.raises(DatarootError, match="line 51, column 2"):
        list(table)


def test_missing_key_names_row_and_token(tmp_path: Path) -> None:
    (tmp_path / "thing.json").write_text(
        '[{"token": "a", "size": 1}, {"token": "b"}]'
    )
    table = Table(tmp_path, "thing", ["token", "size"])
    with pytest.raises(DatarootError, match=r"row 1 .*'b'.*has no size"):
        list(table)


def test_rows_that_are_no_objects(tmp_path: Path) -> None:
    with pytest.raises(DatarootError, match="row 1 is '3', expected"):
        list(write(tmp_path, '[{"token": "a"}, 3]'))


def test_not_text(tmp_path: Path) -> None:
    (tmp_path / "thing.json").write_bytes(b"\x80\x00\xff[]")
    with pytest.raises(DatarootError, match="not UTF-8"):
        list(Table(tmp_path, "thing", []))


def test_absent_table(tmp_path: Path) -> None:
    with pytest.raises(DatarootError, match=r"thing\.json does not exist"):
        list(Table(tmp_path, "thing", []))


def test_rotations_as_matrices_are_taken(tmp_path: Path) -> None:
    matrix = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
    table = write(tmp_path, json.dumps([{"token": "a", "rotation": matrix}]))
    (row,) = table
    half = 2**-0.5
    assert table.rotation(row) == pytest.approx([half, 0, 0, half])


@pytest.mark.parametrize(
    "value", [[0, 0, 0, 0], [1, 0, 0], ["a", 0, 0, 0], None, [[1, 0], [0, 1]]]
)
def test_what_is_no_rotation(tmp_path: Path, value: object) -> None:
    table = write(tmp_path, json.dumps([{"token": "a", "rotation": value}]))
    (row,) = table
    with pytest.raises(DatarootError, match=r"row 0 .*rotation"):
        table.rotation(row)


@pytest.mark.parametrize("value", [[1, 2], [1, 2, "x"], None, 3])
def test_what_are_no_three_numbers(tmp_path: Path, value: object) -> None:
    table = write(tmp_path, json.dumps([{"token": "a", "size": value}]))
    (row,) = table
    with pytest.raises(DatarootError, match="expected 3 numbers"):
        table.numbers(row, "size", 3)


def test_nan_is_no_number(tmp_path: Path) -> None:
    table = write(tmp_path, '[{"token": "a", "size": [1, NaN, Infinity]}]')
    (row,) = table
    with pytest.raises(DatarootError, match="expected 3 numbers"):
        table.numbers(row, "size", 3)
