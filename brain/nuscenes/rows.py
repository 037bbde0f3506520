"""Reading one nuScenes table, row by row.

A table is a JSON list of flat objects, up to a gigabyte large. Rows are
decoded one after the other from a window of the file, so memory does not
grow with the table and whoever reads keeps only what is needed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from raremine.brain.errors import DatarootError

Row = dict[str, Any]

_WINDOW = 1 << 22
_LONGEST_ROW = 1 << 20
_SPACE = re.compile(r"[ \t\r\n]*")


class Table:
    """A table's file: iterates over its rows and words their faults.

    Args:
        folder: the version folder
        name: the table's name, such as "sample_data"
        keys: what every row must have

    Raises:
        DatarootError: while iterating, if the file is absent, is not valid
            JSON, or a row lacks a key; it names the file and the place
    """

    def __init__(self, folder: Path, name: str, keys: Iterable[str]) -> None:
        self.name = name
        self.path = folder / f"{name}.json"
        self._keys = frozenset(keys)
        self._row = -1

    def __iter__(self) -> Iterator[Row]:
        self._row = -1
        try:
            with self.path.open(encoding="utf-8") as file:
                for row in self._decode(file):
                    self._row += 1
                    if not (
                        isinstance(row, dict) and self._keys <= row.keys()
                    ):
                        raise self._incomplete(row)
                    yield row
        except UnicodeDecodeError as error:
            raise DatarootError(
                f"{self.path} is not UTF-8 text after row {self._row}: "
                f"{error.reason}. Copy or unpack it again."
            ) from error
        except FileNotFoundError as error:
            raise DatarootError(
                f"Table {self.path} does not exist. A nuScenes version "
                "folder holds all its tables; unpack it again."
            ) from error
        except OSError as error:
            raise DatarootError(
                f"Cannot read {self.path}: {error.strerror}."
            ) from error

    def fault(self, row: Row, text: str) -> DatarootError:
        """Returns an error about the row that was just read."""
        return DatarootError(
            f"{self.path}, row {self._row} "
            f"(token {row.get('token')!r}): {text}"
        )

    def dangling(self, row: Row, key: str, table: str) -> DatarootError:
        """Returns an error about a token that no row of a table has."""
        return self.fault(
            row,
            f"{key} {row[key]!r} is not in {table}.json. The tables do not "
            "belong together; take them all from the same download.",
        )

    def numbers(self, row: Row, key: str, count: int) -> list[float]:
        """Returns a list of ``count`` finite numbers from the current row."""
        value = row[key]
        try:
            numbers = [float(v) for v in value]
        except (TypeError, ValueError):
            numbers = []
        # v - v is 0 for every number but NaN and the infinities
        if len(numbers) != count or any(v - v != 0 for v in numbers):
            raise self.fault(
                row, f"{key} is {value!r}, expected {count} numbers."
            )
        return numbers

    def rotation(self, row: Row, key: str = "rotation") -> list[float]:
        """Returns the current row's rotation as a quaternion w, x, y, z.

        Some converters write 3x3 matrices; these are taken as well.
        """
        value = row[key]
        if isinstance(value, list) and len(value) == 3:
            from scipy.spatial.transform import Rotation

            try:
                x, y, z, w = Rotation.from_matrix(value).as_quat()
            except (TypeError, ValueError) as error:
                raise self.fault(
                    row, f"{key} is {value!r}, not a rotation: {error}"
                ) from error
            return [float(w), float(x), float(y), float(z)]
        quaternion = self.numbers(row, key, 4)
        if not any(quaternion):
            raise self.fault(row, f"{key} is the zero quaternion.")
        return quaternion

    def integer(self, row: Row, key: str) -> int:
        """Returns a number of the current row as an int."""
        try:
            return int(row[key])
        except (TypeError, ValueError, OverflowError):
            raise self.fault(
                row, f"{key} is {row[key]!r}, expected a number."
            ) from None

    def _incomplete(self, row: Any) -> DatarootError:
        if not isinstance(row, dict):
            return DatarootError(
                f"{self.path}, row {self._row} is {str(row)[:40]!r}, "
                "expected an object with the keys "
                f"{', '.join(sorted(self._keys))}."
            )
        missing = ", ".join(sorted(self._keys - row.keys()))
        return self.fault(row, f"has no {missing}.")

    def _decode(self, file: Any) -> Iterator[Any]:
        decode = json.JSONDecoder().raw_decode
        window, at = "", 0
        # where the window starts in the file
        line, column = 1, 1
        at_end = False

        def after(position: int) -> tuple[int, int]:
            lines = window.count("\n", 0, position)
            last = window.rfind("\n", 0, position)
            start = column if last < 0 else -last
            return line + lines, start + position

        def fault(reason: str, position: int) -> DatarootError:
            number, place = after(position)
            return DatarootError(
                f"{self.path} is not valid JSON: {reason} at line {number}, "
                f"column {place}. The file is probably cut "
                "short; copy or unpack it again."
            )

        def fill() -> None:
            nonlocal window, at, line, column, at_end
            line, column = after(at)
            more = file.read(_WINDOW)
            at_end = not more
            window, at = window[at:] + more, 0

        def next_character() -> str:
            nonlocal at
            while True:
                space = _SPACE.match(window, at)
                at = space.end() if space else at
                if at < len(window) or at_end:
                    return window[at : at + 1]
                fill()

        if next_character() != "[":
            raise fault("expected a list of rows", at)
        at += 1
        if next_character() == "]":
            at += 1
        else:
            while True:
                next_character()
                try:
                    row, at = decode(window, at)
                except ValueError as error:
                    if at_end or len(window) - at > _LONGEST_ROW:
                        reason = getattr(error, "msg", str(error))
                        position = getattr(error, "pos", at)
                        raise fault(reason, position) from error
                    fill()
                    continue
                yield row
                character = next_character()
                at += 1
                if character == "]":
                    break
                if character != ",":
                    raise fault("expected ',' or ']'", at - 1)
        if next_character():
            raise fault("unexpected text after the list", at)
