"""Detects objects and embeds their crops in one pass over the images."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from raremine.brain.columns import resolve
from raremine.brain.decisions import hand_on
from raremine.brain.errors import RaremineError
from raremine.brain.id_set import label_ids
from raremine.brain.models.protocols import Detector, Embedder
from raremine.brain.progress import Progress, ProgressArgument
from raremine.brain.stream.crops import SMALLEST_SIDE, CropRule
from raremine.brain.stream.detected_field import (
    check_detection,
    declare_detections,
    prepare_detection,
)
from raremine.brain.stream.engine import Engine
from raremine.brain.stream.filled_index import prepare_index
from raremine.brain.stream.results import ResultStore
from raremine.brain.stream.running import Running, stream_into
from raremine.brain.stream.source import (
    chosen_labels,
    images_of,
    images_to_detect,
    objects_to_embed,
)
from raremine.brain.summary import StageSummary

IMAGES = 64
"""Images written in one go, at most."""

VECTORS = 2048
"""Vectors appended in one go, at most."""

DETECTOR_OPTIONS = (
    *("conf", "iou", "imgsz", "max_det"),
    *("classes", "half", "device", "batch_size"),
)
EMBEDDER_OPTIONS = ("precision", "device", "batch_size")
STORE_OPTIONS = ("padding", "min_size", "normalize", "dtype", "index_dir")


@dataclass(frozen=True)
class Options:
    """Options of the two stages, by what takes them.

    Attributes:
        detector: of the model that detects
        embedder: of the model that embeds
        stored: of the crops and of the index of their vectors
    """

    detector: dict[str, Any]
    embedder: dict[str, Any]
    stored: dict[str, Any]


def sort_options(
    detect: Mapping[str, Any], embed: Mapping[str, Any]
) -> Options:
    """Tells whose each option of ``detect_and_embed`` is.

    Args:
        detect: options of ``detect_objects``
        embed: options of ``embed_objects``

    Raises:
        RaremineError: if an option is not known
    """
    _check_options("detect", detect, DETECTOR_OPTIONS)
    _check_options("embed", embed, (*EMBEDDER_OPTIONS, *STORE_OPTIONS))
    own = {k: v for k, v in embed.items() if k in EMBEDDER_OPTIONS}
    own["dtype"] = own.pop("precision", None)
    return Options(
        dict(detect),
        own,
        {k: v for k, v in embed.items() if k in STORE_OPTIONS},
    )


def _check_options(
    name: str, options: Mapping[str, Any], known: Sequence[str]
) -> None:
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise RaremineError(
            f"{name}= has no option {', '.join(unknown)}; it takes "
            f"{', '.join(known)}."
        )


def detect_and_embed(
    samples: Any,
    detector: Detector,
    embedder: Embedder,
    *,
    field: str = "objects",
    brain_key: str = "objects_clip",
    padding: float = 0.05,
    min_size: float = SMALLEST_SIDE,
    normalize: bool = True,
    dtype: str = "float32",
    loader: Mapping[str, Any] | None = None,
    index_dir: str | None = None,
    overwrite: bool = False,
    engine: Running | None = None,
    progress: ProgressArgument = None,
) -> dict[str, Any]:
    """Detects on images without ``field``, embeds objects without vector.

    See :func:`raremine.brain.detect_and_embed`.
    """
    detected = StageSummary("detect_objects")
    embedded = StageSummary("embed_objects")
    scope = resolve(samples, field)
    rule = CropRule(padding, min_size)
    # all checks go before anything is removed
    check_detection(scope, detector, field=field, overwrite=overwrite)
    declare_detections(scope.dataset, field)
    index = prepare_index(
        scope,
        embedder,
        field=field,
        brain_key=brain_key,
        rule=rule,
        normalize=normalize,
        dtype=dtype,
        loader=loader,
        index_dir=index_dir,
        overwrite=overwrite,
    )
    todo, skipped = prepare_detection(
        scope, detector, field=field, overwrite=overwrite
    )
    done = index.stored_set()
    have = label_ids(scope.images, field)
    known = images_of(scope.images.exists(field))
    store = ResultStore(
        scope.dataset,
        field,
        class_names=detector.class_names,
        index=index,
        normalize=normalize,
        detected=detected,
        embedded=embedded,
    )
    jobs = itertools.chain(
        objects_to_embed(
            known,
            field,
            chosen=chosen_labels(scope, field),
            done=done,
            unsaid=store.say_embedded,
        ),
        images_to_detect(todo),
    )
    engine = engine or Engine(detector, embedder, rule=rule)
    total = len(todo) + (len(known) if len(have - done) else 0)
    with Progress(total, "Detecting and embedding objects", progress) as bar:
        stream_into(store, engine.run(jobs), IMAGES, bar, vectors=VECTORS)
    index.reload()
    detected.count(images=len(todo), objects=store.objects, skipped=skipped)
    detected.count(**hand_on(scope.dataset, field))
    embedded.count(
        objects=store.vectors,
        skipped=len(have & done),
        too_small=store.skipped,
        dim=int(embedder.dim),
    )
    return {"detect": detected.to_dict(), "embed": embedded.to_dict()}
