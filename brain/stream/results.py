"""Writes what the engine found: documents to MongoDB, vectors to the index.

An image's objects are written by one operation, so a kill leaves no half of
them; vectors go first, as vectors of nothing are found and removed by the
next run, while a status that promises a vector must not lie.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

import fiftyone as fo
import numpy as np
from bson import ObjectId
from pymongo import UpdateOne

from raremine.brain.columns import object_update
from raremine.brain.crop_index import CropIndexResults
from raremine.brain.stream.engine import ImageResult
from raremine.brain.summary import StageSummary

NUSCENES_NAMES = {"person": "pedestrian"}
"""COCO names that mean exactly a nuScenes class; the other names that both
know (car, truck, bus, bicycle, motorcycle) are spelled alike."""


class ResultStore:
    """Where the results of a run go.

    Args:
        dataset: the root dataset
        field: the detections field
        class_names (()): the detector's, by class id
        index (None): where vectors go, None = there are none
        normalize (True): whether to store vectors of length one
        detected (None): counts what detection did
        embedded (None): counts what embedding did
    """

    def __init__(
        self,
        dataset: fo.Dataset,
        field: str,
        *,
        class_names: Sequence[str] = (),
        index: CropIndexResults | None = None,
        normalize: bool = True,
        detected: StageSummary | None = None,
        embedded: StageSummary | None = None,
    ) -> None:
        self._dataset = dataset
        self._field = field
        self._names = [NUSCENES_NAMES.get(n, n) for n in class_names]
        self._index = index
        self._normalize = normalize
        self._detected = detected
        self._embedded = embedded
        self._template = _template()
        self.objects = 0
        self.vectors = 0
        self.skipped = 0

    def write(self, results: Sequence[ImageResult]) -> None:
        """Writes some images' results."""
        labels = [_labels(result) for result in results]
        if self._index is not None:
            self._append(results, labels)
        updates = []
        for result, ids in zip(results, labels, strict=True):
            if result.job.labels is None:
                updates.append(self._image_update(result, ids))
            else:
                updates.append(self._labels_update(result, ids))
            self._count(result)
        self._dataset._bulk_write(updates, ids=[r.job.key for r in results])

    def say_embedded(self, sample_id: str, label_ids: list[str]) -> None:
        """Notes that labels have a vector, where a run could not any more."""
        columns: dict[str, list[Any]] = {
            "embedding_status": ["ok"] * len(label_ids),
            "embedding_reason": [None] * len(label_ids),
        }
        update = object_update(self._field, sample_id, label_ids, columns)
        self._dataset._bulk_write([update], ids=[sample_id])

    def _append(
        self, results: Sequence[ImageResult], labels: Sequence[list[str]]
    ) -> None:
        vectors, images, ids = [], [], []
        for result, own in zip(results, labels, strict=True):
            if result.vectors is None or result.reason is not None:
                continue
            rows = [k for k, c in enumerate(result.cuts) if c.status == "ok"]
            vectors.append(result.vectors[rows])
            images += [result.job.key] * len(rows)
            ids += [own[row] for row in rows]
        if not ids:
            return
        block = np.concatenate(vectors)
        if self._normalize:
            length = np.linalg.norm(block, axis=1, keepdims=True)
            block = block / np.where(length, length, 1)
        assert self._index is not None
        self._index.append(block, images, ids)
        self.vectors += len(ids)

    def _image_update(self, result: ImageResult, ids: list[str]) -> UpdateOne:
        """Writes all objects of an image on which objects were looked for."""
        field = self._field
        values: dict[str, Any] = {
            field: None,
            f"{field}_status": "ok" if result.reason is None else "failed",
            f"{field}_reason": result.reason,
            "last_modified_at": datetime.now(timezone.utc),
        }
        if result.reason is None:
            values[field] = {
                "_cls": "Detections",
                "detections": self._detections(result, ids),
            }
        return UpdateOne({"_id": ObjectId(result.job.key)}, {"$set": values})

    def _detections(
        self, result: ImageResult, ids: list[str]
    ) -> list[dict[str, Any]]:
        assert result.class_id is not None and result.confidence is not None
        status = _statuses(result)
        rows = zip(
            ids,
            result.boxes.tolist(),
            result.confidence.tolist(),
            result.class_id.tolist(),
            strict=True,
        )
        return [
            {
                **self._template,
                "_id": ObjectId(label_id),
                "attributes": {},
                "tags": [],
                "label": self._names[class_id],
                "bounding_box": box,
                "confidence": confidence,
                "crop_index": row,
                **{name: values[row] for name, values in status.items()},
            }
            for row, (label_id, box, confidence, class_id) in enumerate(rows)
        ]

    def _labels_update(self, result: ImageResult, ids: list[str]) -> UpdateOne:
        """Writes how embedding went for the objects that an image had."""
        status = _statuses(result)
        if result.reason is not None:
            status = {
                "embedding_status": ["failed"] * len(ids),
                "embedding_reason": [result.reason] * len(ids),
            }
        return object_update(self._field, result.job.key, ids, status)

    def _count(self, result: ImageResult) -> None:
        path, reason = result.job.path, result.reason
        if result.job.labels is None:
            self.objects += len(result.boxes)
            if reason is not None and self._detected is not None:
                self._detected.fail(path, reason)
        if self._embedded is None:
            return
        if reason is not None:
            for _ in result.job.labels or ():
                self._embedded.fail(path, reason)
        for cut in result.cuts:
            if cut.status == "failed":
                self._embedded.fail(path, cut.reason or "")
            self.skipped += cut.status == "skipped"


def _labels(result: ImageResult) -> list[str]:
    """Returns the ids of an image's objects; found ones get theirs here."""
    if result.job.labels is not None:
        return list(result.job.labels)
    return [str(ObjectId()) for _ in range(len(result.boxes))]


def _statuses(result: ImageResult) -> Mapping[str, list[str | None]]:
    if result.vectors is None:
        return {}
    return {
        "embedding_status": [cut.status for cut in result.cuts],
        "embedding_reason": [cut.reason for cut in result.cuts],
    }


def _template() -> dict[str, Any]:
    """Returns what FiftyOne stores of any detection."""
    made = fo.Detection(
        label="", bounding_box=[0.0] * 4, confidence=0.0, crop_index=0
    )
    return dict(made.to_dict())
