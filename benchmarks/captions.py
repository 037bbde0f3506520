"""Captions in batches beside one by one, the same model on the same crops.

    python3 run.py bench captions [--json FILE] [--quick] [--model FOLDER]

Crops of a rendered world; the model is the demo's captioner unless another
is given. Loading it and two crops to warm up do not count. Where there is a
GPU, a model of Qwen2-VL-2B's architecture with random weights is measured as
well: its answers mean nothing and all have the greatest length.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._large_captioner import write_model
from benchmarks._measure import in_fresh_process, machine, table, write_json
from benchmarks.stream import render

MODEL = Path(__file__).resolve().parents[1] / "demo" / "weights" / "captioner"
BATCHES = (1, 4, 16, 64)
COUNT = 256
QUICK_COUNT = 64
SIDES = (24, 240)
"""Pixels of a crop's sides, drawn on a logarithmic scale."""

LONGEST = 64
TOKENS_2B = 48
"""Tokens of an answer in the demo's JSON form, about."""


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


def measure(
    model: Path, crops: Path, count: int, folder: Path, tokens: int = 0
) -> list[dict[str, Any]]:
    """Captions all crops with each batch size; the first is one by one.

    Args:
        model: folder of the model
        crops: file of the crops
        count: how many they are
        folder: for files on the way
        tokens (0): tokens of each answer, where all have the same number
    """
    rows: list[dict[str, Any]] = []
    first: list[str] = []
    for size in BATCHES:
        print(f"  batches of {size} ...", flush=True)
        answers = folder / f"answers-{size}.json"
        told = in_fresh_process(
            "benchmarks._caption_ways",
            *(str(model), str(crops), str(size)),
            *(str(tokens or LONGEST), str(answers)),
        )
        said = json.loads(answers.read_text(encoding="utf-8"))
        first = first or said
        row = {
            "crops in a batch": size,
            "crops": count,
            "s": told["seconds"],
            "crops/s": count / told["seconds"],
            "times one by one": (rows[0]["s"] if rows else told["seconds"])
            / told["seconds"],
            "peak MB": round(told["peak_mb"]),
        }
        if tokens:
            row["tokens/s"] = count * tokens / told["seconds"]
        else:
            row["same text"] = (
                sum(a == b for a, b in zip(first, said, strict=True)) / count
            )
        rows.append(row)
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
    count = QUICK_COUNT if options.quick else COUNT
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="raremine-bench-") as temporary:
        folder = Path(temporary)
        crops = folder / "crops.npz"
        write_crops(crops, count, folder / "world")
        found["captions"] = measure(options.model, crops, count, folder)
        print(f"\n{table(found['captions'])}\n", flush=True)
        if on_gpu():
            print("  Qwen2-VL-2B's architecture, random weights ...")
            parameters = write_model(folder / "large", MODEL)
            found["random_2b"] = measure(
                folder / "large", crops, count, folder, TOKENS_2B
            )
            found["random_2b_parameters"] = parameters
            print(f"\n{table(found['random_2b'])}\n", flush=True)
        else:
            print("No GPU here: the large architecture is not measured.\n")
    here = machine("torch", "transformers")
    print(", ".join(f"{k} {v}" for k, v in here.items()))
    write_json(options.json, {**found, "machine": here})


def on_gpu() -> bool:
    """Whether there is a GPU that torch can use."""
    import torch

    return bool(torch.cuda.is_available())


if __name__ == "__main__":
    main()
