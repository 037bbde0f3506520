"""Measuring in fresh processes, and telling what was measured.

A peak of memory is a property of a process and is never given back, so
whatever is compared runs in a process of its own. Seconds are those of the
wall clock around the work alone, without starting Python.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any


def in_fresh_process(
    module: str, *arguments: str, environment: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Runs ``python -m module arguments`` and returns what it tells.

    Args:
        module: a module of ``benchmarks`` that ends with ``tell``
        *arguments: its command line
        environment (None): variables to add to those of this process

    Raises:
        RuntimeError: if it fails; the message holds what it printed
    """
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **(environment or {})},
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr}")
    last = done.stdout.strip().splitlines()[-1]
    return dict(json.loads(last))


def tell(work: Callable[[], Mapping[str, Any]]) -> None:
    """Does the work and prints its result, seconds and peak of memory."""
    start, cpu = time.perf_counter(), time.process_time()
    result = dict(work())
    result["seconds"] = time.perf_counter() - start
    result["cpu_seconds"] = time.process_time() - cpu
    result["peak_mb"] = peak_mb()
    print(json.dumps(result))


def peak_mb() -> float:
    """Returns this process's own peak of resident memory in MiB."""
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        # macOS counts bytes
        return peak / (1 << 20 if sys.platform == "darwin" else 1024)
    # getrusage would begin with what the parent had when it forked
    (line,) = (x for x in status.splitlines() if x.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def cpu_seconds() -> float:
    """Returns the processor time of this process and of its ended children."""
    used = (
        resource.getrusage(who)
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return sum(u.ru_utime + u.ru_stime for u in used)


def machine(*packages: str) -> dict[str, Any]:
    """Describes where a benchmark ran.

    Args:
        *packages: those whose version matters
    """
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(
            os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
        ),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        **{name: version(name) for name in packages},
    }


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    names = [
        line.partition(":")[2].strip()
        for line in text.splitlines()
        if line.startswith("model name")
    ]
    return names[0] if names else platform.machine()


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Returns rows as a Markdown table; all have the keys of the first."""
    heads = list(rows[0])
    cells = [[_text(row.get(head)) for head in heads] for row in rows]
    widths = [
        max(len(head), *(len(row[at]) for row in cells))
        for at, head in enumerate(heads)
    ]
    numeric = [
        all(isinstance(row.get(head), int | float | None) for row in rows)
        for head in heads
    ]

    def line(values: Sequence[str]) -> str:
        padded = (
            value.rjust(width) if right else value.ljust(width)
            for value, width, right in zip(
                values, widths, numeric, strict=True
            )
        )
        return f"| {' | '.join(padded)} |"

    rule = (
        "-" * (width - 1) + ":" if right else "-" * width
        for width, right in zip(widths, numeric, strict=True)
    )
    return "\n".join([line(heads), line(list(rule)), *map(line, cells)])


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.2f}" if abs(value) < 10 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def write_json(path: Path | None, content: Mapping[str, Any]) -> None:
    """Writes all rows and the machine, if a file was asked for."""
    if path is not None:
        text = json.dumps(content, indent=2)
        path.write_text(text + "\n", encoding="utf-8")
