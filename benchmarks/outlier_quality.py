"""Outlier scores: how well they find what is rare, on rendered worlds.

    python3 run.py bench outlier_quality [--json FILE] [--quick]
                                         [--seeds SEED ...] [--dir DIR]

Worlds of seeds that no demo model learned from are rendered, their objects
are detected and embedded with the demo's models, and each score is held
against the annotations. No score sees them. The numbers are about the
rendered world, not about nuScenes.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks._measure import in_fresh_process, machine, table, write_json
from benchmarks._quality_measures import (
    TRUTHS,
    Row,
    World,
    flag_rows,
    fusion_rows,
    neighbor_rows,
    score_rows,
    truths_of,
    world_row,
)
from benchmarks._quality_scores import UNIQUENESS, world_scores
from benchmarks._quality_truth import CLUTTER
from benchmarks._quality_worlds import (
    WorldObjects,
    objects_name,
    world_config,
)
from demo.options import FIRST_TRAINING_SEED
from raremine.brain.outliers.scoring import SCORERS

CHOSEN_ON = (211, 212, 213, 214, 215)
"""Seeds that were looked at while the default fusion was chosen."""

HELD_OUT = (401, 402, 403, 404, 405)
"""Seeds that were looked at once, after it had been chosen."""

QUICK = (211, 401)
SIZE = (40, 5)
QUICK_SIZE = (10, 5)


def gather(
    seeds: Sequence[int], size: tuple[int, int], folder: Path
) -> dict[int, WorldObjects]:
    """Returns the objects of each world, made in a process of its own.

    Args:
        seeds: of the worlds
        size: scenes, and keyframes of each
        folder: where the worlds' objects lie, or are put
    """
    worlds = {}
    for seed in seeds:
        path = folder / objects_name(world_config(seed, *size))
        if not path.exists():
            print(f"  seed {seed}: rendering, embedding ...", flush=True)
            in_fresh_process(
                "benchmarks._quality_worlds",
                *map(str, (seed, *size)),
                str(folder),
            )
        worlds[seed] = WorldObjects.load(path)
    return worlds


def score(worlds: Mapping[int, WorldObjects], *, maps: bool) -> list[World]:
    """Scores the objects of each world in every way."""
    scored = []
    for seed, objects in worlds.items():
        print(f"  seed {seed}: scoring {len(objects):,} ...", flush=True)
        scored.append(
            World(
                seed,
                truths_of(objects),
                objects.truth != CLUTTER,
                world_scores(objects, maps=maps),
            )
        )
    return scored


def measure(
    worlds: Sequence[World], groups: Mapping[str, Sequence[int]]
) -> dict[str, list[Row]]:
    """Returns the rows of every table.

    Args:
        worlds: scored worlds
        groups: name of a group of seeds → its seeds, for the fusions
    """
    names = [n for n in SCORERS if n in worlds[0].scores]
    parts: dict[str, list[Row]] = {}
    for truth in TRUTHS:
        parts[f"scores, {truth}"] = score_rows(
            worlds, truth, [*names, UNIQUENESS]
        )
        parts[f"neighbours, {truth}"] = neighbor_rows(worlds, truth)
        for group, seeds in groups.items():
            own = [w for w in worlds if w.seed in seeds]
            if own:
                parts[f"fusions, {truth}, {group}"] = fusion_rows(own, truth)
        parts[f"flags, {truth}"] = flag_rows(worlds, truth)
    return parts


def shown(rows: Sequence[Row]) -> str:
    """Returns a table with three digits, which is what differences need."""
    return table(
        [
            {
                head: f"{value:.3f}" if isinstance(value, float) else value
                for head, value in row.items()
            }
            for row in rows
        ]
    )


def main() -> None:
    """Runs all parts and prints a table of each."""
    parser = argparse.ArgumentParser(
        prog="run.py bench outlier_quality",
        description=__doc__.splitlines()[0],
    )
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="two small worlds, no maps: a few minutes, and says little",
    )
    parser.add_argument(
        "--seeds",
        type=_seed,
        nargs="+",
        metavar="SEED",
        help=f"other worlds, below {FIRST_TRAINING_SEED}",
    )
    parser.add_argument(
        "--scenes", type=int, help="scenes of a world (default: 40)"
    )
    parser.add_argument(
        "--dir", type=Path, help="keep the objects here and use them again"
    )
    options = parser.parse_args()
    seeds = options.seeds or (QUICK if options.quick else CHOSEN_ON + HELD_OUT)
    size = QUICK_SIZE if options.quick else SIZE
    if options.scenes:
        size = (options.scenes, size[1])
    groups: dict[str, Sequence[int]] = {
        "chosen on": CHOSEN_ON,
        "held out": HELD_OUT,
        "others": sorted({*seeds} - {*CHOSEN_ON, *HELD_OUT}),
    }
    with tempfile.TemporaryDirectory(prefix="raremine-bench-") as temporary:
        folder = (options.dir or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        worlds = gather(seeds, size, folder)
        parts: dict[str, Any] = {
            "worlds": [world_row(s, objects) for s, objects in worlds.items()],
            **measure(score(worlds, maps=not options.quick), groups),
        }
    here = machine("fiftyone", "scikit-learn", "umap-learn", "numpy")
    for name, rows in parts.items():
        print(f"\n{name}\n\n{shown(rows)}")
    print(f"\n{', '.join(f'{k} {v}' for k, v in here.items())}")
    write_json(options.json, {**parts, "machine": here})


def _seed(text: str) -> int:
    seed = int(text)
    if not 0 <= seed < FIRST_TRAINING_SEED:
        raise argparse.ArgumentTypeError(
            f"seed {seed}: the models learned from worlds of seeds from "
            f"{FIRST_TRAINING_SEED} on"
        )
    return seed


if __name__ == "__main__":
    main()
