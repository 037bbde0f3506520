"""Reading one nuScenes table, a batch of rows at a time.

A table is a JSON list of flat objects, up to more than a gigabyte large. It
is read in windows of a quarter megabyte; msgspec decodes the keys that a load
needs and skips the others, so neither time nor memory goes into what nobody
reads. Where that strict decoder stops, a lenient one goes on from the same
place: it takes what converters are known to write (numbers as floats,
rotations as matrices, null for empty) and words what it cannot take.
"""

from __future__ import annotations

import io
import itertools
import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec
import numpy as np

from raremine.brain.errors import DatarootError
from raremine.brain.nuscenes.problems import Problems

Vector = tuple[float, float, float]
Quaternion = tuple[float, float, float, float]
R = TypeVar("R", bound=msgspec.Struct)

# A window's rows live in the processor's second-level cache; with windows of
# a megabyte decoding takes half as long again.
_WINDOW = 1 << 18
_LONGEST_ROW = 1 << 22
_SPACE = re.compile(r"[ \t\r\n]*")
_BLANK = b" \t\r\n"


class _Place(NamedTuple):
    """Where reading has come to: number and offset of the next row."""

    row: int
    offset: int


class _BadValueError(ValueError):
    """A value that cannot be taken; the message says why."""


class Table(Generic[R]):
    """A table's file: yields its rows and words their faults.

    Args:
        folder: the version folder
        name: the table's name, such as "sample_data"
        row: what a row is: a struct whose fields are the keys to read; keys
            without a default must be there
        problems: where rows that cannot be used are told; they are left out

    Attributes:
        broken: whether reading stopped early, because the file is absent or
            is not valid JSON
    """

    def __init__(
        self, folder: Path, name: str, row: type[R], problems: Problems
    ) -> None:
        self.name = name
        self.path = folder / f"{name}.json"
        self.broken = False
        self._type = row
        self._fields = msgspec.structs.fields(row)
        self._problems = problems
        self._at = 0

    def __iter__(self) -> Iterator[R]:
        for first, rows in self.batches():
            for at, row in enumerate(rows, start=first):
                self._at = at
                yield row

    def batches(self) -> Iterator[tuple[int, list[R]]]:
        """Yields rows in batches, with the number of the first of each.

        A row that cannot be used ends its batch and is left out.
        """
        place = _Place(0, 0)
        try:
            with self.path.open("rb") as file:
                for after, rows in self._strict(file, place):
                    yield place.row, rows
                    place = after
                if place.offset >= 0:
                    yield from self._lenient(file, place)
        except FileNotFoundError:
            self._stop(
                f"Table {self.path} does not exist. A nuScenes version "
                "folder holds all its tables; unpack it again."
            )
        except OSError as error:
            self._stop(f"Cannot read {self.path}: {error.strerror}.")
        except DatarootError as error:
            self._stop(str(error))

    def where(self, row: int | None = None, token: object = None) -> str:
        """Returns the place of a row in words.

        Args:
            row (None): its number; None = the one that iteration has
                reached
            token (None): its token
        """
        number = self._at if row is None else row
        return f"{self.path}, row {number} (token {token!r})"

    def fault(
        self, text: str, *, row: int | None = None, token: object = None
    ) -> None:
        """Tells that a row has a value that cannot be used.

        Args:
            text: what is wrong
            row (None): its number; None = where iteration is
            token (None): its token
        """
        self._problems.add(
            f"values in {self.name}.json",
            f"{self.where(row, token)}: {text}",
            fatal=True,
        )

    def dangling(
        self,
        key: str,
        value: object,
        table: str,
        *,
        row: int | None = None,
        token: object = None,
        cost: str = "Such rows are left out",
    ) -> None:
        """Tells that a row refers to a row that does not exist.

        Args:
            key: the key that refers
            value: the token that no row has
            table: the table that should have it
            row (None): number of the row; None = where iteration is
            token (None): its token
            cost: what is lost by it
        """
        self._problems.add(
            f"{key} in {self.name}.json",
            f"{self.where(row, token)}: {key} {value!r} is not in "
            f"{table}.json. {cost}; if they are many, the tables do not "
            "belong together: take them all from the same download.",
        )

    def dead_link(
        self, key: str, value: object, row: int, token: object
    ) -> None:
        """Tells that a ``prev`` or ``next`` leads to no row.

        Args:
            key: "prev" or "next"
            value: the token that no row has
            row: number of the row
            token: the row's own token
        """
        self._problems.add(
            f"{key} in {self.name}.json",
            f"{self.where(row, token)}: {key} {value!r} does not exist. "
            "Nothing is lost: rows are put in order by their time.",
        )

    def twice(self, what: str, value: object, row: int, token: object) -> None:
        """Tells that a row repeats what an earlier one has said.

        Args:
            what: what there should be one row of
            value: its token
            row: number of the row
            token: the row's own token
        """
        self._problems.add(
            f"repeated rows in {self.name}.json",
            f"{self.where(row, token)}: there is a row for {what} {value!r} "
            "already. The first one is taken.",
        )

    def _stop(self, text: str) -> None:
        self.broken = True
        self._problems.add(f"{self.name}.json", text, fatal=True)

    def _strict(
        self, file: Any, place: _Place
    ) -> Iterator[tuple[_Place, list[R]]]:
        """Yields rows and the place after them, as long as all is plain.

        Ends with a place of offset -1 when the table is read to its end, and
        before the first window that is not plain otherwise.
        """
        rows_type: Any = list[self._type]  # type: ignore[name-defined]
        decode = msgspec.json.Decoder(rows_type).decode
        rest = b""
        while True:
            more = file.read(_WINDOW)
            opening = b"[" if place.offset else b""
            if more:
                cut = _last_row_end(more)
                if cut < 0:
                    rest += more
                    if len(rest) > _LONGEST_ROW:
                        return
                    continue
                body = b"".join((opening, rest, more[:cut], b"]"))
            else:
                body = opening + rest
            try:
                rows = decode(body)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                return
            if not more:
                yield _Place(place.row + len(rows), -1), rows
                return
            used = more.index(b",", cut) + 1
            place = _Place(
                place.row + len(rows), place.offset + len(rest) + used
            )
            rest = more[used:]
            yield place, rows

    def _lenient(
        self, file: Any, place: _Place
    ) -> Iterator[tuple[int, list[R]]]:
        line, column = _position(file, place.offset)
        text = io.TextIOWrapper(file, encoding="utf-8")
        number = place.row - 1
        try:
            first, rows = place.row, []
            for raw in self._decode(text, line, column, place.offset > 0):
                number += 1
                row = self._convert(raw, number)
                if row is not None:
                    rows.append(row)
                if row is None or len(rows) >= 4096:
                    if rows:
                        yield first, rows
                    first, rows = number + 1, []
            if rows:
                yield first, rows
        except UnicodeDecodeError as error:
            raise DatarootError(
                f"{self.path} is not UTF-8 text after row {number}: "
                f"{error.reason}. Copy or unpack it again."
            ) from error
        finally:
            text.detach()

    def _convert(self, raw: Any, number: int) -> R | None:
        if not isinstance(raw, dict):
            keys = ", ".join(f.encode_name for f in self._fields if f.required)
            self._problems.add(
                f"values in {self.name}.json",
                f"{self.path}, row {number} is {str(raw)[:40]!r}, expected "
                f"an object with the keys {keys}.",
                fatal=True,
            )
            return None
        token = raw.get("token")
        values = {}
        for field in self._fields:
            key = field.encode_name
            if key not in raw:
                if field.required:
                    self.fault(f"has no {key}.", row=number, token=token)
                    return None
                continue
            if raw[key] is None and not field.required:
                continue
            try:
                values[key] = _READERS[field.type](raw[key])
            except _BadValueError as error:
                self.fault(
                    f"{key} is {raw[key]!r}, {error}.", row=number, token=token
                )
                return None
        return self._type(**values)

    def _decode(
        self, file: Any, line: int, column: int, inside: bool
    ) -> Iterator[Any]:
        """Yields what is in a list, which starts at a line and column.

        With ``inside``, its opening bracket and some rows are read already.
        """
        decode = json.JSONDecoder().raw_decode
        window, at = "", 0
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

        if not inside:
            if next_character() != "[":
                raise fault("expected a list of rows", at)
            at += 1
        if not inside and next_character() == "]":
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


