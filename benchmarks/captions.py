"""Captions in batches beside one by one, the same model on the same crops.

    python3 run.py bench captions [--json FILE] [--quick] [--model FOLDER]

Crops of a rendered world; the model is the demo's captioner unless another
is given. Loading it and two crops to warm up do not count.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._measure import in_fresh_process, machine, table, write_json
from benchmarks.stream import render

MODEL = Path(__file__).resolve().parents[1] / "demo" / "weights" / "captioner"
BATCHES = (1, 4, 16, 64)
COUNT = 256
QUICK_COUNT = 64
SIDES = (24, 240)
"""Pixels of a crop's sides, drawn on a logarithmic scale."""

LONGEST = 64


def write_crops(path: Path, count: int, folder: Path) -> None:
    """Cuts crops of many sizes out of rendered images, the same each time."""
    from raremine.brain.stream.images import read_image

    images = [read_image(str(p)) for p in render(folder, 2)]
    rng = np.random.default_rng(0)
    crops = {}
    for number in range(count):
        image = images[number % len(images)]
        low, high = np.log(SIDES)
        height, width = np.exp(rng.uniform(low, high, 2)).astype(int)
        top = rng.integers(0, image.shape[0] - height)
        left = rng.integers(0, image.shape[1] - width)
        crops[f"{number:05d}"] = image[top : top + height, left : left + width]
    np.savez(path, **crops)


def measure(model: Path, count: int, folder: Path) -> list[dict[str, Any]]:
    """Captions all crops with each batch size; the first is one by one."""
    crops = folder / "crops.npz"
    write_crops(crops, count, folder / "world")
    rows: list[dict[str, Any]] = []
    first: list[str] = []
    for size in BATCHES:
        print(f"  batches of {size} ...", flush=True)
        answers = folder / f"answers-{size}.json"
        told = in_fresh_process(
            "benchmarks._caption_ways",
            *(str(model), str(crops), str(size), str(LONGEST), str(answers)),
        )
        said = json.loads(answers.read_text(encoding="utf-8"))
        first = first or said
        rows.append(
            {
                "crops in a batch": size,
                "crops": count,
                "s": told["seconds"],
                "crops/s": count / told["seconds"],
                "times one by one": (rows[0]["s"] if rows else told["seconds"])
                / told["seconds"],
                "peak MB": round(told["peak_mb"]),
                "same text": sum(
                    a == b for a, b in zip(first, said, strict=True)
                )
                / count,
            }
        )
    return rows


def main() -> None:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(
        prog="run.py bench captions", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--quick", action="store_true", help="fewer crops")
    parser.add_argument("--model", type=Path, default=MODEL)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="raremine-bench-") as temporary:
        rows = measure(
            options.model,
            QUICK_COUNT if options.quick else COUNT,
            Path(temporary),
        )
    here = machine("torch", "transformers")
    print(
        f"\n{table(rows)}\n\n{', '.join(f'{k} {v}' for k, v in here.items())}"
    )
    write_json(options.json, {"captions": rows, "machine": here})


if __name__ == "__main__":
    main()
