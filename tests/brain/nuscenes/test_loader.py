"""What a load writes, and what its options change."""

from __future__ import annotations

import os
from pathlib import Path

import fiftyone as fo
import numpy as np
import pytest
from pypcd4 import PointCloud

from raremine.brain.nuscenes import loader
from raremine.brain.nuscenes.loader import load_nuscenes

from .conftest import CAMERAS, VERSION, Dataroot
from .loading import NAME, by_slice, contents, load

pytestmark = pytest.mark.usefixtures("no_loaded_datasets")


def test_groups_slices_and_schema(tiny: Dataroot) -> None:
    tiny.write()
    dataset = load(tiny)
    assert dataset.persistent
    assert dataset.media_type == "group"
    assert len(dataset) == 6
    assert dataset.default_group_slice == "CAM_FRONT"
    assert by_slice(dataset) == dict.fromkeys([*CAMERAS, "LIDAR_TOP"], 6)
    kinds = dataset.group_media_types
    assert kinds["LIDAR_TOP"] == "3d" and kinds["CAM_BACK"] == "image"
    schema = dataset.get_field_schema(flat=True)
    for path in ("category", "velocity", "instance.id", "quaternion"):
        assert f"ground_truth.detections.{path}" in schema
    # images stay where they are, and nothing is written beside them
    image = dataset.first()
    assert image.filepath.startswith(str(tiny.path / "samples"))
    assert (image.metadata.width, image.metadata.height) == (1600, 900)
    assert {p.name for p in tiny.path.iterdir()} == {
        *("maps", "samples", "sweeps", VERSION)
    }


def test_nothing_that_is_set_is_missing_in_the_schema(tiny: Dataroot) -> None:
    tiny.write()
    dataset = load(tiny)
    before = set(dataset.get_field_schema(flat=True))
    for channel in dataset.group_slices:
        dataset.group_slice = channel
        dataset.add_dynamic_sample_fields()
    assert set(dataset.get_field_schema(flat=True)) == before


def test_scenes_tell_night_rain_and_split(tiny: Dataroot) -> None:
    tiny.write()
    dataset = load(tiny)
    told = {
        s.scene_name: (s.is_night, s.is_rain, s.split, s.location)
        for s in dataset
    }
    assert told == {
        "scene-0061": (True, True, "mini_train", "boston-seaport"),
        "scene-0103": (False, False, "mini_val", "boston-seaport"),
    }
    assert [s.frame_idx for s in dataset] == [0, 1, 2] * 2


def test_choosing_by_scene_split_and_channel(tiny: Dataroot) -> None:
    tiny.write()
    by_name = load(tiny, scenes=["scene-0103"], channels=["CAM_BACK"])
    assert by_slice(by_name) == {"CAM_BACK": 3}
    assert by_name.distinct("scene_name") == ["scene-0103"]
    assert by_name.default_group_slice == "CAM_BACK"
    by_split = load(tiny, split="mini_train", overwrite=True)
    assert by_split.distinct("scene_name") == ["scene-0061"]
    by_token = load(tiny, scenes="token-scene-0061", overwrite=True)
    assert by_token.distinct("scene_name") == ["scene-0061"]


def test_the_world_frame_does_not_depend_on_the_channels(
    tiny: Dataroot,
) -> None:
    tiny.write()
    alone = contents(load(tiny, channels=["CAM_FRONT"]))
    together = contents(load(tiny, overwrite=True))
    for token, values in alone.items():
        assert together[token] == values


def test_without_ground_truth(tiny: Dataroot) -> None:
    for name in ("sample_annotation", "instance", "category", "attribute"):
        del tiny.tables[name]
    tiny.write()
    dataset = load(tiny, ground_truth=False)
    assert not dataset.has_field("ground_truth")
    assert len(dataset) == 6


