"""Format ``tokens``: held-out frames whole, splits as the devkit has them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from nuscenes.eval.common.loaders import get_samples_of_custom_split
from nuscenes.nuscenes import NuScenes

from raremine.brain.nuscenes.splits import scene_splits
from raremine.brain.selection.exporters.job import ExportJob
from raremine.brain.selection.exporters.tokens import (
    EXPORTER,
    PREDEFINED,
    custom_splits,
)

from .nuscenes_drive import VERSION, Drive, frame_table, selection


def make_job(drive: Drive, tokens: list[str], folder: Path, name: str) -> Any:
    folder.mkdir()
    dataset: Any = SimpleNamespace(name="drive", info={})
    job = ExportJob(dataset, selection(tokens, name), folder, "file", folder)
    job.once("frames", lambda: frame_table(drive.tables))
    return job


def test_what_the_devkit_takes(tmp_path: Path) -> None:
    drive = Drive(tmp_path / "nuscenes")
    drive.write()
    job = make_job(drive, ["s2-5", "s2-1"], tmp_path / "out", "my split")
    EXPORTER.write(job)
    document = json.loads((tmp_path / "out" / "file.json").read_text())
    assert document["tokens"] == ["s2-5", "s2-1"]
    # all of it, in time
    assert document["evaluation"] == {
        "mini_val": [f"s1-{i}" for i in range(8)]
    }
    target = drive.path / VERSION / "splits.json"
    shutil.copy(tmp_path / "out" / "splits.json", target)
    nusc = NuScenes(VERSION, str(drive.path), verbose=False)
    # the scenes that were chosen from, with all of their samples
    assert set(get_samples_of_custom_split("my split", nusc)) == {
        f"s2-{i}" for i in range(8)
    }
    # the data set's own splits are not lost by it
    names = [row["name"] for row in nusc.scene]
    assert scene_splits(target.parent, VERSION, names) == {
        "scene-0061": "mini_train",
        "scene-0103": "mini_val",
        "scene-0553": "mini_train",
    }


@pytest.mark.parametrize("name", ["val", "mini_val", "mini_train"])
def test_no_split_of_another_is_overwritten(tmp_path: Path, name: str) -> None:
    job = make_job(Drive(tmp_path), ["s0-1"], tmp_path / "out", name)
    splits = custom_splits(job)
    assert splits[f"{name}_selection"] == ["scene-0061"]
    assert splits["mini_val"] == ["scene-0103"]


def test_predefined_splits_are_the_devkits() -> None:
    from nuscenes.utils.splits import create_splits_scenes

    assert set(create_splits_scenes()) == PREDEFINED


def test_frames_without_a_split(tmp_path: Path) -> None:
    job = make_job(Drive(tmp_path), ["s0-1"], tmp_path / "out", "mine")
    job.frames.split[:] = np.str_("")
    assert custom_splits(job) == {"mine": ["scene-0061"]}
