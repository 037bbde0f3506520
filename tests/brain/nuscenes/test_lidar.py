import itertools
import os
from pathlib import Path

import numpy as np
import pytest
from nuscenes.nuscenes import NuScenes
from nuscenes.utils.data_classes import LidarPointCloud, RadarPointCloud
from pypcd4 import PointCloud
from pyquaternion import Quaternion

from raremine.brain.nuscenes.geometry import pose_matrix
from raremine.brain.nuscenes.lidar import (
    LIDAR_COLUMNS,
    RADAR_COLUMNS,
    CloudError,
    finite,
    lidar_to_world,
    radar_to_world,
    read_labels,
    read_lidar,
    read_radar,
    without_close,
)
from raremine.brain.nuscenes.pcd import (
    clear_abandoned,
    is_converted,
    write_pcd,
)
from raremine.brain.nuscenes.scene3d import plan_scene
from raremine.brain.nuscenes.scene_writer import write_scene
from raremine.brain.nuscenes.tables import read_tables

from .conftest import RADAR_FIELDS, VERSION, Dataroot

QUARTER = pose_matrix([10.0, 20.0, 30.0], [2**-0.5, 0.0, 0.0, 2**-0.5])


def points(count: int = 9) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.uniform(-50, 50, (count, 5)).astype("<f4")


def radar_file(path: Path, rows: np.ndarray) -> Path:
    """Writes radar rows the way nuScenes has them."""
    names, kinds, sizes = zip(*RADAR_FIELDS, strict=True)
    head = [
        "# .PCD v0.7 - Point Cloud Data file format",
        "VERSION 0.7",
        f"FIELDS {' '.join(names)}",
        f"SIZE {' '.join(map(str, sizes))}",
        f"TYPE {' '.join(kinds)}",
        f"COUNT {' '.join('1' * len(names))}",
        f"WIDTH {len(rows)}",
        "HEIGHT 1",
        "VIEWPOINT 0 0 0 1 0 0 0",
        f"POINTS {len(rows)}",
        "DATA binary",
        "",
    ]
    # the devkit wants a byte after the last row
    path.write_bytes("\n".join(head).encode() + rows.tobytes() + b"\0")
    return path


def radar_rows(count: int) -> np.ndarray:
    """Rows that differ in every column, all of them valid."""
    dtype = [(n, f"<{t.lower()}{s}") for n, t, s in RADAR_FIELDS]
    rows = np.zeros(count, np.dtype(dtype))
    rng = np.random.default_rng(4)
    for name, kind, _ in RADAR_FIELDS:
        if kind == "F":
            rows[name] = rng.uniform(-80, 80, count)
        elif kind == "I":
            rows[name] = rng.integers(0, 20, count)
    rows["dyn_prop"] = rng.integers(0, 7, count)
    rows["ambig_state"], rows["invalid_state"] = 3, 0
    return rows


