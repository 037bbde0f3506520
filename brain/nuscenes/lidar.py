"""Point clouds: reading nuScenes' files and writing ``.pcd``.

FiftyOne draws ``.pcd`` only, and nuScenes has LiDAR as bare float32 rows
(``.pcd.bin``) and radar as ``.pcd`` in each radar's own frame. Both are
written anew in the keyframe's world frame.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from raremine.brain.nuscenes.geometry import transform_points

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

_PCD_TYPES = {
    ("F", 4): "<f4",
    ("F", 8): "<f8",
    ("I", 1): "<i1",
    ("I", 2): "<i2",
    ("I", 4): "<i4",
    ("U", 1): "<u1",
    ("U", 2): "<u2",
    ("U", 4): "<u4",
}


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
    try:
        size = path.stat().st_size
        if size % (4 * len(LIDAR_COLUMNS)):
            raise CloudError(
                f"its size of {size} bytes is no multiple of the 20 bytes "
                "of a point; the file is damaged"
            )
        points = np.fromfile(path, dtype="<f4")
    except OSError as error:
        raise CloudError(error.strerror or str(error)) from error
    points = points.reshape(-1, len(LIDAR_COLUMNS))
    if not points[:, :3].any():
        raise CloudError("it holds no point away from the sensor's origin")
    return points


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
        raw = path.read_bytes()
    except OSError as error:
        raise CloudError(error.strerror or str(error)) from error
    head, found, data = raw.partition(b"DATA binary\n")
    lines = head.decode("ascii", errors="replace").splitlines()
    fields = {k: v for k, *v in (n.split() for n in lines if n.strip())}
    try:
        dtype = np.dtype(
            [
                (name, _PCD_TYPES[kind, int(size)])
                for name, kind, size in zip(
                    fields["FIELDS"],
                    fields["TYPE"],
                    fields["SIZE"],
                    strict=True,
                )
            ]
        )
        count = int(fields["POINTS"][0])
        if not found or set(fields["COUNT"]) != {"1"}:
            raise ValueError("no binary data")
        rows = np.frombuffer(data, dtype, count=count)
        points = np.stack([rows[c] for c in RADAR_COLUMNS], axis=1)
    except (KeyError, ValueError, IndexError) as error:
        raise CloudError(
            f"it is not a binary .pcd of nuScenes' radars ({error})"
        ) from error
    points = points.astype(np.float32)
    dynamics, ambiguity, invalid = points[:, -3], points[:, -2], points[:, -1]
    return points[(invalid == 0) & (dynamics <= 6) & (ambiguity == 3)]


def lidar_to_world(points: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """Maps LiDAR points (n, 5) by a (4, 4) pose, without not finite ones."""
    points = points[np.isfinite(points).all(axis=1)]
    moved = points.copy()
    moved[:, :3] = transform_points(pose, points[:, :3].astype(np.float64))
    return moved


def radar_to_world(points: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """Maps radar points (n, 11) by a (4, 4) pose, velocities included.

    A radar measures velocity in its own x, y plane; the small vertical part
    that the rotation gives it is left out.
    """
    points = points[np.isfinite(points).all(axis=1)]
    moved = points.copy()
    moved[:, :3] = transform_points(pose, points[:, :3].astype(np.float64))
    for at in (4, 6):
        moved[:, at : at + 2] = points[:, at : at + 2] @ pose[:2, :2].T
    return moved


def pcd_header(columns: tuple[str, ...], count: int, stamp: str) -> bytes:
    """Returns the header of a binary ``.pcd`` of float32 columns.

    Args:
        columns: their names
        count: number of points
        stamp: what the cloud was made from, kept as a comment
    """
    n = len(columns)
    return "\n".join(
        [
            "# .PCD v0.7 - Point Cloud Data file format",
            f"# raremine {stamp}",
            "VERSION 0.7",
            f"FIELDS {' '.join(columns)}",
            f"SIZE {' '.join('4' * n)}",
            f"TYPE {' '.join('F' * n)}",
            f"COUNT {' '.join('1' * n)}",
            f"WIDTH {count}",
            "HEIGHT 1",
            "VIEWPOINT 0 0 0 1 0 0 0",
            f"POINTS {count}",
            "DATA binary",
            "",
        ]
    ).encode("ascii")


def write_pcd(
    path: Path, columns: tuple[str, ...], points: np.ndarray, stamp: str
) -> None:
    """Writes a binary ``.pcd``, whole or not at all.

    Args:
        path: the file; its folder is made
        columns: names of the columns
        points: (n, len(columns)) float32
        stamp: what the cloud was made from, see ``is_converted``
    """
    header = pcd_header(columns, len(points), stamp)
    write_whole(path, header + np.ascontiguousarray(points, "<f4").tobytes())


def is_converted(path: Path, columns: tuple[str, ...], stamp: str) -> bool:
    """Whether a file is a complete earlier conversion with this stamp."""
    try:
        with path.open("rb") as file:
            head = file.read(1024)
            size = os.fstat(file.fileno()).st_size
    except OSError:
        return False
    end = head.find(b"DATA binary\n")
    at = head.find(b"\nPOINTS ")
    if end < 0 or at < 0:
        return False
    digits = head[at + 8 : end].strip()
    if not digits.isdigit():
        return False
    header = pcd_header(columns, int(digits), stamp)
    expected = len(header) + int(digits) * 4 * len(columns)
    return head.startswith(header) and size == expected


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file under a temporary name and then moves it in place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        # mkstemp makes files private; the App may run as another user
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


READERS: Mapping[str, tuple] = {
    "lidar": (LIDAR_COLUMNS, read_lidar, lidar_to_world),
    "radar": (RADAR_COLUMNS, read_radar, radar_to_world),
}
"""Columns, reader and transformation by modality."""
