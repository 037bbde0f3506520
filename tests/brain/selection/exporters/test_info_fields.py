"""The devkit as judge of the infos that are written from the tables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nuscenes.nuscenes import NuScenes
from nuscenes.scripts import export_2d_annotations_as_json as devkit_2d
from nuscenes.utils.data_classes import Box
from nuscenes.utils.geometry_utils import transform_matrix, view_points
from pyquaternion import Quaternion

from raremine.brain.nuscenes.tables import read_tables
from raremine.brain.nuscenes.taxonomy import DETECTION_CLASS
from raremine.brain.selection.exporters import (
    info_mmdet3d,
    info_openpcdet,
)
from raremine.brain.selection.exporters.info_frames import (
    CAMERAS,
    InfoFrame,
    info_frame,
)
from tests.brain.nuscenes.conftest import VERSION
from tests.brain.selection.exporters.info_data import chained_dataroot

SWEEPS = 4
"""Fewer than the last keyframe has before it, more than the first has."""

Row = dict[str, Any]


@pytest.fixture(scope="module")
def devkit(tmp_path_factory: pytest.TempPathFactory) -> NuScenes:
    root = chained_dataroot(tmp_path_factory.mktemp("data") / "nuscenes")
    # one thing without any point, one seen by the radar alone
    root.tables["sample_annotation"][0].update(
        num_lidar_pts=0, num_radar_pts=0
    )
    root.tables["sample_annotation"][1].update(
        num_lidar_pts=0, num_radar_pts=2
    )
    # some of them climb
    for row in root.tables["sample_annotation"]:
        row["translation"][2] += 0.3 * int(row["sample_token"][-1])
    root.write()
    return NuScenes(VERSION, str(root.path), verbose=False)


@pytest.fixture(scope="module")
def frames(devkit: NuScenes) -> dict[str, InfoFrame]:
    tables = read_tables(devkit.dataroot, VERSION, sweeps=SWEEPS)
    found = {f.token: info_frame(tables, f) for f in tables.frames}
    assert None not in found.values() and len(found) == 6
    return {t: f for t, f in found.items() if f is not None}


def chain(devkit: NuScenes, sample: Row, count: int) -> list[Row]:
    """The clouds before a keyframe's, along prev."""
    row = devkit.get("sample_data", sample["data"]["LIDAR_TOP"])
    found: list[Row] = []
    while row["prev"] and len(found) < count:
        row = devkit.get("sample_data", row["prev"])
        found.append(row)
    return found


def pose(devkit: NuScenes, table: str, token: str) -> np.ndarray:
    row = devkit.get(table, token)
    return np.asarray(
        transform_matrix(row["translation"], Quaternion(row["rotation"]))
    )


def to_ego(devkit: NuScenes, data: Row) -> np.ndarray:
    return pose(devkit, "calibrated_sensor", data["calibrated_sensor_token"])


def ego(devkit: NuScenes, data: Row) -> np.ndarray:
    return pose(devkit, "ego_pose", data["ego_pose_token"])


def to_lidar(devkit: NuScenes, sample: Row, data: Row) -> np.ndarray:
    lidar = devkit.get("sample_data", sample["data"]["LIDAR_TOP"])
    there = ego(devkit, lidar) @ to_ego(devkit, lidar)
    return np.asarray(
        np.linalg.inv(there) @ ego(devkit, data) @ to_ego(devkit, data)
    )


def box_in(devkit: NuScenes, token: str, data: Row) -> Box:
    """A box in a sensor's frame, with its velocity."""
    box = devkit.get_box(token)
    box.velocity = devkit.box_velocity(token)
    for table in ("ego_pose", "calibrated_sensor"):
        row = devkit.get(table, data[f"{table}_token"])
        box.translate(-np.array(row["translation"]))
        box.rotate(Quaternion(row["rotation"]).inverse)
    return box


