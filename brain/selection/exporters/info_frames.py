"""What info files say of a keyframe, as arrays, from the nuScenes tables."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from raremine.brain.nuscenes.annotations import Annotations
from raremine.brain.nuscenes.geometry import (
    invert_pose,
    is_known,
    rotation_matrices,
)
from raremine.brain.nuscenes.records import Frame, SensorData, Tables
from raremine.brain.nuscenes.taxonomy import DETECTION_CLASS

LIDAR = "LIDAR_TOP"

CAMERAS = (
    *("CAM_FRONT", "CAM_FRONT_RIGHT", "CAM_FRONT_LEFT"),
    *("CAM_BACK", "CAM_BACK_LEFT", "CAM_BACK_RIGHT"),
)
"""In the order in which mmdetection3d numbers the images of a keyframe."""


@dataclass(frozen=True)
class SensorPose:
    """A file of a sensor, and where the sensor was.

    Attributes:
        data: the file
        to_ego: (4, 4), sensor to ego
        ego: (4, 4), ego to global at the time of the file
        to_lidar: (4, 4), sensor to the keyframe's LiDAR, the ego's motion
            between the two accounted for
    """

    data: SensorData
    to_ego: np.ndarray
    ego: np.ndarray
    to_lidar: np.ndarray


@dataclass(frozen=True)
class FrameBoxes:
    """The annotated cuboids of a keyframe, in the order of the table.

    Attributes:
        token: annotation tokens, (n,)
        category: nuScenes categories, (n,)
        names: detection class where it has one, else the category, (n,)
        attributes: names of the attributes of each
        center: (n, 3) metres, global frame
        size: (n, 3) width, length, height in metres
        rotation: (n, 3, 3) from the cuboid's frame to the global frame
        velocity: (n, 3) m/s, global frame; NaN where unknown
        lidar_points: (n,) int
        radar_points: (n,) int
    """

    token: list[str]
    category: list[str]
    names: list[str]
    attributes: list[tuple[str, ...]]
    center: np.ndarray
    size: np.ndarray
    rotation: np.ndarray
    velocity: np.ndarray
    lidar_points: np.ndarray
    radar_points: np.ndarray

    def __len__(self) -> int:
        return len(self.token)

    @property
    def valid(self) -> np.ndarray:
        """Whether any LiDAR or radar point is inside, (n,) bool."""
        return np.asarray(self.lidar_points + self.radar_points > 0)


@dataclass(frozen=True)
class InfoFrame:
    """A keyframe.

    Attributes:
        token: sample token
        timestamp: of the sample, microseconds
        location: where it was recorded
        lidar: the keyframe's cloud
        cameras: its images by channel, in mmdetection3d's order
        sweeps: clouds before it, newest first
        boxes: its cuboids; None where the tables have none at all
    """

    token: str
    timestamp: int
    location: str
    lidar: SensorPose
    cameras: dict[str, SensorPose]
    sweeps: list[SensorPose]
    boxes: FrameBoxes | None

    @property
    def from_global(self) -> np.ndarray:
        """(4, 4), global to the LiDAR at the time of its cloud."""
        return invert_pose(self.lidar.ego @ self.lidar.to_ego)


def info_frame(tables: Tables, frame: Frame) -> InfoFrame | None:
    """Collects what info files say of a keyframe.

    Cameras and sweeps whose ego pose is not known are left out.

    Args:
        tables: tables with sweeps
        frame: one of their keyframes

    Returns:
        the keyframe; None if it has no cloud with a known ego pose, without
        which training code cannot use it
    """
    data = frame.data.get(LIDAR)
    if data is None or not is_known(tables.ego_poses[data.ego]):
        return None
    ego, to_ego = tables.ego_poses[data.ego], data.calibration.pose
    from_global = invert_pose(ego @ to_ego)

    def pose(other: SensorData) -> SensorPose:
        own_ego, own = tables.ego_poses[other.ego], other.calibration.pose
        return SensorPose(other, own, own_ego, from_global @ own_ego @ own)

    found = {
        channel: pose(other)
        for channel, other in frame.data.items()
        if other.calibration.modality == "camera"
        and is_known(tables.ego_poses[other.ego])
    }
    ordered = [c for c in CAMERAS if c in found]
    ordered += [c for c in found if c not in CAMERAS]
    return InfoFrame(
        frame.token,
        frame.timestamp,
        frame.scene.location,
        SensorPose(data, to_ego, ego, np.eye(4)),
        {channel: found[channel] for channel in ordered},
        [
            pose(sweep)
            for sweep in frame.sweeps.get(LIDAR, ())
            if is_known(tables.ego_poses[sweep.ego])
        ],
        _boxes(tables.annotations, frame.token),
    )


def _boxes(annotations: Annotations | None, token: str) -> FrameBoxes | None:
    if annotations is None:
        return None
    rows = annotations.rows[token]
    category = annotations.category[rows]
    return FrameBoxes(
        annotations.token[rows],
        category,
        [DETECTION_CLASS.get(name, name) for name in category],
        annotations.attributes[rows],
        annotations.center[rows],
        annotations.size[rows],
        rotation_matrices(annotations.rotation[rows]),
        annotations.velocity[rows],
        annotations.num_lidar_pts[rows],
        annotations.num_radar_pts[rows],
    )


def intrinsic(camera: SensorPose) -> np.ndarray:
    """Returns a camera's matrix, (3, 3)."""
    found = camera.data.calibration.intrinsic
    # the tables' reader refuses cameras without one
    assert found is not None
    return found


