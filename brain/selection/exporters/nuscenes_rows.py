"""Rows of nuScenes tables as they stand in the file.

What an export does not change it hands on byte for byte, keys that nobody
knows included; only rows with other links are written anew.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import msgspec
import numpy as np

from raremine.brain.nuscenes.problems import Problems
from raremine.brain.nuscenes.rows import Table

S = TypeVar("S")


class _Anything(msgspec.Struct, gc=False):
    """No key is asked for."""


class RawTable(Table[Any]):
    """A table whose rows stay the text that they are.

    Args:
        folder: the version folder
        name: the table's name
        problems: where it is told that the file is not a table
    """

    def __init__(self, folder: Path, name: str, problems: Problems) -> None:
        super().__init__(folder, name, _Anything, problems)
        self._type: Any = msgspec.Raw

    def _convert(self, raw: Any, number: int) -> Any:
        # the lenient reader has parsed the row: NaN, for one, is Python's
        return msgspec.Raw(json.dumps(raw).encode())


def rows_at(
    table: RawTable, numbers: np.ndarray
) -> Iterator[tuple[int, bytes]]:
    """Yields chosen rows of a table.

    Args:
        table: the table
        numbers: (n,) int, their row numbers, ascending

    Yields:
        place in ``numbers``, and the row's text
    """
    low = 0
    for first, rows in table.batches():
        high = int(np.searchsorted(numbers, first + len(rows)))
        for place, number in enumerate(numbers[low:high].tolist(), start=low):
            yield place, bytes(rows[number - first])
        low = high
        if low == len(numbers):
            return


def parsed(raw: bytes) -> dict[str, Any]:
    """Returns a row's values."""
    try:
        return dict(msgspec.json.decode(raw))
    except msgspec.MsgspecError:
        return dict(json.loads(raw))


def parsed_as(kind: type[S], raw: bytes) -> S:
    """Returns the values of a row that a struct asks for."""
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.MsgspecError:
        return msgspec.convert(parsed(raw), kind, strict=False)


def with_values(
    raw: bytes, row: Mapping[str, Any], values: Mapping[str, Any]
) -> bytes:
    """Returns a row's text with other values.

    Args:
        raw: the row
        row: the same, parsed
        values: what the row shall say; where it does so already, its text
            is returned as it is
    """
    if all(key in row and row[key] == v for key, v in values.items()):
        return raw
    new = {**row, **values}
    try:
        msgspec.json.decode(raw)
    except msgspec.MsgspecError:
        # NaN has no other spelling in JSON, and msgspec none at all
        return json.dumps(new, separators=(",", ":")).encode()
    return msgspec.json.encode(new)


class TableFile:
    """A table that is being written; use it as a context manager.

    Args:
        path: the file, which must not exist

    Attributes:
        count: rows written so far
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.count = 0

    def __enter__(self) -> TableFile:
        self._file = self._path.open("xb", buffering=1 << 20)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self._file.write(b"\n]\n" if self.count else b"[]\n")
        finally:
            self._file.close()

    def write(self, row: bytes) -> None:
        """Adds a row."""
        self._file.write(b",\n" if self.count else b"[\n")
        self._file.write(row)
        self.count += 1


def write_rows(path: Path, rows: Iterable[bytes]) -> int:
    """Writes a table; returns the number of its rows."""
    with TableFile(path) as file:
        for row in rows:
            file.write(row)
    return file.count


def kept_rows(
    folder: Path,
    name: str,
    change: Callable[[dict[str, Any]], Mapping[str, Any] | None],
    problems: Problems,
) -> Iterator[bytes]:
    """Yields the rows of a small table that stay.

    Args:
        folder: the version folder
        name: the table's name
        change: takes a row's values and returns those that are to be
            others, or None to leave the row out
        problems: grows by what cannot be read
    """
    table = RawTable(folder, name, problems)
    for first, rows in table.batches():
        for number, raw in enumerate(rows, start=first):
            text = bytes(raw)
            try:
                row = parsed(text)
            except (TypeError, ValueError):
                table.fault("is no object.", row=number)
                continue
            values = change(row)
            if values is not None:
                yield with_values(text, row, values)
