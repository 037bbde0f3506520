"""Exports a tenth of trainval's keyframes as a nuScenes dataroot.

The tables are generated. All 2.6 million files are there, but empty: an
export looks for them, and links to them, but does not read them.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from benchmarks._measure import in_fresh_process, tell
from benchmarks._trainval_tables import SCENES, VERSION, Size, write_tables
from raremine.brain.objects import FrameTable
from raremine.brain.selection.exporters.job import ExportJob
from raremine.brain.selection.exporters.nuscenes import EXPORTER
from raremine.brain.selection.result import Pick, Selection

TRAIN_SCENES = 700
"""Of trainval's 850; the others are val."""

WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "default": ("with all of val, folders linked (the default)", {}),
    "selection": ("a tenth of the samples alone", {"evaluation": False}),
    "keyframes": (
        "these without sweeps",
        {"evaluation": False, "sweeps": False},
    ),
    "symlink": (
        "these, a link to each file",
        {"evaluation": False, "media": "symlink"},
    ),
}


def rows(quick: bool) -> list[dict[str, Any]]:
    """Measures the export in each way, each in a process of its own.

    Args:
        quick: a fiftieth of trainval's size

    Returns:
        rows for a printed table
    """
    found = []
    folder = Path(tempfile.mkdtemp(prefix="raremine-bench-"))
    try:
        size = Size.of_trainval(0.02 if quick else 1.0)
        print("  export: writing tables ...", flush=True)
        write_tables(folder / "source", size)
        _write_files(folder / "source")
        for way, (name, _) in WAYS.items():
            print(f"  export: {name} ...", flush=True)
            told = in_fresh_process(
                "benchmarks._select_nuscenes", way, str(folder)
            )
            found.append(
                {
                    "export as nuscenes": name,
                    "samples": told["samples"],
                    "sensor data": told["data"],
                    "annotations": told["boxes"],
                    "files": told["files"],
                    "seconds": told["seconds"],
                    "CPU s": told["cpu_seconds"],
                    "peak MB": round(told["peak_mb"]),
                    "MB of tables": round(told["table_mb"]),
                }
            )
            shutil.rmtree(folder / way)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return found


def _write_files(dataroot: Path) -> None:
    """Writes every file that the tables name, empty.

    Looking for some among many is a part of the work.
    """
    from raremine.brain.nuscenes.problems import Problems
    from raremine.brain.selection.exporters.nuscenes_rows import (
        RawTable,
        parsed,
    )

    made = set()
    table = RawTable(dataroot / VERSION, "sample_data", Problems())
    for _, batch in table.batches():
        for raw in batch:
            name = parsed(bytes(raw))["filename"]
            parent = name.rpartition("/")[0]
            if parent not in made:
                (dataroot / parent).mkdir(parents=True)
                made.add(parent)
            os.close(os.open(f"{dataroot}/{name}", os.O_CREAT | os.O_WRONLY))


def make_job(source: Path, folder: Path) -> ExportJob:
    """Makes the export of a tenth of the samples, drawn from train."""
    tables = source / VERSION
    scenes = json.loads((tables / "scene.json").read_text(encoding="utf-8"))
    last = len(scenes) * TRAIN_SCENES // SCENES
    place = {row["token"]: at for at, row in enumerate(scenes)}
    samples = sorted(
        json.loads((tables / "sample.json").read_text(encoding="utf-8")),
        key=lambda row: str(row["token"]),
    )
    token = np.array([row["token"] for row in samples])
    scene = np.array([place[row["scene_token"]] for row in samples])
    names = np.array([row["name"] for row in scenes])
    frames = FrameTable(
        token,
        names[scene],
        np.where(scene < last, "train", "val"),
        np.array([row["timestamp"] for row in samples]),
    )
    drawn = np.random.default_rng(0).choice(
        token[scene < last], round(0.1 * len(token)), replace=False
    )
    picks = tuple(
        Pick(name, "", "train", "random", None, (), "drawn")
        for name in drawn.tolist()
    )
    info = {"raremine": {"dataroot": str(source), "version": VERSION}}
    dataset: Any = SimpleNamespace(name="trainval", info=info)
    chosen = Selection("tenth", picks, (), (), len(token), 0, {})
    job = ExportJob(dataset, chosen, folder, "tenth", folder, progress=False)
    job.once("frames", lambda: frames)
    return job


def _export(way: str, root: Path) -> Mapping[str, Any]:
    """Does what ``export_selection`` has a format do: space, then write."""
    job = make_job(root / "source", root / way)
    job.folder.mkdir()
    options = WAYS[way][1]
    EXPORTER.space(job, **options)
    facts = EXPORTER.write(job, **options).facts
    tables = (job.folder / VERSION).glob("*.json")
    return {
        "samples": facts["rows"]["sample"],
        "data": facts["rows"]["sample_data"],
        "boxes": facts["rows"]["sample_annotation"],
        "files": facts["media"]["files"],
        "table_mb": sum(path.stat().st_size for path in tables) / 1e6,
    }


if __name__ == "__main__":
    chosen_way, where = sys.argv[1:]
    tell(lambda: _export(chosen_way, Path(where)))
