"""The car's sensors: where they sit, what they see, when they fire.

The rig resembles the one of nuScenes (six cameras, one roof LiDAR, the same
names, frames and field of view); the numbers are our own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# channel: yaw (degree, left positive), x, y, z (m in the ego frame), focal
# length (pixel at width 1600), offset to the keyframe's time (microseconds).
_CAMERAS: dict[str, tuple[float, float, float, float, float, int]] = {
    "CAM_FRONT_LEFT": (55.0, 1.52, 0.49, 1.51, 1265.0, -43000),
    "CAM_FRONT": (0.0, 1.70, 0.01, 1.52, 1265.0, -35500),
    "CAM_FRONT_RIGHT": (-55.0, 1.55, -0.49, 1.50, 1265.0, -27700),
    "CAM_BACK_RIGHT": (-110.0, 1.02, -0.48, 1.56, 1265.0, -20100),
    "CAM_BACK": (180.0, 0.03, 0.0, 1.58, 810.0, -10400),
    "CAM_BACK_LEFT": (110.0, 1.03, 0.48, 1.59, 1265.0, -600),
}
CAMERAS: tuple[str, ...] = tuple(_CAMERAS)
LIDAR = "LIDAR_TOP"
LIDAR_TRANSLATION = (0.94, 0.0, 1.84)
# Elevations of the 32 lasers, in degree, bottom ring first.
LIDAR_ELEVATIONS = np.linspace(-30.67, 10.67, 32)
_FULL_WIDTH = 1600


@dataclass(frozen=True)
class Camera:
    """A pinhole camera on the car.

    Attributes:
        channel: nuScenes channel name.
        rotation: (3, 3), camera frame (x right, y down, z forward) to ego.
        translation: (3,) metres in the ego frame.
        intrinsic: (3, 3) in pixels of the rendered image.
        delay: Microseconds after the keyframe's time (negative: before).
    """

    channel: str
    rotation: np.ndarray
    translation: np.ndarray
    intrinsic: np.ndarray
    delay: int


def make_cameras(
    image_size: tuple[int, int], rng: np.random.Generator
) -> list[Camera]:
    """The six cameras with the small mounting errors of one car.

    Args:
        image_size: Width and height in pixels.
        rng: Source of the mounting errors.

    Returns:
        Cameras in the order of ``CAMERAS``.
    """
    width, height = image_size
    scale = width / _FULL_WIDTH
    cameras = []
    for channel, (yaw, x, y, z, focal, delay) in _CAMERAS.items():
        error = rng.normal(0, 0.4, 3)
        a = np.deg2rad(yaw + error[0])
        p, r = np.deg2rad(error[1:] * 0.5)
        base = np.array(
            [
                [np.sin(a), 0.0, np.cos(a)],
                [-np.cos(a), 0.0, np.sin(a)],
                [0.0, -1.0, 0.0],
            ]
        )
        pitch = np.array(
            [[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]]
        )
        roll = np.array(
            [[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]]
        )
        centre = rng.normal(0, 6, 2) * scale
        intrinsic = np.array(
            [
                [focal * scale, 0.0, width / 2 + 15 * scale + centre[0]],
                [0.0, focal * scale, height * 0.545 + centre[1]],
                [0.0, 0.0, 1.0],
            ]
        )
        cameras.append(
            Camera(
                channel,
                base @ pitch @ roll,
                np.array([x, y, z]),
                intrinsic,
                delay,
            )
        )
    return cameras


def lidar_rotation() -> np.ndarray:
    """(3, 3) LiDAR frame (x right, y forward, z up) to ego."""
    return np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])


def yaw_matrix(yaw: float) -> np.ndarray:
    """(3, 3) rotation about z by ``yaw`` radians."""
    c, s = np.cos(yaw), np.sin(yaw)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def quaternion(rotation: np.ndarray) -> list[float]:
    """Unit quaternion (w, x, y, z), w >= 0, of a rotation matrix."""
    m = rotation
    # The symmetric form: its largest eigenvector is the quaternion, and it
    # has no special cases near half turns.
    k = np.array(
        [
            [m[0, 0] + m[1, 1] + m[2, 2], m[2, 1] - m[1, 2],
             m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]],
            [m[2, 1] - m[1, 2], m[0, 0] - m[1, 1] - m[2, 2],
             m[0, 1] + m[1, 0], m[0, 2] + m[2, 0]],
            [m[0, 2] - m[2, 0], m[0, 1] + m[1, 0],
             m[1, 1] - m[0, 0] - m[2, 2], m[1, 2] + m[2, 1]],
            [m[1, 0] - m[0, 1], m[0, 2] + m[2, 0],
             m[1, 2] + m[2, 1], m[2, 2] - m[0, 0] - m[1, 1]],
        ]
    )
    values, vectors = np.linalg.eigh(k)
    q = vectors[:, int(np.argmax(values))]
    q = q if q[0] >= 0 else -q
    return [float(v) for v in q]
