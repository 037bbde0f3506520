import numpy as np
import pytest
from nuscenes.utils.data_classes import Box
from pyquaternion import Quaternion
from scipy.spatial.transform import Rotation

from raremine.brain.nuscenes.geometry import (
    NEAR,
    box_corners,
    invert_pose,
    pose_matrix,
    project_boxes,
    project_points,
    rotation_matrices,
    transform_points,
    world_pose,
)

K = np.array([[1000.0, 0.0, 800.0], [0.0, 1000.0, 450.0], [0.0, 0.0, 1.0]])
SIZE = (1600, 900)


def cuboid(center: list[float], lwh: list[float]) -> np.ndarray:
    """Corners (1, 8, 3) of a cuboid whose axes are those of the frame."""
    length, width, height = lwh
    return box_corners(
        np.array([center]),
        np.array([[width, length, height]]),
        np.eye(3)[None],
    )


def test_corners_are_the_devkits() -> None:
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(20, 3)) * 100
    sizes = rng.uniform(0.1, 9, (20, 3))
    quaternions = Rotation.random(20, random_state=1).as_quat()[
        :, [3, 0, 1, 2]
    ]
    corners = box_corners(centers, sizes, rotation_matrices(quaternions))
    for row in range(20):
        box = Box(
            centers[row].tolist(),
            sizes[row].tolist(),
            Quaternion(quaternions[row]),
        )
        assert corners[row] == pytest.approx(box.corners().T, abs=1e-9)


def test_world_frame_keeps_place_and_heading_but_not_tilt() -> None:
    turn = Rotation.from_euler("ZYX", [40, 5, -3], degrees=True)
    x, y, z, w = turn.as_quat()
    ego = pose_matrix([7.0, 8.0, 9.0], [w, x, y, z])
    world = world_pose(ego)
    assert world[:3, 3].tolist() == [7.0, 8.0, 9.0]
    assert world[:3, 2].tolist() == [0.0, 0.0, 1.0]
    heading = np.degrees(np.arctan2(world[1, 0], world[0, 0]))
    assert heading == pytest.approx(40)


def test_pose_times_its_inverse_is_identity() -> None:
    pose = pose_matrix([1.0, -2.0, 3.0], [0.3, -0.1, 0.7, 0.2])
    points = np.random.default_rng(2).normal(size=(5, 3)) * 1000
    there = transform_points(pose, points)
    assert transform_points(invert_pose(pose), there) == pytest.approx(points)


def test_box_in_the_middle_of_the_image() -> None:
    boxes = project_boxes(cuboid([0, 0, 11], [2, 4, 2]), K, *SIZE)
    # the front face, 10 m away, bounds the picture
    assert boxes[0] == pytest.approx([700, 250, 900, 650])


def test_boxes_that_no_image_shows() -> None:
    behind = cuboid([0, 0, -5], [2, 2, 2])
    beside = cuboid([20, 0, 5], [2, 2, 2])
    above = cuboid([0, -30, 5], [2, 2, 2])
    touching = cuboid([9, 0, 10], [2, 2, 0.0])  # from pixel 1600 on
    for corners in (behind, beside, above, touching):
        assert np.isnan(project_boxes(corners, K, *SIZE)).all()


def test_a_box_across_the_image_plane_is_cut_there() -> None:
    # a wall on the right from behind the camera to 10 m ahead of it
    wall = cuboid([2, 0, 0], [0.2, 4, 20])
    x1, y1, x2, y2 = project_boxes(wall, K, *SIZE)[0]
    assert x1 == pytest.approx(800 + 1000 * 1.9 / 10)
    assert (y1, x2, y2) == (0, 1600, 900)


def test_a_box_around_the_camera_fills_the_image() -> None:
    around = cuboid([0, 0, 0], [4, 4, 4])
    assert project_boxes(around, K, *SIZE)[0].tolist() == [0, 0, *SIZE]


def test_hull_not_bounds_is_cut_at_the_borders() -> None:
    # a long bar that crosses the image's corner diagonally: the bounds of
    # what is seen are smaller than the bounds of the bar, cut
    turn = Rotation.from_euler("Z", 45, degrees=True).as_matrix()
    bar = box_corners(
        np.array([[7.0, -3.5, 10.0]]), np.array([[0.1, 6, 0.1]]), turn[None]
    )
    box = project_boxes(bar, K, *SIZE)[0]
    assert box == pytest.approx([1400, 0, 1600, 200], abs=15)


def test_boxes_hold_just_what_is_visible() -> None:
    """Against points of each cuboid's surface, also where it is cut."""
    rng = np.random.default_rng(4)
    n = 150
    centers = rng.uniform([-6, -4, -2], [6, 4, 12], (n, 3))
    sizes = rng.uniform(0.5, 5, (n, 3))
    turns = Rotation.random(n, random_state=5)
    boxes = project_boxes(
        box_corners(centers, sizes, turns.as_matrix()), K, *SIZE
    )
    grid = np.linspace(-0.5, 0.5, 25)
    face = np.stack(np.meshgrid(grid, grid, [-0.5, 0.5]), -1).reshape(-1, 3)
    surface = np.concatenate([np.roll(face, k, axis=1) for k in range(3)])
    tight = shown = 0
    for row in range(n):
        local = surface * sizes[row][[1, 0, 2]]
        points = turns[row].apply(local) + centers[row]
        pixels = project_points(points[points[:, 2] > NEAR], K)
        inside = ((pixels > 0) & (pixels < SIZE)).all(axis=1)
        if not inside.any():
            continue
        shown += 1
        low, high = pixels[inside].min(axis=0), pixels[inside].max(axis=0)
        assert (boxes[row, :2] <= low + 1e-6).all()
        assert (boxes[row, 2:] >= high - 1e-6).all()
        slack = np.abs(boxes[row] - np.concatenate([low, high])).max()
        tight += slack < 60
    assert shown > 50
    assert tight > 0.8 * shown


def test_no_boxes() -> None:
    assert project_boxes(np.zeros((0, 8, 3)), K, *SIZE).shape == (0, 4)
