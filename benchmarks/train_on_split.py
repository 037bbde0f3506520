"""Does a detector that learns from mined frames get better?

    python3 run.py bench train_on_split [--json FILE] [--quick]
        [--pool DATASET] [--held-out DATASET]
        [--seeds N] [--pictures N] [--device DEVICE]

A rendered world that no demo model has seen is mined with the preset
``default``; the same small detector is trained on each split for the same
number of pictures, and measured on one fixed other world. Without a GPU it
begins with the demo detector, whose first layers stay as they are; with one
it learns everything from scratch. The numbers are about the rendered world.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._measure import in_fresh_process, machine, table, write_json
from benchmarks._split_world import HELD_OUT, SPLITS
from raremine.brain.target_classes import TARGET_CLASSES, class_name

POOL = (521, 40, 5)
"""Seed, scenes and keyframes; four of five scenes are its train split."""
MEASURED_ON = (5021, 60, 1)
QUICK_POOL = (521, 8, 3)
QUICK_MEASURED_ON = (5021, 8, 1)

SEEDS, QUICK_SEEDS = 3, 1
PICTURES, QUICK_PICTURES = 1920, 96
"""The whole pool twice, a fifth of it ten times."""

CPU = {"frozen": 10, "image_size": 640}
"""The backbone stays: learning it takes hours on two cores."""
GPU = {"frozen": 0, "image_size": 800}
GPU_POOL = (521, 150, 5)
GPU_PICTURES = 72_000
"""The whole pool twenty times, a fifth of it a hundred times."""
GPU_SEEDS = 5
GPU_START = "yolov8n.yaml"


def summary(
    trained: Sequence[Mapping[str, Any]], names: Sequence[str], score: str
) -> list[dict[str, Any]]:
    """Returns a row for each split: AP by class, mean and spread.

    Args:
        trained: a row with ``split`` and ``score`` by class for each
            training
        names: classes, in the order of the columns
        score: "ap" or "ap50"

    Returns:
        rows with text cells "mean ± standard deviation over the seeds", and
        the means over all classes and over the target classes
    """
    rows = []
    targets = [n for n in names if class_name(n) in TARGET_CLASSES]
    for split in dict.fromkeys(row["split"] for row in trained):
        own = [row[score] for row in trained if row["split"] == split]
        parts = {"all": names, "targets": targets}
        means = {
            part: [np.mean([one[n] for n in of if n in one]) for one in own]
            for part, of in parts.items()
        }
        classes = {n: [one[n] for one in own if n in one] for n in names}
        cells = {k: _spread(v) for k, v in {**means, **classes}.items() if v}
        rows.append({"split": split, **cells})
    return rows


def content(
    splits: Sequence[Mapping[str, Any]], names: Sequence[str]
) -> list[dict[str, Any]]:
    """Returns how many boxes of each class each split holds on average."""
    rows = []
    for split in dict.fromkeys(row["split"] for row in splits):
        own = [row for row in splits if row["split"] == split]
        rows.append(
            {
                "split": split,
                "frames": own[0]["frames"],
                **{
                    n: round(
                        float(np.mean([r["boxes"].get(n, 0) for r in own]))
                    )
                    for n in names
                },
            }
        )
    return rows


def differences(
    trained: Sequence[Mapping[str, Any]], score: str, against: str
) -> list[dict[str, Any]]:
    """Compares each split with one other, seed by seed.

    Args:
        trained: as for ``summary``
        score: "ap" or "ap50"
        against: the split to compare with

    Returns:
        rows with the mean difference of the target classes' mean AP, its
        standard deviation and in how many seeds it was above zero
    """

    def targets(row: Mapping[str, Any]) -> float:
        found = [
            ap
            for name, ap in row[score].items()
            if class_name(name) in TARGET_CLASSES
        ]
        return float(np.mean(found))

    base = {
        row["seed"]: targets(row) for row in trained if row["split"] == against
    }
    rows = []
    for split in dict.fromkeys(row["split"] for row in trained):
        if split == against:
            continue
        gains = np.array(
            [
                targets(row) - base[row["seed"]]
                for row in trained
                if row["split"] == split
            ]
        )
        rows.append(
            {
                "split": split,
                "targets' mean above": _spread(gains.tolist()),
                "seeds better": f"{(gains > 0).sum()} of {len(gains)}",
            }
        )
    return rows


def _spread(values: Sequence[float]) -> str:
    mean = f"{np.mean(values):.3f}"
    if len(values) < 2:
        return mean
    return f"{mean} ± {np.std(values, ddof=1):.3f}"


def _settings(options: argparse.Namespace) -> dict[str, Any]:
    """What the command line leaves open."""
    from demo.weights_folder import find_models

    large = options.device != "cpu"
    start = GPU_START if large else find_models().detector["model"]
    if options.quick:
        sizes = (QUICK_POOL, QUICK_MEASURED_ON, QUICK_SEEDS, QUICK_PICTURES)
    elif large:
        sizes = (GPU_POOL, MEASURED_ON, GPU_SEEDS, GPU_PICTURES)
    else:
        sizes = (POOL, MEASURED_ON, SEEDS, PICTURES)
    pool, held_out, seeds, pictures = sizes
    return {
        "pool": options.pool or pool,
        "held_out": options.held_out or held_out,
        "seeds": options.seeds or seeds,
        "train": {
            **(GPU if large else CPU),
            "pictures": options.pictures or pictures,
            "start": start,
            "device": options.device,
        },
    }


def run(
    settings: Mapping[str, Any], folder: Path, workers: int
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Makes the splits and trains on each; returns the rows of both."""
    print("  worlds and splits ...", flush=True)
    made = in_fresh_process(
        "benchmarks._split_world",
        str(folder),
        json.dumps(settings["pool"]),
        json.dumps(settings["held_out"]),
        str(settings["seeds"]),
    )
    names = made[HELD_OUT]["names"]

    def train(number: int) -> dict[str, Any]:
        split = made["splits"][number]
        told = in_fresh_process(
            "benchmarks._split_training",
            json.dumps(
                {
                    **settings["train"],
                    "work": str(folder / "trained" / str(number)),
                    "images": split["images"],
                    "held_out": made[HELD_OUT]["images"],
                    "names": names,
                    "seed": split["seed"],
                }
            ),
            environment={"OMP_NUM_THREADS": "1"},
        )
        print(
            f"  {split['split']}, seed {split['seed']}: "
            f"{told['seconds']:.0f} s",
            flush=True,
        )
        return {"split": split["split"], "seed": split["seed"], **told}

    # seed by seed, so that a machine's moods meet all contestants alike
    order = sorted(
        range(len(made["splits"])), key=lambda n: made["splits"][n]["seed"]
    )
    with ThreadPoolExecutor(workers) as threads:
        rows = dict(zip(order, threads.map(train, order), strict=True))
    trained = [rows[n] for n in range(len(rows))]
    return trained, {**made, "names": names}


