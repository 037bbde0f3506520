"""What the 3D scene of a keyframe is made of: clouds, poses, sweeps."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from raremine.brain.nuscenes.fo3d import scene_template
from raremine.brain.nuscenes.geometry import (
    invert_pose,
    is_known,
    world_pose,
)
from raremine.brain.nuscenes.lidar import READERS
from raremine.brain.nuscenes.records import (
    Frame,
    SensorData,
    Tables,
    scene_data,
)
from raremine.brain.nuscenes.scene_writer import (
    LABEL_COLUMN,
    CloudJob,
    CloudPart,
    SceneJob,
    SceneResult,
    write_scene,
)

__all__ = [
    "SceneResult",
    "plan_scene",
    "sensor_to_world",
    "world_frame",
    "write_scene",
]


def world_frame(tables: Tables, frame: Frame) -> np.ndarray:
    """Returns the (4, 4) pose, world to global, of a keyframe.

    Where the ego pose is not known, the world frame is the vehicle's own and
    has no place on the map; the identity then stands for it.
    """
    assert frame.reference is not None
    ego = tables.ego_poses[frame.reference.ego]
    return world_pose(ego) if is_known(ego) else np.eye(4)


def sensor_to_world(
    tables: Tables, frame: Frame, data: SensorData, world: np.ndarray
) -> np.ndarray:
    """Returns the (4, 4) pose of a sensor at the time of its data.

    Every sensor has its own time and thus its own ego pose, so the way leads
    over the global frame. Where the keyframe has no ego pose, its own data
    are where they are mounted, and sweeps nowhere.

    Args:
        tables: the tables
        frame: the keyframe
        data: a file of the keyframe, or one of its sweeps
        world: (4, 4), the keyframe's world frame

    Returns:
        the pose; NaN where it is not known
    """
    assert frame.reference is not None
    pose = data.calibration.pose
    if is_known(tables.ego_poses[frame.reference.ego]):
        return np.asarray(
            invert_pose(world) @ tables.ego_poses[data.ego] @ pose
        )
    if frame.data.get(data.calibration.channel) is data:
        return pose
    return np.full((4, 4), np.nan)


def plan_scene(
    tables: Tables,
    frame: Frame,
    channel: str | None,
    media_dir: Path,
    absent: frozenset[str] = frozenset(),
    *,
    swept: bool = False,
    labeled: bool = False,
) -> SceneJob:
    """Lists what a keyframe's 3D scene is made of.

    Args:
        tables: the tables
        frame: the keyframe
        channel: the channel that the 3D slice is named after; the keyframe
            has data of it or of another LiDAR or radar
        media_dir: where to write; below it, files lie like in the dataroot
        absent: sample_data tokens whose files do not exist
        swept (False): whether LiDAR clouds have the column of time lags
        labeled (False): whether they have the column of lidarseg labels;
            all clouds of a load have the same columns, also those without
            sweeps or labels, so that a reader can rely on them

    Returns:
        the job
    """
    own = scene_data(frame, channel)
    assert own is not None
    world = world_frame(tables, frame)
    clouds, suffix = [], ""
    for name, data in frame.data.items():
        modality = data.calibration.modality
        if modality not in READERS or data.token in absent:
            continue
        sweeps = [
            s for s in frame.sweeps.get(name, ()) if s.token not in absent
        ]
        parts = tuple(
            CloudPart(
                tables.dataroot / part.filename,
                sensor_to_world(tables, frame, part, world),
                (data.timestamp - part.timestamp) * 1e-6,
                tables.dataroot / part.lidarseg if part.lidarseg else None,
            )
            for part in (data, *sweeps)
        )
        with_lag = swept and modality == "lidar"
        with_labels = labeled and modality == "lidar"
        # a load with other options must not take these files for its own
        kind = f".sweeps{len(parts) - 1}" if with_lag else ""
        kind += f".{LABEL_COLUMN}" if with_labels else ""
        target = media_dir / (_stem(data.filename) + kind + ".pcd")
        clouds.append(
            CloudJob(name, modality, parts, target, with_lag, with_labels)
        )
        suffix += kind if data is own else f".{name.lower()}{kind}"
    target = media_dir / (_stem(own.filename) + suffix + ".fo3d")
    return SceneJob(target, tuple(clouds), scene_template())


def _stem(filename: str) -> str:
    for ending in (".pcd.bin", ".pcd", ".bin"):
        if filename.endswith(ending):
            return filename[: -len(ending)]
    return filename
