"""The rendered world: valid nuScenes, true labels, same seed same bytes."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from demo.config import WorldConfig
from demo.plan import TARGETS, scene_plan
from demo.render import SceneRenderer
from demo.town import build_scene
from demo.world import (
    RenderedImage,
    main,
    render_images,
    render_scene_images,
    write_world,
)

SMALL = WorldConfig(seed=4, scenes=2, keyframes=2, image_size=(400, 225))
FLAT = WorldConfig(
    seed=5, scenes=2, keyframes=2, image_size=(400, 225), rarity=0.0
)


@pytest.fixture(scope="module")
def dataroot(tmp_path_factory):
    # Pre-existing but empty folders are fine: users make them beforehand.
    return write_world(tmp_path_factory.mktemp("world"), FLAT)


@pytest.fixture(scope="module")
def nusc(dataroot):
    devkit = pytest.importorskip("nuscenes.nuscenes")
    return devkit.NuScenes(
        version="v1.0-demo", dataroot=str(dataroot), verbose=False
    )


@pytest.fixture(scope="module")
def pictures() -> list[RenderedImage]:
    return list(render_scene_images(FLAT, 0))


def digests(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(
            path.read_bytes()
        ).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_devkit_resolves_every_token(nusc):
    links = {
        "sample": ["scene"],
        "sample_data": ["sample", "ego_pose", "calibrated_sensor"],
        "calibrated_sensor": ["sensor"],
        "scene": ["log"],
        "instance": ["category"],
        "sample_annotation": ["sample", "instance", "visibility"],
    }
    for table, targets in links.items():
        for row in getattr(nusc, table):
            for target in targets:
                assert nusc.get(target, row[f"{target}_token"])
    for row in nusc.sample_annotation:
        for token in row["attribute_tokens"]:
            assert nusc.get("attribute", token)
    tokens = [
        row["token"]
        for name in nusc.table_names
        if name not in ("ego_pose", "visibility")  # shared with sample_data
        for row in getattr(nusc, name)
    ]
    assert len(set(tokens)) == len(tokens)
    assert all(len(t) == 32 and int(t, 16) >= 0 for t in tokens)


def test_files_are_there_and_named_like_nuscenes(nusc, dataroot):
    for row in nusc.sample_data:
        path = dataroot / row["filename"]
        log, channel, rest = path.name.split("__")
        assert path.is_file()
        assert channel == path.parent.name == row["channel"]
        assert rest.split(".")[0] == str(row["timestamp"])
        scene = nusc.get(
            "scene", nusc.get("sample", row["sample_token"])["scene_token"]
        )
        assert log == nusc.get("log", scene["log_token"])["logfile"]
    camera = next(r for r in nusc.sample_data if r["fileformat"] == "jpg")
    image = cv2.imread(str(dataroot / camera["filename"]))
    assert image.shape == (camera["height"], camera["width"], 3)


def test_chains_run_from_first_to_last(nusc):
    for scene in nusc.scene:
        token, before, seen = scene["first_sample_token"], "", 0
        while token:
            sample = nusc.get("sample", token)
            assert sample["prev"] == before
            assert len(sample["data"]) == 7
            before, token, seen = token, sample["next"], seen + 1
        assert before == scene["last_sample_token"]
        assert seen == scene["nbr_samples"] == FLAT.keyframes
    for instance in nusc.instance:
        token, before, seen = instance["first_annotation_token"], "", 0
        while token:
            row = nusc.get("sample_annotation", token)
            assert row["prev"] == before
            assert row["instance_token"] == instance["token"]
            before, token, seen = token, row["next"], seen + 1
        assert before == instance["last_annotation_token"]
        assert seen == instance["nbr_annotations"] >= 1
    for row in nusc.sample_data:
        if row["next"]:
            after = nusc.get("sample_data", row["next"])
            assert after["prev"] == row["token"]
            assert after["channel"] == row["channel"]
            assert after["timestamp"] > row["timestamp"]


def test_lidar_counts_are_those_of_the_devkit(nusc):
    from nuscenes.utils.data_classes import LidarPointCloud
    from nuscenes.utils.geometry_utils import points_in_box

    total = 0
    for sample in nusc.sample:
        path, boxes, _ = nusc.get_sample_data(sample["data"]["LIDAR_TOP"])
        points = LidarPointCloud.from_file(path).points[:3]
        assert points.shape[1] > 10000
        for box in boxes:
            row = nusc.get("sample_annotation", box.token)
            assert row["num_lidar_pts"] == points_in_box(box, points).sum()
            total += row["num_lidar_pts"]
    assert total > 100


def test_objects_project_onto_the_pixels_that_show_them(nusc):
    """The devkit's projection of a cuboid holds the rendered object."""
    from nuscenes.utils.geometry_utils import view_points

    checked = 0
    for index, scene in enumerate(nusc.scene):
        renderer = SceneRenderer(FLAT, index)
        sample = nusc.get("sample", scene["first_sample_token"])
        for camera in renderer.cameras:
            shot = renderer.shot(camera, 0)
            _, boxes, matrix = nusc.get_sample_data(
                sample["data"][camera.channel]
            )
            hulls = []
            for box in boxes:
                corners = box.corners()
                if corners[2].min() > 0.3:
                    uv = view_points(corners, matrix, normalize=True)[:2]
                    name = nusc.get("sample_annotation", box.token)
                    hulls.append((name["category_name"], uv))
            for found in renderer.objects(camera, 0, shot):
                x0, y0, x1, y1 = found.box
                assert 0 <= x0 < x1 <= 400 and 0 <= y0 < y1 <= 225
                assert 0 < found.visible_fraction <= 1
                if found.distance < 12:
                    continue  # may reach behind the camera's plane
                inside = [
                    category == found.category
                    and uv[0].min() - 1.5 <= x0
                    and x1 <= uv[0].max() + 1.5
                    and uv[1].min() - 1.5 <= y0
                    and y1 <= uv[1].max() + 1.5
                    for category, uv in hulls
                ]
                assert any(inside), found
                checked += 1
    assert checked > 40


