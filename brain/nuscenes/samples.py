"""Turning keyframes into FiftyOne samples."""

from __future__ import annotations

import mimetypes
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import fiftyone as fo
import numpy as np

from raremine.brain.nuscenes.check import Fault, fault
from raremine.brain.nuscenes.geometry import (
    box_corners,
    invert_pose,
    project_boxes,
    rotation_matrices,
    transform_points,
)
from raremine.brain.nuscenes.records import Frame, SensorData, Tables
from raremine.brain.nuscenes.scene3d import (
    SceneResult,
    sensor_to_world,
    world_frame,
)
from raremine.brain.nuscenes.taxonomy import (
    detection_class,
    is_night,
    is_rain,
    object_id,
)

GROUND_TRUTH = "ground_truth"

SAMPLE_FIELDS: Mapping[str, type[fo.Field]] = {
    "sample_token": fo.StringField,
    "sample_data_token": fo.StringField,
    "scene_token": fo.StringField,
    "scene_name": fo.StringField,
    "scene_description": fo.StringField,
    "location": fo.StringField,
    "is_night": fo.BooleanField,
    "is_rain": fo.BooleanField,
    "split": fo.StringField,
    "timestamp": fo.IntField,
    "frame_idx": fo.IntField,
    "load_status": fo.StringField,
    "load_reason": fo.StringField,
}
POSE_FIELDS = ("sensor_to_world", "ego_pose", "world_pose")
LABEL_FIELDS: Mapping[str, type[fo.Field]] = {
    "category": fo.StringField,
    "visibility": fo.StringField,
    "num_lidar_pts": fo.IntField,
    "num_radar_pts": fo.IntField,
    "ann_token": fo.StringField,
    "instance_token": fo.StringField,
    "distance": fo.FloatField,
}
LABEL_LIST_FIELDS: Mapping[str, type[fo.Field]] = {
    "attribute_names": fo.StringField,
    "velocity": fo.FloatField,
    "location": fo.FloatField,
    "dimensions": fo.FloatField,
    "rotation": fo.FloatField,
    "quaternion": fo.FloatField,
}


def declare_fields(dataset: fo.Dataset, ground_truth: bool) -> None:
    """Declares every field, so that all are in the schema of all slices."""
    for name, kind in SAMPLE_FIELDS.items():
        dataset.add_sample_field(name, kind)
    # declared here because only slices that are new widen the schema
    for name in ("width", "height", "num_channels"):
        dataset.add_sample_field(f"metadata.{name}", fo.IntField)
    for name in POSE_FIELDS:
        dataset.add_sample_field(
            name,
            fo.EmbeddedDocumentField,
            embedded_doc_type=fo.StaticTransform,
        )
    if not ground_truth:
        return
    dataset.add_sample_field(
        GROUND_TRUTH,
        fo.EmbeddedDocumentField,
        embedded_doc_type=fo.Detections,
    )
    prefix = f"{GROUND_TRUTH}.detections"
    for name, kind in LABEL_FIELDS.items():
        dataset.add_sample_field(f"{prefix}.{name}", kind)
    for name, kind in LABEL_LIST_FIELDS.items():
        dataset.add_sample_field(
            f"{prefix}.{name}", fo.ListField, subfield=kind
        )
    dataset.add_sample_field(
        f"{prefix}.instance",
        fo.EmbeddedDocumentField,
        embedded_doc_type=fo.Instance,
    )


def pinhole(data: SensorData) -> fo.PinholeCameraIntrinsics:
    """Returns a camera's intrinsics, with the image size for the App."""
    assert data.calibration.intrinsic is not None
    k = data.calibration.intrinsic
    size = {}
    if data.width and data.height:
        size = {"width": data.width, "height": data.height}
    return fo.PinholeCameraIntrinsics(
        fx=float(k[0, 0]),
        fy=float(k[1, 1]),
        cx=float(k[0, 2]),
        cy=float(k[1, 2]),
        skew=float(k[0, 1]),
        **size,
    )


