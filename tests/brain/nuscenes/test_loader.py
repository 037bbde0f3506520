"""What a load makes of its arguments, of faults and of earlier loads."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fiftyone as fo
import numpy as np
import pytest
from fiftyone import ViewField as F
from pypcd4 import PointCloud

from raremine.brain.errors import DatarootError, RaremineError
from raremine.brain.nuscenes import loader
from raremine.brain.nuscenes.loader import load_nuscenes
from raremine.brain.nuscenes.store import all_slices

from .conftest import CAMERAS, VERSION, Dataroot

NAME = "loader-test"


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    yield
    for name in fo.list_datasets(f"{NAME}*"):
        fo.delete_dataset(name)


def load(root: Dataroot, **options: Any) -> fo.Dataset:
    options = {"media_dir": root.path.parent / "media", **options}
    return load_nuscenes(root.path, VERSION, NAME, **options)


def by_slice(dataset: fo.Dataset) -> dict[str, int]:
    counts: dict[str, int] = all_slices(dataset).count_values("group.name")
    return counts


STAMPS = ("created_at", "last_modified_at")


def contents(dataset: fo.Dataset) -> dict[str, dict[str, Any]]:
    """All values of all samples but what differs from load to load."""

    def strip(value: Any) -> Any:
        if isinstance(value, dict):
            drop = ("_id", "_rand", "_dataset_id", *STAMPS)
            return {k: strip(v) for k, v in value.items() if k not in drop}
        if isinstance(value, list):
            return [strip(v) for v in value]
        return value

    return {
        s.sample_data_token: strip(s.to_mongo_dict())
        for s in all_slices(dataset)
    }


def files(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(p.relative_to(folder)): (p.read_bytes(), p.stat().st_mtime_ns)
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


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


def test_loading_again_gives_the_same(tiny: Dataroot) -> None:
    tiny.write()
    first = contents(load(tiny))
    assert contents(load(tiny, overwrite=True)) == first


def test_converted_clouds_are_reused_and_damaged_ones_made_anew(
    tiny: Dataroot,
) -> None:
    tiny.write()
    load(tiny)
    media = tiny.path.parent / "media"
    before = files(media)
    clouds = [n for n in before if n.endswith(".pcd")]
    assert len(before) == 18 and len(clouds) == 6
    (media / clouds[0]).write_bytes(before[clouds[0]][0][:-7])
    load(tiny, overwrite=True)
    after = files(media)
    assert {n: c for n, (c, _) in after.items()} == {
        n: c for n, (c, _) in before.items()
    }
    changed = {n for n in after if after[n] != before[n]}
    assert changed == {clouds[0]}


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


def test_extras_that_are_not_there_are_refused(tiny: Dataroot) -> None:
    # one keyframe per scene is left, without anything before it
    tiny.tables["sample_data"] = [
        d
        for d in tiny.tables["sample_data"]
        if d["is_key_frame"]
        and "RADAR" not in d["token"]
        and d["sample_token"].endswith("0")
    ]
    tiny.write()
    with pytest.raises(RaremineError, match="no radar data"):
        load(tiny, radar=True)
    with pytest.raises(RaremineError, match="sweeps=2"):
        load(tiny, sweeps=2)
    assert not fo.dataset_exists(NAME)
    assert len(load(tiny)) == 2


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


def test_a_missing_image_costs_that_image_only(tiny: Dataroot) -> None:
    lost = tiny.data("sample-01", "CAM_BACK")
    del tiny.files[lost["filename"]]
    tiny.write()
    dataset = load(tiny)
    counts = by_slice(dataset)
    assert counts.pop("CAM_BACK") == 5
    assert set(counts.values()) == {6}
    dataset.group_slice = "CAM_BACK"
    assert "sample-01" not in dataset.values("sample_token")
    (skipped,) = dataset.info["raremine"]["skipped"]
    assert skipped["filename"] == lost["filename"]
    assert skipped["reason"].startswith("missing")
    assert dataset.info["raremine"]["counts"]["samples"]["CAM_BACK"] == 5


def test_missing_error_refuses_before_anything_is_written(
    tiny: Dataroot,
) -> None:
    lost = tiny.data("sample-01", "CAM_BACK")
    del tiny.files[lost["filename"]]
    tiny.write()
    with pytest.raises(DatarootError, match=lost["token"]):
        load(tiny, missing="error")
    assert not fo.dataset_exists(NAME)
    assert not (tiny.path.parent / "media").exists()


def test_damaged_and_missing_clouds_keep_their_cuboids(
    tiny: Dataroot,
) -> None:
    names = [
        tiny.data(f"sample-0{i}", "LIDAR_TOP")["filename"] for i in range(3)
    ]
    tiny.files[names[0]] += b"x"
    del tiny.files[names[1]]
    cloud = np.frombuffer(tiny.files[names[2]], "<f4").copy()
    cloud[0] = np.nan
    tiny.files[names[2]] = cloud.tobytes()
    tiny.write()
    for _ in range(2):  # also when conversions are there from before
        dataset = load(tiny, overwrite=True)
        dataset.group_slice = "LIDAR_TOP"
        status = {s.sample_token: s for s in dataset}
        damaged, missing, partial = (status[f"sample-0{i}"] for i in range(3))
        assert damaged.load_status == "unreadable"
        assert "1001 bytes" in damaged.load_reason
        assert missing.load_status == "missing"
        assert partial.load_status == "ok"
        assert "1 points" in partial.load_reason
        assert status["sample-10"].load_status == "ok"
        assert status["sample-10"].load_reason is None
        assert len(dataset.info["raremine"]["skipped"]) == 3
        for sample in (damaged, missing):
            assert len(sample.ground_truth.detections) > 20
            assert fo.Scene.from_fo3d(sample.filepath).children == []


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


def test_name_taken(tiny: Dataroot) -> None:
    tiny.write()
    load(tiny, scenes="scene-0061")
    with pytest.raises(RaremineError, match=r"append=True .*overwrite=True"):
        load(tiny)
    assert len(fo.load_dataset(NAME)) == 3


def test_append_adds_only_what_is_new(tiny: Dataroot) -> None:
    tiny.write()
    whole = contents(load(tiny))
    load(tiny, scenes="scene-0061", overwrite=True)
    kept = fo.load_dataset(NAME)
    sample = kept.first()
    sample.tags = ["mine"]
    sample.save()
    dataset = load(tiny, append=True)
    assert len(dataset) == 6
    assert set(by_slice(dataset).values()) == {6}
    assert dataset.match_tags("mine").values("id") == [sample.id]
    found = contents(dataset)
    found[sample.sample_data_token]["tags"] = []
    assert found == whole
    again = load(tiny, append=True)
    assert contents(again).keys() == whole.keys()
    assert again.info["raremine"]["counts"]["frames"] == 6


def test_append_refuses_what_does_not_fit(tiny: Dataroot) -> None:
    tiny.write()
    load(tiny, channels="CAM_FRONT", scenes="scene-0061", ground_truth=False)
    with pytest.raises(RaremineError, match="same channels"):
        load(tiny, append=True, ground_truth=False)
    with pytest.raises(RaremineError, match="without ground truth"):
        load(tiny, append=True, channels="CAM_FRONT")
    assert by_slice(fo.load_dataset(NAME)) == {"CAM_FRONT": 3}
    fo.delete_dataset(NAME)
    fo.Dataset(NAME)
    with pytest.raises(RaremineError, match="not made by load_nuscenes"):
        load(tiny, append=True)


class BoomError(Exception):
    pass


def fail_after(batches: int) -> Any:
    """A progress function that fails at a later batch."""
    calls = []

    def progress(done: int, total: int) -> None:
        calls.append((done, total))
        if len(calls) > batches:
            raise BoomError

    return progress


def test_a_failed_load_leaves_nothing(
    tiny: Dataroot, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.write()
    monkeypatch.setattr(loader, "BATCH", 2)
    with pytest.raises(BoomError):
        load(tiny, progress=fail_after(1))
    assert fo.list_datasets(f"{NAME}*") == []

    before = contents(load(tiny, scenes="scene-0061"))
    for options in ({"append": True}, {"overwrite": True}):
        with pytest.raises(BoomError):
            load(tiny, progress=fail_after(0), **options)
        assert fo.list_datasets(f"{NAME}*") == [NAME]
        dataset = fo.load_dataset(NAME)
        assert contents(dataset) == before
        assert dataset.info["raremine"]["state"] == "complete"


def test_a_killed_load_is_told_and_can_be_finished(
    tiny: Dataroot, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.write()
    whole = contents(load(tiny))
    fo.delete_dataset(NAME)
    monkeypatch.setattr(loader, "BATCH", 2)
    # a kill leaves no time to take anything back
    monkeypatch.setattr(loader, "undo_load", lambda *args: None)
    with pytest.raises(BoomError):
        load(tiny, progress=fail_after(1))
    dataset = fo.load_dataset(NAME)
    half = all_slices(dataset).match({"sample_token": "sample-10"})
    dataset.delete_samples(half.values("id")[:3])
    assert len(all_slices(dataset)) == 4 * 7 - 3
    with pytest.raises(RaremineError, match="interrupted"):
        load(tiny)
    finished = load(tiny, append=True)
    assert contents(finished) == whole
    assert finished.info["raremine"]["state"] == "complete"


def test_progress_counts_keyframes(
    tiny: Dataroot, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.write()
    monkeypatch.setattr(loader, "BATCH", 4)
    calls: list[tuple[int, int]] = []
    load(tiny, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(4, 6), (6, 6)]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"missing": "ignore"}, "missing='ignore'"),
        ({"append": True, "overwrite": True}, "exclude each other"),
        ({"sweeps": -1}, "sweeps=-1"),
        ({"scenes": ["scene-9999"]}, "no scene 'scene-9999'.*scene-0061"),
        ({"split": "train"}, "no split 'train'.*mini_train"),
        ({"split": "mini_val", "scenes": "scene-0061"}, "No scene is left"),
        ({"channels": ["CAM_TOP"]}, "no sensor channel 'CAM_TOP'.*CAM_FRONT"),
    ],
)
def test_wrong_arguments(
    tiny: Dataroot, options: dict[str, Any], text: str
) -> None:
    tiny.write()
    with pytest.raises(RaremineError, match=text):
        load(tiny, **options)
    assert not fo.dataset_exists(NAME)


def test_no_dataroot_and_wrong_version(tiny: Dataroot, tmp_path: Path) -> None:
    tiny.write()
    with pytest.raises(DatarootError, match=r"nowhere is not a folder"):
        load_nuscenes(tmp_path / "nowhere", VERSION, NAME)
    with pytest.raises(DatarootError, match=r"'v1.0-test'.*has: v1.0-mini"):
        load_nuscenes(tiny.path, "v1.0-test", NAME)
    with pytest.raises(DatarootError, match="is this the dataroot"):
        load_nuscenes(tmp_path, VERSION, NAME)


def test_what_is_wrong_is_told_and_nothing_is_written(
    tiny: Dataroot,
) -> None:
    tiny.tables["sample"][0]["timestamp"] = "noon"
    tiny.data("sample-00", "CAM_FRONT")["filename"] = "../secret.jpg"
    tiny.write()
    tiny.table("sensor").unlink()
    with pytest.raises(DatarootError, match="2 problems; nothing was loaded"):
        load(tiny)
    assert not fo.dataset_exists(NAME)


def test_rows_of_nothing_are_left_out_and_told(
    tiny: Dataroot, caplog: pytest.LogCaptureFixture
) -> None:
    tiny.tables["sample_annotation"][1]["instance_token"] = "gone-token"
    tiny.write()
    with pytest.raises(DatarootError, match="gone-token"):
        load(tiny, missing="error")
    assert not fo.dataset_exists(NAME)
    dataset = load(tiny)
    (line,) = dataset.info["raremine"]["problems"]
    assert "gone-token" in line
    assert line in caplog.text
    cuboids = all_slices(dataset).match(F("group.name") == "LIDAR_TOP")
    assert cuboids.count("ground_truth.detections") == (
        len(tiny.tables["sample_annotation"]) - 1
    )


def test_without_annotation_tables(tiny: Dataroot) -> None:
    tiny.write()
    for table in ("category", "instance", "sample_annotation"):
        tiny.table(table).unlink()
    dataset = load(tiny)
    assert len(dataset) == 6
    assert all_slices(dataset).count("ground_truth.detections") == 0
    told = "\n".join(dataset.info["raremine"]["problems"])
    assert "there is no ground truth" in told


def test_without_ego_poses_all_lies_in_the_vehicles_frame(
    tiny: Dataroot,
) -> None:
    tiny.write()
    tiny.table("ego_pose").write_text("[]")
    dataset = load(tiny, sweeps=1)
    assert set(by_slice(dataset).values()) == {6}
    view = all_slices(dataset)
    assert set(view.values("load_status")) == {"ok"}
    assert view.count("ego_pose") == view.count("world_pose") == 0
    assert view.count("ground_truth.detections") == 0
    assert all("no ego pose" in text for text in view.values("load_reason"))
    dataset.group_slice = "CAM_BACK"
    mounted = tiny.row("calibrated_sensor", token="calib-CAM_BACK")
    pose = dataset.first().sensor_to_world.transform_matrix
    np.testing.assert_allclose(pose[:3, 3], mounted["translation"])
    dataset.group_slice = "LIDAR_TOP"
    assert "left out" in dataset.first().load_reason


def test_one_ego_pose_less_costs_that_sensors_pose(tiny: Dataroot) -> None:
    lost = tiny.data("sample-00", "CAM_BACK")
    tiny.tables["ego_pose"].remove(
        tiny.row("ego_pose", token=lost["ego_pose_token"])
    )
    tiny.write()
    dataset = load(tiny)
    view = all_slices(dataset).match(F("ego_pose") == None)  # noqa: E711
    (sample,) = view
    assert sample.sample_data_token == lost["token"]
    assert sample.ground_truth is None
    assert sample.sensor_to_world is None
    assert (sample.load_status, sample.load_reason) == (
        "ok",
        "the tables have no ego pose for it",
    )


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


def test_an_image_that_cannot_be_copied_costs_that_image(
    tiny: Dataroot, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.write()
    bad = tiny.path / tiny.data("sample-00", "CAM_BACK")["filename"]
    read_bytes = Path.read_bytes

    def refuse(path: Path) -> bytes:
        if path == bad:
            raise PermissionError(13, "Permission denied")
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    dataset = load(tiny, media="copy")
    status = all_slices(dataset).count_values("load_status")
    assert status == {"ok": 41, "unreadable": 1}
    (skipped,) = dataset.info["raremine"]["skipped"]
    assert "Permission denied" in skipped["reason"]
    (sample,) = all_slices(dataset).match(F("load_status") == "unreadable")
    assert sample.filepath == str(bad)


def test_ctrl_c_leaves_a_load_that_can_be_completed(tiny: Dataroot) -> None:
    tiny.write()

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load(tiny, progress=stop, scenes="scene-0061")
    assert fo.load_dataset(NAME).info["raremine"]["state"] == "loading"
    dataset = load(tiny, append=True)
    assert set(by_slice(dataset).values()) == {6}
    assert dataset.info["raremine"]["state"] == "complete"
    # one that was to replace another leaves that other
    with pytest.raises(KeyboardInterrupt):
        load(tiny, progress=stop, overwrite=True)
    assert fo.list_datasets(f"{NAME}*") == [NAME]
    assert len(fo.load_dataset(NAME)) == 6


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