def turned(devkit: NuScenes, token: str, data: Row) -> np.ndarray:
    """The horizontal velocity, in a sensor's frame."""
    velocity = [*devkit.box_velocity(token)[:2], 0.0]
    turn = ego(devkit, data)[:3, :3] @ to_ego(devkit, data)[:3, :3]
    return np.asarray(turn.T @ velocity)


def near(found: Any, expected: Any, tolerance: float = 1e-9) -> None:
    np.testing.assert_allclose(found, expected, 0, tolerance)


def single(found: Any, expected: Any) -> None:
    """Poses in single precision; places are a thousand metres away."""
    near(found, expected, 1e-4)


def each(devkit: NuScenes, frames: dict[str, InfoFrame]) -> list[Any]:
    return [
        (
            s,
            devkit.get("sample_data", s["data"]["LIDAR_TOP"]),
            frames[s["token"]],
        )
        for s in devkit.sample
    ]


def test_v2_sensors(devkit: NuScenes, frames: dict[str, InfoFrame]) -> None:
    root = Path(devkit.dataroot)
    for at, (sample, lidar, frame) in enumerate(each(devkit, frames)):
        entry = info_mmdet3d.entry(frame, at)
        assert entry["sample_idx"] == at
        assert entry["token"] == sample["token"]
        assert entry["timestamp"] == sample["timestamp"] / 1e6
        single(entry["ego2global"], ego(devkit, lidar))
        points = entry["lidar_points"]
        assert points["num_pts_feats"] == 5
        single(points["lidar2ego"], to_ego(devkit, lidar))
        # where mmdetection3d's configuration looks (data_prefix)
        assert (root / "samples/LIDAR_TOP" / points["lidar_path"]).is_file()
        assert list(entry["images"]) == list(CAMERAS)
        for channel, image in entry["images"].items():
            data = devkit.get("sample_data", sample["data"][channel])
            assert image["sample_data_token"] == data["token"]
            assert image["timestamp"] == data["timestamp"] / 1e6
            assert (root / "samples" / channel / image["img_path"]).is_file()
            sensor = devkit.get(
                "calibrated_sensor", data["calibrated_sensor_token"]
            )
            assert image["cam2img"] == sensor["camera_intrinsic"]
            single(image["cam2ego"], to_ego(devkit, data))
            back = np.linalg.inv(to_lidar(devkit, sample, data))
            single(image["lidar2cam"], back)
        sweeps = chain(devkit, sample, SWEEPS)
        assert len(entry["lidar_sweeps"]) == len(sweeps) > 0
        for sweep, data in zip(entry["lidar_sweeps"], sweeps, strict=True):
            assert sweep["sample_data_token"] == data["token"]
            assert sweep["timestamp"] == data["timestamp"] / 1e6
            single(sweep["ego2global"], ego(devkit, data))
            cloud = sweep["lidar_points"]
            # keyframes are told by "samples" in the path
            assert cloud["lidar_path"] == data["filename"]
            assert ("samples" in cloud["lidar_path"]) == data["is_key_frame"]
            single(cloud["lidar2ego"], to_ego(devkit, data))
            back = np.linalg.inv(to_lidar(devkit, sample, data))
            single(cloud["lidar2sensor"], back)
    assert {len(chain(devkit, s, SWEEPS)) for s in devkit.sample} == {2, 4}


def test_a_keyframe_without_sweeps_has_no_such_key(
    devkit: NuScenes,
) -> None:
    """mmdetection3d can repeat the cloud itself if the key is absent."""
    tables = read_tables(devkit.dataroot, VERSION, sweeps=0)
    frame = info_frame(tables, tables.frames[0])
    assert frame is not None
    assert "lidar_sweeps" not in info_mmdet3d.entry(frame, 0)


