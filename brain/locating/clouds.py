"""Reads the LiDAR points that a 3D sample shows.

Runs in worker processes, which import little.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from raremine.brain.nuscenes.lidar import CloudError, finite
from raremine.brain.nuscenes.pcd import read_columns

_UNMOVED = {
    "position": [0, 0, 0],
    "quaternion": [0, 0, 0, 1],
    "scale": [1, 1, 1],
}
"""A node of a scene that lies where its points say."""


def read_scene(path: Path) -> np.ndarray:
    """Returns the points of the clouds that a scene's picture is made of.

    Those are the clouds that are flagged for projection: with
    ``load_nuscenes`` the LiDAR, in the keyframe's world frame.

    Args:
        path: an ``.fo3d`` scene, or a ``.pcd`` file

    Returns:
        (p, 3) float32 x, y, z in metres

    Raises:
        CloudError: if a file cannot be read, or the scene shows no such
            cloud or has moved it
    """
    files = [path] if path.suffix == ".pcd" else list(_clouds(path))
    if not files:
        raise CloudError(f"{path.name} shows no cloud flagged for projection")
    return np.concatenate([_read(file) for file in files])


def _clouds(path: Path) -> Iterator[Path]:
    try:
        scene = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CloudError(f"{path.name}: {error}") from error
    waiting = [scene]
    while waiting:
        node = waiting.pop()
        if not isinstance(node, Mapping):
            raise CloudError(f"{path.name} is no scene of FiftyOne")
        waiting += node.get("children") or ()
        if node.get("_type") == "PointCloud" and node.get("flagForProjection"):
            _check_place(path, node)
            yield path.parent / str(node.get("pcdPath"))
        elif node.get("children"):
            _check_place(path, node)


def _check_place(path: Path, node: Mapping[str, Any]) -> None:
    for name, unmoved in _UNMOVED.items():
        if list(node.get(name) or unmoved) != unmoved:
            raise CloudError(
                f"{path.name} moves '{node.get('name')}' ({name}); only "
                "clouds in the world frame can be measured"
            )


def _read(path: Path) -> np.ndarray:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CloudError(
            f"{path.name} cannot be read ({error.strerror or error})"
        ) from error
    try:
        return finite(read_columns(content, ("x", "y", "z")))
    except ValueError as error:
        raise CloudError(
            f"{path.name} is not a whole binary .pcd file ({error})"
        ) from error
