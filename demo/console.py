"""What the demo prints: its own lines and nothing of the libraries'.

Libraries print, log, warn and draw progress bars, some of them below Python.
So both output streams of the process lead to a log file, and only this
console writes to where they led before.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import textwrap
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

REDRAW_S = 0.2
NARROWEST = 24


class Console:
    """Writes lines and, on a terminal, one line of progress.

    Args:
        stream: where to
    """

    def __init__(self, stream: IO[str]) -> None:
        self.stream = stream
        self.live = stream.isatty() and os.environ.get("TERM") != "dumb"
        self._drawn = 0.0
        self._open = False

    def say(self, text: str = "") -> None:
        """Writes a line, in place of the progress if there is any."""
        self.clear()
        self.stream.write(f"{text}\n")
        self.stream.flush()

    def progress(self, done: int, total: int, label: str) -> None:
        """Shows how far a stage is, on a terminal only."""
        now = time.monotonic()
        if not self.live or (now - self._drawn < REDRAW_S and done < total):
            return
        self._drawn = now
        share = f"{done / total:4.0%}  " if total else ""
        width = shutil.get_terminal_size().columns - 1
        line = f"  {label}: {share}{done:,} of {total:,}"
        self.stream.write(f"\r\x1b[K{line[:width]}")
        self.stream.flush()
        self._open = True

    def clear(self) -> None:
        """Takes the line of progress away."""
        if self._open:
            self.stream.write("\r\x1b[K")
            self._open = False

    def table(
        self,
        head: Sequence[str],
        rows: Sequence[Sequence[str]],
        right: Sequence[int] = (),
        wrap: int | None = None,
    ) -> None:
        """Writes an aligned table, no wider than the terminal.

        Args:
            head: names of the columns
            rows: cells
            right (()): columns to align at the right
            wrap (None): the column whose cells may take several lines
        """
        width = shutil.get_terminal_size((100, 24)).columns
        for line in table_lines(head, rows, right, wrap, width):
            self.say(line)


def table_lines(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    right: Sequence[int] = (),
    wrap: int | None = None,
    width: int = 100,
) -> list[str]:
    """Aligns a table: head, rule, rows.

    Args:
        head: names of the columns
        rows: cells
        right (()): columns to align at the right
        wrap (None): the column whose cells are broken into several lines
            where the table would be too wide
        width (100): widest that it may be then
    """
    widths = [
        max(len(row[i]) for row in [head, *rows]) for i in range(len(head))
    ]
    if wrap is not None:
        others = sum(widths) - widths[wrap] + 2 * len(widths) + 1
        widths[wrap] = max(min(widths[wrap], width - others), NARROWEST)
        rows = [
            part for row in rows for part in _broken(row, wrap, widths[wrap])
        ]

    def line(cells: Sequence[str]) -> str:
        parts = [
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return ("  " + "  ".join(parts)).rstrip()

    rule = "  " + "  ".join("─" * width for width in widths)
    return [line(head), rule, *(line(row) for row in rows)]


def _broken(
    row: Sequence[str], column: int, width: int
) -> Iterator[list[str]]:
    """Breaks one cell of a row; the lines that follow are blank elsewhere."""
    lines = textwrap.wrap(row[column], width) or [""]
    for number, text in enumerate(lines):
        cells = list(row) if number == 0 else [""] * len(row)
        cells[column] = text
        yield cells


@contextlib.contextmanager
def quiet(log: Path) -> Iterator[Console]:
    """Sends all output to a log file except that of the console it yields.

    Works on the file descriptors, so that child processes and libraries in
    C are quiet too.

    Args:
        log: the log file, begun anew
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(1), os.dup(2)]
    try:
        with (
            log.open("w", encoding="utf-8", buffering=1) as file,
            os.fdopen(os.dup(kept[0]), "w", encoding="utf-8") as stream,
            # where Python's own streams do not end in the descriptors
            contextlib.redirect_stdout(file),
            contextlib.redirect_stderr(file),
        ):
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
            console = Console(stream)
            try:
                yield console
            finally:
                console.clear()
    finally:
        for number, descriptor in enumerate(kept, start=1):
            os.dup2(descriptor, number)
            os.close(descriptor)