def test_v2_instances(devkit: NuScenes, frames: dict[str, InfoFrame]) -> None:
    valid = []
    for sample, lidar, frame in each(devkit, frames):
        found = info_mmdet3d.entry(frame, 0)["instances"]
        assert len(found) == len(sample["anns"])
        for instance, token in zip(found, sample["anns"], strict=True):
            row = devkit.get("sample_annotation", token)
            box = box_in(devkit, token, lidar)
            width, length, height = box.wlh
            near(
                instance["bbox_3d"],
                [
                    *(*box.center, length, width, height),
                    box.orientation.yaw_pitch_roll[0],
                ],
            )
            name = DETECTION_CLASS.get(row["category_name"])
            label = info_mmdet3d.CLASSES.index(name) if name else -1
            assert instance["bbox_label"] == label
            assert instance["bbox_label_3d"] == label
            assert instance["num_lidar_pts"] == row["num_lidar_pts"]
            assert instance["num_radar_pts"] == row["num_radar_pts"]
            points = row["num_lidar_pts"] + row["num_radar_pts"]
            assert instance["bbox_3d_isvalid"] is (points > 0)
            valid.append((points > 0, row["num_lidar_pts"] > 0))
            near(instance["velocity"], turned(devkit, token, lidar)[:2])
    assert {(True, False), (False, False), (True, True)} <= set(valid)


def seen(box: Box, matrix: np.ndarray, data: Row) -> Any:
    """Bounds of the corners ahead, cut to the image; None if outside."""
    corners = box.corners()
    ahead = corners[:, corners[2] > 0]
    if not ahead.shape[1]:
        return None
    points = view_points(ahead, matrix, True).T[:, :2].tolist()
    size = data["width"], data["height"]
    return devkit_2d.post_process_coords(points, size)


def test_v2_camera_instances(
    devkit: NuScenes, frames: dict[str, InfoFrame]
) -> None:
    across = 0
    for sample, _, frame in each(devkit, frames):
        entry = info_mmdet3d.entry(frame, 0)
        assert list(entry["cam_instances"]) == list(CAMERAS)
        for channel, found in entry["cam_instances"].items():
            data = devkit.get("sample_data", sample["data"][channel])
            sensor = devkit.get(
                "calibrated_sensor", data["calibrated_sensor_token"]
            )
            matrix = np.array(sensor["camera_intrinsic"])
            expected = []
            for token in sample["anns"]:
                row = devkit.get("sample_annotation", token)
                box = box_in(devkit, token, data)
                name = DETECTION_CLASS.get(row["category_name"])
                if name is None or box.center[2] <= 0:
                    continue
                bounds = seen(box, matrix, data)
                if bounds is not None:
                    across += bool((box.corners()[2] <= 0).any())
                    expected.append((token, row, box, name, bounds))
            assert len(found) == len(expected)
            for instance, wanted in zip(found, expected, strict=True):
                token, row, box, name, bounds = wanted
                label = info_mmdet3d.CLASSES.index(name)
                assert instance["bbox_label"] == label
                assert instance["bbox_label_3d"] == label
                assert instance["bbox_3d_isvalid"] is True
                near(instance["bbox"], bounds, 1e-6)
                width, length, height = box.wlh
                near(
                    instance["bbox_3d"],
                    [
                        *(*box.center, length, height, width),
                        -box.orientation.yaw_pitch_roll[0],
                    ],
                )
                velocity = turned(devkit, token, data)
                near(instance["velocity"], velocity[[0, 2]])
                pixel = view_points(box.center[:, None], matrix, True)
                near(instance["center_2d"], pixel[:2, 0], 1e-6)
                near(instance["depth"], box.center[2])
                names = [
                    devkit.get("attribute", t)["name"]
                    for t in row["attribute_tokens"]
                ]
                assert info_mmdet3d.ATTRIBUTES[instance["attr_label"]] == (
                    names[0] if names else "None"
                )
    assert across > 5


def sensor_fields(
    devkit: NuScenes, sample: Row, found: Row, data: Row, prefix: str
) -> None:
    assert found["data_path"] == prefix + data["filename"]
    assert found["sample_data_token"] == data["token"]
    assert found["timestamp"] == data["timestamp"]
    for name, expected in (
        ("sensor2ego", to_ego(devkit, data)),
        ("ego2global", ego(devkit, data)),
    ):
        near(found[f"{name}_translation"], expected[:3, 3])
        turn = Quaternion(found[f"{name}_rotation"]).rotation_matrix
        near(turn, expected[:3, :3])
    expected = to_lidar(devkit, sample, data)
    near(found["sensor2lidar_rotation"], expected[:3, :3])
    near(found["sensor2lidar_translation"], expected[:3, 3], 1e-8)