def test_fully_visible_objects_fill_their_cuboids(nusc):
    """A shift of the boxes against the pixels would show here."""
    from nuscenes.utils.geometry_utils import view_points

    renderer = SceneRenderer(FLAT, 0)
    sample = nusc.get("sample", nusc.scene[0]["first_sample_token"])
    overlaps = []
    for camera in renderer.cameras:
        shot = renderer.shot(camera, 0)
        _, boxes, matrix = nusc.get_sample_data(
            sample["data"][camera.channel]
        )
        for found in renderer.objects(camera, 0, shot):
            x0, y0, x1, y1 = found.box
            edge = x0 <= 1 or y0 <= 1 or x1 >= 399 or y1 >= 224
            if edge or found.visible_fraction < 0.95:
                continue
            best = 0.0
            for box in boxes:
                uv = view_points(box.corners(), matrix, normalize=True)
                u0, v0, u1, v1 = (
                    uv[0].min(), uv[1].min(), uv[0].max(), uv[1].max())
                both = max(0.0, min(x1, u1) - max(x0, u0)) * max(
                    0.0, min(y1, v1) - max(y0, v0))
                either = (x1 - x0) * (y1 - y0) + (u1 - u0) * (v1 - v0) - both
                best = max(best, both / either)
            overlaps.append(best)
    assert len(overlaps) > 5
    assert np.median(overlaps) > 0.7


def test_velocities_follow_the_states(nusc):
    speeds: dict[str, list[float]] = {"parked": [], "moving": []}
    for row in nusc.sample_annotation:
        for token in row["attribute_tokens"]:
            name = nusc.get("attribute", token)["name"]
            speed = np.linalg.norm(nusc.box_velocity(row["token"]))
            if name.startswith("vehicle.") and np.isfinite(speed):
                speeds.setdefault(name.split(".")[1], []).append(speed)
    assert max(speeds["parked"], default=0.0) < 1e-6
    assert min(speeds["moving"], default=1.0) > 0.5


def test_map_holds_the_ego_positions(nusc):
    for scene in nusc.scene:
        mask = nusc.get(
            "map", nusc.get("log", scene["log_token"])["map_token"]
        )["mask"]
        sample = nusc.get("sample", scene["first_sample_token"])
        data = nusc.get("sample_data", sample["data"]["LIDAR_TOP"])
        x, y, _ = nusc.get("ego_pose", data["ego_pose_token"])["translation"]
        assert mask.is_on_mask(x, y).all()


def test_splits_are_the_devkits_custom_splits(nusc):
    splits = pytest.importorskip("nuscenes.utils.splits")
    train = splits.get_scenes_of_custom_split("train", nusc)
    val = splits.get_scenes_of_custom_split("val", nusc)
    names = {scene["name"] for scene in nusc.scene}
    assert set(train) | set(val) == names
    assert not set(train) & set(val)
    # An official split must not claim a rendered scene by its name.
    for official in splits.create_splits_scenes().values():
        assert not names & set(official)


