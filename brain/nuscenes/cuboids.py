"""What keyframes show of their annotated cuboids, for many at a time."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from bson import ObjectId

from raremine.brain.nuscenes.annotations import Annotations
from raremine.brain.nuscenes.geometry import (
    NEAR,
    box_corners,
    invert_pose,
    project_boxes,
    rotation_matrices,
)
from raremine.brain.nuscenes.taxonomy import detection_class, object_id


class Camera(NamedTuple):
    """An image that cuboids are drawn into.

    ``keyframe`` is a position in the batch, ``to_camera`` the (4, 4) pose
    from that keyframe's world frame to the camera, ``intrinsic`` is (3, 3).
    """

    keyframe: int
    to_camera: np.ndarray
    intrinsic: np.ndarray
    width: int
    height: int


class ImageBoxes(NamedTuple):
    """The 2D boxes of an image: rows of ``Cuboids`` and x, y, w, h in 0-1."""

    rows: list[int]
    boxes: list[list[float]]


@dataclass
class Tracks:
    """Numbers the instances of a scene in the order in which they appear."""

    scene: str = ""
    known: dict[str, tuple[int, ObjectId]] = field(default_factory=dict)

    def enter(self, scene: str) -> None:
        """Starts anew where a keyframe is of another scene than the last."""
        if scene != self.scene:
            self.scene, self.known = scene, {}

    def track(self, token: str) -> tuple[int, ObjectId]:
        """Returns an instance's number in its scene and its database id."""
        found = self.known.get(token)
        if found is None:
            found = len(self.known) + 1, database_id("instance", token)
            self.known[token] = found
        return found