def described(
    sensors: Collection[SensorPose], kinds: Iterable[str], prefix: str = ""
) -> list[dict[str, Any]]:
    """Returns what infos with quaternions say of sensors.

    Args:
        sensors: the sensors
        kinds: what each is called
        prefix (""): what paths begin with
    """
    if not sensors:
        return []
    to_ego = quaternions(np.array([s.to_ego for s in sensors]))
    ego = quaternions(np.array([s.ego for s in sensors]))
    return [
        {
            "data_path": prefix + sensor.data.filename,
            "type": kind,
            "sample_data_token": sensor.data.token,
            "sensor2ego_translation": sensor.to_ego[:3, 3].tolist(),
            "sensor2ego_rotation": turned,
            "ego2global_translation": sensor.ego[:3, 3].tolist(),
            "ego2global_rotation": ego_turned,
            "timestamp": sensor.data.timestamp,
            "sensor2lidar_rotation": sensor.to_lidar[:3, :3].copy(),
            "sensor2lidar_translation": sensor.to_lidar[:3, 3].copy(),
        }
        for sensor, kind, turned, ego_turned in zip(
            sensors, kinds, to_ego, ego, strict=True
        )
    ]


def devkit_yaw(rotation: np.ndarray) -> np.ndarray:
    """Returns the yaw of rotations as the devkit's boxes give it.

    That is the angle about z of the turn that is applied first, in
    ``R = Rx(roll) Ry(pitch) Rz(yaw)`` (pyquaternion's ``yaw_pitch_roll``).

    Args:
        rotation: (n, 3, 3)

    Returns:
        (n,) radians
    """
    return np.asarray(np.arctan2(-rotation[:, 0, 1], rotation[:, 0, 0]))


def heading(rotation: np.ndarray) -> np.ndarray:
    """Returns the angle of the rotated x axis in the x-y plane.

    Args:
        rotation: (n, 3, 3)

    Returns:
        (n,) radians
    """
    return np.asarray(np.arctan2(rotation[:, 1, 0], rotation[:, 0, 0]))


def quaternions(poses: np.ndarray) -> list[list[float]]:
    """Returns the rotations of poses as w, x, y, z with w not negative.

    Args:
        poses: (n, 4, 4)
    """
    from scipy.spatial.transform import Rotation

    found = Rotation.from_matrix(poses[:, :3, :3]).as_quat(canonical=True)
    return [[w, x, y, z] for x, y, z, w in found.tolist()]


def inverted(poses: np.ndarray) -> np.ndarray:
    """Inverts rigid poses (n, 4, 4), each by its transpose."""
    back = poses.copy()
    turn = poses[:, :3, :3].transpose(0, 2, 1)
    back[:, :3, :3] = turn
    back[:, :3, 3] = -(turn @ poses[:, :3, 3, None])[:, :, 0]
    return back