@dataclass
class SampleMaker:
    """Makes the samples of keyframes.

    Args:
        tables: the tables
        channel_3d: the channel of the 3D slice, None = no such slice
        intrinsics: the dataset's intrinsics by slice; samples of other
            intrinsics get their own
        absent: sample_data tokens whose files do not exist
        faults: grows by the files that exist but could not be read
    """

    tables: Tables
    channel_3d: str | None
    intrinsics: Mapping[str, fo.PinholeCameraIntrinsics]
    absent: Collection[str] = frozenset()
    faults: list[Fault] = field(default_factory=list)
    _track: dict[str, int] = field(default_factory=dict)
    _track_scene: str = ""

    def samples_of(
        self, frame: Frame, scene: SceneResult | None
    ) -> Iterator[fo.Sample]:
        """Yields the samples of one keyframe.

        Keyframes of a scene must come one after the other: track numbers
        count the instances of a scene in the order in which they appear.

        Args:
            frame: the keyframe
            scene: its written 3D scene, None without one
        """
        world = world_frame(self.tables, frame)
        cuboids = self._cuboids(frame, world)
        group = fo.Group(id=object_id("sample", frame.token))
        common = _scene_values(frame)
        common["world_pose"] = world
        for channel, data in frame.data.items():
            modality = data.calibration.modality
            values = dict(common)
            values.update(
                sample_data_token=data.token,
                timestamp=data.timestamp,
                ego_pose=self.tables.ego_poses[data.ego],
            )
            if channel == self.channel_3d and scene is not None:
                path = str(scene.path)
                self._fill_3d(values, frame, scene, cuboids)
            elif modality == "camera" and data.token not in self.absent:
                path = str(self.tables.dataroot / data.filename)
                self._fill_camera(values, frame, data, path, world, cuboids)
            else:
                continue
            _wrap_poses(values, channel)
            yield fo.Sample(
                filepath=path, group=group.element(channel), **values
            )

    def _fill_3d(
        self,
        values: dict[str, Any],
        frame: Frame,
        scene: SceneResult,
        cuboids: Cuboids | None,
    ) -> None:
        own = frame.data[self.channel_3d or ""]
        if own.token in self.absent:
            status, reason = "missing", "there is no such file"
        elif self.channel_3d in scene.failed:
            status, reason = "unreadable", scene.failed[self.channel_3d]
        else:
            status, reason = "ok", ""
        notes = [reason] if reason else []
        for channel, text in {**scene.failed, **scene.partial}.items():
            data = frame.data[channel]
            kind = "unreadable" if channel in scene.failed else "partial"
            self.faults.append(fault(frame, data, f"{kind}: {text}"))
            if text != reason:
                notes.append(f"{channel}: {text}")
        values["load_status"] = status
        values["load_reason"] = "; ".join(notes) or None
        if cuboids is not None:
            labels = [cuboids.label_3d(row) for row in range(len(cuboids))]
            values[GROUND_TRUTH] = fo.Detections(detections=labels)

    def _fill_camera(
        self,
        values: dict[str, Any],
        frame: Frame,
        data: SensorData,
        path: str,
        world: np.ndarray,
        cuboids: Cuboids | None,
    ) -> None:
        pose = sensor_to_world(self.tables, data, world)
        values["sensor_to_world"] = pose
        values["load_status"] = "ok"
        if not (data.width and data.height):
            size = _image_size(path)
            if size is None:
                reason = "the image cannot be decoded"
                self.faults.append(fault(frame, data, f"unreadable: {reason}"))
                values["load_status"] = "unreadable"
                values["load_reason"] = reason
                return
            data.width, data.height = size
        values["metadata"] = fo.ImageMetadata(
            width=data.width,
            height=data.height,
            mime_type=mimetypes.guess_type(path)[0],
        )
        own = pinhole(data)
        if own != self.intrinsics.get(data.calibration.channel):
            values["intrinsics"] = own
        if cuboids is not None:
            labels = cuboids.labels_2d(data, invert_pose(pose))
            values[GROUND_TRUTH] = fo.Detections(detections=labels)

    def _cuboids(self, frame: Frame, world: np.ndarray) -> Cuboids | None:
        annotations = self.tables.annotations
        if annotations is None:
            return None
        if frame.scene.token != self._track_scene:
            self._track, self._track_scene = {}, frame.scene.token
        rows = annotations.rows[frame.token]
        for token in annotations.instance[rows]:
            self._track.setdefault(token, len(self._track) + 1)
        return Cuboids(self.tables, rows, world, self._track)


