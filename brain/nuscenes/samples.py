"""What a load says about the samples of keyframes."""

from __future__ import annotations

import mimetypes
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import fiftyone as fo
import fiftyone.core.media as fom
import fiftyone.core.storage as fos
import numpy as np
from bson import ObjectId

from raremine.brain.nuscenes.check import Fault, fault
from raremine.brain.nuscenes.cuboids import (
    Camera,
    Cuboids,
    Tracks,
    database_id,
)
from raremine.brain.nuscenes.geometry import invert_pose, is_known
from raremine.brain.nuscenes.lidar import READERS
from raremine.brain.nuscenes.records import (
    Frame,
    Scene,
    SensorData,
    Tables,
    scene_data,
)
from raremine.brain.nuscenes.sample_values import Label, Pose, SampleValues
from raremine.brain.nuscenes.scene3d import (
    SceneResult,
    sensor_to_world,
    world_frame,
)
from raremine.brain.nuscenes.taxonomy import is_night, is_rain


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
        image_root: folder of the images, None = the dataroot
        unread: why an image that exists could not be read, by sample_data
            token; grows from outside
        faults: grows by the files that exist but could not be read
    """

    tables: Tables
    channel_3d: str | None
    intrinsics: Mapping[str, fo.PinholeCameraIntrinsics]
    absent: Collection[str] = frozenset()
    image_root: Path | None = None
    unread: dict[str, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    _tracks: Tracks = field(default_factory=Tracks)
    _own: dict[tuple[int, int, int], Any] = field(default_factory=dict)

    def groups(
        self, batch: Sequence[tuple[Frame, SceneResult | None]]
    ) -> list[list[SampleValues]]:
        """Returns the samples of each of a batch of keyframes.

        Keyframes of a scene must come one after the other: track numbers
        count the instances of a scene in the order in which they appear.

        Args:
            batch: keyframes and their written 3D scenes, None without one
        """
        drawing = _Drawing()
        groups = []
        for frame, scene in batch:
            world = world_frame(self.tables, frame)
            assert frame.reference is not None
            in_global = world
            if not is_known(self.tables.ego_poses[frame.reference.ego]):
                # what lies in the world frame has no place on the map
                in_global = np.full((4, 4), np.nan)
            drawing.enter(frame, in_global)
            group = []
            own = scene_data(frame, self.channel_3d)
            for data in frame.data.values():
                modality = data.calibration.modality
                values: SampleValues | None = None
                if data is own and scene is not None:
                    values = self._cloud(frame, data, scene)
                    drawing.add_cloud(values)
                elif modality == "camera" and data.token not in self.absent:
                    values = self._image(frame, data)
                    if values is not None:
                        pose = sensor_to_world(self.tables, frame, data, world)
                        drawing.add_image(values, data, pose)
                if values is None:
                    continue
                ego = self.tables.ego_poses[data.ego]
                if not is_known(ego):
                    _note(values, "the tables have no ego pose for it")
                drawing.add_pose(values, "ego_pose", ego, "ego", "global")
                drawing.add_pose(
                    values, "world_pose", in_global, "world", "global"
                )
                group.append(values)
            groups.append(group)
        drawing.fill_poses()
        drawing.fill_labels(self.tables, self._tracks)
        return groups

    def _cloud(
        self, frame: Frame, data: SensorData, scene: SceneResult
    ) -> SampleValues:
        """Returns a 3D sample's values without poses and labels."""
        path = fos.normalize_path(str(scene.path))
        values = _sample(frame, data, path, _media_type(scene.path.suffix))
        channel = data.calibration.channel
        assert self.channel_3d is not None
        values.channel = self.channel_3d
        if data.token in self.absent:
            status, reason = "missing", "there is no such file"
        elif channel in scene.failed:
            status, reason = "unreadable", scene.failed[channel]
        else:
            status, reason = "ok", ""
        notes = [reason] if reason else []
        if channel != self.channel_3d:
            notes.append(
                f"the tables have no {self.channel_3d} for this keyframe; "
                f"its scene has {', '.join(_scene_channels(frame))}"
            )
        for other, text in {**scene.failed, **scene.partial}.items():
            kind = "unreadable" if other in scene.failed else "partial"
            self.faults.append(
                fault(frame, frame.data[other], f"{kind}: {text}")
            )
            if text != reason:
                notes.append(f"{other}: {text}")
        values.fields["load_status"] = status
        if notes:
            values.fields["load_reason"] = "; ".join(notes)
        picture = getattr(scene, "thumbnail_metadata", None)
        if picture is not None:
            values.thumbnail = _thumbnail(picture)
        return values

    def _image(self, frame: Frame, data: SensorData) -> SampleValues | None:
        """Returns an image's values without poses and labels.

        None if FiftyOne takes the file for something else than an image.
        """
        root = self.image_root or self.tables.dataroot
        if data.token in self.unread:
            root = self.tables.dataroot
        path = fos.normalize_path(f"{root}/{data.filename}")
        ending = "." + data.filename.rpartition(".")[2]
        if _media_type(ending) != fom.IMAGE:
            text = f"unreadable: {ending!r} is not the ending of an image"
            self.faults.append(fault(frame, data, text))
            return None
        values = _sample(frame, data, path, fom.IMAGE)
        values.fields["load_status"] = "ok"
        reason = self.unread.get(data.token, "")
        if reason or not (data.width and data.height):
            size = None if reason else _image_size(path)
            if size is None:
                reason = reason or "the image cannot be decoded"
                self.faults.append(fault(frame, data, f"unreadable: {reason}"))
                values.fields["load_status"] = "unreadable"
                values.fields["load_reason"] = reason
                return values
            data.width, data.height = size
        values.image = data.width, data.height, _mime_type(ending)
        values.intrinsics = self._own_intrinsics(data)
        return values

    def _own_intrinsics(
        self, data: SensorData
    ) -> fo.PinholeCameraIntrinsics | None:
        key = (id(data.calibration), data.width, data.height)
        if key not in self._own:
            own = pinhole(data)
            if own == self.intrinsics.get(data.calibration.channel):
                own = None
            # with what its id stands for, so that no other one gets the id
            self._own[key] = own, data.calibration
        return self._own[key][0]