def test_twenty_scenes_split_four_to_one():
    config = WorldConfig(seed=9)
    held = Counter(scene_plan(config, i).split for i in range(20))
    assert held == {"train": 16, "val": 4}


def test_same_seed_same_bytes_whatever_the_workers(tmp_path):
    one = digests(write_world(tmp_path / "one", SMALL))
    two = digests(write_world(tmp_path / "two", SMALL, workers=2))
    assert one == two


def test_other_seed_other_pictures():
    other = WorldConfig(**{**vars(SMALL), "seed": SMALL.seed + 1})
    a = next(iter(render_images(SMALL))).image
    b = next(iter(render_images(other))).image
    assert a.shape == b.shape
    assert not np.array_equal(a, b)


def test_a_scene_needs_no_other_scene(pictures):
    again = next(iter(render_scene_images(FLAT, 0)))
    assert np.array_equal(again.image, pictures[0].image)
    assert again.objects == pictures[0].objects


def test_pictures_show_annotated_things(pictures):
    assert len(pictures) == 12
    assert {p.image.dtype for p in pictures} == {np.dtype(np.uint8)}
    assert len({p.channel for p in pictures}) == 6
    assert sum(len(p.objects) for p in pictures) > 20
    # No black or blown-out picture.
    for picture in pictures:
        assert 5 < picture.image.mean() < 250
        assert picture.image.std() > 5


def test_refuses_to_overwrite_and_says_what_to_do(tmp_path):
    target = tmp_path / "world"
    target.mkdir()
    (target / "mine.txt").write_text("keep me")
    with pytest.raises(FileExistsError, match="choose another folder"):
        write_world(target, SMALL)
    assert (target / "mine.txt").read_text() == "keep me"
    assert [p.name for p in tmp_path.iterdir()] == ["world"]


def test_interruption_leaves_nothing(tmp_path):
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_world(tmp_path / "world", SMALL, progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_command_line_says_bad_numbers_in_one_sentence(tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        main([str(tmp_path / "world"), "--scenes", "0"])
    assert end.value.code == 2
    assert "at least one scene" in capsys.readouterr().err


def categories(config: WorldConfig) -> Counter[str]:
    count: Counter[str] = Counter()
    for index in range(config.scenes):
        scene = build_scene(config, index)
        count.update(
            a.shape.category for a in scene.actors[: scene.annotated]
        )
    return count


def test_the_default_world_has_a_long_tail():
    count = categories(WorldConfig(seed=1))
    common = count["vehicle.car"] + count["human.pedestrian.adult"]
    rare = sum(
        count[c]
        for c in ("vehicle.construction", "vehicle.trailer",
                  "vehicle.bicycle", "vehicle.motorcycle", "vehicle.truck")
    )
    assert 5 <= rare < 0.04 * common


def test_the_flat_world_has_none():
    count = categories(WorldConfig(seed=1, scenes=12, rarity=0.0))
    for category in ("vehicle.construction", "vehicle.trailer",
                     "vehicle.bicycle", "vehicle.motorcycle",
                     "vehicle.truck", "movable_object.barrier", "animal"):
        assert count[category] > 0.08 * count["vehicle.car"], category


@pytest.mark.parametrize("seed", range(4))
def test_every_target_class_is_planned_in_twenty_scenes(seed):
    config = WorldConfig(seed=seed)
    planned = {
        name for i in range(20) for name in scene_plan(config, i).rare
    }
    for shapes in TARGETS.values():
        assert planned & set(shapes)


def test_nothing_stands_in_the_egos_way():
    for config in (WorldConfig(seed=2, scenes=6), FLAT):
        for index in range(config.scenes):
            scene = build_scene(config, index)
            time = scene.plan.seconds
            for at in np.linspace(0, time, 4):
                ego = np.array(scene.ego(at)[:2])
                for actor, pose in zip(
                    scene.actors, scene.poses(at), strict=True
                ):
                    gap = np.hypot(*(pose[:2] - ego))
                    assert gap > 0.5 + actor.width / 2, actor.shape.name


@pytest.mark.parametrize("seed", range(6))
def test_both_splits_get_their_share_of_targets(seed):
    config = WorldConfig(seed=seed)
    plans = [scene_plan(config, i) for i in range(config.scenes)]
    targets = {name for shapes in TARGETS.values() for name in shapes}
    held = Counter(p.split for p in plans if targets & set(p.rare))
    assert held["train"] >= 3
    assert held["val"] >= 1


def test_splits_file_is_json(dataroot):
    held = json.loads((dataroot / "v1.0-demo" / "splits.json").read_text())
    assert sorted(held) == ["train", "val"]
