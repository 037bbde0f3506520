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


def not_rotations(quaternions: np.ndarray) -> np.ndarray:
    """Returns the rows of (n, 4) quaternions that are all zero."""
    return np.flatnonzero(~np.asarray(quaternions).any(axis=1))


def pose_matrix(
    translation: Sequence[float], rotation: Sequence[float]
) -> np.ndarray:
    """Builds one (4, 4) pose, see ``pose_matrices``."""
    return pose_matrices(np.array([translation]), np.array([rotation]))[0]


def pose_matrices(
    translations: np.ndarray, rotations: np.ndarray
) -> np.ndarray:
    """Builds poses from translations and rotations.

    Args:
        translations: (n, 3) x, y, z in metres
        rotations: (n, 4) quaternions w, x, y, z

    Returns:
        (n, 4, 4) poses
    """
    poses = np.tile(np.eye(4), (len(translations), 1, 1))
    poses[:, :3, :3] = rotation_matrices(rotations)
    poses[:, :3, 3] = np.reshape(translations, (-1, 3))
    return poses


def invert_pose(pose: np.ndarray) -> np.ndarray:
    """Inverts a rigid (4, 4) pose exactly, by its transpose."""
    inverse = np.eye(4)
    inverse[:3, :3] = pose[:3, :3].T
    inverse[:3, 3] = -pose[:3, :3].T @ pose[:3, 3]
    return inverse


def is_known(pose: np.ndarray) -> bool:
    """Whether a pose is known, that is, has no NaN."""
    return bool(np.isfinite(pose).all())


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
        intrinsic: (3, 3) camera matrix, or (n, 3, 3), one for each
            ``points[i]`` of (n, k, 3)

    Returns:
        (..., 2) pixels
    """
    image = points @ np.swapaxes(intrinsic, -1, -2)
    return np.asarray(image[..., :2] / image[..., 2:3])


def project_boxes(
    corners: np.ndarray,
    intrinsic: np.ndarray,
    width: int | np.ndarray,
    height: int | np.ndarray,
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
        intrinsic: (3, 3) camera matrix, or (n, 3, 3), one a cuboid
        width: image width in pixels, or (n,)
        height: image height in pixels, or (n,)
        near (0.01): distance of the near plane in metres

    Returns:
        (n, 4) x1, y1, x2, y2 in pixels; NaN where nothing is in the image
    """
    count = len(corners)
    boxes = np.full((count, 4), np.nan)
    intrinsic = np.broadcast_to(intrinsic, (count, 3, 3))
    size = np.empty((count, 2))
    size[:, 0], size[:, 1] = width, height
    ahead = corners[..., 2] > near
    whole = np.flatnonzero(ahead.all(axis=1))
    if len(whole):
        pixels = project_points(corners[whole], intrinsic[whole])
        boxes[whole] = _hull_boxes(pixels, size[whole])
    cut = np.flatnonzero(ahead.any(axis=1) & ~ahead.all(axis=1))
    if len(cut):
        points = _cut_at(near, corners[cut])
        pixels = project_points(points, intrinsic[cut])
        boxes[cut] = _hull_boxes(pixels, size[cut])
    # a sliver without area is no box
    flat = ~((boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1]))
    boxes[flat] = np.nan
    return boxes


def _cut_at(near: float, corners: np.ndarray) -> np.ndarray:
    """Cuts cuboids that cross the near plane at it.

    Args:
        near: its distance
        corners: (n, 8, 3), of each cuboid some before and some behind it

    Returns:
        (n, 20, 3) corners before it and edges' points on it; the places of
        the others are filled by one of these
    """
    start, end = corners[:, EDGES[:, 0]], corners[:, EDGES[:, 1]]
    z0, z1 = start[..., 2], end[..., 2]
    crosses = (z0 > near) != (z1 > near)
    along = (near - z0) / np.where(crosses, z1 - z0, 1.0)
    points = np.concatenate(
        [corners, start + along[..., None] * (end - start)], axis=1
    )
    kept = np.concatenate([corners[..., 2] > near, crosses], axis=1)
    one = points[np.arange(len(points)), kept.argmax(axis=1)]
    return np.where(kept[..., None], points, one[:, None])


def _hull_boxes(pixels: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Bounds what lies in the image of the convex hull of points.

    Args:
        pixels: (n, k, 2) points of each hull
        size: (n, 2) width and height of its image

    Returns:
        (n, 4) x1, y1, x2, y2; NaN where the hull is outside
    """
    low, high = pixels.min(axis=1), pixels.max(axis=1)
    boxes = np.hstack([low, high])
    boxes[~((low < size) & (high > 0)).all(axis=1)] = np.nan
    inside = ((low >= 0) & (high <= size)).all(axis=1)
    partly = np.flatnonzero(~inside & ~np.isnan(boxes[:, 0]))
    if len(partly):
        boxes[partly] = _clipped_boxes(pixels[partly], size[partly])
    return boxes


def _clipped_boxes(pixels: np.ndarray, size: np.ndarray) -> np.ndarray:
    """``_hull_boxes`` of hulls that may cross the image's borders.

    The hull cuts a border where the outermost of the lines between any two
    of its points do, so the hull itself need not be found. What lies in the
    image is bounded by the points in it and by those cuts.
    """
    first, second = np.triu_indices(pixels.shape[1], 1)
    start, end = pixels[:, first], pixels[:, second]
    inside = ((pixels >= 0) & (pixels <= size[:, None])).all(axis=2)
    low = np.where(inside[..., None], pixels, np.inf).min(axis=1)
    high = np.where(inside[..., None], pixels, -np.inf).max(axis=1)
    for axis in (0, 1):
        across = 1 - axis
        for border in (np.zeros(len(size)), size[:, axis]):
            d0 = start[..., axis] - border[:, None]
            d1 = end[..., axis] - border[:, None]
            crosses = (d0 < 0) != (d1 < 0)
            along = d0 / np.where(crosses, d0 - d1, 1.0)
            at = start[..., across] + along * (
                end[..., across] - start[..., across]
            )
            least = np.where(crosses, at, np.inf).min(axis=1).clip(0)
            most = np.where(crosses, at, -np.inf).max(axis=1)
            most = np.minimum(most, size[:, across])
            cut = least <= most
            # exactly on the border, whatever the rounding
            for ends, pick in ((low, np.minimum), (high, np.maximum)):
                ends[cut, axis] = pick(ends[cut, axis], border[cut])
            low[cut, across] = np.minimum(low[cut, across], least[cut])
            high[cut, across] = np.maximum(high[cut, across], most[cut])
    boxes = np.hstack([low, high])
    boxes[~np.isfinite(boxes).all(axis=1)] = np.nan
    return boxes
