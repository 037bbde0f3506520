"""Distances and sizes by LiDAR points and by the ground."""

from __future__ import annotations

import numpy as np
import pytest

from raremine.brain.locating.ranging import (
    FARTHEST,
    LEAST_POINTS,
    Camera,
    likeliest,
    locate,
    see,
)
from raremine.brain.nuscenes.geometry import pose_matrix

HEIGHT = 1.5
FOCAL = 1000.0
INTRINSIC = np.array([[FOCAL, 0, 800], [0, FOCAL, 450], [0, 0, 1.0]])
# looks along the world's x: right is -y, down is -z
LOOKS_AHEAD = pose_matrix([1.0, 0.0, HEIGHT], [0.5, -0.5, 0.5, -0.5])
CAMERA = Camera(INTRINSIC, LOOKS_AHEAD, 1600, 900)


def box(
    depth: float, low: float, high: float, left: float, right: float
) -> list[float]:
    """The box of an upright rectangle; metres, left is positive y."""
    x = [800 - FOCAL * y / depth for y in (left, right)]
    y = [450 - FOCAL * (z - HEIGHT) / depth for z in (high, low)]
    return [
        *(x[0] / 1600, y[0] / 900),
        *((x[1] - x[0]) / 1600, (y[1] - y[0]) / 900),
    ]


def wall(
    depth: float, low: float, high: float, left: float, right: float, n: int
) -> np.ndarray:
    """(n², 3) points of an upright rectangle, in the world frame."""
    y, z = np.meshgrid(np.linspace(right, left, n), np.linspace(low, high, n))
    x = np.full(n * n, depth + 1.0)
    return np.column_stack([x, y.ravel(), z.ravel()])


def test_points_are_seen_where_they_are() -> None:
    cloud = np.array(
        [
            *([21.0, 2.0, 1.5], [21.0, -2.0, 0.5]),
            # behind, beside and above the image
            *([-5.0, 0.0, 1.5], [3.0, 9.0, 1.5], [3.0, 0.0, 9.0]),
        ]
    )
    pixels, depth = see(cloud, CAMERA)
    np.testing.assert_allclose(pixels, [[700, 450], [900, 500]])
    np.testing.assert_allclose(depth, [20, 20])


def test_size_and_distance_of_a_known_object() -> None:
    boxes = np.array([box(20, 0, 1.8, 3.4, 2.6)])
    cloud = wall(20, 0.2, 1.8, 3.4, 2.6, 9)
    found = locate(boxes, CAMERA, cloud)
    assert found.by.tolist() == ["lidar"]
    np.testing.assert_allclose(found.depth, 20)
    np.testing.assert_allclose(found.height, 1.8)
    np.testing.assert_allclose(found.width, 0.8)
    # from the ego at the world's origin, a metre behind the camera
    np.testing.assert_allclose(found.distance, np.hypot(21, 3))
    assert 9 <= found.points[0] <= 81


def test_the_wall_behind_has_more_points_and_is_not_the_object() -> None:
    boxes = np.array([box(20, 0, 1.8, 0.4, -0.4)])
    cloud = np.concatenate(
        [
            wall(20, 0.9, 1.2, 0.1, -0.1, 2),
            wall(60, 0, 6, 6, -6, 60),
        ]
    )
    found = locate(boxes, CAMERA, cloud)
    np.testing.assert_allclose(found.depth, 20)
    assert found.points.tolist() == [4]
    # seen from above, without feet in the image, the wall is all there is
    low = np.array([[0.4, 0.6, 0.2, 0.4]])
    floating = locate(low, CAMERA, wall(60, -40, 40, 20, -20, 200))
    np.testing.assert_allclose(floating.depth, 60)


def test_what_is_in_front_does_not_make_a_bus_small() -> None:
    boxes = np.array([box(50, 0, 3.5, 2, -2)])
    cloud = np.concatenate(
        [
            wall(50, 1.5, 3.4, 1.9, -1.9, 4),
            wall(25, 0.0, 1.5, 0.9, -0.9, 5),
        ]
    )
    np.testing.assert_allclose(locate(boxes, CAMERA, cloud).height, 3.5)


