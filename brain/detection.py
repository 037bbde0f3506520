"""Detects objects on camera images and writes them as detections."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import fiftyone as fo
import fiftyone.core.fields as fof
import numpy as np

from raremine.brain.columns import Scope, declare_columns, resolve
from raremine.brain.errors import RaremineError
from raremine.brain.models.protocols import DetectedBoxes, Detector
from raremine.brain.progress import Progress, ProgressArgument
from raremine.brain.runs import check_key, record_run, run_params
from raremine.brain.stream.images import Decoded, decode_ahead
from raremine.brain.summary import StageSummary

CHUNK = 64
"""Images written in one go: the most that a kill can lose."""

NUSCENES_NAMES = {"person": "pedestrian"}
"""COCO names that mean exactly a nuScenes class; the other names that both
know (car, truck, bus, bicycle, motorcycle) are spelled alike."""


def detect(
    samples: Any,
    detector: Detector,
    *,
    field: str = "objects",
    overwrite: bool = False,
    workers: int = 2,
    progress: ProgressArgument = None,
) -> dict[str, Any]:
    """Runs a detector on every image that has no ``field`` yet.

    See :func:`raremine.brain.detect_objects`.
    """
    summary = StageSummary("detect_objects")
    scope = resolve(samples, field)
    dataset = scope.dataset
    identity = detector.identity()
    run_key = f"{field}_detect"
    check_key(dataset, run_key, "detection")
    _check_model(scope, run_key, field, identity, overwrite)
    _declare(dataset, field)
    if overwrite:
        _clear(scope, field)
    todo = scope.images.exists(field, False)
    total = len(todo)
    skipped = len(scope.images) - total

    # first, so that a rerun after a kill knows what made the part it finds
    record_run(
        dataset,
        run_key,
        "detection",
        field=field,
        fields=[field, f"{field}_status", f"{field}_reason"],
        params={"detector": identity, "field": field},
    )
    found = 0
    source = _ids_and_paths(todo)
    with Progress(total, "Detecting objects", progress) as bar:
        chunk: list[tuple[str, fo.Detections | None, str | None]] = []
        for batch in _batches(
            decode_ahead(source, lambda i: i[1], workers=workers),
            detector.batch_size,
        ):
            for item, boxes, reason in _detect_batch(detector, batch):
                sample_id, path = item.item
                if boxes is None:
                    summary.fail(path, reason or "unreadable")
                    chunk.append((sample_id, None, reason))
                else:
                    detections = _detections(boxes, item, detector)
                    found += len(detections.detections)
                    chunk.append((sample_id, detections, None))
            if len(chunk) >= CHUNK:
                _write(dataset, field, chunk)
                chunk = []
            bar.add(len(batch))
        _write(dataset, field, chunk)
    summary.count(images=total, objects=found, skipped=skipped)
    return summary.to_dict()


def _check_model(
    scope: Scope,
    key: str,
    field: str,
    identity: dict[str, Any],
    overwrite: bool,
) -> None:
    dataset = scope.dataset
    recorded = run_params(dataset, key)
    if recorded is None:
        return
    made_by = recorded.get("detector", {})
    changed = sorted(k for k in identity if identity[k] != made_by.get(k))
    if changed and overwrite:
        others = set(resolve(dataset).images.exists(field).values("id"))
        others -= set(scope.images.values("id"))
        if others:
            raise RaremineError(
                f"Field '{field}' of dataset '{dataset.name}' also has "
                f"{len(others)} images outside this view, made with other "
                f"settings ({', '.join(changed)}). Pass the whole dataset, "
                "or another field."
            )
    elif changed:
        was = ", ".join(f"{k}={made_by.get(k)}" for k in changed)
        now = ", ".join(f"{k}={identity[k]}" for k in changed)
        raise RaremineError(
            f"Field '{field}' of dataset '{dataset.name}' was made with "
            f"{was}, this run has {now}. Pass overwrite=True to redo it, or "
            "another field to keep both."
        )


def _declare(dataset: fo.Dataset, field: str) -> None:
    if dataset.get_field(field) is None:
        dataset.add_sample_field(
            field, fof.EmbeddedDocumentField, embedded_doc_type=fo.Detections
        )
    for name in (f"{field}_status", f"{field}_reason"):
        if dataset.get_field(name) is None:
            dataset.add_sample_field(name, fof.StringField)
    declare_columns(dataset, field, {"crop_index": fof.IntField})


def _clear(scope: Scope, field: str) -> None:
    ids = scope.images.values("id")
    for name in (field, f"{field}_status", f"{field}_reason"):
        scope.dataset.set_values(
            name, dict.fromkeys(ids, None), key_field="id"
        )


def _ids_and_paths(view: Any) -> Iterator[tuple[str, str]]:
    ids, paths = view.values(["id", "filepath"])
    # sorted by path: neighbours on disk are read together
    yield from sorted(
        zip(ids, paths, strict=True), key=lambda item: item[1]
    )


def _batches(
    items: Iterator[Decoded[tuple[str, str]]], size: int
) -> Iterator[list[Decoded[tuple[str, str]]]]:
    batch: list[Decoded[tuple[str, str]]] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _detect_batch(
    detector: Detector, batch: Sequence[Decoded[tuple[str, str]]]
) -> Iterator[
    tuple[Decoded[tuple[str, str]], DetectedBoxes | None, str | None]
]:
    readable = [item for item in batch if item.image is not None]
    images = [item.image for item in readable if item.image is not None]
    results = iter(detector.detect(images) if images else [])
    for item in batch:
        if item.image is None:
            yield item, None, item.reason
        else:
            yield item, next(results), None


def _detections(
    found: DetectedBoxes,
    item: Decoded[tuple[str, str]],
    detector: Detector,
) -> fo.Detections:
    assert item.image is not None  # narrowed for the type checker
    height, width = item.image.shape[:2]
    scale = np.array([width, height, width, height], dtype=np.float64)
    boxes = np.clip(found.boxes.astype(np.float64) / scale, 0, 1)
    detections = []
    for index, (box, confidence, class_id) in enumerate(
        zip(boxes, found.confidence, found.class_id, strict=True)
    ):
        name = detector.class_names[int(class_id)]
        x1, y1, x2, y2 = (float(v) for v in box)
        detections.append(
            fo.Detection(
                label=NUSCENES_NAMES.get(name, name),
                bounding_box=[x1, y1, max(x2 - x1, 0), max(y2 - y1, 0)],
                confidence=float(confidence),
                crop_index=index,
            )
        )
    return fo.Detections(detections=detections)


def _write(
    dataset: fo.Dataset,
    field: str,
    chunk: Sequence[tuple[str, fo.Detections | None, str | None]],
) -> None:
    if not chunk:
        return
    status = {i: "ok" if d is not None else "failed" for i, d, _ in chunk}
    # the detections last: they are what a rerun looks for
    dataset.set_values(f"{field}_status", status, key_field="id")
    dataset.set_values(
        f"{field}_reason", {i: r for i, _, r in chunk}, key_field="id"
    )
    dataset.set_values(
        field, {i: d for i, d, _ in chunk}, key_field="id", validate=False
    )
