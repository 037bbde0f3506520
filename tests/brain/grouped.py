"""A small mined nuScenes-like dataset, without any image behind it.

Grouped like the loader's datasets: two cameras and a LiDAR slice, the same
keyframe fields on all slices, ground truth and mined objects on the cameras.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import fiftyone as fo

from raremine.brain.frames import write_frame_summary

CAMERAS = ("CAM_FRONT", "CAM_BACK")


@dataclass
class Keyframe:
    """One keyframe; ``objects`` and ``truth`` are attributes by camera."""

    token: str
    scene: str = "scene-0001"
    split: str = "train"
    objects: Mapping[str, Sequence[Mapping[str, Any]]] = field(
        default_factory=dict
    )
    truth: Mapping[str, Sequence[Mapping[str, Any]]] = field(
        default_factory=dict
    )


def grouped_dataset(
    keyframes: Sequence[Keyframe], *, summary: bool = True
) -> fo.Dataset:
    """Makes the dataset; ``summary`` adds the fields of the concept stage."""
    dataset = fo.Dataset()
    dataset.add_group_field("group", default="CAM_FRONT")
    for name in ("sample_token", "scene_name", "split"):
        dataset.add_sample_field(name, fo.StringField)
    dataset.add_sample_field("timestamp", fo.IntField)
    samples = []
    for number, frame in enumerate(keyframes):
        group = fo.Group()
        for channel in (*CAMERAS, "LIDAR_TOP"):
            suffix = "fo3d" if channel == "LIDAR_TOP" else "jpg"
            sample = fo.Sample(
                f"/nowhere/{channel}/{frame.token}.{suffix}",
                group=group.element(channel),
                sample_token=frame.token,
                scene_name=frame.scene,
                split=frame.split,
                timestamp=1_500_000_000_000_000 + 500_000 * number,
            )
            if channel in CAMERAS:
                sample["objects"] = _detections(frame.objects.get(channel, ()))
                sample["ground_truth"] = _detections(
                    frame.truth.get(channel, ())
                )
            samples.append(sample)
    dataset.add_samples(samples, dynamic=True)
    if summary:
        write_frame_summary(dataset)
    return dataset


def _detections(rows: Sequence[Mapping[str, Any]]) -> fo.Detections:
    box = [0.4, 0.4, 0.1, 0.1]
    return fo.Detections(
        detections=[
            fo.Detection(**{"bounding_box": box, **row}) for row in rows
        ]
    )