class Cuboids:
    """The annotated cuboids of one keyframe in its world frame."""

    def __init__(
        self,
        tables: Tables,
        rows: slice,
        world: np.ndarray,
        track: Mapping[str, int],
    ) -> None:
        from scipy.spatial.transform import Rotation

        assert tables.annotations is not None
        a = tables.annotations
        to_world = invert_pose(world)
        turn = to_world[:3, :3]
        rotations = turn @ rotation_matrices(a.rotation[rows])
        self._center = transform_points(to_world, a.center[rows])
        self._size = a.size[rows]
        self._corners = box_corners(self._center, self._size, rotations)
        if len(rotations):
            turned = Rotation.from_matrix(rotations)
            # capitals: intrinsic, which is what Detection.rotation means
            self._euler = turned.as_euler("XYZ")
            self._quaternion = turned.as_quat(canonical=True)
        velocity = a.velocity[rows] @ turn.T
        distance = np.hypot(self._center[:, 0], self._center[:, 1])
        self._values = []
        for at, row in enumerate(range(rows.start, rows.stop)):
            token = a.instance[row]
            values: dict[str, Any] = {
                "label": detection_class(a.category[row]),
                "category": a.category[row],
                "attribute_names": list(a.attributes[row]),
                "visibility": a.visibility[row],
                "ann_token": a.token[row],
                "instance_token": token,
                "index": track[token],
                "distance": float(distance[at]),
                "num_lidar_pts": _count(a.num_lidar_pts[row]),
                "num_radar_pts": _count(a.num_radar_pts[row]),
                "velocity": (
                    velocity[at].tolist()
                    if np.isfinite(velocity[at]).all()
                    else None
                ),
            }
            self._values.append(values)

    def __len__(self) -> int:
        return len(self._values)

    def label_3d(self, row: int) -> fo.Detection:
        """Returns a cuboid as a 3D detection in the world frame."""
        width, length, height = self._size[row].tolist()
        return fo.Detection(
            location=self._center[row].tolist(),
            dimensions=[length, width, height],
            rotation=self._euler[row].tolist(),
            quaternion=self._quaternion[row].tolist(),
            instance=self._instance(row),
            **self._values[row],
        )

    def labels_2d(
        self, data: SensorData, to_camera: np.ndarray
    ) -> list[fo.Detection]:
        """Returns the cuboids that an image shows as 2D detections."""
        assert data.calibration.intrinsic is not None
        boxes = project_boxes(
            transform_points(to_camera, self._corners),
            data.calibration.intrinsic,
            data.width,
            data.height,
        )
        size = np.array([data.width, data.height] * 2)
        labels = []
        for row in np.flatnonzero(~np.isnan(boxes[:, 0])):
            x1, y1, x2, y2 = (boxes[row] / size).tolist()
            labels.append(
                fo.Detection(
                    bounding_box=[x1, y1, x2 - x1, y2 - y1],
                    instance=self._instance(row),
                    **self._values[row],
                )
            )
        return labels

    def _instance(self, row: int) -> fo.Instance:
        token = self._values[row]["instance_token"]
        return fo.Instance(id=object_id("instance", token))


def _count(points: np.integer) -> int | None:
    return int(points) if points >= 0 else None


def _scene_values(frame: Frame) -> dict[str, Any]:
    scene = frame.scene
    return {
        "sample_token": frame.token,
        "scene_token": scene.token,
        "scene_name": scene.name,
        "scene_description": scene.description,
        "location": scene.location,
        "is_night": is_night(scene.description),
        "is_rain": is_rain(scene.description),
        "split": scene.split,
        "frame_idx": frame.index,
    }


def _wrap_poses(values: dict[str, Any], channel: str) -> None:
    """Replaces poses by transforms between named frames."""
    frames = {
        "sensor_to_world": (channel, "world"),
        "ego_pose": ("ego", "global"),
        "world_pose": ("world", "global"),
    }
    for name, (source, target) in frames.items():
        if name in values:
            values[name] = fo.StaticTransform.from_matrix(
                values[name], source_frame=source, target_frame=target
            )


def _image_size(path: str) -> tuple[int, int] | None:
    from PIL import Image

    try:
        with Image.open(path) as image:
            return image.size
    except (OSError, ValueError, ImportError):
        # Ultralytics, once imported, makes Pillow look for a HEIF decoder
        return None
