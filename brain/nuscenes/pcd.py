"""Writing ``.pcd`` files and telling which of them are whole and current."""

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
