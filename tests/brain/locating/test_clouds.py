"""The points of a 3D sample."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fiftyone as fo
import numpy as np
import pytest

from raremine.brain.locating.clouds import read_scene
from raremine.brain.nuscenes.lidar import CloudError
from raremine.brain.nuscenes.pcd import write_pcd

POINTS = np.array([[1, 2, 3, 9], [4, 5, 6, 9]], np.float32)


def write_scene(folder: Path, *clouds: Any) -> Path:
    scene = fo.Scene()
    for cloud in clouds:
        scene.add(cloud)
    path = folder / "scene.fo3d"
    scene.write(str(path))
    return path


def cloud(folder: Path, name: str, points: np.ndarray = POINTS) -> Any:
    columns = ("x", "y", "z", "intensity")
    write_pcd(folder / f"{name}.pcd", columns, points, "test")
    return fo.PointCloud(
        name, f"{name}.pcd", flag_for_projection=name == "lidar"
    )


def test_only_the_clouds_of_the_picture_are_read(tmp_path: Path) -> None:
    scene = write_scene(
        tmp_path,
        cloud(tmp_path, "lidar"),
        cloud(tmp_path, "radar", POINTS + 50),
    )
    np.testing.assert_array_equal(read_scene(scene), POINTS[:, :3])
    bare = tmp_path / "lidar.pcd"
    np.testing.assert_array_equal(read_scene(bare), POINTS[:, :3])


def test_points_that_are_none_are_left_out(tmp_path: Path) -> None:
    broken = POINTS.copy()
    broken[0, 1] = np.nan
    scene = write_scene(tmp_path, cloud(tmp_path, "lidar", broken))
    np.testing.assert_array_equal(read_scene(scene), POINTS[1:, :3])


def test_a_scene_that_cannot_be_used_says_why(tmp_path: Path) -> None:
    with pytest.raises(CloudError, match="no cloud flagged"):
        read_scene(write_scene(tmp_path, cloud(tmp_path, "radar")))
    with pytest.raises(CloudError, match=r"gone\.fo3d"):
        read_scene(tmp_path / "gone.fo3d")
    (tmp_path / "odd.fo3d").write_text(json.dumps([1]))
    with pytest.raises(CloudError, match="no scene of FiftyOne"):
        read_scene(tmp_path / "odd.fo3d")
    moved = cloud(tmp_path, "lidar")
    moved.position = [1, 0, 0]
    with pytest.raises(CloudError, match="moves 'lidar' \\(position\\)"):
        read_scene(write_scene(tmp_path, moved))
    scene = write_scene(tmp_path, cloud(tmp_path, "lidar"))
    file = tmp_path / "lidar.pcd"
    file.write_bytes(file.read_bytes()[:-4])
    with pytest.raises(CloudError, match=r"lidar\.pcd is not a whole"):
        read_scene(scene)
    file.write_bytes(b"no points")
    with pytest.raises(CloudError, match="'FIELDS' is missing"):
        read_scene(scene)
    file.unlink()
    with pytest.raises(CloudError, match=r"lidar\.pcd cannot be read"):
        read_scene(scene)
