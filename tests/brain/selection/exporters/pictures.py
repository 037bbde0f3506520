"""A small grouped data set with real pictures and clouds behind it.

Files are named alike in all scenes and of all cameras, as recorders do.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import fiftyone as fo
import numpy as np
from PIL import Image

from raremine.brain.selection.exporters import exporter
from raremine.brain.selection.exporters.datasheet import (
    DATASHEET,
    DATASHEET_TEXT,
)
from raremine.brain.selection.exporters.job import ExportJob
from raremine.brain.selection.stage import load_selection

CAMERAS = ("CAM_BACK", "CAM_FRONT")
SIZE = {"CAM_BACK": (64, 40), "CAM_FRONT": (160, 90)}

FRAMES = (
    ("a0", "scene-a", "train"),
    ("a1", "scene-a", "train"),
    ("a2", "scene-a", "train"),
    ("b0", "scene-b", "train"),
    ("b1", "scene-b", "train"),
    ("v0", "scene-v", "val"),
    ("v1", "scene-v", "val"),
)

CAR = [0.1, 0.2, 0.3, 0.4]
OVER_THE_EDGE = [0.9, 0.5, 0.3, 0.2]

TRUTH: Mapping[tuple[str, str], Sequence[tuple[str, list[float]]]] = {
    ("a0", "CAM_FRONT"): [
        ("car", CAR),
        ("truck", OVER_THE_EDGE),
        ("ignore", [0.2, 0.2, 0.1, 0.1]),
        ("car", [1.1, 0.1, 0.1, 0.1]),
        ("car", [0.5, 0.5, 0.0, 0.2]),
    ],
    ("a0", "CAM_BACK"): [("bus", [1 / 3, 0.25, 1 / 7, 0.5])],
    ("a1", "CAM_FRONT"): [("pedestrian", [0.5, 0.5, 0.1, 0.3])],
    ("b0", "CAM_FRONT"): [("trailer", [0.0, 0.0, 1.0, 1.0])],
    ("v0", "CAM_BACK"): [("car", CAR), ("barrier", [0.6, 0.6, 0.2, 0.1])],
    ("v1", "CAM_FRONT"): [("truck", [0.3, 0.3, 0.2, 0.2])],
}
"""Label and box by keyframe and camera."""


def picture_dataset(folder: Path) -> fo.Dataset:
    """Makes the pictures, clouds and dataset; a car is one in all frames."""
    dataset = fo.Dataset()
    dataset.add_group_field("group", default="CAM_FRONT")
    for name in ("sample_token", "scene_name", "split"):
        dataset.add_sample_field(name, fo.StringField)
    dataset.add_sample_field("timestamp", fo.IntField)
    for name in ("ground_truth", "objects"):
        dataset.add_sample_field(
            name, fo.EmbeddedDocumentField, embedded_doc_type=fo.Detections
        )
    instances: dict[str, fo.Instance] = {}
    samples = []
    for number, (token, scene, split) in enumerate(FRAMES):
        group = fo.Group()
        facts = {
            "sample_token": token,
            "scene_name": scene,
            "split": split,
            "timestamp": 1_500_000_000_000_000 + 500_000 * number,
        }
        for camera in CAMERAS:
            truth = TRUTH.get((token, camera), ())
            sample = fo.Sample(
                str(_picture(folder, scene, camera, token, number)),
                group=group.element(camera),
                **facts,
            )
            sample["ground_truth"] = fo.Detections(
                detections=[
                    _detection(row, instances, number) for row in truth
                ]
            )
            sample["objects"] = fo.Detections(
                detections=[
                    fo.Detection(
                        label="thing",
                        bounding_box=box,
                        confidence=0.25 + number / 100,
                        concept=None if label == "ignore" else f"a {label}",
                        group="target" if label == "truck" else "common",
                    )
                    for label, box in truth
                ]
            )
            samples.append(sample)
        cloud = fo.Sample(
            str(_scene(folder, scene, token)),
            group=group.element("LIDAR_TOP"),
            **facts,
        )
        cloud["ground_truth"] = fo.Detections(
            detections=[
                fo.Detection(
                    label=label,
                    location=[number, 1.0, 2.0],
                    dimensions=[4.0, 2.0, 1.5],
                    rotation=[0, 0, 0.5],
                    instance=instances[label],
                )
                for camera in CAMERAS
                for label, _ in TRUTH.get((token, camera), ())
            ]
        )
        samples.append(cloud)
    dataset.add_samples(samples, dynamic=True)
    return dataset


def _detection(
    row: tuple[str, list[float]], instances: dict[str, Any], number: int
) -> fo.Detection:
    label, box = row
    return fo.Detection(
        label=label,
        bounding_box=box,
        instance=instances.setdefault(label, fo.Instance()),
        visibility="v80-100",
        num_lidar_pts=number,
        velocity=[0.5, float("nan")],
        distance=float("nan") if number else 2.0,
    )


def _picture(
    folder: Path, scene: str, camera: str, token: str, number: int
) -> Path:
    path = folder / scene / camera / f"{token[1]}.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    color = (20 * number, 90, 120 if camera == "CAM_BACK" else 30)
    Image.new("RGB", SIZE[camera], color).save(path)
    return path


def _scene(folder: Path, scene: str, token: str) -> Path:
    from pypcd4 import PointCloud

    path = folder / scene / "LIDAR_TOP" / f"{token[1]}.fo3d"
    path.parent.mkdir(parents=True, exist_ok=True)
    points = np.arange(12, dtype=np.float32).reshape(4, 3)
    PointCloud.from_xyz_points(points).save(path.with_suffix(".pcd"))
    content = fo.Scene(camera=fo.PerspectiveCamera(up="Z"))
    content.add(fo.PointCloud("cloud", f"{token[1]}.pcd"))
    content.write(str(path))
    return path


def tree(folder: Path) -> dict[str, bytes | str]:
    """Returns content or target of everything in a folder, by path."""
    return {
        path.relative_to(folder).as_posix(): (
            os.fspath(path.readlink())
            if path.is_symlink()
            else path.read_bytes()
        )
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def disk_use(folder: Path) -> int:
    """Returns the bytes that an export takes without its datasheet.

    Hard links take none.
    """
    total = 0
    for path in (folder, *folder.rglob("*")):
        facts = path.lstat()
        if path.name in (DATASHEET, DATASHEET_TEXT):
            continue
        if path.is_dir() and not path.is_symlink():
            total += facts.st_size
        elif facts.st_nlink == 1:
            total += max(facts.st_blocks * 512, facts.st_size)
    return total


def space(dataset: fo.Dataset, format: str, **options: Any) -> int:
    """Returns what a format says that it needs for selection "mine"."""
    selection = load_selection(dataset, "mine")
    folder = Path("/nowhere")
    job = ExportJob(dataset, selection, folder, "mine", folder)
    return exporter(format).space(job, **options)
