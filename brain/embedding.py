"""Embeds object crops into a similarity index keyed by label id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import fiftyone as fo
import numpy as np

from raremine.brain.columns import (
    has_objects,
    read_objects,
    resolve,
    write_objects,
)
from raremine.brain.crop_index import (
    CropIndexConfig,
    CropIndexResults,
    create_index,
    open_index,
)
from raremine.brain.errors import MissingStageError, RaremineError
from raremine.brain.models.protocols import Embedder
from raremine.brain.objects import ObjectTable
from raremine.brain.progress import Progress, ProgressArgument
from raremine.brain.stream.batches import crop_batches, image_objects
from raremine.brain.summary import StageSummary

CHUNK = 2048
"""Vectors appended in one go: the most that a kill can lose."""


def embed(
    samples: Any,
    embedder: Embedder,
    *,
    field: str = "objects",
    brain_key: str = "objects_clip",
    padding: float = 0.05,
    normalize: bool = True,
    loader: Mapping[str, Any] | None = None,
    index_dir: str | None = None,
    overwrite: bool = False,
    workers: int = 2,
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
    params = {
        "embedder": embedder.identity(),
        "padding": padding,
        "normalize": normalize,
        "field": field,
    }
    index = _index(
        scope.dataset, field, brain_key, params, loader, index_dir, overwrite
    )
    table = read_objects(scope, field, ["bounding_box"])
    have = index.stored_ids()
    missing = np.array([i not in have for i in table.label_id], dtype=bool)
    todo = table.take(missing)

    reasons: dict[int, str] = {}
    done: list[int] = []

    def failed(row: int, path: str, reason: str) -> None:
        reasons[row] = reason
        summary.fail(path, reason)

    def flush(rows: list[int], vectors: list[np.ndarray]) -> None:
        if rows:
            index.add_to_index(
                np.concatenate(vectors),
                list(todo.sample_id[rows]),
                label_ids=list(todo.label_id[rows]),
                overwrite=False,
                reload=False,
            )

    with Progress(len(todo), "Embedding objects", progress) as bar:
        rows: list[int] = []
        vectors: list[np.ndarray] = []
        for batch in crop_batches(
            image_objects(scope, todo),
            embedder.batch_size,
            padding=padding,
            on_failure=failed,
            workers=workers,
        ):
            features = embedder.embed_images([crop for _, crop in batch])
            for (row, _), vector in zip(batch, features, strict=True):
                if not np.isfinite(vector).all():
                    failed(row, todo.label_id[row], "vector is not finite")
                    continue
                rows.append(row)
                vectors.append(_unit(vector, normalize)[None])
                done.append(row)
            if len(rows) >= CHUNK:
                flush(rows, vectors)
                rows, vectors = [], []
            bar.add(len(batch))
        flush(rows, vectors)
    index.reload()
    _write_status(scope.dataset, field, todo, done, reasons)
    summary.count(
        objects=len(done),
        skipped=int((~missing).sum()),
        dim=int(embedder.dim),
    )
    return summary.to_dict()


def _index(
    dataset: fo.Dataset,
    field: str,
    brain_key: str,
    params: Mapping[str, Any],
    loader: Mapping[str, Any] | None,
    index_dir: str | None,
    overwrite: bool,
) -> CropIndexResults:
    if dataset.has_brain_run(brain_key):
        config = dataset.get_brain_info(brain_key).config
        if not isinstance(config, CropIndexConfig):
            raise RaremineError(
                f"Brain key '{brain_key}' of dataset '{dataset.name}' "
                f"belongs to a '{config.type}' run of another kind; choose "
                "another key."
            )
        if overwrite:
            dataset.delete_brain_run(brain_key)
        elif config.params != dict(params):
            changed = sorted(
                k for k in params if params[k] != config.params.get(k)
            )
            raise RaremineError(
                f"Embeddings '{brain_key}' of dataset '{dataset.name}' were "
                f"made with other settings ({', '.join(changed)}). Pass "
                "overwrite=True to redo them, or another brain_key to keep "
                "both."
            )
        else:
            return open_index(dataset, brain_key)
    return create_index(
        dataset,
        field,
        brain_key,
        embedder=loader,
        params=params,
        index_dir=index_dir,
    )


def _unit(vector: np.ndarray, normalize: bool) -> np.ndarray:
    if not normalize:
        return vector
    length = float(np.linalg.norm(vector))
    return vector / length if length else vector


def _write_status(
    dataset: fo.Dataset,
    field: str,
    table: ObjectTable,
    done: list[int],
    reasons: Mapping[int, str],
) -> None:
    rows = np.array(sorted([*done, *reasons]), dtype=int)
    if not len(rows):
        return
    write_objects(
        dataset,
        field,
        table.take(rows),
        {
            "embedding_status": [
                "failed" if r in reasons else "ok" for r in rows
            ],
            "embedding_reason": [reasons.get(r) for r in rows],
        },
    )
