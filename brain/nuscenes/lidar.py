"""Point clouds: reading nuScenes' files and moving their points.

nuScenes has LiDAR as bare float32 rows (``.pcd.bin``) and radar as ``.pcd``
in each radar's own frame. Both are moved to the keyframe's world frame.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from raremine.brain.nuscenes.pcd import read_columns

LIDAR_COLUMNS = ("x", "y", "z", "intensity", "ring")
"""The five float32 of each point of a ``.pcd.bin`` file."""

RADAR_COLUMNS = (
    "x",
    "y",
    "z",
    "rcs",
    "vx",
    "vy",
    "vx_comp",
    "vy_comp",
    "dyn_prop",
    "ambig_state",
    "invalid_state",
)
"""What is kept of a radar's points. ``rcs`` in dBsm; velocities in m/s, raw
and with the ego's own motion taken out."""

UNLABELED = -1.0
"""Class index of points that have no lidarseg label."""

CLOSE = 1.0
"""Half the side, in metres, of the square around a LiDAR in which a sweep's
points are left out; the devkit's ``min_distance``."""


class CloudError(Exception):
    """A point cloud file that cannot be used; the message says why."""


def read_lidar(path: Path) -> np.ndarray:
    """Reads a nuScenes ``.pcd.bin`` file.

    Args:
        path: the file

    Returns:
        (n, 5) float32 x, y, z in metres in the LiDAR's frame, intensity
        from 0 to 255, ring index

    Raises:
        CloudError: if it cannot be read, its size does not fit whole
            points, or it holds no measured point
    """
    raw = _read(path)
    if raw.size % (4 * len(LIDAR_COLUMNS)):
        raise CloudError(
            f"its size of {raw.size} bytes is no multiple of the 20 bytes "
            "of a point; the file is damaged"
        )
    points = raw.view("<f4").reshape(-1, len(LIDAR_COLUMNS))
    if not finite(points)[:, :3].any():
        raise CloudError(
            "it holds no point away from the sensor's origin; the file is "
            "empty or damaged"
        )
    return points


def read_labels(path: Path, count: int) -> np.ndarray:
    """Reads the class indices of a cloud's points.

    Args:
        path: a nuScenes-lidarseg ``_lidarseg.bin`` file
        count: number of points that its cloud has

    Returns:
        (count, 1) float32

    Raises:
        CloudError: if it cannot be read or does not fit the cloud
    """
    labels = _read(path)
    if labels.size != count:
        raise CloudError(
            f"it has {labels.size} labels for a cloud of {count} points"
        )
    return labels.astype(np.float32)[:, None]


def read_radar(path: Path) -> np.ndarray:
    """Reads a nuScenes radar ``.pcd`` file.

    Points are filtered by the devkit's default rules: valid clusters of
    known dynamics and without Doppler ambiguity.

    Args:
        path: the file

    Returns:
        (n, 11) float32 columns ``RADAR_COLUMNS`` in the radar's frame

    Raises:
        CloudError: if it is not a binary ``.pcd`` file with these columns
    """
    try:
        points = read_columns(_read(path).tobytes(), RADAR_COLUMNS)
    except ValueError as error:
        raise CloudError(
            f"it is not a binary .pcd of nuScenes' radars ({error})"
        ) from error
    if len(points) == 1 and np.isnan(points).any():
        # how a radar says that it has seen nothing
        return points[:0]
    dynamics, ambiguity, invalid = points[:, -3], points[:, -2], points[:, -1]
    return points[(invalid == 0) & (dynamics <= 6) & (ambiguity == 3)]


def finite(points: np.ndarray) -> np.ndarray:
    """Returns the rows of (n, c) points that are finite in every column."""
    good = np.isfinite(points)
    # the usual case, at a tenth of the cost
    return points if good.all() else points[good.all(axis=1)]


def without_close(points: np.ndarray) -> np.ndarray:
    """Returns the points that are not near a LiDAR, like ``remove_close``.

    What a LiDAR sees of its own vehicle belongs to the keyframe's cloud; of
    a sweep it would lie as a ghost where the vehicle was.

    Args:
        points: (n, c), x and y first, in metres in the LiDAR's frame
    """
    return points[(np.abs(points[:, :2]) >= CLOSE).any(axis=1)]


def lidar_to_world(points: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """Maps LiDAR points (n, c), x, y, z first, by a (4, 4) pose."""
    # coordinate by coordinate: twice as fast as by points
    places = np.ascontiguousarray(points[:, :3].T, dtype=np.float64)
    moved = points.copy()
    moved[:, :3] = (pose[:3, :3] @ places + pose[:3, 3:]).T
    return moved


def radar_to_world(points: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """Maps radar points (n, 11) by a (4, 4) pose, velocities included.

    A radar measures velocity in its own x, y plane; the small vertical part
    that the rotation gives it is left out.
    """
    moved = lidar_to_world(points, pose)
    for at in (4, 6):
        moved[:, at : at + 2] = points[:, at : at + 2] @ pose[:2, :2].T
    return moved


def _read(path: Path) -> np.ndarray:
    """Returns a file's bytes."""
    try:
        return np.fromfile(path, dtype=np.uint8)
    except OSError as error:
        raise CloudError(error.strerror or str(error)) from error


READERS: Mapping[str, tuple] = {
    "lidar": (LIDAR_COLUMNS, read_lidar, lidar_to_world),
    "radar": (RADAR_COLUMNS, read_radar, radar_to_world),
}
"""Columns, reader and transformation by modality."""