def test_intrinsics_that_differ_stay_with_their_samples(
    tiny: Dataroot,
) -> None:
    calibration = dict(tiny.row("calibrated_sensor", token="calib-CAM_BACK"))
    calibration["token"] = "calib-other"
    calibration["camera_intrinsic"] = [[900, 0, 800], [0, 900, 450], [0, 0, 1]]
    tiny.tables["calibrated_sensor"].append(calibration)
    for i in range(3):
        data = tiny.data(f"sample-1{i}", "CAM_BACK")
        data["calibrated_sensor_token"] = "calib-other"
    tiny.write()
    dataset = load(tiny)
    dataset.group_slice = "CAM_BACK"
    assert dataset.camera_intrinsics["CAM_BACK"].fx == 1266
    focal = [dataset.resolve_intrinsics(s).fx for s in dataset]
    assert focal == [1266] * 3 + [900] * 3


def test_radar_and_sweeps(tiny: Dataroot) -> None:
    tiny.write()
    dataset = load(tiny, radar=True, sweeps=3)
    dataset.group_slice = "LIDAR_TOP"
    lags = []
    for sample in dataset:
        scene = fo.Scene.from_fo3d(sample.filepath)
        assert [n.name for n in scene.children] == ["LIDAR_TOP", "RADAR_FRONT"]
        cloud = PointCloud.from_path(
            Path(sample.filepath).parent / scene.children[0].pcd_path
        )
        assert cloud.fields[-1] == "time_lag"
        found = np.unique(cloud.numpy(("time_lag",)).astype(float).round(3))
        lags.append(found.tolist())
    # each keyframe has two sweeps of its own and then the one before it
    assert lags == 2 * [
        [0.0, 0.05, 0.1],
        [0.0, 0.05, 0.1, 0.5],
        [0.0, 0.05, 0.1, 0.5],
    ]


def test_sweeps_are_compensated_for_the_egos_motion(tiny: Dataroot) -> None:
    # the same wall, seen from everywhere, must lie in one place
    from raremine.brain.nuscenes.geometry import (
        invert_pose,
        pose_matrix,
        transform_points,
    )

    wall = np.random.default_rng(1).uniform(-5, 5, (30, 3))
    # not at the vehicle, which is cut out of sweeps
    wall += [431.3, 1180.9, 0.0]
    for data in tiny.tables["sample_data"]:
        if "LIDAR" in data["token"]:
            poses = [
                tiny.row("ego_pose", token=data["ego_pose_token"]),
                tiny.row("calibrated_sensor", token="calib-LIDAR_TOP"),
            ]
            points = wall
            for pose in poses:
                points = transform_points(
                    invert_pose(
                        pose_matrix(pose["translation"], pose["rotation"])
                    ),
                    points,
                )
            cloud = np.hstack([points, np.zeros((30, 2))])
            tiny.files[data["filename"]] = cloud.astype("<f4").tobytes()
    tiny.write()
    dataset = load(tiny, sweeps=2)
    dataset.group_slice = "LIDAR_TOP"
    for sample in dataset:
        scene = fo.Scene.from_fo3d(sample.filepath)
        cloud = PointCloud.from_path(
            Path(sample.filepath).parent / scene.children[0].pcd_path
        ).numpy(("x", "y", "z"))
        assert len(cloud) == 90
        for part in np.split(cloud, 3):
            assert part == pytest.approx(cloud[:30], abs=1e-4)


def test_a_rig_of_other_names_loads_what_it_has(tiny: Dataroot) -> None:
    for sensor in tiny.tables["sensor"]:
        if sensor["modality"] == "camera":
            sensor["modality"] = "thermal"
        if sensor["channel"] == "LIDAR_TOP":
            sensor["channel"] = "lidar_roof"
    tiny.write()
    dataset = load(tiny)
    assert by_slice(dataset) == {"lidar_roof": 6}
    assert dataset.count("ground_truth.detections") > 100


def test_image_sizes_are_read_where_tables_have_none(tiny: Dataroot) -> None:
    for data in tiny.tables["sample_data"]:
        data["width"] = data["height"] = 0
    broken = tiny.data("sample-00", "CAM_FRONT")
    tiny.files[broken["filename"]] = b"no image"
    tiny.write()
    dataset = load(tiny)
    status = {s.sample_token: s.load_status for s in dataset}
    assert status.pop("sample-00") == "unreadable"
    assert set(status.values()) == {"ok"}
    assert dataset.last().metadata.width == 1600
    assert len(dataset.last().ground_truth.detections) > 0


