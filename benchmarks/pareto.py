"""Exact Pareto fronts: seconds by size and shape, beside moocore.

    python3 run.py bench pareto [--json FILE] [--quick]

The signals are made up, in four shapes. Each way runs in a fresh process on
one core; importing, and loading compiled code from the disk, is told apart.
moocore comes with `python3 run.py test`; without it only ours is timed.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks._measure import in_fresh_process, machine, table, write_json
from benchmarks._pareto_ways import KINDS

SIZES = ((1_000_000, 2), (100_000, 4), (1_000_000, 4))
QUICK_SIZES = ((100_000, 2), (20_000, 4))

ONE_CORE = {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}


def measure(kind: str, count: int, width: int, rival: bool) -> dict[str, Any]:
    """Peels one data set in each way; the fronts have to be the same."""
    print(f"  {count:,} x {width}: {kind} ...", flush=True)
    told = {
        way: in_fresh_process(
            "benchmarks._pareto_ways",
            *(way, kind, str(count), str(width)),
            environment=ONE_CORE,
        )
        for way in (("raremine", "moocore") if rival else ("raremine",))
    }
    ours, theirs = told["raremine"], told.get("moocore")
    row = {
        "objects": count,
        "signals": width,
        "shape": kind,
        "fronts": ours["fronts"],
        "raremine s": ours["seconds"],
        "CPU s": ours["cpu_seconds"],
        "MB": round(ours["peak_mb"]),
    }
    if theirs is not None:
        row |= {
            "moocore s": theirs["seconds"],
            "moocore CPU s": theirs["cpu_seconds"],
            "moocore MB": round(theirs["peak_mb"]),
            "same fronts": str(ours["digest"] == theirs["digest"]),
        }
    return row


def first_use() -> list[dict[str, Any]]:
    """Loads our code when nothing is compiled yet, and when it is."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="raremine-bench-") as folder:
        for state in ("compiled now", "compiled before"):
            told = in_fresh_process(
                "benchmarks._pareto_ways",
                *("raremine", "independent", "1000", "4"),
                environment={**ONE_CORE, "NUMBA_CACHE_DIR": folder},
            )
            rows.append(
                {"loading": state, "CPU s": told["loading_cpu_seconds"]}
            )
    return rows


def main() -> None:
    """Measures each size and shape and prints a table."""
    parser = argparse.ArgumentParser(
        prog="run.py bench pareto", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--quick", action="store_true", help="small sizes")
    options = parser.parse_args()
    rival = find_spec("moocore") is not None
    loading = first_use()
    rows = [
        measure(kind, count, width, rival)
        for count, width in (QUICK_SIZES if options.quick else SIZES)
        for kind in KINDS
    ]
    packages = ("numpy", "numba", *(("moocore",) if rival else ()))
    here = machine(*packages)
    here["load_1_5_15_min"] = [round(load, 1) for load in os.getloadavg()]
    print(f"\n{table(rows)}\n\n{table(loading)}")
    print(f"\n{', '.join(f'{k} {v}' for k, v in here.items())}")
    if not rival:
        print("moocore is not installed: `python3 run.py test` installs it.")
    write_json(
        options.json, {"fronts": rows, "loading": loading, "machine": here}
    )


if __name__ == "__main__":
    main()