def main() -> None:
    """Trains, measures and prints."""
    import torch

    parser = argparse.ArgumentParser(
        prog="run.py bench train_on_split",
        description=__doc__.splitlines()[0],
    )
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument(
        "--quick", action="store_true", help="see that it works"
    )
    parser.add_argument(
        "--pool", metavar="DATASET", help="a mined one to choose from"
    )
    parser.add_argument(
        "--held-out", metavar="DATASET", help="one to measure on"
    )
    parser.add_argument("--seeds", type=int, help="trainings of each split")
    parser.add_argument("--pictures", type=int, help="pictures a training")
    parser.add_argument(
        "--device", default="0" if torch.cuda.is_available() else "cpu"
    )
    options = parser.parse_args()
    settings = _settings(options)
    on_cpu = options.device == "cpu"
    workers = max(os.cpu_count() or 1, 1) if on_cpu else 2
    with tempfile.TemporaryDirectory() as temporary:
        trained, made = run(settings, Path(temporary), workers)
    names = made["names"]
    against = list(SPLITS)[1]
    parts = {
        "boxes in each split": content(made["splits"], names),
        "boxes measured on": content([made[HELD_OUT]], names),
        "AP50": summary(trained, names, "ap50"),
        "AP (IoU .5-.95)": summary(trained, names, "ap"),
        "AP50 against random": differences(trained, "ap50", against),
        "AP against random": differences(trained, "ap", against),
    }
    for name, rows in parts.items():
        print(f"\n{name}\n{table(rows)}")
    start = Path(settings["train"]["start"]).name
    record = {**settings, "train": {**settings["train"], "start": start}}
    write_json(
        options.json,
        {
            **parts,
            "trainings": trained,
            "settings": record,
            "machine": machine("ultralytics", "torch"),
        },
    )


if __name__ == "__main__":
    main()