def test_legacy(devkit: NuScenes, frames: dict[str, InfoFrame]) -> None:
    for sample, lidar, frame in each(devkit, frames):
        entry = info_mmdet3d.legacy_entry(frame, "./data/nuscenes/")
        assert entry["token"] == sample["token"]
        assert entry["timestamp"] == sample["timestamp"]
        assert entry["location"] == "boston-seaport"
        assert entry["lidar_path"] == "./data/nuscenes/" + lidar["filename"]
        for name, expected in (
            ("lidar2ego", to_ego(devkit, lidar)),
            ("ego2global", ego(devkit, lidar)),
        ):
            near(entry[f"{name}_translation"], expected[:3, 3])
            turn = Quaternion(entry[f"{name}_rotation"]).rotation_matrix
            near(turn, expected[:3, :3])
        assert list(entry["cams"]) == list(CAMERAS)
        for channel, camera in entry["cams"].items():
            data = devkit.get("sample_data", sample["data"][channel])
            sensor_fields(devkit, sample, camera, data, "./data/nuscenes/")
            assert camera["type"] == channel
            sensor = devkit.get(
                "calibrated_sensor", data["calibrated_sensor_token"]
            )
            for key in ("cam_intrinsic", "camera_intrinsics"):
                assert camera[key].tolist() == sensor["camera_intrinsic"]
        sweeps = chain(devkit, sample, SWEEPS)
        for sweep, data in zip(entry["sweeps"], sweeps, strict=True):
            sensor_fields(devkit, sample, sweep, data, "./data/nuscenes/")
            assert sweep["type"] == "lidar"
        v2 = info_mmdet3d.entry(frame, 0)["instances"]
        near(entry["gt_boxes"], [i["bbox_3d"] for i in v2])
        near(entry["gt_velocity"], [i["velocity"] for i in v2])
        for key in ("num_lidar_pts", "num_radar_pts"):
            assert entry[key].tolist() == [i[key] for i in v2]
        valid = [i["bbox_3d_isvalid"] for i in v2]
        assert entry["valid_flag"].tolist() == valid
        assert entry["valid_flag"].dtype == bool
        names = [
            devkit.get("sample_annotation", t)["category_name"]
            for t in sample["anns"]
        ]
        assert entry["gt_names"].tolist() == [
            DETECTION_CLASS.get(name, name) for name in names
        ]
        # as training code picks them
        assert entry["gt_boxes"][entry["num_lidar_pts"] > 0].shape[1] == 7


def test_bevfusion_has_the_boxes_of_before(
    frames: dict[str, InfoFrame],
) -> None:
    """Width before length; the angle is 0 along -y and grows clockwise."""
    for frame in frames.values():
        now = info_mmdet3d.legacy_entry(frame, "")["gt_boxes"]
        before = info_mmdet3d.legacy_entry(frame, "", bevfusion=True)
        boxes = before["gt_boxes"]
        near(boxes[:, :3], now[:, :3])
        near(boxes[:, [4, 3, 5]], now[:, 3:6])
        near(boxes[:, 6], -now[:, 6] - np.pi / 2)


