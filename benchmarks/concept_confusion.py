"""Concepts and groups beside the annotations of unseen rendered worlds.

    python3 run.py bench concept_confusion [--json FILE] [--quick]
                                           [--seeds SEED ...]

Worlds of seeds that no demo model learned from are mined with the default
preset; a detection's truth is the annotated box that it overlaps most, from
an IoU of .5 on. The numbers are about the rendered world, not nuScenes.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks._concept_world import NOTHING
from benchmarks._measure import in_fresh_process, machine, table, write_json

SEEDS = (411, 412, 413)
QUICK_SEEDS = (411,)
SIZE = (40, 5)
QUICK_SIZE = (10, 5)
SHOWN = 4
"""Wrong concepts that a row names."""


def confusions(pairs: Counter[tuple[str, str]]) -> list[dict[str, Any]]:
    """Returns a row for each true concept.

    Args:
        pairs: (truth, decided) → objects
    """
    rows = []
    for truth in sorted(
        {t for t, _ in pairs}, key=lambda t: (t == NOTHING, t)
    ):
        own = {d: n for (t, d), n in pairs.items() if t == truth}
        said = sum(n for (_, d), n in pairs.items() if d == truth)
        total = sum(own.values())
        wrong = sorted(
            ((n, d) for d, n in own.items() if d != truth), reverse=True
        )
        rows.append(
            {
                "truth": truth,
                "objects": total,
                "recall": own.get(truth, 0) / total,
                "precision": own.get(truth, 0) / said if said else None,
                "taken for": ", ".join(
                    f"{d or 'none'} {n}" for n, d in wrong[:SHOWN]
                ),
            }
        )
    return rows


def group_table(pairs: Counter[tuple[str, str]]) -> list[dict[str, Any]]:
    """Returns the confusion matrix of groups, truth down."""
    names = ("target", "rare", "common")
    return [
        {
            "truth": truth,
            **{f"as {name}": pairs[truth, name] for name in names},
            "recall": pairs[truth, truth]
            / max(sum(pairs[truth, n] for n in names), 1),
            "precision": pairs[truth, truth]
            / max(sum(pairs[n, truth] for n in names), 1),
        }
        for truth in names
    ]


def main() -> None:
    """Mines each world and prints the confusions over all of them."""
    parser = argparse.ArgumentParser(
        prog="run.py bench concept_confusion",
        description=__doc__.splitlines()[0],
    )
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--quick", action="store_true", help="one small world")
    parser.add_argument("--seeds", type=int, nargs="+", metavar="SEED")
    options = parser.parse_args()
    seeds = options.seeds or (QUICK_SEEDS if options.quick else SEEDS)
    scenes, keyframes = QUICK_SIZE if options.quick else SIZE
    pairs: dict[str, Counter[tuple[str, str]]] = {
        name: Counter() for name in ("concepts", "captioned", "groups")
    }
    for seed in seeds:
        print(f"  world {seed} ...", flush=True)
        told = in_fresh_process(
            "benchmarks._concept_world", str(seed), str(scenes), str(keyframes)
        )
        for name, counter in pairs.items():
            for truth, decided, number in told[name]:
                counter[truth, decided] += number
    parts = {
        "all objects": confusions(pairs["concepts"]),
        "captioned objects": confusions(pairs["captioned"]),
        "groups": group_table(pairs["groups"]),
    }
    for name, rows in parts.items():
        print(f"\n{name}\n{table(rows)}")
    write_json(
        options.json, {**parts, "seeds": list(seeds), "machine": machine()}
    )


if __name__ == "__main__":
    main()
