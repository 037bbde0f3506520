"""Cuboids of many keyframes at a time, against one by one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from raremine.brain.nuscenes.annotations import Annotations
from raremine.brain.nuscenes.cuboids import Camera, Cuboids, Tracks
from raremine.brain.nuscenes.geometry import (
    box_corners,
    invert_pose,
    pose_matrix,
    project_boxes,
    rotation_matrices,
    transform_points,
)

COUNTS = (30, 0, 45)
"""Cuboids of each keyframe."""


def wxyz(turns: Rotation) -> np.ndarray:
    return np.asarray(turns.as_quat()[..., [3, 0, 1, 2]])


def made_annotations(rng: np.random.Generator) -> Annotations:
    n = sum(COUNTS)
    starts = np.concatenate([[0], np.cumsum(COUNTS)]).tolist()
    velocity = rng.normal(size=(n, 3))
    velocity[::4] = np.nan
    return Annotations(
        token=[f"ann-{i}" for i in range(n)],
        instance=[f"inst-{i % 40}" for i in range(n)],
        category=["vehicle.car", "animal"] * (n // 2) + ["animal"] * (n % 2),
        attributes=[("a", "b"), (), ("a",)] * (n // 3),
        visibility=[""] * n,
        center=rng.uniform([-25, -25, -2], [25, 25, 4], (n, 3)),
        size=rng.uniform(0.3, 8, (n, 3)),
        rotation=wxyz(Rotation.random(n, random_state=1)),
        num_lidar_pts=np.arange(n) - 1,
        num_radar_pts=np.arange(n),
        velocity=velocity,
        rows={
            f"sample-{i}": slice(*starts[i : i + 2])
            for i in range(len(COUNTS))
        },
    )


def worlds(rng: np.random.Generator) -> np.ndarray:
    turns = Rotation.from_euler("Z", rng.uniform(-3, 3, (len(COUNTS), 1)))
    return np.array(
        [
            pose_matrix(rng.uniform(-3, 3, 3).tolist(), q.tolist())
            for q in wxyz(turns)
        ]
    )


def cameras(rng: np.random.Generator) -> list[Camera]:
    """Cameras all around; some skewed, one that is no pinhole."""
    made = []
    for keyframe in range(len(COUNTS)):
        for number in range(8):
            turn = Rotation.random(random_state=100 * keyframe + number)
            pose = pose_matrix(
                rng.uniform(-2, 2, 3).tolist(), wxyz(turn).tolist()
            )
            width, height = (int(v) for v in rng.integers(100, 1600, 2))
            k = [[rng.uniform(100, 1500), 0.0, width * rng.uniform()]]
            k += [[0.0, rng.uniform(100, 1500), height * rng.uniform()]]
            matrix = np.array([*k, [0.0, 0.0, 1.0]])
            if number == 1:
                matrix[0, 1] = 40.0
            if number == 2:
                matrix[2] = [0.0, 0.1, 1.0]
            made.append(
                Camera(keyframe, invert_pose(pose), matrix, width, height)
            )
    return made


@pytest.fixture(scope="module")
def batch() -> tuple[Cuboids, Annotations, np.ndarray, list[Camera]]:
    rng = np.random.default_rng(7)
    table, poses = made_annotations(rng), worlds(rng)
    cuboids = Cuboids(table, list(table.rows.values()), poses)
    return cuboids, table, poses, cameras(rng)


def test_images_show_what_they_show_one_by_one(batch: tuple) -> None:
    cuboids, table, poses, views = batch
    shown = 0
    all_rows = list(table.rows.values())
    for camera, found in zip(views, cuboids.boxes(views), strict=True):
        rows = all_rows[camera.keyframe]
        corners = box_corners(
            table.center[rows],
            table.size[rows],
            rotation_matrices(table.rotation[rows]),
        )
        to_camera = camera.to_camera @ invert_pose(poses[camera.keyframe])
        expected = project_boxes(
            transform_points(to_camera, corners),
            *(camera.intrinsic, camera.width, camera.height),
        )
        seen = np.flatnonzero(~np.isnan(expected[:, 0]))
        assert found.rows == (seen + rows.start).tolist()
        if not len(seen):
            continue
        pixels = np.array(found.boxes)
        pixels[:, 2:] += pixels[:, :2]
        pixels *= [camera.width, camera.height] * 2
        assert pixels == pytest.approx(expected[seen], abs=1e-6)
        shown += len(seen)
    assert 50 < shown < 0.5 * 8 * sum(COUNTS)


def test_places_are_those_of_each_cuboid(batch: tuple) -> None:
    cuboids, table, poses, _ = batch
    places = cuboids.places()
    assert len(places) == len(cuboids) == sum(COUNTS)
    keyframe = np.repeat(np.arange(len(COUNTS)), COUNTS)
    for row, place in enumerate(places):
        pose = poses[keyframe[row]]
        assert transform_points(pose, np.array(place["location"])) == (
            pytest.approx(table.center[row])
        )
        length, width, height = place["dimensions"]
        assert [width, length, height] == table.size[row].tolist()
        for turn in (
            Rotation.from_euler("XYZ", place["rotation"]),
            Rotation.from_quat(place["quaternion"]),
        ):
            assert pose[:3, :3] @ turn.as_matrix() == pytest.approx(
                rotation_matrices(table.rotation[row][None])[0]
            )


def test_values_are_those_of_each_annotation(batch: tuple) -> None:
    cuboids, table, poses, _ = batch
    tracks = Tracks()
    values, instances = cuboids.values(["s", "s", "s"], tracks)
    assert [v["ann_token"] for v in values] == table.token
    assert [v["index"] for v in values] == [
        i % 40 + 1 for i in range(sum(COUNTS))
    ]
    assert instances[0] == instances[40] != instances[1]
    assert values[0]["num_lidar_pts"] is None
    assert values[1]["num_lidar_pts"] == 0
    assert values[0]["attribute_names"] == ["a", "b"]
    assert {v["label"] for v in values} == {"car", "ignore"}
    for row, value in enumerate(values):
        if row % 4 == 0:
            assert value["velocity"] is None
            continue
        pose = poses[0 if row < COUNTS[0] else 2]
        assert pose[:3, :3] @ value["velocity"] == pytest.approx(
            table.velocity[row]
        )
    # the next batch of the scene counts on, another scene starts anew
    more, _ = cuboids.values(["s", "t", "t"], tracks)
    assert more[5]["index"] == values[5]["index"]
    assert more[COUNTS[0]]["index"] == 1


def test_nothing_to_show() -> None:
    rng = np.random.default_rng(1)
    table = made_annotations(rng)
    empty = Cuboids(table, [slice(0, 0)], np.eye(4)[None])
    assert len(empty) == 0
    assert empty.places() == []
    assert empty.values(["s"], Tracks()) == ([], [])
    found = empty.boxes(cameras(rng)[:1])
    assert [(b.rows, b.boxes) for b in found] == [([], [])]
