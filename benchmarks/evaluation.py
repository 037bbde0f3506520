"""Evaluating at the size of trainval: seconds, and beside the plain ways.

    python3 run.py bench evaluation [--json FILE] [--quick]

Frames, scores, embeddings and ground truth are made up: 854 scenes of 40
keyframes. Reading them from a database is not counted. Nothing else should
run on the machine meanwhile.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from benchmarks._evaluation_ways import BUDGETS, STRATEGIES
from benchmarks._measure import in_fresh_process, machine, table, write_json

FRAMES, QUICK_FRAMES = 34_149, 4_000
SEEDS, QUICK_SEEDS = 20, 3
POOLS = 1000


def part(name: str, count: int, seeds: int) -> dict[str, Any]:
    """Runs one part in a process of its own."""
    print(f"  {name} ...", flush=True)
    return in_fresh_process(
        "benchmarks._evaluation_ways", name, str(count), str(seeds)
    )


def main() -> None:
    """Measures and prints the tables."""
    parser = argparse.ArgumentParser(
        prog="run.py bench evaluation", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--quick", action="store_true", help="small sizes")
    options = parser.parse_args()
    count = QUICK_FRAMES if options.quick else FRAMES
    seeds = QUICK_SEEDS if options.quick else SEEDS
    whole = part("whole", count, seeds)
    pools = part("resampling", count, seeds)
    alike = part("redundancy", count, seeds)
    ways = [
        {
            "part": f"an order on {POOLS:,} resampled sets of scenes",
            "plain CPU s": pools["plain_s"] * POOLS,
            "raremine CPU s": pools["ours_s"] * POOLS,
            "largest difference": f"{pools['largest_gap']:.5f}",
        },
        {
            "part": f"redundancy of an order at {len(BUDGETS)} budgets",
            "plain CPU s": alike["plain_s"],
            "raremine CPU s": alike["ours_s"],
            "largest difference": f"{alike['largest_gap']:.5f}",
        },
        {
            "part": "neighbours of all frames, once",
            "plain CPU s": None,
            "raremine CPU s": alike["setup_s"],
            "largest difference": "",
        },
    ]
    load = os.getloadavg()
    here = machine("numpy", "numba", "faiss-cpu")
    print(f"\n{table(whole['rows'])}\n\n{table(ways)}")
    print(
        f"\n{count:,} frames, {len(STRATEGIES)} strategies, {len(BUDGETS)} "
        f"budgets, {seeds} seeds: {whole['whole_s']:.0f} s, of "
        f"{whole['whole_cpu_s']:.0f} s of processor time, "
        f"{whole['peak_mb']:,.0f} MB; load {load[0]:.1f} at the end"
    )
    print(f"\n{', '.join(f'{k} {v}' for k, v in here.items())}")
    write_json(
        options.json,
        {
            "whole": whole,
            "resampling": pools,
            "redundancy": alike,
            "machine": here,
            "load_1_5_15": list(load),
        },
    )


if __name__ == "__main__":
    main()
