"""Samples as the documents that FiftyOne keeps of them in MongoDB.

FiftyOne makes an object of every label, box and transform, validates each
and reads all of them back after they are stored, which takes a hundred times
as long as what is stored. So the documents are made here directly. Their
layout is FiftyOne's and no part of its interface: ``difference`` compares
them with its own, and nothing is written in a layout that was not compared
(see ``writer``).
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bson import Int64, ObjectId

from raremine.brain.nuscenes.fields import GROUND_TRUTH, THUMBNAIL
from raremine.brain.nuscenes.sample_values import Label, Pose, SampleValues

_VARYING: Mapping[str, type] = {
    "_id": ObjectId,
    "_rand": float,
    "created_at": datetime,
    "last_modified_at": datetime,
}
"""What is another value in every sample and every load."""

_SAMPLING = random.Random()


def sample_document(
    values: SampleValues, dataset_id: ObjectId, now: datetime
) -> dict[str, Any]:
    """Returns the document of a new sample.

    Args:
        values: what the sample shall say
        dataset_id: id of the dataset's own document
        now: the time in UTC, without a zone
    """
    document: dict[str, Any] = {
        "_id": ObjectId(),
        "filepath": values.filepath,
        "tags": [],
    }
    if values.image is not None:
        width, height, mime_type = values.image
        document["metadata"] = {"_cls": "ImageMetadata"}
        if mime_type is not None:
            document["metadata"]["mime_type"] = mime_type
        document["metadata"].update(width=width, height=height)
    document["_media_type"] = values.media_type
    # what FiftyOne draws random samples by: close to 1, but not 1
    document["_rand"] = _SAMPLING.random() * 0.001 + 0.999
    document["group"] = {
        "_id": values.group,
        "_cls": "Group",
        "name": values.channel,
    }
    for name, value in values.fields.items():
        if value is not None:
            document[name] = value
    for name, pose in values.poses.items():
        document[name] = _transform_document(pose)
    if values.intrinsics is not None:
        document["intrinsics"] = values.intrinsics.to_dict()
    if values.thumbnail is not None:
        document[THUMBNAIL] = {
            "_cls": "OrthographicProjectionMetadata",
            **values.thumbnail,
        }
    if values.labels is not None:
        document[GROUND_TRUTH] = {
            "_cls": "Detections",
            "detections": [label_document(label) for label in values.labels],
        }
    document["_dataset_id"] = dataset_id
    document["created_at"] = document["last_modified_at"] = now
    return document


def label_document(label: Label) -> dict[str, Any]:
    """Returns the part of a sample's document that is a label."""
    return {
        "_id": label.id,
        "_cls": "Detection",
        "attributes": {},
        "tags": [],
        "label": label.values["label"],
        "bounding_box": [],
        "index": label.values["index"],
        **label.place,
        "instance": {"_id": label.instance, "_cls": "Instance"},
        **label.values,
    }


def difference(
    stored: Mapping[str, Any], made: Mapping[str, Any]
) -> str | None:
    """Compares a document with FiftyOne's own of the same sample or label.

    Args:
        stored: the document that FiftyOne made
        made: the document that was made here

    Returns:
        where they differ first, None if nowhere. What is random or a time
        in a sample differs only if it is of another kind
    """
    is_sample = "_dataset_id" in stored or "_dataset_id" in made
    for name, kind in _VARYING.items() if is_sample else ():
        if not all(isinstance(d.get(name), kind) for d in (stored, made)):
            return name
    if is_sample and not 0.999 <= stored["_rand"] < 1:
        return "_rand"
    skipped = _VARYING if is_sample else ()
    return _difference(
        {k: v for k, v in stored.items() if k not in skipped},
        {k: v for k, v in made.items() if k not in skipped},
        "",
    )


def _difference(stored: Any, made: Any, path: str) -> str | None:
    if isinstance(stored, Mapping) and isinstance(made, Mapping):
        for name in {**stored, **made}:
            inner = f"{path}.{name}" if path else name
            if name not in stored or name not in made:
                return inner
            found = _difference(stored[name], made[name], inner)
            if found is not None:
                return found
        return None
    if isinstance(stored, list) and isinstance(made, list):
        if len(stored) != len(made):
            return path
        for at, pair in enumerate(zip(stored, made, strict=True)):
            found = _difference(*pair, f"{path}[{at}]")
            if found is not None:
                return found
        return None
    same = _kind(stored) is _kind(made) and stored == made
    return None if same else path


def _kind(value: Any) -> type:
    """Tells 1, 1.0 and True apart, which are equal; an Int64 is an int."""
    return int if isinstance(value, Int64) else type(value)


def _transform_document(pose: Pose) -> dict[str, Any]:
    return {
        "_cls": "StaticTransform",
        "translation": pose.translation,
        "quaternion": pose.quaternion,
        "source_frame": pose.source,
        "target_frame": pose.target,
    }
