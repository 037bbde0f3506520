"""Detects objects on camera images and writes them as detections."""

from __future__ import annotations

from typing import Any

from raremine.brain.columns import resolve
from raremine.brain.decisions import hand_on
from raremine.brain.models.protocols import Detector
from raremine.brain.progress import Progress, ProgressArgument
from raremine.brain.stream.detected_field import prepare_detection
from raremine.brain.stream.engine import Engine
from raremine.brain.stream.results import ResultStore
from raremine.brain.stream.running import Running, stream_into
from raremine.brain.stream.source import images_to_detect
from raremine.brain.summary import StageSummary

CHUNK = 64
"""Images written in one go: the most that a kill can lose."""


def detect(
    samples: Any,
    detector: Detector,
    *,
    field: str = "objects",
    overwrite: bool = False,
    exact: bool = True,
    engine: Running | None = None,
    progress: ProgressArgument = None,
) -> dict[str, Any]:
    """Runs a detector on every image that has no ``field`` yet.

    See :func:`raremine.brain.detect_objects`.
    """
    summary = StageSummary("detect_objects")
    scope = resolve(samples, field)
    todo, skipped = prepare_detection(
        scope, detector, field=field, overwrite=overwrite, exact=exact
    )
    store = ResultStore(
        scope.dataset,
        field,
        class_names=detector.class_names,
        detected=summary,
    )
    engine = engine or Engine(detector, exact=exact)
    with Progress(len(todo), "Detecting objects", progress) as bar:
        stream_into(store, engine.run(images_to_detect(todo)), CHUNK, bar)
    summary.count(images=len(todo), objects=store.objects, skipped=skipped)
    summary.count(**hand_on(scope.dataset, field))
    return summary.to_dict()