def test_progress_counts_keyframes(
    tiny: Dataroot, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.write()
    monkeypatch.setattr(loader, "BATCH", 4)
    calls: list[tuple[int, int]] = []
    load(tiny, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(4, 6), (6, 6)]


def test_media_can_be_copied(tiny: Dataroot) -> None:
    tiny.write()
    media = tiny.path.parent / "media"
    dataset = load(tiny, media="copy")
    images = dataset.select_group_slices(media_type="image")
    paths = [Path(path) for path in images.values("filepath")]
    assert len(paths) == 36
    assert all(path.is_relative_to(media) for path in paths)
    assert {path.relative_to(media).as_posix() for path in paths} <= set(
        tiny.files
    )
    for path in paths:
        name = path.relative_to(media).as_posix()
        assert path.read_bytes() == tiny.files[name]
    kept, stale = paths[:2]
    inode = kept.stat().st_ino
    # of the same size, but of another day
    source = tiny.path / stale.relative_to(media)
    content = source.read_bytes()[::-1]
    source.write_bytes(content)
    os.utime(source, (1, 1))
    load(tiny, media="copy", overwrite=True)
    assert kept.stat().st_ino == inode
    assert stale.read_bytes() == content


def test_lidarseg_labels_are_a_column_and_named_in_the_info(
    tiny: Dataroot,
) -> None:
    data = tiny.data("sample-00", "LIDAR_TOP")
    name = f"lidarseg/{VERSION}/{data['token']}_lidarseg.bin"
    labels = np.arange(50, dtype=np.uint8) % 3
    tiny.files[name] = labels.tobytes()
    tiny.tables["lidarseg"] = [
        {
            "token": "1",
            "sample_data_token": data["token"],
            "filename": name,
        }
    ]
    for index, row in enumerate(tiny.tables["category"]):
        row["index"] = index
    tiny.write()
    dataset = load(tiny)
    names = dataset.info["raremine"]["lidarseg"]
    assert names == {
        str(index): row["name"]
        for index, row in enumerate(tiny.tables["category"])
    }
    clouds = sorted((tiny.path.parent / "media").rglob("*.pcd"))
    assert len(clouds) == 6
    found = {
        cloud.name.partition("__")[0]: PointCloud.from_path(cloud)
        .numpy(("lidarseg",))[:, 0]
        .tolist()
        for cloud in clouds
    }
    assert found.pop(data["token"]) == labels.tolist()
    assert {value for values in found.values() for value in values} == {-1}


def test_own_splits_and_max_scenes(tiny: Dataroot) -> None:
    tiny.write()
    dataset = load(
        tiny, splits={"mine": ["scene-0061", "scene-0103"]}, max_scenes=1
    )
    assert dataset.distinct("split") == ["mine"]
    assert dataset.distinct("scene_name") == ["scene-0061"]


def test_scenes_play_as_drives(tiny: Dataroot) -> None:
    tiny.write()
    dataset = load(tiny)
    dataset.group_slice = "CAM_FRONT"
    drives = dataset.select_group_slices("CAM_FRONT").group_by(
        "scene_token", order_by="frame_idx"
    )
    assert len(drives) == 2
    for drive in drives.iter_dynamic_groups():
        assert drive.values("frame_idx") == [0, 1, 2]
        assert drive.values("timestamp") == sorted(drive.values("timestamp"))


def test_a_dataroot_that_is_a_link_itself_is_fine(
    tiny: Dataroot, tmp_path: Path
) -> None:
    tiny.write()
    link = tmp_path / "link"
    link.symlink_to(tiny.path)
    dataset = load_nuscenes(link, VERSION, NAME, media_dir=tmp_path / "media")
    assert dataset.first().filepath.startswith(str(link))