def test_written_clouds_read_back_whole(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "cloud.pcd"
    write_pcd(path, LIDAR_COLUMNS, points(), "stamp")
    cloud = PointCloud.from_path(path)
    assert cloud.fields == LIDAR_COLUMNS
    assert (cloud.numpy() == points()).all()
    assert [p.name for p in path.parent.iterdir()] == ["cloud.pcd"]


def test_points_turn_and_move() -> None:
    cloud = np.array([[1, 0, 2, 7, 3]], dtype="<f4")
    moved = lidar_to_world(cloud, QUARTER)
    assert moved[0] == pytest.approx([10, 21, 32, 7, 3])
    assert cloud[0] == pytest.approx([1, 0, 2, 7, 3])


def test_velocities_turn_but_do_not_move() -> None:
    cloud = np.zeros((1, 11), dtype="<f4")
    cloud[0, 4:8] = [1, 0, 0, 2]
    moved = radar_to_world(cloud, QUARTER)
    assert moved[0, 4:8] == pytest.approx([0, 1, -2, 0], abs=1e-6)


def test_radar_reads_as_the_devkit_reads_it(tmp_path: Path) -> None:
    rows = radar_rows(60)
    rows["invalid_state"][::7] = 4
    rows["ambig_state"][::5] = 1
    rows["dyn_prop"][::3] = 7
    path = radar_file(tmp_path / "radar.pcd", rows)
    theirs = RadarPointCloud.from_file(str(path)).points
    names = [name for name, _, _ in RADAR_FIELDS]
    ours = read_radar(path)
    assert 20 < len(ours) < 60
    assert (ours == theirs[[names.index(c) for c in RADAR_COLUMNS]].T).all()


def test_a_radar_that_saw_nothing(tmp_path: Path) -> None:
    rows = radar_rows(1)
    rows["x"] = np.nan
    path = radar_file(tmp_path / "radar.pcd", rows)
    assert RadarPointCloud.from_file(str(path)).points.shape[1] == 0
    assert len(read_radar(path)) == 0
    assert len(read_radar(radar_file(path, rows[:0]))) == 0


def test_points_that_are_not_finite_are_left_out() -> None:
    cloud = points()
    cloud[2, 0] = np.nan
    cloud[5, 3] = np.inf
    assert (finite(cloud) == np.delete(cloud, [2, 5], axis=0)).all()
    assert finite(points()) is not None and len(finite(points())) == 9


def test_what_a_lidar_sees_of_its_own_vehicle() -> None:
    cloud = points(4)
    cloud[:, :3] = [[0.9, -0.9, 5], [1.0, 0, 0], [0, -1.5, 0], [0, 0, 0]]
    assert (without_close(cloud) == cloud[1:3]).all()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (points().tobytes()[:-1], "179 bytes"),
        (b"", "no point"),
        (np.zeros((4, 5), "<f4").tobytes(), "no point"),
        (np.full((4, 5), np.nan, "<f4").tobytes(), "no point"),
        (np.array([[0, 0, 0, 9, 1], [np.inf] * 5], "<f4").tobytes(), "no p"),
    ],
)
def test_damaged_clouds(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "a.pcd.bin"
    path.write_bytes(content)
    with pytest.raises(CloudError, match=reason):
        read_lidar(path)


@pytest.mark.parametrize("read", [read_lidar, read_radar])
def test_what_is_no_file_cannot_be_read(tmp_path: Path, read: object) -> None:
    assert callable(read)
    with pytest.raises(CloudError, match="directory"):
        read(tmp_path)
    with pytest.raises(CloudError, match="No such file"):
        read(tmp_path / "none")


@pytest.mark.parametrize(
    "content", [b"", b"FIELDS x y\n", b"DATA binary\n", b"\x00\xff" * 40]
)
def test_damaged_radar(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.pcd"
    path.write_bytes(content)
    with pytest.raises(CloudError, match="not a binary"):
        read_radar(path)


def test_radar_that_is_cut_short(tmp_path: Path) -> None:
    path = radar_file(tmp_path / "a.pcd", radar_rows(5))
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(CloudError, match="not a binary"):
        read_radar(path)


def test_labels_fit_their_cloud_or_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a_lidarseg.bin"
    path.write_bytes(bytes([0, 31, 24]))
    assert read_labels(path, 3).tolist() == [[0], [31], [24]]
    with pytest.raises(CloudError, match="3 labels for a cloud of 4"):
        read_labels(path, 4)


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


def test_what_a_killed_load_was_writing_is_cleared(tmp_path: Path) -> None:
    for name in (".raremine-old", ".raremine-new", "cloud.pcd"):
        (tmp_path / name).write_bytes(b"half")
    for name in (".raremine-old", "cloud.pcd"):
        os.utime(tmp_path / name, (0, 0))
    clear_abandoned([tmp_path, tmp_path / "none"])
    left = {p.name for p in tmp_path.iterdir()}
    assert left == {".raremine-new", "cloud.pcd"}


def test_sweeps_are_the_devkits_but_the_keyframe_stays_whole(
    tiny: Dataroot, tmp_path: Path
) -> None:
    lidar = [
        d for d in tiny.tables["sample_data"] if "LIDAR_TOP" in d["token"]
    ]
    for scene in ("sample-0", "sample-1"):
        rows = [d for d in lidar if d["token"].startswith(scene)]
        rows.sort(key=lambda d: d["timestamp"])
        for before, after in itertools.pairwise(rows):
            after["prev"], before["next"] = before["token"], after["token"]
    for data in lidar:
        # every cloud sees the roof it stands on
        cloud = np.frombuffer(tiny.files[data["filename"]], "<f4").copy()
        cloud[:15:5], cloud[1:15:5] = 0.5, -0.5
        tiny.files[data["filename"]] = cloud.tobytes()
    tiny.write()
    tables = read_tables(tiny.path, VERSION, sweeps=4)
    devkit = NuScenes(VERSION, str(tiny.path), verbose=False)
    compared = 0
    for frame in tables.frames:
        job = plan_scene(tables, frame, "LIDAR_TOP", tmp_path, swept=True)
        write_scene(job)
        ours = PointCloud.from_path(job.clouds[0].target)
        assert ours.fields == (*LIDAR_COLUMNS, "time_lag")
        theirs, lags = LidarPointCloud.from_file_multisweep(
            devkit,
            devkit.get("sample", frame.token),
            "LIDAR_TOP",
            "LIDAR_TOP",
            nsweeps=5,
        )
        # the devkit takes the vehicle out of the keyframe as well
        merged = ours.numpy()[3:]
        assert (ours.numpy()[:3, 5] == 0).all()
        expected = lidar_to_world(theirs.points.T, job.clouds[0].parts[0].pose)
        assert merged[:, :3] == pytest.approx(expected[:, :3], abs=1e-3)
        assert merged[:, 3] == pytest.approx(theirs.points[3])
        assert merged[:, 5] == pytest.approx(lags[0], abs=1e-6)
        compared += len(np.unique(lags))
    assert compared == 2 * (3 + 5 + 5)


def test_radar_velocities_are_in_the_scenes_frame(
    tiny: Dataroot, tmp_path: Path
) -> None:
    tiny.write()
    tables = read_tables(tiny.path, VERSION, radar=True)
    devkit = NuScenes(VERSION, str(tiny.path), verbose=False)
    frame = tables.frames[1]
    job = plan_scene(tables, frame, "LIDAR_TOP", tmp_path)
    write_scene(job)
    (cloud,) = (c for c in job.clouds if c.channel == "RADAR_FRONT")
    ours = PointCloud.from_path(cloud.target)
    path = devkit.get_sample_data_path(frame.data["RADAR_FRONT"].token)
    theirs = RadarPointCloud.from_file(path).points
    assert theirs.shape[1] == len(ours.numpy()) > 1

    def turn(table: str, token: str) -> np.ndarray:
        rotation = devkit.get(table, token)["rotation"]
        return np.asarray(Quaternion(rotation).rotation_matrix)

    data = devkit.get("sample_data", frame.data["RADAR_FRONT"].token)
    lidar = devkit.get("sample_data", frame.data["LIDAR_TOP"].token)
    forward = turn("ego_pose", lidar["ego_pose_token"])[:, 0]
    heading = np.arctan2(forward[1], forward[0])
    to_world = (
        Quaternion(axis=[0, 0, 1], radians=-heading).rotation_matrix
        @ turn("ego_pose", data["ego_pose_token"])
        @ turn("calibrated_sensor", data["calibrated_sensor_token"])
    )
    for at, names in ((6, ("vx", "vy")), (8, ("vx_comp", "vy_comp"))):
        flat = np.vstack([theirs[at : at + 2], np.zeros(theirs.shape[1])])
        expected = (to_world @ flat)[:2].T
        assert ours.numpy(names) == pytest.approx(expected, abs=1e-4)
    assert ours.numpy(("rcs",))[:, 0] == pytest.approx(theirs[5])


def test_a_fault_is_told_by_every_load(tiny: Dataroot, tmp_path: Path) -> None:
    rows = radar_rows(20)
    rows["vx"][[3, 4]] = np.nan
    tables = read_tables(tiny.write(), VERSION, radar=True)
    frame = tables.frames[0]
    path = tiny.path / frame.data["RADAR_FRONT"].filename
    radar_file(path, rows)
    for _ in range(2):
        job = plan_scene(tables, frame, "LIDAR_TOP", tmp_path)
        result = write_scene(job)
        assert "2 points" in result.partial["RADAR_FRONT"]
        assert path.name in result.partial["RADAR_FRONT"]
        assert result.failed == {} and list(result.partial) == ["RADAR_FRONT"]
    ours = PointCloud.from_path(job.clouds[1].target)
    assert len(ours.numpy()) == 18 and np.isfinite(ours.numpy()).all()
    # mended by a file of the same size
    rows["vx"] = 1.0
    radar_file(path, rows)
    assert write_scene(job).partial == {}
    assert len(PointCloud.from_path(job.clouds[1].target).numpy()) == 20


def test_an_unknown_ego_pose_costs_only_its_cloud(
    tiny: Dataroot, tmp_path: Path
) -> None:
    tables = read_tables(tiny.write(), VERSION, radar=True, sweeps=2)
    frame = tables.frames[1]
    tables.ego_poses[frame.data["RADAR_FRONT"].ego] = np.nan
    tables.ego_poses[frame.sweeps["LIDAR_TOP"][0].ego] = np.nan
    job = plan_scene(tables, frame, "LIDAR_TOP", tmp_path, swept=True)
    result = write_scene(job)
    assert "no ego pose" in result.failed["RADAR_FRONT"]
    assert "no ego pose" in result.partial["LIDAR_TOP"]
    ours = PointCloud.from_path(job.clouds[0].target).numpy()
    assert np.isfinite(ours).all() and len(ours) > 90
