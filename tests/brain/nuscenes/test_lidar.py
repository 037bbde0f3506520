from pathlib import Path

import numpy as np
import pytest
from pypcd4 import PointCloud

from raremine.brain.nuscenes.geometry import pose_matrix
from raremine.brain.nuscenes.lidar import (
    LIDAR_COLUMNS,
    CloudError,
    is_converted,
    lidar_to_world,
    radar_to_world,
    read_lidar,
    read_radar,
    write_pcd,
)

QUARTER = pose_matrix([10.0, 20.0, 30.0], [2**-0.5, 0.0, 0.0, 2**-0.5])


def points(count: int = 9) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.uniform(-50, 50, (count, 5)).astype("<f4")


def test_written_clouds_read_back_whole(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "cloud.pcd"
    write_pcd(path, LIDAR_COLUMNS, points(), "stamp")
    cloud = PointCloud.from_path(path)
    assert cloud.fields == LIDAR_COLUMNS
    assert (cloud.numpy() == points()).all()
    assert [p.name for p in path.parent.iterdir()] == ["cloud.pcd"]


def test_points_turn_and_move(tmp_path: Path) -> None:
    cloud = np.array([[1, 0, 2, 7, 3]], dtype="<f4")
    moved = lidar_to_world(cloud, QUARTER)
    assert moved[0] == pytest.approx([10, 21, 32, 7, 3])


def test_velocities_turn_but_do_not_move() -> None:
    cloud = np.zeros((1, 11), dtype="<f4")
    cloud[0, 4:8] = [1, 0, 0, 2]
    moved = radar_to_world(cloud, QUARTER)
    assert moved[0, 4:8] == pytest.approx([0, 1, -2, 0], abs=1e-6)


def test_points_that_are_not_finite_are_left_out() -> None:
    cloud = points()
    cloud[2, 0] = np.nan
    cloud[5, 3] = np.inf
    assert len(lidar_to_world(cloud, np.eye(4))) == len(cloud) - 2


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (points().tobytes()[:-1], "179 bytes"),
        (b"", "no point"),
        (np.zeros((4, 5), "<f4").tobytes(), "no point"),
    ],
)
def test_damaged_clouds(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "a.pcd.bin"
    path.write_bytes(content)
    with pytest.raises(CloudError, match=reason):
        read_lidar(path)


@pytest.mark.parametrize(
    "content", [b"", b"FIELDS x y\n", b"DATA binary\n", b"\x00\xff" * 40]
)
def test_damaged_radar(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.pcd"
    path.write_bytes(content)
    with pytest.raises(CloudError, match="not a binary"):
        read_radar(path)


def test_only_a_complete_conversion_of_the_same_source_is_reused(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.pcd"
    assert not is_converted(path, LIDAR_COLUMNS, "s")
    write_pcd(path, LIDAR_COLUMNS, points(), "s")
    assert is_converted(path, LIDAR_COLUMNS, "s")
    assert not is_converted(path, LIDAR_COLUMNS, "other")
    assert not is_converted(path, (*LIDAR_COLUMNS, "time_lag"), "s")
    path.write_bytes(path.read_bytes()[:-1])
    assert not is_converted(path, LIDAR_COLUMNS, "s")
    path.write_bytes(b"DATA binary\n")
    assert not is_converted(path, LIDAR_COLUMNS, "s")
