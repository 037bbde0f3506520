"""Frames, cuboids and their projection: pure functions on arrays.

Frames, all right-handed, in metres:

- global: nuScenes' map frame, z up;
- ego: x forward, y left, z up, on the vehicle, per moment;
- sensor: a camera's is x right, y down, z forward;
- world: one per keyframe, what a ``.fo3d`` scene is drawn in. Its origin is
  the ego origin at the time of the LiDAR sweep, its z axis is the global z
  axis and its x axis is the ego's heading. Only a yaw lies between it and
  the global frame, so cuboids that stand upright globally (nuScenes' all do)
  are described exactly by one angle, which 3D IoU and editing rely on.

A pose is a (4, 4) matrix that maps homogeneous points of the named frame to
its parent: ``ego pose @ point_ego = point_global``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

NEAR = 0.01
"""Distance of the near plane that cuboids are cut at, in metres. Small, so
that what is drawn of a box that reaches past the camera is not cut short."""

CORNER_SIGNS = np.array(
    [
        [1, 1, 1],
        [1, -1, 1],
        [1, -1, -1],
        [1, 1, -1],
        [-1, 1, 1],
        [-1, -1, 1],
        [-1, -1, -1],
        [-1, 1, -1],
    ],
    dtype=np.float64,
)
"""Signs of the corners along length, width and height: the front face first,
in the order of the devkit's ``Box.corners``."""

EDGES = np.array(
    [
        (0, 1),
        (1, 2),
        (2, 3),
        (3, 0),
        (4, 5),
        (5, 6),
        (6, 7),
        (7, 4),
        (0, 4),
        (1, 5),
        (2, 6),
        (3, 7),
    ]
)
"""Pairs of corners that a cuboid's twelve edges join."""


def rotation_matrices(quaternions: np.ndarray) -> np.ndarray:
    """Converts quaternions, scalar first as nuScenes writes them.

    Args:
        quaternions: (n, 4) w, x, y, z; need not have unit length

    Returns:
        (n, 3, 3) rotation matrices
    """
    from scipy.spatial.transform import Rotation

    q = np.asarray(quaternions, dtype=np.float64).reshape(-1, 4)
    if not len(q):
        return np.zeros((0, 3, 3))
    return np.asarray(Rotation.from_quat(q[:, [1, 2, 3, 0]]).as_matrix())


def pose_matrix(
    translation: Sequence[float], rotation: Sequence[float]
) -> np.ndarray:
    """Builds a pose from a table's translation and rotation.

    Args:
        translation: x, y, z in metres
        rotation: quaternion w, x, y, z

    Returns:
        (4, 4) pose
    """
    pose = np.eye(4)
    pose[:3, :3] = rotation_matrices(np.array([rotation]))[0]
    pose[:3, 3] = translation
    return pose


def invert_pose(pose: np.ndarray) -> np.ndarray:
    """Inverts a rigid (4, 4) pose exactly, by its transpose."""
    inverse = np.eye(4)
    inverse[:3, :3] = pose[:3, :3].T
    inverse[:3, 3] = -pose[:3, :3].T @ pose[:3, 3]
    return inverse


def world_pose(ego_pose: np.ndarray) -> np.ndarray:
    """Returns the pose (world to global) of a keyframe's world frame.

    Args:
        ego_pose: (4, 4) ego pose at the time of the LiDAR sweep

    Returns:
        (4, 4): the ego's place and heading, without its roll and pitch
    """
    heading = np.arctan2(ego_pose[1, 0], ego_pose[0, 0])
    cos, sin = np.cos(heading), np.sin(heading)
    pose = np.eye(4)
    pose[:2, :2] = [[cos, -sin], [sin, cos]]
    pose[:3, 3] = ego_pose[:3, 3]
    return pose


