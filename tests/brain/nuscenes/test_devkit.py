"""The official devkit as judge of what was loaded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fiftyone as fo
import numpy as np
import pytest
from nuscenes.nuscenes import NuScenes
from nuscenes.scripts import export_2d_annotations_as_json as devkit_2d
from nuscenes.utils.data_classes import Box, LidarPointCloud, RadarPointCloud
from nuscenes.utils.geometry_utils import view_points
from pypcd4 import PointCloud
from pyquaternion import Quaternion
from scipy.spatial.transform import Rotation

from raremine.brain.columns import all_slices
from raremine.brain.nuscenes.loader import load_nuscenes

ALL_VISIBILITIES = ["", "1", "2", "3", "4"]


@pytest.fixture(scope="module")
def loaded(
    judged: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[NuScenes, fo.Dataset]]:
    root, version = judged
    devkit = NuScenes(version, str(root), verbose=False)
    radar = bool(list(root.glob("samples/RADAR*")))
    media = tmp_path_factory.mktemp("media")
    dataset = load_nuscenes(
        root, version, "judged", radar=radar, media_dir=media
    )
    yield devkit, dataset
    dataset.delete()


def devkit_corners(box: Box, pose: fo.StaticTransform) -> np.ndarray:
    """Corners (8, 3) of a devkit box, from the global to the world frame."""
    to_world = np.linalg.inv(pose.transform_matrix)
    return (to_world[:3, :3] @ box.corners() + to_world[:3, 3:]).T


def test_same_tokens(loaded: Any) -> None:
    devkit, dataset = loaded
    view = all_slices(dataset)
    assert set(view.values("sample_token")) == {
        s["token"] for s in devkit.sample
    }
    channels = {
        c["channel"] for c in devkit.sensor if "RADAR" not in c["channel"]
    }
    assert set(view.values("sample_data_token")) == {
        d["token"]
        for d in devkit.sample_data
        if d["is_key_frame"] and d["channel"] in channels
    }
    dataset.group_slice = "LIDAR_TOP"
    tokens = dataset.values("ground_truth.detections.ann_token", unwind=True)
    assert sorted(tokens) == sorted(
        a["token"] for a in devkit.sample_annotation
    )
    for sample in view:
        data = devkit.get("sample_data", sample.sample_data_token)
        assert data["sample_token"] == sample.sample_token
        assert data["channel"] == sample.group.name
        assert data["timestamp"] == sample.timestamp


def test_samples_say_what_the_tables_say(loaded: Any) -> None:
    devkit, dataset = loaded
    for sample in all_slices(dataset):
        keyframe = devkit.get("sample", sample.sample_token)
        scene = devkit.get("scene", keyframe["scene_token"])
        log = devkit.get("log", scene["log_token"])
        assert sample.scene_token == scene["token"]
        assert sample.scene_name == scene["name"]
        assert sample.scene_description == scene["description"]
        assert sample.location == log["location"]
        place, before = 0, keyframe
        while before["prev"]:
            before = devkit.get("sample", before["prev"])
            place += 1
        assert sample.frame_idx == place
        assert sample.load_status == "ok"


def test_ego_and_sensor_poses(loaded: Any) -> None:
    devkit, dataset = loaded
    for sample in all_slices(dataset):
        data = devkit.get("sample_data", sample.sample_data_token)
        ego = devkit.get("ego_pose", data["ego_pose_token"])
        assert sample.ego_pose.translation == pytest.approx(
            ego["translation"], abs=1e-6
        )
        expected = Quaternion(ego["rotation"]).rotation_matrix
        assert sample.ego_pose.rotation_matrix == pytest.approx(
            expected, abs=1e-9
        )
        if sample.media_type != "image":
            continue
        mounted = devkit.get(
            "calibrated_sensor", data["calibrated_sensor_token"]
        )
        turn = Quaternion(mounted["rotation"]).rotation_matrix
        in_global = (
            sample.world_pose.transform_matrix
            @ sample.sensor_to_world.transform_matrix
        )
        assert in_global[:3, :3] == pytest.approx(expected @ turn, abs=1e-9)
        assert in_global[:3, 3] == pytest.approx(
            expected @ mounted["translation"] + ego["translation"], abs=1e-6
        )
        own = dataset.resolve_intrinsics(sample)
        assert own.intrinsic_matrix == pytest.approx(
            np.array(mounted["camera_intrinsic"])
        )
        assert (own.width, own.height) == (data["width"], data["height"])


def test_cuboids_have_the_devkits_corners(loaded: Any) -> None:
    devkit, dataset = loaded
    dataset.group_slice = "LIDAR_TOP"
    count = 0
    for sample in dataset:
        for label in sample.ground_truth.detections:
            expected = devkit_corners(
                devkit.get_box(label.ann_token), sample.world_pose
            )
            length, width, height = label.dimensions
            upright = Box([0, 0, 0], [width, length, height], Quaternion())
            for turn in (
                Rotation.from_euler("XYZ", label.rotation),
                Rotation.from_quat(label.quaternion),
            ):
                corners = turn.apply(upright.corners().T) + label.location
                assert corners == pytest.approx(expected, abs=1e-6)
            # upright in the world frame, as nuScenes annotates
            assert label.rotation[:2] == pytest.approx([0, 0], abs=1e-9)
            count += 1
    assert count == len(devkit.sample_annotation)


def test_labels_say_what_the_tables_say(loaded: Any) -> None:
    devkit, dataset = loaded
    of_instance: dict[str, set[str]] = {}
    for sample in all_slices(dataset):
        for label in sample.ground_truth.detections:
            row = devkit.get("sample_annotation", label.ann_token)
            assert row["sample_token"] == sample.sample_token
            assert label.category == row["category_name"]
            assert label.instance_token == row["instance_token"]
            assert label.num_lidar_pts == row["num_lidar_pts"]
            assert label.num_radar_pts == row["num_radar_pts"]
            assert label.attribute_names == [
                devkit.get("attribute", t)["name"]
                for t in row["attribute_tokens"]
            ]
            seen = row["visibility_token"]
            assert label.visibility == (
                devkit.get("visibility", seen)["level"] if seen else ""
            )
            of_instance.setdefault(label.instance_token, set()).add(
                label.instance.id
            )
            velocity = devkit.box_velocity(label.ann_token)
            if np.isnan(velocity).any():
                assert label.velocity is None
            else:
                turned = sample.world_pose.rotation_matrix @ label.velocity
                assert turned == pytest.approx(velocity, abs=1e-6)
            place = sample.world_pose.translation
            assert label.distance == pytest.approx(
                np.hypot(*np.subtract(row["translation"], place)[:2])
            )
    assert all(len(ids) == 1 for ids in of_instance.values())
    ids = set.union(*of_instance.values())
    assert len(ids) == len(of_instance)


def test_boxes_agree_with_the_devkits_export(
    loaded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    devkit, dataset = loaded
    monkeypatch.setattr(devkit_2d, "nusc", devkit, raising=False)
    inner = devkit_2d.post_process_coords
    image_size: list[int] = []

    def process(corners: list) -> Any:
        # the devkit fails where fewer than three corners are left, and
        # takes all images to be of nuScenes' size
        try:
            return inner(corners, tuple(image_size))
        except AttributeError:
            return None

    monkeypatch.setattr(devkit_2d, "post_process_coords", process)
    compared = more = 0
    for sample in dataset.select_group_slices(media_type="image"):
        image_size[:] = sample.metadata.width, sample.metadata.height
        size = np.array(image_size * 2)
        ours = {}
        for label in sample.ground_truth.detections:
            x, y, w, h = label.bounding_box
            ours[label.ann_token] = size * [x, y, x + w, y + h]
        records = devkit_2d.get_2d_boxes(
            sample.sample_data_token, ALL_VISIBILITIES
        )
        theirs = {
            r["sample_annotation_token"]: np.array(r["bbox_corners"])
            for r in records
        }
        # the devkit is right where no corner lies behind the camera
        to_camera = np.linalg.inv(
            sample.world_pose.transform_matrix
            @ sample.sensor_to_world.transform_matrix
        )
        whole = set()
        for token in devkit.get("sample", sample.sample_token)["anns"]:
            corners = devkit.get_box(token).corners()
            depth = to_camera[2, :3] @ corners + to_camera[2, 3]
            if (depth > 0.01).all():
                whole.add(token)
        assert set(ours) & whole == set(theirs) & whole
        for token in whole & set(theirs):
            assert ours[token] == pytest.approx(theirs[token], abs=1e-3)
            compared += 1
        # where corners do, its box is a part of ours or absent
        for token in set(theirs) - whole:
            assert (ours[token][:2] <= theirs[token][:2] + 1e-3).all()
            assert (ours[token][2:] >= theirs[token][2:] - 1e-3).all()
        more += len(set(ours) - set(theirs))
    assert compared > 50
    if devkit.version == "v1.0-mini" and len(devkit.sample) > 1:
        # the tiny dataroot has many cuboids right beside the cameras
        assert more > 0


def test_projector_gives_the_devkits_pixels(loaded: Any) -> None:
    devkit, dataset = loaded
    projected = 0
    for group in dataset.iter_groups():
        cloud = group["LIDAR_TOP"]
        for channel, sample in group.items():
            if channel == "LIDAR_TOP":
                continue
            projector = fo.CameraProjector(
                dataset.resolve_intrinsics(sample),
                dataset.resolve_transformation(sample),
            )
            _, boxes, matrix = devkit.get_sample_data(sample.sample_data_token)
            labels = {b.ann_token: b for b in cloud.ground_truth.detections}
            for box in boxes:
                corners = box.corners()
                if (corners[2] < 0.1).any():
                    continue
                expected = view_points(corners, matrix, True)[:2].T
                label = labels[box.token]
                turn = Rotation.from_quat(label.quaternion)
                local = Box(
                    [0, 0, 0],
                    np.array(label.dimensions)[[1, 0, 2]],
                    Quaternion(),
                ).corners()
                world = turn.apply(local.T) + label.location
                assert projector.project(world) == pytest.approx(
                    expected, abs=1e-3
                )
                projected += 1
    assert projected > 30


def test_clouds_lie_where_the_devkit_puts_them(loaded: Any) -> None:
    devkit, dataset = loaded
    dataset.group_slice = "LIDAR_TOP"
    for sample in dataset:
        row = devkit.get("sample", sample.sample_token)
        scene = fo.Scene.from_fo3d(sample.filepath)
        for node in scene.children:
            data = devkit.get("sample_data", row["data"][node.name])
            mounted = devkit.get(
                "calibrated_sensor", data["calibrated_sensor_token"]
            )
            ego = devkit.get("ego_pose", data["ego_pose_token"])
            path = devkit.get_sample_data_path(data["token"])
            kind = (
                RadarPointCloud if path.endswith(".pcd") else LidarPointCloud
            )
            cloud = kind.from_file(path)
            for pose in (mounted, ego):
                cloud.rotate(Quaternion(pose["rotation"]).rotation_matrix)
                cloud.translate(np.array(pose["translation"]))
            ours = PointCloud.from_path(
                Path(sample.filepath).parent / node.pcd_path
            )
            points = ours.numpy(("x", "y", "z"))
            pose = sample.world_pose
            in_global = points @ pose.rotation_matrix.T + pose.translation
            # float32 clouds: a millimetre at kilometre coordinates
            assert in_global == pytest.approx(cloud.points[:3].T, abs=2e-3)
            extra = "rcs" if "rcs" in ours.fields else "intensity"
            column = 5 if extra == "rcs" else 3
            assert ours.numpy((extra,))[:, 0] == pytest.approx(
                cloud.points[column]
            )
