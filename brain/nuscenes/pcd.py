"""Writing ``.pcd`` files, reading them, and telling which are current."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path
from uuid import uuid4

import numpy as np

_TEMPORARY = ".raremine-"
"""How the names of files that are being written begin."""

_ABANDONED = 3600.0
"""Seconds after which such a file is one that a killed process has left."""

_TYPES = {
    ("F", 4): "<f4",
    ("F", 8): "<f8",
    ("I", 1): "<i1",
    ("I", 2): "<i2",
    ("I", 4): "<i4",
    ("U", 1): "<u1",
    ("U", 2): "<u2",
    ("U", 4): "<u4",
}


def read_columns(content: bytes, columns: tuple[str, ...]) -> np.ndarray:
    """Reads columns of a binary ``.pcd`` file.

    Args:
        content: of the file
        columns: names of the columns that are wanted

    Returns:
        (n, len(columns)) float32

    Raises:
        ValueError: if it is not a whole binary ``.pcd`` with these columns;
            the message says what is missing
    """
    head, found, data = content.partition(b"DATA binary\n")
    lines = head.decode("ascii", errors="replace").splitlines()
    fields = {k: v for k, *v in (n.split() for n in lines if n.strip())}
    try:
        dtype = np.dtype(
            [
                (name, _TYPES[kind, int(size)])
                for name, kind, size in zip(
                    fields["FIELDS"],
                    fields["TYPE"],
                    fields["SIZE"],
                    strict=True,
                )
            ]
        )
        count = int(fields["POINTS"][0])
        if not found or set(fields["COUNT"]) != {"1"}:
            raise ValueError("no binary data")
        rows = np.frombuffer(data, dtype, count=count)
        points = np.stack([rows[c] for c in columns], axis=1)
    except (KeyError, IndexError) as error:
        raise ValueError(f"{error} is missing") from error
    return points.astype(np.float32)


def pcd_header(columns: tuple[str, ...], count: int, stamp: str) -> bytes:
    """Returns the header of a binary ``.pcd`` of float32 columns.

    Args:
        columns: their names
        count: number of points
        stamp: what the cloud was made from, kept as a comment
    """
    n = len(columns)
    return "\n".join(
        [
            "# .PCD v0.7 - Point Cloud Data file format",
            f"# raremine {stamp}",
            "VERSION 0.7",
            f"FIELDS {' '.join(columns)}",
            f"SIZE {' '.join('4' * n)}",
            f"TYPE {' '.join('F' * n)}",
            f"COUNT {' '.join('1' * n)}",
            f"WIDTH {count}",
            "HEIGHT 1",
            "VIEWPOINT 0 0 0 1 0 0 0",
            f"POINTS {count}",
            "DATA binary",
            "",
        ]
    ).encode("ascii")


def write_pcd(
    path: Path, columns: tuple[str, ...], points: np.ndarray, stamp: str
) -> None:
    """Writes a binary ``.pcd``, whole or not at all.

    Args:
        path: the file; its folder is made
        columns: names of the columns
        points: (n, len(columns)) float32
        stamp: what the cloud was made from, see ``is_converted``
    """
    header = pcd_header(columns, len(points), stamp)
    write_whole(path, header, np.ascontiguousarray(points, "<f4").data)


def is_converted(path: Path, columns: tuple[str, ...], stamp: str) -> bool:
    """Whether a file is a complete earlier conversion with this stamp."""
    try:
        with path.open("rb") as file:
            head = file.read(1024)
            size = os.fstat(file.fileno()).st_size
    except OSError:
        return False
    end = head.find(b"DATA binary\n")
    at = head.find(b"\nPOINTS ")
    if end < 0 or at < 0:
        return False
    digits = head[at + 8 : end].strip()
    if not digits.isdigit():
        return False
    header = pcd_header(columns, int(digits), stamp)
    expected = len(header) + int(digits) * 4 * len(columns)
    return head.startswith(header) and size == expected


def write_whole(path: Path, *content: bytes | memoryview) -> None:
    """Writes a file under a temporary name and then moves it in place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{_TEMPORARY}{uuid4().hex}")
    try:
        with temporary.open("xb") as file:
            file.writelines(content)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def clear_abandoned(folders: Iterable[Path]) -> None:
    """Deletes what killed processes were writing when they ended."""
    for folder in folders:
        try:
            with os.scandir(folder) as entries:
                found = [e for e in entries if e.name.startswith(_TEMPORARY)]
            for entry in found:
                # one that another load writes at this moment is young
                if time.time() - entry.stat().st_mtime > _ABANDONED:
                    Path(entry.path).unlink(missing_ok=True)
        except OSError:
            # not there, or another load was faster
            continue