class _Drawing:
    """What is computed for all samples of a batch at once."""

    def __init__(self) -> None:
        self._frames: list[Frame] = []
        self._worlds: list[np.ndarray] = []
        self._clouds: list[tuple[int, SampleValues]] = []
        self._images: list[SampleValues] = []
        self._cameras: list[Camera] = []
        self._matrices: list[np.ndarray] = []
        self._poses: list[tuple[SampleValues, str, str, str]] = []

    def enter(self, frame: Frame, world: np.ndarray) -> None:
        """Says what keyframe the next samples belong to.

        Args:
            frame: the keyframe
            world: its (4, 4) pose, world to global; NaN where it is not
                known, which leaves its samples without labels
        """
        self._frames.append(frame)
        self._worlds.append(world)

    def add_cloud(self, values: SampleValues) -> None:
        """Adds a 3D sample."""
        self._clouds.append((len(self._frames) - 1, values))

    def add_image(
        self, values: SampleValues, data: SensorData, pose: np.ndarray
    ) -> None:
        """Adds an image and the (4, 4) pose of its camera in the world."""
        self.add_pose(
            *(values, "sensor_to_world", pose),
            *(data.calibration.channel, "world"),
        )
        if (
            values.image is not None
            and is_known(pose)
            and is_known(self._worlds[-1])
        ):
            assert data.calibration.intrinsic is not None
            self._images.append(values)
            self._cameras.append(
                Camera(
                    len(self._frames) - 1,
                    invert_pose(pose),
                    data.calibration.intrinsic,
                    *values.image[:2],
                )
            )

    def add_pose(
        self,
        values: SampleValues,
        name: str,
        matrix: np.ndarray,
        source: str,
        target: str,
    ) -> None:
        """Adds a (4, 4) pose for a field of a sample."""
        self._matrices.append(matrix)
        self._poses.append((values, name, source, target))

    def fill_poses(self) -> None:
        """Sets the poses of all samples."""
        from scipy.spatial.transform import Rotation

        if not self._matrices:
            return
        matrices = np.array(self._matrices)
        known = np.isfinite(matrices).all(axis=(1, 2))
        turns = np.where(known[:, None, None], matrices[:, :3, :3], np.eye(3))
        rows = zip(
            self._poses,
            known.tolist(),
            matrices[:, :3, 3].tolist(),
            Rotation.from_matrix(turns).as_quat().tolist(),
            strict=True,
        )
        for (values, name, source, target), has_pose, place, turn in rows:
            if has_pose:
                values.poses[name] = Pose(place, turn, source, target)

    def fill_labels(self, tables: Tables, tracks: Tracks) -> None:
        """Sets the labels of all samples."""
        annotations = tables.annotations
        if annotations is None or not self._frames:
            return
        rows_of = [annotations.rows[frame.token] for frame in self._frames]
        worlds = np.array(self._worlds)
        for number, world in enumerate(worlds):
            if not is_known(world):
                rows_of[number] = slice(0, 0)
        cuboids = Cuboids(annotations, rows_of, worlds)
        values, instances = cuboids.values(
            [frame.scene.token for frame in self._frames], tracks
        )
        places = cuboids.places()
        for number, sample in self._clouds:
            if not is_known(worlds[number]):
                continue
            rows = range(*cuboids.starts[number : number + 2].tolist())
            token = sample.fields["sample_data_token"]
            sample.labels = [
                Label(
                    _label_id(token, values[row]),
                    *(instances[row], values[row], places[row]),
                )
                for row in rows
            ]
        boxes = cuboids.boxes(self._cameras)
        for sample, shown in zip(self._images, boxes, strict=True):
            token = sample.fields["sample_data_token"]
            sample.labels = [
                Label(
                    _label_id(token, values[row]),
                    *(instances[row], values[row], {"bounding_box": box}),
                )
                for row, box in zip(shown.rows, shown.boxes, strict=True)
            ]


