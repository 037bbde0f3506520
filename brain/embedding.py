"""Embeds object crops into a similarity index keyed by label id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from raremine.brain.columns import has_objects, resolve
from raremine.brain.errors import MissingStageError
from raremine.brain.id_set import label_ids
from raremine.brain.models.protocols import Embedder
from raremine.brain.progress import Progress, ProgressArgument
from raremine.brain.stream.crops import SMALLEST_SIDE, CropRule
from raremine.brain.stream.engine import Engine
from raremine.brain.stream.filled_index import prepare_index
from raremine.brain.stream.results import ResultStore
from raremine.brain.stream.running import Running, stream_into
from raremine.brain.stream.source import (
    chosen_labels,
    images_of,
    objects_to_embed,
)
from raremine.brain.summary import StageSummary

CHUNK = 2048
"""Vectors appended in one go: the most that a kill can lose."""

IMAGES = 512
"""Images written in one go, where they have few objects."""


def embed(
    samples: Any,
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
    """Embeds every object that has no vector yet.

    See :func:`raremine.brain.embed_objects`.
    """
    summary = StageSummary("embed_objects")
    scope = resolve(samples, field)
    if not has_objects(scope, field):
        raise MissingStageError(
            f"Dataset '{scope.dataset.name}' has no objects in field "
            f"'{field}'; run detect_objects first, or name a field that has "
            "detections (such as ground_truth)."
        )
    rule = CropRule(padding, min_size)
    chosen = chosen_labels(scope, field)
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
        chosen=chosen,
    )
    done = index.stored_set()
    asked = label_ids(scope.images, field) if chosen is None else chosen
    store = ResultStore(
        scope.dataset,
        field,
        index=index,
        normalize=normalize,
        embedded=summary,
    )
    images = images_of(scope.images.exists(field))
    engine = engine or Engine(embedder=embedder, rule=rule)
    jobs = objects_to_embed(
        images, field, chosen=chosen, done=done, unsaid=store.say_embedded
    )
    with Progress(len(asked - done), "Embedding objects", progress) as bar:
        stream_into(
            store, engine.run(jobs), IMAGES, bar, vectors=CHUNK, objects=True
        )
    index.reload()
    summary.count(
        objects=store.vectors,
        skipped=len(asked & done),
        too_small=store.skipped,
        dim=int(embedder.dim),
    )
    return summary.to_dict()