def test_without_points_the_ground_tells() -> None:
    boxes = np.array(
        [
            box(30, 0, 1.8, 3.4, 2.6),
            # ends above the horizon
            box(30, 2, 3, 3.4, 2.6),
            # beyond what flat ground can tell
            box(FARTHEST + 1, 0, 1.8, 3.4, 2.6),
            # its feet are not in the image
            [0.4, 0.4, 0.1, 0.6],
        ]
    )
    for cloud in (None, np.zeros((0, 3)), wall(30, 0, 1, -30, -40, 9)):
        found = locate(boxes, CAMERA, cloud)
        assert found.by.tolist() == ["ground", "none", "none", "none"]
        np.testing.assert_allclose(found.depth, [30, *[np.nan] * 3])
        np.testing.assert_allclose(found.height, [1.8, *[np.nan] * 3])
        assert not found.points.any()


def test_a_single_point_is_no_depth() -> None:
    boxes = np.array([box(30, 0, 1.8, 0.4, -0.4)])
    point = np.array([[33.0, 0.0, 1.0]])
    assert locate(boxes, CAMERA, point).by.tolist() == ["ground"]
    enough = np.repeat(point, LEAST_POINTS, axis=0)
    found = locate(boxes, CAMERA, enough)
    assert found.by.tolist() == ["lidar"]
    np.testing.assert_allclose(found.depth, 32)


def test_few_points_far_from_the_ground_are_something_else() -> None:
    boxes = np.array([box(50, 0, 3.5, 2, -2)])
    pole = wall(20, 0.5, 1.5, 0.1, -0.1, 3)
    found = locate(boxes, CAMERA, pole)
    assert found.by.tolist() == ["ground"]
    np.testing.assert_allclose(found.depth, 50)
    assert found.points.tolist() == [0]
    # so many points do not lie: the street may rise there
    found = locate(boxes, CAMERA, wall(20, 0.5, 1.5, 0.1, -0.1, 9))
    assert found.by.tolist() == ["lidar"]
    np.testing.assert_allclose(found.depth, 20)


def test_no_box_is_measured_by_its_neighbours() -> None:
    rng = np.random.default_rng(1)
    rows = [
        box(d, 0, 1.8, y + 0.4, y - 0.4)
        for d, y in zip((8, 15, 30), (-2, 3, 1), strict=True)
    ]
    cloud = np.concatenate(
        [
            wall(d, 0.3, 1.7, y + 0.4, y - 0.4, 7)
            for d, y in zip((8, 15, 30), (-2, 3, 1), strict=True)
        ]
    )
    whole = locate(np.array(rows), CAMERA, rng.permutation(cloud))
    np.testing.assert_allclose(whole.depth, [8, 15, 30])
    for row, own in enumerate(rows):
        alone = locate(np.array([own]), CAMERA, cloud)
        np.testing.assert_allclose(alone.depth, whole.depth[row])


def test_the_likeliest_depth() -> None:
    depths = np.array([10.0, 10.2, 10.4, 30.0, 30.1, 30.2, 30.3])
    fullest, points, weight = likeliest(depths, np.nan)
    assert (points, weight) == (4, 4.0)
    assert fullest == pytest.approx(30.15, abs=0.01)
    on_ground, points, weight = likeliest(depths, 11.0)
    assert points == 3
    assert 2.5 < weight < 3
    assert on_ground == pytest.approx(10.2, abs=0.01)
    # the ground may be wrong by any factor: points alone decide then
    assert likeliest(depths, 1e6)[1] == 4
    # of equals the nearest
    assert likeliest(np.array([5.0, 50.0]), np.nan)[0] == pytest.approx(5.0)


def test_no_boxes() -> None:
    found = locate(np.zeros((0, 4)), CAMERA, wall(9, 0, 1, 1, 0, 3))
    assert len(found.by) == len(found.depth) == 0