class Cuboids:
    """The cuboids of a batch of keyframes, in their keyframes' world frames.

    Args:
        annotations: all cuboids, in the global frame
        keyframes: the rows of ``annotations`` of each keyframe
        worlds: (k, 4, 4) pose, world to global, of each keyframe

    Attributes:
        starts: (k + 1,) bounds of each keyframe's rows here
    """

    def __init__(
        self,
        annotations: Annotations,
        keyframes: Sequence[slice],
        worlds: np.ndarray,
    ) -> None:
        counts = [rows.stop - rows.start for rows in keyframes]
        self.starts = np.concatenate([[0], np.cumsum(counts)]).astype(int)
        self._annotations = annotations
        self._keyframes = keyframes
        own = np.concatenate(
            [np.arange(r.start, r.stop) for r in keyframes], dtype=int
        )
        to_world = np.array([invert_pose(world) for world in worlds])
        to_world = np.repeat(to_world, counts, axis=0)
        turn = to_world[:, :3, :3]
        self._source = own
        self._center = _moved(to_world, annotations.center[own][:, None])[:, 0]
        self._size = annotations.size[own]
        self._rotation = turn @ rotation_matrices(annotations.rotation[own])
        self._corners = box_corners(self._center, self._size, self._rotation)
        self._velocity = np.einsum(
            "nij,nj->ni", turn, annotations.velocity[own]
        )

    def __len__(self) -> int:
        return len(self._center)

    def values(
        self, scenes: Sequence[str], tracks: Tracks
    ) -> tuple[list[dict[str, Any]], list[ObjectId]]:
        """Returns what the labels of each cuboid say in 2D and in 3D alike.

        Args:
            scenes: scene token of each keyframe
            tracks: counts the instances on from the last batch

        Returns:
            attributes and instance id of each row
        """
        a = self._annotations
        distance = np.hypot(self._center[:, 0], self._center[:, 1]).tolist()
        velocity = self._velocity.tolist()
        moving = np.isfinite(self._velocity).all(axis=1).tolist()
        lidar = a.num_lidar_pts[self._source].tolist()
        radar = a.num_radar_pts[self._source].tolist()
        values, instances = [], []
        here = 0
        for scene, rows in zip(scenes, self._keyframes, strict=True):
            tracks.enter(scene)
            for row in range(rows.start, rows.stop):
                token, category = a.instance[row], a.category[row]
                index, instance = tracks.track(token)
                instances.append(instance)
                values.append(
                    {
                        "label": detection_class(category),
                        "category": category,
                        "attribute_names": list(a.attributes[row]),
                        "visibility": a.visibility[row],
                        "ann_token": a.token[row],
                        "instance_token": token,
                        "index": index,
                        "distance": distance[here],
                        "num_lidar_pts": _count(lidar[here]),
                        "num_radar_pts": _count(radar[here]),
                        "velocity": velocity[here] if moving[here] else None,
                    }
                )
                here += 1
        return values, instances

    def places(self) -> list[dict[str, list[float]]]:
        """Returns place, size and rotation of each row's 3D label."""
        from scipy.spatial.transform import Rotation

        if not len(self):
            return []
        turned = Rotation.from_matrix(self._rotation)
        columns = {
            "location": self._center.tolist(),
            # length, width, height
            "dimensions": self._size[:, [1, 0, 2]].tolist(),
            # capitals: intrinsic, which is what Detection.rotation means
            "rotation": turned.as_euler("XYZ").tolist(),
            "quaternion": turned.as_quat(canonical=True).tolist(),
        }
        rows = zip(*columns.values(), strict=True)
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def boxes(self, cameras: Sequence[Camera]) -> list[ImageBoxes]:
        """Returns the 2D box of each cuboid that each image shows."""
        if not cameras or not len(self):
            return [ImageBoxes([], []) for _ in cameras]
        to_camera = np.array([c.to_camera for c in cameras])
        intrinsic = np.array([c.intrinsic for c in cameras])
        size = np.array([(c.width, c.height) for c in cameras], dtype=float)
        camera, row = self._pairs([c.keyframe for c in cameras])
        maybe = self._may_show(camera, row, to_camera, intrinsic, size)
        camera, row = camera[maybe], row[maybe]
        boxes = project_boxes(
            _moved(to_camera[camera], self._corners[row]),
            intrinsic[camera],
            size[camera, 0],
            size[camera, 1],
        )
        shown = ~np.isnan(boxes[:, 0])
        camera, row = camera[shown], row[shown]
        boxes = boxes[shown] / np.tile(size, 2)[camera]
        boxes[:, 2:] -= boxes[:, :2]
        bounds = np.searchsorted(camera, np.arange(len(cameras) + 1)).tolist()
        all_rows, all_boxes = row.tolist(), boxes.tolist()
        return [
            ImageBoxes(all_rows[start:end], all_boxes[start:end])
            for start, end in itertools.pairwise(bounds)
        ]

    def _pairs(self, keyframes: list[int]) -> tuple[np.ndarray, np.ndarray]:
        """Pairs each camera with each cuboid of its keyframe."""
        at = np.array(keyframes)
        counts = np.diff(self.starts)[at]
        camera = np.repeat(np.arange(len(at)), counts)
        before = np.cumsum(counts) - counts
        row = np.arange(counts.sum()) + np.repeat(
            self.starts[at] - before, counts
        )
        return camera, row

    def _may_show(
        self,
        camera: np.ndarray,
        row: np.ndarray,
        to_camera: np.ndarray,
        intrinsic: np.ndarray,
        size: np.ndarray,
    ) -> np.ndarray:
        """Tells which pairs may show something: five in six do not.

        A cuboid is in none of the images that its bounding sphere is not in:
        behind the near plane, or beyond a plane through the camera's centre
        and a border of the image.
        """
        center = _moved(to_camera[camera], self._center[row][:, None])[:, 0]
        # a hair too large, for the rounding
        radius = np.linalg.norm(self._size[row], axis=1) / 2 * 1.000001 + 1e-6
        maybe = center[:, 2] + radius > NEAR
        x, y, z = intrinsic.transpose(1, 0, 2)
        width, height = size.T[..., None]
        for plane in (x, width * z - x, y, height * z - y):
            reach = np.linalg.norm(plane, axis=1)[camera] * radius
            inside = (plane[camera] * center).sum(axis=1) + reach > 0
            maybe &= inside
        # the borders are planes only if the last row says "divide by z"
        plain = (z == [0, 0, 1]).all(axis=1)
        return np.asarray(maybe | ~plain[camera])


def database_id(kind: str, token: str) -> ObjectId:
    """Returns ``object_id`` as the database has it."""
    # from bytes, as a text would be parsed and tested first
    return ObjectId(bytes.fromhex(object_id(kind, token)))


def _moved(poses: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Maps points (n, k, 3) by one pose (n, 4, 4) each."""
    turn = poses[:, :3, :3].transpose(0, 2, 1)
    return np.asarray(points @ turn + poses[:, None, :3, 3])


def _count(points: int) -> int | None:
    return points if points >= 0 else None
