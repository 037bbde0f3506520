"""What a load keeps of the tables: scenes, keyframes, sensor data."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from raremine.brain.nuscenes.annotations import Annotations

CHANNEL_ORDER = (
    "CAM_FRONT",
    "CAM_FRONT_RIGHT",
    "CAM_BACK_RIGHT",
    "CAM_BACK",
    "CAM_BACK_LEFT",
    "CAM_FRONT_LEFT",
    "LIDAR_TOP",
)
"""nuScenes' rig, clockwise; other channels follow by name."""


class Scene(NamedTuple):
    """A drive of some twenty seconds."""

    token: str
    name: str
    description: str
    location: str
    split: str
    logfile: str = ""
    vehicle: str = ""
    date_captured: str = ""


class Calibration(NamedTuple):
    """A sensor as it was mounted.

    ``pose`` is (4, 4), sensor to ego; ``intrinsic`` (3, 3), cameras only.
    """

    channel: str
    modality: str
    pose: np.ndarray
    intrinsic: np.ndarray | None


@dataclass(slots=True)
class SensorData:
    """One file of one sensor; ``ego`` is a row of ``Tables.ego_poses``.

    ``lidarseg`` names the file of a cloud's labels, "" where it has none.
    """

    token: str
    calibration: Calibration
    filename: str
    timestamp: int
    width: int
    height: int
    ego: int
    lidarseg: str = ""


@dataclass(slots=True)
class Frame:
    """A keyframe (nuScenes ``sample``) and its sensors' data.

    Attributes:
        token: sample token
        scene: its scene
        timestamp: of the sample, microseconds
        index: position in its scene, from 0
        data: sensor data by channel, in slice order
        reference: the sensor data whose ego pose defines the world frame:
            the LiDAR's, or another sensor's where there is none
        sweeps: the sensor data before the keyframe's, newest first, by
            channel; empty unless asked for
    """

    token: str
    scene: Scene
    timestamp: int
    index: int
    data: dict[str, SensorData] = field(default_factory=dict)
    reference: SensorData | None = None
    sweeps: dict[str, list[SensorData]] = field(default_factory=dict)


@dataclass
class Tables:
    """What was chosen of a dataroot.

    Attributes:
        dataroot: its folder
        version: its version folder's name
        channels: the chosen channels that have data, in slice order
        modality: "camera", "lidar" or "radar" by channel
        scenes: the chosen scenes, by name
        frames: their keyframes, by scene name and time
        ego_poses: (m, 4, 4) ego to global; NaN where it is not known
        annotations: cuboids; None where ground truth was not asked for, or
            the tables have none
        lidarseg: names of the clouds' label classes by index; empty where
            the tables have no labels
    """

    dataroot: Path
    version: str
    channels: list[str]
    modality: dict[str, str]
    scenes: list[Scene]
    frames: list[Frame]
    ego_poses: np.ndarray
    annotations: Annotations | None
    lidarseg: dict[int, str] = field(default_factory=dict)


def reference_channel(modality: dict[str, str]) -> str | None:
    """Returns the LiDAR that defines the world frame, None without one."""
    lidars = [c for c, kind in modality.items() if kind == "lidar"]
    return min(lidars, key=slice_order, default=None)


def slice_order(channel: str) -> tuple[int, str]:
    """Sort key of channels: around the vehicle, then by name."""
    known = channel in CHANNEL_ORDER
    rank = CHANNEL_ORDER.index(channel) if known else len(CHANNEL_ORDER)
    return rank, channel


def scene_data(frame: Frame, channel: str | None) -> SensorData | None:
    """Returns the data that a keyframe's 3D sample is made for.

    Where the sensor that the 3D slice is named after has none, that of
    another LiDAR, or else of a radar.

    Args:
        frame: the keyframe
        channel: the channel of the 3D slice, None = no such slice
    """
    if channel is None or channel in frame.data:
        return frame.data.get(channel or "")
    for modality in ("lidar", "radar"):
        for data in frame.data.values():
            if data.calibration.modality == modality:
                return data
    return None