def _position(file: Any, offset: int) -> tuple[int, int]:
    """Moves to an offset; returns its line and column, from 1."""
    file.seek(0)
    line, start, at = 1, 0, 0
    while at < offset:
        window = file.read(min(_WINDOW, offset - at))
        line += window.count(b"\n")
        last = window.rfind(b"\n")
        start = at + last + 1 if last >= 0 else start
        at += len(window)
    return line, offset - start + 1


def _last_row_end(window: bytes) -> int:
    """Returns the offset after the last row that another row follows.

    A cut inside of a string or of a nested object cannot pass unnoticed:
    what is before it is then no valid JSON.

    Returns:
        the offset, -1 if there is none
    """
    at = len(window)
    while (at := window.rfind(b"}", 0, at)) >= 0:
        tail = window[at + 1 : at + 64].lstrip(_BLANK)
        if tail[:1] == b"," and tail[1:].lstrip(_BLANK)[:1] == b"{":
            return at + 1
    return -1


def _string(value: Any) -> str:
    if value is None:  # some converters' way to say that there is none
        return ""
    if isinstance(value, str | int) and not isinstance(value, bool):
        return str(value)
    raise _BadValueError("expected a text")


def _integer(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        raise _BadValueError("expected a number") from None


def _numbers(value: Any, count: int) -> list[float]:
    try:
        numbers = [float(v) for v in value]
    except (TypeError, ValueError, OverflowError):
        numbers = []
    # v - v is 0 for every number but NaN and the infinities
    if len(numbers) != count or any(v - v != 0 for v in numbers):
        raise _BadValueError(f"expected {count} numbers")
    return numbers


def _vector(value: Any) -> Vector:
    x, y, z = _numbers(value, 3)
    return x, y, z


def _quaternion(value: Any) -> Quaternion:
    """Takes w, x, y, z, or the 3x3 matrix that some converters write."""
    if isinstance(value, list) and len(value) == 3:
        from scipy.spatial.transform import Rotation

        try:
            x, y, z, w = Rotation.from_matrix(value).as_quat().tolist()
        except (TypeError, ValueError) as error:
            raise _BadValueError(f"not a rotation: {error}") from error
        return w, x, y, z
    w, x, y, z = _numbers(value, 4)
    return w, x, y, z


def _strings(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | None):
        raise _BadValueError("expected a list of texts")
    return tuple(_string(v) for v in value or ())


def _raw(value: Any) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(value).encode())


