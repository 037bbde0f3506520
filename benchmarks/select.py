"""Selections and their exports at trainval's size.

    python3 run.py bench select [--json FILE] [--quick]

Selecting frames by the split rule, exporting a smaller nuScenes dataroot,
and cutting down a pickle of infos. Each row is a process of its own.
"""

from __future__ import annotations

import argparse
import os
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks._measure import in_fresh_process, machine, table, write_json
from benchmarks._select_rule import RECIPES

FRAMES = 34_149
QUICK_FRAMES = 4_000

ONE_CORE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

PARTS = {
    "selection": "benchmarks.select",
    "nuscenes": "benchmarks._select_nuscenes",
    "infos": "benchmarks._select_infos",
}
"""Module of each part; ``rows(quick)`` in it measures and returns a table."""


def rows(quick: bool) -> list[dict[str, Any]]:
    """Selects over a frame table in several ways, on one core."""
    count = QUICK_FRAMES if quick else FRAMES
    found = []
    for recipe in RECIPES:
        print(f"  {count:,} frames: {recipe} ...", flush=True)
        told = in_fresh_process(
            "benchmarks._select_rule",
            *(recipe, str(count)),
            environment=ONE_CORE,
        )
        found.append(
            {
                "recipe": recipe,
                "frames": count,
                "chosen": told["chosen"],
                "short": told["short"],
                "seconds": told["seconds"],
                "CPU s": told["cpu_seconds"],
                "MB": round(told["peak_mb"]),
            }
        )
    return found


def main() -> None:
    """Measures every part that there is and prints its table."""
    parser = argparse.ArgumentParser(
        prog="run.py bench select", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--quick", action="store_true", help="small sizes")
    parser.add_argument(
        "--part", choices=PARTS, action="append", help="this part alone"
    )
    options = parser.parse_args()
    results: dict[str, Any] = {}
    for part, module in PARTS.items():
        if options.part and part not in options.part:
            continue
        if part == "selection":
            results[part] = rows(options.quick)
        elif find_spec(module) is not None:
            results[part] = import_module(module).rows(options.quick)
    here = machine("numpy", "fiftyone")
    here["load_1_5_15_min"] = [round(load, 1) for load in os.getloadavg()]
    for part, found in results.items():
        print(f"\n{part}\n\n{table(found)}")
    print(f"\n{', '.join(f'{k} {v}' for k, v in here.items())}")
    write_json(options.json, {**results, "machine": here})


if __name__ == "__main__":
    main()