def test_openpcdet(devkit: NuScenes, frames: dict[str, InfoFrame]) -> None:
    root = Path(devkit.dataroot)
    for sample, lidar, frame in each(devkit, frames):
        entry = info_openpcdet.entry(frame, SWEEPS)
        front = devkit.get("sample_data", sample["data"]["CAM_FRONT"])
        assert entry["token"] == sample["token"]
        assert entry["lidar_path"] == lidar["filename"]
        assert (root / entry["lidar_path"]).is_file()
        assert entry["cam_front_path"] == front["filename"]
        near(entry["timestamp"], 1e-6 * lidar["timestamp"], 1e-12)
        near(entry["ref_from_car"], np.linalg.inv(to_ego(devkit, lidar)))
        there = np.linalg.inv(ego(devkit, lidar))
        near(entry["car_from_global"], there, 1e-8)
        assert list(entry["cams"]) == list(CAMERAS)
        for channel, camera in entry["cams"].items():
            data = devkit.get("sample_data", sample["data"][channel])
            sensor_fields(devkit, sample, camera, data, "")
            assert camera["camera_intrinsics"].shape == (3, 3)
        near(
            entry["cam_intrinsic"],
            entry["cams"]["CAM_FRONT"]["camera_intrinsics"],
        )
        sweeps = chain(devkit, sample, SWEEPS)
        assert len(entry["sweeps"]) == SWEEPS
        for at, sweep in enumerate(entry["sweeps"]):
            # the last one again, where there are fewer
            data = sweeps[min(at, len(sweeps) - 1)]
            assert sweep["lidar_path"] == data["filename"]
            assert sweep["sample_data_token"] == data["token"]
            lag = 1e-6 * (lidar["timestamp"] - data["timestamp"])
            near(sweep["time_lag"], lag, 1e-6)
            expected = to_lidar(devkit, sample, data)
            near(sweep["transform_matrix"], expected, 1e-8)
            near(sweep["global_from_car"], ego(devkit, data))
            near(sweep["car_from_current"], to_ego(devkit, data))
        check_openpcdet_boxes(devkit, sample, lidar, entry)


def check_openpcdet_boxes(
    devkit: NuScenes, sample: Row, lidar: Row, entry: Row
) -> None:
    rows = [devkit.get("sample_annotation", t) for t in sample["anns"]]
    rows = [r for r in rows if r["num_lidar_pts"] + r["num_radar_pts"] > 0]
    assert len(rows) > 0
    assert entry["gt_boxes_token"].tolist() == [r["token"] for r in rows]
    assert entry["gt_boxes"].shape == (len(rows), 9)
    for at, row in enumerate(rows):
        box = box_in(devkit, row["token"], lidar)
        width, length, height = box.wlh
        ahead = box.rotation_matrix @ [1, 0, 0]
        heading = np.arctan2(ahead[1], ahead[0])
        expected = [*box.center, length, width, height, heading]
        near(entry["gt_boxes"][at, :7], expected)
        near(entry["gt_boxes"][at, 7:], box.velocity[:2])
        near(entry["gt_boxes_velocity"][at], box.velocity)
        name = DETECTION_CLASS.get(row["category_name"], "ignore")
        assert entry["gt_names"][at] == name
        assert entry["num_lidar_pts"][at] == row["num_lidar_pts"]
        assert entry["num_radar_pts"][at] == row["num_radar_pts"]


def test_openpcdet_repeats_the_keyframe_where_nothing_is_before(
    devkit: NuScenes,
) -> None:
    tables = read_tables(devkit.dataroot, VERSION, sweeps=0)
    frame = info_frame(tables, tables.frames[0])
    assert frame is not None
    entry = info_openpcdet.entry(frame, 9)
    assert len(entry["sweeps"]) == 9
    for sweep in entry["sweeps"]:
        assert sweep["lidar_path"] == entry["lidar_path"]
        assert sweep["transform_matrix"] is None and sweep["time_lag"] == 0


@pytest.mark.parametrize(
    "make",
    [
        lambda frame: info_mmdet3d.entry(frame, 0),
        lambda frame: info_mmdet3d.legacy_entry(frame, ""),
        lambda frame: info_openpcdet.entry(frame, 9),
    ],
)
def test_keyframes_without_boxes(
    devkit: NuScenes, make: Callable[[InfoFrame], Row]
) -> None:
    """A test set has no annotations; its infos have none then."""
    tables = read_tables(devkit.dataroot, VERSION, ground_truth=False)
    frame = info_frame(tables, tables.frames[0])
    assert frame is not None
    entry = make(frame)
    assert "gt_boxes" not in entry and "cam_instances" not in entry
    assert entry.get("instances", []) == []