def transform_points(pose: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Maps points (..., 3) by a (4, 4) pose."""
    return np.asarray(points @ pose[:3, :3].T + pose[:3, 3])


def box_corners(
    centers: np.ndarray, sizes: np.ndarray, rotations: np.ndarray
) -> np.ndarray:
    """Returns the corners of cuboids.

    Args:
        centers: (n, 3) in any frame
        sizes: (n, 3) width, length, height, as nuScenes writes them
        rotations: (n, 3, 3) from the box's frame (x along its length) to
            the frame of the centers

    Returns:
        (n, 8, 3) corners, ordered like ``CORNER_SIGNS``
    """
    half = sizes[:, [1, 0, 2]] / 2
    local = CORNER_SIGNS[None] * half[:, None]
    return np.asarray(local @ rotations.transpose(0, 2, 1) + centers[:, None])


def project_points(points: np.ndarray, intrinsic: np.ndarray) -> np.ndarray:
    """Projects points of a camera's frame, like the devkit's ``view_points``.

    Args:
        points: (..., 3), z forward and not zero
        intrinsic: (3, 3) camera matrix

    Returns:
        (..., 2) pixels
    """
    image = points @ intrinsic.T
    return np.asarray(image[..., :2] / image[..., 2:3])


def project_boxes(
    corners: np.ndarray,
    intrinsic: np.ndarray,
    width: int,
    height: int,
    near: float = NEAR,
) -> np.ndarray:
    """Returns what an image shows of cuboids, as 2D boxes.

    Each cuboid is cut at the near plane (its corners in front of it, plus
    the points where its edges cross it), projected, and the convex hull of
    the result is cut at the image's borders; the 2D box bounds what is left.
    The devkit's ``export_2d_annotations_as_json`` does the same without the
    cut at the near plane: it drops the corners behind the camera, so where
    a cuboid crosses the image plane its box is too small or missing.
    Occlusion is not looked at.

    Args:
        corners: (n, 8, 3) corners in the camera's frame
        intrinsic: (3, 3) camera matrix
        width: image width in pixels
        height: image height in pixels
        near (0.01): distance of the near plane in metres

    Returns:
        (n, 4) x1, y1, x2, y2 in pixels; NaN where nothing is in the image
    """
    boxes = np.full((len(corners), 4), np.nan)
    if not len(corners):
        return boxes
    start, end = corners[:, EDGES[:, 0]], corners[:, EDGES[:, 1]]
    z0, z1 = start[..., 2], end[..., 2]
    crosses = (z0 > near) != (z1 > near)
    along = (near - z0) / np.where(crosses, z1 - z0, 1.0)
    points = np.concatenate(
        [corners, start + along[..., None] * (end - start)], axis=1
    )
    seen = np.concatenate([corners[..., 2] > near, crosses], axis=1)
    pixels = project_points(
        np.where(seen[..., None], points, [0.0, 0.0, 1.0]), intrinsic
    )
    low = np.where(seen[..., None], pixels, np.inf).min(axis=1)
    high = np.where(seen[..., None], pixels, -np.inf).max(axis=1)

    size = np.array([width, height], dtype=np.float64)
    overlaps = ((low < size) & (high > 0)).all(axis=1)
    inside = ((low >= 0) & (high <= size)).all(axis=1)
    boxes[inside] = np.hstack([low, high])[inside]
    for row in np.flatnonzero(overlaps & ~inside):
        hull = _convex_hull(pixels[row][seen[row]])
        clipped = _clip_to_image(hull, width, height)
        if clipped:
            corners_2d = np.array(clipped)
            boxes[row, :2] = corners_2d.min(axis=0)
            boxes[row, 2:] = corners_2d.max(axis=0)
    # a sliver without area is no box
    flat = ~((boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1]))
    boxes[flat] = np.nan
    return boxes


Point = tuple[float, float]


def _convex_hull(points: np.ndarray) -> list[Point]:
    """Andrew's monotone chain; counter-clockwise, without repetition."""
    ordered: list[Point] = sorted({(float(x), float(y)) for x, y in points})
    if len(ordered) < 3:
        return ordered

    def chain(sequence: Sequence[Point]) -> list[Point]:
        hull: list[Point] = []
        for p in sequence:
            while len(hull) > 1:
                (ax, ay), (bx, by) = hull[-2], hull[-1]
                turn = (bx - ax) * (p[1] - ay) - (by - ay) * (p[0] - ax)
                if turn > 0:
                    break
                hull.pop()
            hull.append(p)
        return hull[:-1]

    return chain(ordered) + chain(ordered[::-1])


def _clip_to_image(
    polygon: list[Point], width: float, height: float
) -> list[Point]:
    """Sutherland and Hodgman's clipping, one image border after the other."""
    borders = (
        (0, 0.0, 1),
        (0, float(width), -1),
        (1, 0.0, 1),
        (1, float(height), -1),
    )
    for axis, limit, sign in borders:
        clipped: list[Point] = []
        previous = [*polygon[-1:], *polygon[:-1]]
        for before, after in zip(previous, polygon, strict=True):
            d0 = sign * (before[axis] - limit)
            d1 = sign * (after[axis] - limit)
            if (d0 < 0) != (d1 < 0):
                t = d0 / (d0 - d1)
                across = 1 - axis
                cut = before[across] + t * (after[across] - before[across])
                # exactly on the border, whatever the rounding
                clipped.append((limit, cut) if axis == 0 else (cut, limit))
            if d1 >= 0:
                clipped.append(after)
        polygon = clipped
    return polygon
