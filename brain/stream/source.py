"""What is to be done, read from the dataset bit by bit.

Only the ids of images (and of chosen labels, and of those that have a vector
already) are held, packed; paths and boxes are read a thousand images at a
time, when the engine asks for them. No database cursor stays open while the
models work: MongoDB closes one that nobody has read from for ten minutes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import fiftyone as fo
import fiftyone.core.stages as fos
import numpy as np
from bson import ObjectId

from raremine.brain.columns import Scope
from raremine.brain.id_set import IdSet, label_ids
from raremine.brain.stream.engine import ImageJob

CHUNK = 1000
"""Images whose paths and boxes are read at once."""

_CHOOSES_SAMPLES = (
    *(fo.Select, fo.Exclude, fo.Exists, fo.Match, fo.MatchTags),
    *(fo.MatchLabels, fo.Limit, fo.Skip, fo.Take, fo.Shuffle, fo.SortBy),
    *(fo.SelectBy, fo.ExcludeBy, fo.SelectGroupSlices, fos.Concat),
    *(fo.SelectFields, fo.ExcludeFields),
)
"""View stages that leave the labels of the samples they keep as they are."""


@dataclass(frozen=True)
class Images:
    """Images of a dataset, by their ids, in the order of their files.

    Attributes:
        dataset: the root dataset
        ids: (n,) packed ids
    """

    dataset: fo.Dataset
    ids: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    def documents(self, *paths: str) -> Iterator[dict[str, Any]]:
        """Yields parts of the images' documents, in order.

        An image that was deleted meanwhile is left out.

        Args:
            *paths: what to read of each, beside its id
        """
        collection = self.dataset._sample_collection
        wanted = dict.fromkeys(paths, 1)
        for start in range(0, len(self.ids), CHUNK):
            chunk = self.ids[start : start + CHUNK]
            ids = [ObjectId(one.tobytes()) for one in chunk]
            found = {
                document["_id"]: document
                for document in collection.find({"_id": {"$in": ids}}, wanted)
            }
            yield from (found[i] for i in ids if i in found)


def images_of(view: Any) -> Images:
    """Returns the images of a flat view, neighbours on disk together.

    Args:
        view: a flat collection of image samples
    """
    cursor = view._aggregate(
        post_pipeline=[
            {"$project": {"filepath": 1}},
            {"$sort": {"filepath": 1, "_id": 1}},
            {"$project": {"_id": 1}},
        ]
    )
    packed = b"".join(document["_id"].binary for document in cursor)
    return Images(view._root_dataset, np.frombuffer(packed, dtype="V12"))


def images_to_detect(images: Images) -> Iterator[ImageJob]:
    """Yields a job for each image: find its objects."""
    for document in images.documents("filepath"):
        yield ImageJob(str(document["_id"]), document["filepath"])


def objects_to_embed(
    images: Images,
    field: str,
    *,
    chosen: IdSet | None = None,
    done: IdSet | None = None,
    unsaid: Callable[[str, list[str]], None] | None = None,
) -> Iterator[ImageJob]:
    """Yields a job for each image that has objects to embed.

    Args:
        images: the images
        field: the detections field
        chosen (None): the only labels in question, None = all
        done (None): labels that have a vector already
        unsaid (None): called with an image and those of its labels that have
            a vector but do not say so, as an interrupted run leaves them
    """
    root = f"{field}.detections"
    names = [f"{root}.{n}" for n in ("_id", "bounding_box")]
    status = f"{root}.embedding_status"
    for document in images.documents("filepath", *names, status):
        labels = _value(document, field).get("detections") or []
        ids = [label["_id"] for label in labels]
        wanted = np.array(
            [label.get("embedding_status") != "skipped" for label in labels],
            dtype=bool,
        )
        if chosen is not None:
            wanted &= chosen.has(ids)
        if done is not None:
            stored = done.has(ids)
            silent = [
                str(ids[row])
                for row in np.flatnonzero(wanted & stored).tolist()
                if labels[row].get("embedding_status") != "ok"
            ]
            if silent and unsaid is not None:
                unsaid(str(document["_id"]), silent)
            wanted &= ~stored
        rows = np.flatnonzero(wanted).tolist()
        if not rows:
            continue
        yield ImageJob(
            str(document["_id"]),
            document["filepath"],
            [str(ids[row]) for row in rows],
            np.array([_box(labels[row]) for row in rows], dtype=np.float64),
        )


def chosen_labels(scope: Scope, field: str) -> IdSet | None:
    """Returns the labels that a collection shows, None if it shows all.

    Args:
        scope: what a stage works on
        field: the detections field
    """
    if scope.label_ids is not None:
        return IdSet(scope.label_ids)
    stages = getattr(scope.images, "_stages", ())
    if all(isinstance(stage, _CHOOSES_SAMPLES) for stage in stages):
        return None
    return label_ids(scope.images, field)


def _value(document: dict[str, Any], path: str) -> dict[str, Any]:
    value: Any = document
    for name in path.split("."):
        value = (value or {}).get(name)
    return value or {}


def _box(label: dict[str, Any]) -> list[float]:
    box = label.get("bounding_box")
    return box if box is not None and len(box) == 4 else [np.nan] * 4