def _note(values: SampleValues, reason: str) -> None:
    known = values.fields.get("load_reason")
    values.fields["load_reason"] = f"{known}; {reason}" if known else reason


def _scene_channels(frame: Frame) -> list[str]:
    return [
        channel
        for channel, data in frame.data.items()
        if data.calibration.modality in READERS
    ]


def _sample(
    frame: Frame, data: SensorData, path: str, media_type: str
) -> SampleValues:
    fields = {
        "sample_token": frame.token,
        "sample_data_token": data.token,
        **_scene_fields(frame.scene),
        "timestamp": data.timestamp,
        "frame_idx": frame.index,
    }
    group = database_id("sample", frame.token)
    channel = data.calibration.channel
    return SampleValues(channel, group, path, media_type, fields)


@lru_cache(maxsize=64)
def _scene_fields(scene: Scene) -> dict[str, Any]:
    return {
        "scene_token": scene.token,
        "scene_name": scene.name,
        "scene_description": scene.description,
        "location": scene.location,
        "logfile": scene.logfile,
        "vehicle": scene.vehicle,
        "date_captured": scene.date_captured,
        "is_night": is_night(scene.description),
        "is_rain": is_rain(scene.description),
        "split": scene.split,
    }


def _label_id(data_token: str, values: dict[str, Any]) -> ObjectId:
    """Returns an id that a later load of the same tables gives again."""
    return database_id("label", f"{data_token}:{values['ann_token']}")


def _thumbnail(picture: Mapping[str, Any]) -> dict[str, Any]:
    """Returns arguments of an ``OrthographicProjectionMetadata``."""
    made: dict[str, Any] = {
        "filepath": fos.normalize_path(str(picture["filepath"])),
        "width": int(picture["width"]),
        "height": int(picture["height"]),
    }
    for name in ("min_bound", "max_bound", "normal"):
        if picture.get(name) is not None:
            made[name] = [float(value) for value in picture[name]]
    return made


@lru_cache(maxsize=64)
def _media_type(ending: str) -> str:
    return str(fom.get_media_type(f"media{ending}"))


@lru_cache(maxsize=64)
def _mime_type(ending: str) -> str | None:
    return mimetypes.guess_type(f"media{ending}")[0]


def _image_size(path: str) -> tuple[int, int] | None:
    from PIL import Image

    try:
        with Image.open(path) as image:
            return image.size
    except (OSError, ValueError, ImportError):
        # Ultralytics, once imported, makes Pillow look for a HEIF decoder
        return None
