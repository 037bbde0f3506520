"""Is mining worth it on worlds that no model has seen? The goal, measured.

    python3 run.py bench mining_goal [--json FILE] [--quick]
        [--seeds SEED ... | --datasets NAME ...]

At a budget of 20 % preset ``default`` should see 90 % of the target
instances, find every target class at least three times as often as random
frames do, cover nearly as many scenes as these (- 10 %), and have a larger
area under its recall curve than preset ``paper``. What no strategy can reach
there, because of the world or the detector, stands beside it.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._goal_world import INSTANCES, LIFT
from benchmarks._measure import in_fresh_process, machine, table, write_json

SEEDS = (502, 503, 504, 603, 605)
"""Seen neither by the demo models nor when a setting was chosen."""
QUICK_SEEDS = SEEDS[:1]
SIZE = (40, 5)
"""Scenes and keyframes of the demo's own world."""
QUICK_SIZE = (8, 4)
COVERAGE = 0.9
"""Share of random's scene coverage."""


def goals(world: str, told: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a world's row: what was reached, and what can be.

    Args:
        world: its name
        told: as ``_goal_world.measured``
    """
    ways = told["strategies"]
    own, paper, random = ways["default"], ways["paper"], ways["random"]
    lifts = {k: v for k, v in told["lifts"]["default"].items() if v == v}
    worst = min(lifts, key=lambda name: lifts[name])
    ceiling = told["ceiling"]
    needed = COVERAGE * random["scene_coverage"]
    return {
        "world": world,
        "instances": own["instance_recall"],
        "lift": own["frame_lift"],
        "lowest": f"{worst} {lifts[worst]:.1f}",
        "scenes": own["scene_coverage"],
        "random's": random["scene_coverage"],
        "area": own["frame_recall_area"],
        "paper's": paper["frame_recall_area"],
        "area of instances": own["instance_recall_area"],
        "paper's of instances": paper["instance_recall_area"],
        "detected": told["found"],
        "scenes possible": ceiling,
        "goal": ", ".join(
            name
            for name, met in {
                "instances": own["instance_recall"] >= INSTANCES,
                "lift": lifts[worst] >= LIFT,
                "scenes": own["scene_coverage"] >= needed,
                "beats paper": own["frame_recall_area"]
                > paper["frame_recall_area"]
                and own["instance_recall_area"]
                > paper["instance_recall_area"],
            }.items()
            if met
        )
        or "none",
        "possible": bool(
            ceiling is not None
            and ceiling >= needed
            and told["found"] >= INSTANCES
        ),
    }


def means(
    worlds: Mapping[str, Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """Returns each strategy's metrics, on average over the worlds."""
    rows = []
    for name in ("default", "paper", "random", "oracle"):
        own = [told["strategies"][name] for told in worlds.values()]
        rows.append(
            {
                "strategy": name,
                **{
                    metric: float(np.mean([one[metric] for one in own]))
                    for metric in (
                        "frame_recall",
                        "instance_recall",
                        "precision",
                        "frame_lift",
                        "scene_coverage",
                        "frame_recall_area",
                        "instance_recall_area",
                    )
                },
            }
        )
    return rows


def class_lifts(
    worlds: Mapping[str, Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """Returns each class's frame lift at the budget, over all worlds.

    A world has one or two instances of a class: one that is missed makes its
    lift there zero. Over the worlds it says more.

    Args:
        worlds: by name, as ``_goal_world.measured``

    Returns:
        a row per class: the worlds that have it, the mean lift of both
        presets over these, and the lowest of ``default``
    """
    by_class: dict[str, list[tuple[float, float]]] = {}
    for told in worlds.values():
        own, paper = told["lifts"]["default"], told["lifts"]["paper"]
        for name, lift in own.items():
            if lift == lift:
                by_class.setdefault(name, []).append((lift, paper[name]))
    return [
        {
            "class": name,
            "worlds": len(pairs),
            "lift": float(np.mean([own for own, _ in pairs])),
            "paper's": float(np.mean([paper for _, paper in pairs])),
            "lowest": min(own for own, _ in pairs),
        }
        for name, pairs in by_class.items()
    ]


def main() -> None:
    """Mines and measures each world, and prints the rows."""
    parser = argparse.ArgumentParser(
        prog="run.py bench mining_goal",
        description=__doc__.splitlines()[0],
    )
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--quick", action="store_true", help="one small world")
    parser.add_argument("--seeds", type=int, nargs="+", metavar="SEED")
    parser.add_argument(
        "--datasets",
        nargs="+",
        metavar="NAME",
        help="datasets mined with both presets, into objects and "
        "objects_paper",
    )
    options = parser.parse_args()
    size = QUICK_SIZE if options.quick else SIZE
    seeds = options.seeds or (QUICK_SEEDS if options.quick else SEEDS)
    jobs = {
        str(seed): (str(seed), *map(str, size)) for seed in seeds
    }
    if options.datasets:
        jobs = {name: (name,) for name in options.datasets}
    worlds = {}
    for name, arguments in jobs.items():
        print(f"  world {name} ...", flush=True)
        worlds[name] = in_fresh_process("benchmarks._goal_world", *arguments)
    rows = [goals(name, told) for name, told in worlds.items()]
    averages = means(worlds)
    classes = class_lifts(worlds)
    print(f"\n{table(averages)}\n\n{table(rows)}\n\n{table(classes)}")
    write_json(
        options.json,
        {
            "worlds": rows,
            "strategies": averages,
            "classes": classes,
            "lifts": {n: w["lifts"] for n, w in worlds.items()},
            "machine": machine(),
        },
    )


if __name__ == "__main__":
    main()