_READERS: dict[Any, Callable[[Any], Any]] = {
    Any: lambda value: value,
    str: _string,
    int: _integer,
    bool: bool,
    int | None: _integer,
    Vector: _vector,
    Quaternion: _quaternion,
    tuple[str, ...]: _strings,
    msgspec.Raw: _raw,
}
"""How the lenient reader takes a value, by the type of its field."""


def read_vectors(raws: list[msgspec.Raw], kind: Any) -> list[Any]:
    """Decodes values that were left raw until known to be needed.

    Args:
        raws: the values
        kind: their type, ``Vector`` or ``Quaternion``

    Returns:
        the values; in place of one that cannot be taken a text that says why
    """
    joined = b"[" + b",".join(raws) + b"]"
    try:
        return list(msgspec.json.decode(joined, type=list[kind]))
    except msgspec.MsgspecError:
        return [
            _vector_or_reason(json.loads(bytes(raw)), kind) for raw in raws
        ]


def number_rows(values: Sequence[tuple[float, ...]], width: int) -> np.ndarray:
    """Returns tuples of numbers as an array (n, width) of float64."""
    flat = itertools.chain.from_iterable(values)
    count = len(values) * width
    return np.fromiter(flat, np.float64, count).reshape(-1, width)


def _vector_or_reason(value: Any, kind: Any) -> Any:
    try:
        return _READERS[kind](value)
    except _BadValueError as error:
        return f"{value!r}, {error}"
