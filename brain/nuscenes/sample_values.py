"""What a sample shall say, and the FiftyOne sample that says it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import fiftyone as fo
from bson import ObjectId
from fiftyone.utils.utils3d import OrthographicProjectionMetadata

from raremine.brain.nuscenes.fields import GROUND_TRUTH, THUMBNAIL


class Pose(NamedTuple):
    """A transform between named frames; the quaternion is x, y, z, w."""

    translation: list[float]
    quaternion: list[float]
    source: str
    target: str


class Label(NamedTuple):
    """A 2D or 3D label.

    ``values`` are what both kinds have, ``place`` what one of them has; both
    are arguments of ``fo.Detection``.
    """

    id: ObjectId
    instance: ObjectId
    values: dict[str, Any]
    place: dict[str, list[float]]


@dataclass(slots=True)
class SampleValues:
    """Everything that a sample shall say, in plain values.

    Attributes:
        channel: the group slice
        group: the group's id
        filepath: normalized path of the media
        media_type: what FiftyOne takes it for, by its name
        fields: values of the fields that hold a text or a number; None and
            absent are the same
        poses: values of the fields that hold a transform
        image: width, height and MIME type of an image that can be read
        intrinsics: those of an image that differ from the dataset's
        thumbnail: the values of an ``OrthographicProjectionMetadata``
        labels: the ground truth, None where there is none to be had
    """

    channel: str
    group: ObjectId
    filepath: str
    media_type: str
    fields: dict[str, Any]
    poses: dict[str, Pose] = field(default_factory=dict)
    image: tuple[int, int, str | None] | None = None
    intrinsics: fo.PinholeCameraIntrinsics | None = None
    thumbnail: dict[str, Any] | None = None
    labels: list[Label] | None = None


def to_sample(values: SampleValues) -> fo.Sample:
    """Makes a FiftyOne sample, the public way."""
    made: dict[str, Any] = dict(values.fields)
    for name, pose in values.poses.items():
        made[name] = fo.StaticTransform(
            translation=pose.translation,
            quaternion=pose.quaternion,
            source_frame=pose.source,
            target_frame=pose.target,
        )
    if values.image is not None:
        width, height, mime_type = values.image
        made["metadata"] = fo.ImageMetadata(
            width=width, height=height, mime_type=mime_type
        )
    if values.intrinsics is not None:
        made["intrinsics"] = values.intrinsics
    if values.thumbnail is not None:
        made[THUMBNAIL] = OrthographicProjectionMetadata(**values.thumbnail)
    if values.labels is not None:
        labels = [to_detection(label) for label in values.labels]
        made[GROUND_TRUTH] = fo.Detections(detections=labels)
    group = fo.Group(id=str(values.group)).element(values.channel)
    return fo.Sample(filepath=values.filepath, group=group, **made)


def to_detection(label: Label) -> fo.Detection:
    """Makes a FiftyOne label, the public way."""
    return fo.Detection(
        id=str(label.id),
        instance=fo.Instance(id=str(label.instance)),
        **label.values,
        **label.place,
    )
