"""What a load makes of faults, and what they cost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fiftyone as fo
import numpy as np
import pytest
from fiftyone import ViewField as F

from raremine.brain.errors import DatarootError, RaremineError
from raremine.brain.nuscenes.loader import load_nuscenes
from raremine.brain.nuscenes.store import all_slices

from .conftest import VERSION, Dataroot
from .loading import NAME, by_slice, contents, load

pytestmark = pytest.mark.usefixtures("no_loaded_datasets")


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


def second_lidar(tiny: Dataroot) -> None:
    """Mounts LIDAR_SIDE beside LIDAR_TOP; it measures the same points."""
    for table in ("sensor", "calibrated_sensor", "sample_data"):
        for row in list(tiny.tables[table]):
            if "LIDAR_TOP" in row["token"]:
                text = json.dumps(row).replace("LIDAR_TOP", "LIDAR_SIDE")
                own = json.loads(text)
                tiny.tables[table].append(own)
                if table == "sample_data":
                    own["ego_pose_token"] = row["ego_pose_token"]
                    own["sample_token"] = row["sample_token"]
                    source = tiny.files[row["filename"]]
                    tiny.files[own["filename"]] = source


def test_another_lidar_stands_in_where_the_first_has_no_data(
    tiny: Dataroot,
) -> None:
    second_lidar(tiny)
    gone = tiny.data("sample-01", "LIDAR_TOP")
    tiny.tables["sample_data"].remove(gone)
    tiny.write()
    dataset = load(tiny)
    assert set(by_slice(dataset).values()) == {6}
    dataset.group_slice = "LIDAR_TOP"
    scenes = {sample.sample_token: sample for sample in dataset}
    left = scenes["sample-01"]
    shown = fo.Scene.from_fo3d(left.filepath).children
    assert [cloud.name for cloud in shown] == ["LIDAR_SIDE"]
    assert left.load_status == "ok"
    assert "no LIDAR_TOP for this keyframe" in left.load_reason
    assert "LIDAR_SIDE" in left.load_reason
    assert len(left.ground_truth.detections) > 20
    both = fo.Scene.from_fo3d(scenes["sample-00"].filepath).children
    assert [cloud.name for cloud in both] == ["LIDAR_TOP", "LIDAR_SIDE"]
    assert scenes["sample-00"].load_reason is None
    # complete: loading again adds and changes nothing
    before = contents(dataset)
    assert contents(load(tiny, append=True)) == before


def test_a_keyframe_without_any_cloud_has_no_3d_sample(
    tiny: Dataroot,
) -> None:
    tiny.tables["sample_data"].remove(tiny.data("sample-01", "LIDAR_TOP"))
    tiny.write()
    dataset = load(tiny)
    counts = by_slice(dataset)
    assert counts.pop("LIDAR_TOP") == 5
    assert set(counts.values()) == {6}


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
