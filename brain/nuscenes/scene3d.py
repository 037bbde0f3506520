"""One ``.fo3d`` scene per keyframe, and the clouds that it shows."""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from raremine.brain.nuscenes.geometry import invert_pose, world_pose
from raremine.brain.nuscenes.lidar import (
    READERS,
    CloudError,
    is_converted,
    write_pcd,
    write_whole,
)
from raremine.brain.nuscenes.records import Frame, SensorData, Tables

_FORMAT = "1"
"""Part of every stamp: raise it when what is written changes, so that files
of an older version are made again."""


@dataclass(frozen=True, slots=True)
class CloudPart:
    """A source file of a cloud.

    ``pose`` is (4, 4), sensor to the keyframe's world frame; ``lag`` the
    seconds by which it was taken before the keyframe.
    """

    path: Path
    pose: np.ndarray
    lag: float


@dataclass(frozen=True, slots=True)
class CloudJob:
    """A cloud to write: its keyframe's own part first, then its sweeps."""

    data: SensorData
    parts: tuple[CloudPart, ...]
    target: Path
    with_lag: bool


@dataclass(frozen=True, slots=True)
class SceneJob:
    """A ``.fo3d`` scene to write."""

    target: Path
    clouds: tuple[CloudJob, ...]


@dataclass(frozen=True, slots=True)
class SceneResult:
    """What became of a scene: reasons by channel, only where there is one.

    ``failed`` are the clouds that could not be read, ``partial`` those that
    lack a sweep or some points.
    """

    path: Path
    failed: dict[str, str]
    partial: dict[str, str]


def world_frame(tables: Tables, frame: Frame) -> np.ndarray:
    """Returns the (4, 4) pose, world to global, of a keyframe."""
    assert frame.reference is not None
    return world_pose(tables.ego_poses[frame.reference.ego])


def sensor_to_world(
    tables: Tables, data: SensorData, world: np.ndarray
) -> np.ndarray:
    """Returns the (4, 4) pose of a sensor at the time of its data.

    Every sensor has its own time and thus its own ego pose, so the way leads
    over the global frame.
    """
    ego = tables.ego_poses[data.ego]
    return np.asarray(invert_pose(world) @ ego @ data.calibration.pose)


def plan_scene(
    tables: Tables,
    frame: Frame,
    channel: str,
    media_dir: Path,
    absent: frozenset[str] = frozenset(),
) -> SceneJob:
    """Lists what a keyframe's 3D scene is made of.

    Args:
        tables: the tables
        frame: the keyframe
        channel: the channel that the 3D slice is named after
        media_dir: where to write; below it, files lie like in the dataroot
        absent: sample_data tokens whose files do not exist

    Returns:
        the job
    """
    world = world_frame(tables, frame)
    clouds, suffix = [], ""
    for name, data in frame.data.items():
        if data.calibration.modality not in READERS or data.token in absent:
            continue
        sweeps = [
            s for s in frame.sweeps.get(name, ()) if s.token not in absent
        ]
        parts = tuple(
            CloudPart(
                tables.dataroot / part.filename,
                sensor_to_world(tables, part, world),
                (data.timestamp - part.timestamp) * 1e-6,
            )
            for part in (data, *sweeps)
        )
        with_lag = bool(frame.sweeps.get(name))
        # a load with other options must not take these files for its own
        swept = f".sweeps{len(parts) - 1}" if with_lag else ""
        target = media_dir / (_stem(data.filename) + swept + ".pcd")
        clouds.append(CloudJob(data, parts, target, with_lag))
        suffix += swept if name == channel else f".{name.lower()}{swept}"
    stem = _stem(frame.data[channel].filename)
    return SceneJob(media_dir / (stem + suffix + ".fo3d"), tuple(clouds))


def write_scene(job: SceneJob) -> SceneResult:
    """Writes a scene and its clouds; those there from before are kept.

    A cloud that cannot be read is left out of the scene.
    """
    failed, partial, shown = {}, {}, []
    for cloud in job.clouds:
        channel = cloud.data.calibration.channel
        try:
            reason = _write_cloud(cloud)
        except CloudError as error:
            failed[channel] = str(error)
            continue
        shown.append((channel, cloud.data.calibration.modality, cloud.target))
        if reason:
            partial[channel] = reason
    content = json.dumps(_fo3d(job.target, shown)).encode()
    if not (job.target.is_file() and job.target.read_bytes() == content):
        write_whole(job.target, content)
    return SceneResult(job.target, failed, partial)


def _write_cloud(job: CloudJob) -> str:
    """Writes a cloud; returns what it lacks, "" if nothing."""
    columns, read, move = READERS[job.data.calibration.modality]
    if job.with_lag:
        columns = (*columns, "time_lag")
    stamp = _stamp(job)
    if is_converted(job.target, columns, stamp):
        return ""
    clouds, lost, reasons = [], 0, []
    for part in job.parts:
        try:
            points = read(part.path)
        except CloudError as error:
            if part is job.parts[0]:
                raise
            reasons.append(f"sweep {part.path.name} left out: {error}")
            continue
        moved = move(points, part.pose)
        lost += len(points) - len(moved)
        if job.with_lag:
            lag = np.full((len(moved), 1), part.lag, dtype=np.float32)
            moved = np.hstack([moved, lag])
        clouds.append(moved)
    if lost:
        reasons.append(f"{lost} points that are not finite left out")
    if reasons:
        # a later load must see the fault again, so this is not reusable
        stamp += " partial"
    write_pcd(job.target, columns, np.concatenate(clouds), stamp)
    return "; ".join(reasons)


def _stamp(job: CloudJob) -> str:
    """Identifies what a cloud is made from: sources, sizes and poses."""
    digest = hashlib.sha1(_FORMAT.encode())
    for part in job.parts:
        try:
            size = part.path.stat().st_size
        except OSError:
            size = -1
        digest.update(f"{part.path.name} {size} {part.lag:.6f}".encode())
        digest.update(np.round(part.pose, 9).tobytes())
    return digest.hexdigest()


def _stem(filename: str) -> str:
    for ending in (".pcd.bin", ".pcd", ".bin"):
        if filename.endswith(ending):
            return filename[: -len(ending)]
    return filename


def _fo3d(target: Path, clouds: list[tuple[str, str, Path]]) -> dict:
    """Returns a scene's content, the same every time it is made."""
    import fiftyone as fo

    scene = fo.Scene(camera=fo.PerspectiveCamera(up="Z"))
    for channel, modality, path in clouds:
        if modality == "radar":
            look = {"shading_mode": "custom", "custom_color": "#ff6d04"}
            material = fo.PointCloudMaterial(point_size=6, **look)
        else:
            material = fo.PointCloudMaterial(
                shading_mode="height", point_size=2
            )
        scene.add(
            fo.PointCloud(
                channel,
                os.path.relpath(path, target.parent),
                material=material,
                flag_for_projection=modality == "lidar",
            )
        )
    content: dict = scene.as_dict()
    _fix_ids(content, target.name)
    return content


def _fix_ids(node: dict, name: str) -> None:
    """Replaces random ids of a scene's nodes by ids that follow from names."""
    if "uuid" in node:
        node["uuid"] = str(uuid.uuid5(uuid.NAMESPACE_URL, name))
    for child in node.get("children") or ():
        _fix_ids(child, f"{name}/{child.get('name')}")
