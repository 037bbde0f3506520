"""Loading nuScenes: tables, samples, point clouds, each beside its rival.

    python3 run.py bench load [--json FILE] [--quick] [--dir DIR]

Tables of trainval's size are generated (2.6 GB), so that nothing needs to be
downloaded; there is no media but the clouds of the third part.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._measure import (
    cpu_seconds,
    in_fresh_process,
    machine,
    table,
    write_json,
)
from benchmarks._trainval_tables import VERSION, Size, write_tables

READING = {
    "devkit": "nuscenes-devkit, `NuScenes(...)`",
    "default": "raremine, cameras and LiDAR",
    "all-sensors": "raremine, all 12 sensors",
    "sweeps": "raremine, all 12 sensors, 10 sweeps",
}
WRITING = {
    "documents": "raremine",
    "odm": "FiftyOne's objects, inserted in bulk",
    "add_samples": "FiftyOne's `add_samples`",
}
BATCH = 32
POINTS = 34_720
"""Points of a usual sweep."""


def measure_reading(dataroot: Path) -> list[dict[str, Any]]:
    """Reads the tables in each way, each in a fresh process."""
    rows: list[dict[str, Any]] = []
    for way, name in READING.items():
        print(f"  reading: {name} ...", flush=True)
        told = in_fresh_process(
            "benchmarks._load_reading", way, str(dataroot), VERSION
        )
        first = rows[0] if rows else None
        rows.append(
            {
                "tables": name,
                "files": told["files"],
                "seconds": told["seconds"],
                "peak MB": round(told["peak_mb"]),
                "time, share": told["seconds"] / first["seconds"]
                if first
                else 1.0,
                "memory, share": told["peak_mb"] / first["peak MB"]
                if first
                else 1.0,
            }
        )
    return rows


def measure_writing(dataroot: Path, frames: int) -> list[dict[str, Any]]:
    """Writes the samples of some keyframes into FiftyOne in each way."""
    from benchmarks._writing_rates import writing_rates
    from raremine.brain.nuscenes.tables import read_tables

    cameras = [f"CAM_{side}" for side in ("FRONT", "BACK")]
    cameras += [
        f"CAM_{a}_{b}" for a in ("FRONT", "BACK") for b in ("LEFT", "RIGHT")
    ]
    print("  writing ...", flush=True)
    tables = read_tables(dataroot, VERSION, channels=cameras)
    rates = writing_rates(tables, frames, max(BATCH, frames // 10))
    return [
        {
            "samples into FiftyOne": WRITING[rate.way],
            "samples": rate.samples,
            "boxes each": rate.boxes,
            "seconds": rate.seconds,
            "samples/s": round(rate.samples_per_second),
        }
        for rate in rates
    ]


def measure_clouds(folder: Path, count: int) -> list[dict[str, Any]]:
    """Converts clouds in one and more processes, beside a plain copy."""
    from raremine.brain.nuscenes.conversion import with_scenes
    from raremine.brain.nuscenes.tables import read_tables

    dataroot = folder / "clouds"
    size = Size.of_trainval(count / 34_149)
    write_tables(dataroot, size, seed=1)
    tables = read_tables(dataroot, VERSION, channels="LIDAR_TOP")
    rng = np.random.default_rng(0)
    files = []
    for frame in tables.frames:
        points = rng.normal(0, 20, (POINTS, 5)).astype("<f4")
        points[:, 3:] = rng.integers(0, 32, (POINTS, 2))
        path = dataroot / frame.data["LIDAR_TOP"].filename
        path.parent.mkdir(parents=True, exist_ok=True)
        points.tofile(path)
        files.append(path)
    megabytes = sum(path.stat().st_size for path in files) / 1e6

    def copy(target: Path) -> None:
        target.mkdir()
        for path in files:
            shutil.copyfile(path, target / path.name)

    def convert(workers: int) -> Callable[[Path], None]:
        def run(target: Path) -> None:
            for _ in with_scenes(tables, "LIDAR_TOP", target, workers=workers):
                pass

        return run

    convert(1)(folder / "warm-up")
    rows = []
    for name, work in (
        ("plain copy", copy),
        ("raremine, 1 process", convert(1)),
        ("raremine, 2 processes", convert(2)),
    ):
        print(f"  clouds: {name} ...", flush=True)
        target = folder / name.replace(" ", "-").replace(",", "")
        os.sync()
        start, cpu = time.perf_counter(), cpu_seconds()
        work(target)
        written = time.perf_counter() - start
        cpu = cpu_seconds() - cpu
        os.sync()
        seconds = time.perf_counter() - start
        shutil.rmtree(target)
        rows.append(
            {
                "clouds": name,
                "files": len(files),
                "MB": round(megabytes),
                "seconds": seconds,
                "MB/s": round(megabytes / seconds),
                "MB/s before sync": round(megabytes / written),
                "CPU ms a cloud": 1000 * cpu / len(files),
            }
        )
    return rows


def main() -> None:
    """Runs all parts and prints a table of each."""
    parser = argparse.ArgumentParser(
        prog="run.py bench load", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument(
        "--quick", action="store_true", help="a twentieth of trainval"
    )
    parser.add_argument(
        "--dir",
        type=Path,
        help="keep generated tables here and use them again",
    )
    options = parser.parse_args()
    share = 0.05 if options.quick else 1.0
    frames = 200 if options.quick else 1000
    with tempfile.TemporaryDirectory(prefix="raremine-bench-") as temporary:
        folder = options.dir or Path(temporary)
        size = Size.of_trainval(share)
        dataroot = folder / f"tables-{size.samples}"
        done = dataroot / "complete"
        if not done.is_file():
            print(f"  generating tables of {size.samples:,} samples ...")
            write_tables(dataroot, size)
            done.touch()
        small = Path(temporary) / "small"
        write_tables(small, Size.of_trainval(frames / 34_149 * 1.1))
        parts = {
            "reading": measure_reading(dataroot),
            "writing": measure_writing(small, frames),
            "clouds": measure_clouds(Path(temporary), frames),
        }
    here = machine("fiftyone", "nuscenes-devkit", "msgspec", "numpy")
    for rows in parts.values():
        print(f"\n{table(rows)}")
    print(f"\n{', '.join(f'{k} {v}' for k, v in here.items())}")
    write_json(options.json, {**parts, "machine": here})


if __name__ == "__main__":
    main()
