"""Scoring outliers on a dataset: from database and index back to them.

    python3 run.py bench outlier_stage [--json FILE] [--quick] [--million]

Unlike ``bench outliers``, which times the methods on arrays, this reads the
objects from FiftyOne and the vectors (512 dimensions) from LanceDB, scores
them by three methods, and writes scores, flags and the run.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._measure import in_fresh_process, machine, table, write_json
from benchmarks._outlier_methods import write_vectors

QUICK_SIZES = (10_000,)
SIZES = (10_000, 100_000)
MILLION = 1_000_000

STEPS = ("score", "other thresholds", "load results", "pca map")


def measure(folder: Path, count: int) -> list[dict[str, Any]]:
    """Makes a dataset and runs each step in a fresh process."""
    from benchmarks._outlier_dataset import delete_dataset, make_dataset

    name = f"raremine-bench-{os.getpid()}-{count}"
    vectors = folder / f"vectors-{count}.npy"
    print(f"  {count:,}: making the dataset ...", flush=True)
    write_vectors(vectors, count)
    rows = []
    try:
        make_dataset(name, np.load(vectors, mmap_mode="r"), folder / name)
        vectors.unlink()
        for step in STEPS:
            print(f"  {count:,}: {step} ...", flush=True)
            told = in_fresh_process(
                "benchmarks._outlier_dataset",
                step,
                name,
                environment={"RAREMINE_HOME": str(folder / "home")},
            )
            rows.append(
                {
                    "objects": count,
                    "step": step,
                    "s": told["seconds"],
                    "peak MB": round(told["peak_mb"]),
                }
            )
    finally:
        delete_dataset(name, folder / name)
    return rows


def main() -> None:
    """Measures each size and prints a table."""
    parser = argparse.ArgumentParser(
        prog="run.py bench outlier_stage", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--quick", action="store_true", help="10,000 only")
    parser.add_argument(
        "--million",
        action="store_true",
        help="also a million objects (6 GB of disk)",
    )
    options = parser.parse_args()
    sizes = QUICK_SIZES if options.quick else SIZES
    if options.million:
        sizes = (*sizes, MILLION)
    with tempfile.TemporaryDirectory(prefix="raremine-bench-") as temporary:
        rows = [
            row for count in sizes for row in measure(Path(temporary), count)
        ]
    here = machine("fiftyone", "lancedb", "faiss-cpu", "scikit-learn")
    print(f"\n{table(rows)}")
    print(f"\n{', '.join(f'{k} {v}' for k, v in here.items())}")
    write_json(options.json, {"stage": rows, "machine": here})


if __name__ == "__main__":
    main()
