"""Embeds object crops into a similarity index keyed by label id."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import fiftyone as fo
import fiftyone.core.fields as fof
import numpy as np

from raremine.brain.columns import (
    Scope,
    declare_columns,
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
    table = read_objects(scope, field, ["bounding_box", "embedding_status"])
    index = _index(
        scope, field, brain_key, params, loader, index_dir, overwrite, table
    )
    _declare(scope.dataset, field)
    have = index.stored_ids()
    missing = np.array([i not in have for i in table.label_id], dtype=bool)
    todo = table.take(missing)
    # an interrupted run may have stored vectors and not said so
    unsaid = table.take(~missing & (table["embedding_status"] != "ok"))
    _write_status(scope.dataset, field, unsaid, range(len(unsaid)), {})

    reasons: dict[int, str] = {}
    done = 0

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
        _write_status(scope.dataset, field, todo, rows, reasons)
        reasons.clear()

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
                done += 1
            if len(rows) >= CHUNK:
                flush(rows, vectors)
                rows, vectors = [], []
            bar.add(len(batch))
        flush(rows, vectors)
    index.reload()
    summary.count(
        objects=done,
        skipped=int((~missing).sum()),
        dim=int(embedder.dim),
    )
    return summary.to_dict()


def _index(
    scope: Scope,
    field: str,
    brain_key: str,
    params: Mapping[str, Any],
    loader: Mapping[str, Any] | None,
    index_dir: str | None,
    overwrite: bool,
    table: ObjectTable,
) -> CropIndexResults:
    """Opens the index without the vectors that are to be redone."""
    dataset = scope.dataset
    if dataset.has_brain_run(brain_key):
        config = dataset.get_brain_info(brain_key).config
        if not isinstance(config, CropIndexConfig):
            raise RaremineError(
                f"Brain key '{brain_key}' of dataset '{dataset.name}' "
                f"belongs to a '{config.type}' run of another kind; choose "
                "another key."
            )
        changed = sorted(
            k for k in params if params[k] != config.params.get(k)
        )
        if changed and not overwrite:
            raise RaremineError(
                f"Embeddings '{brain_key}' of dataset '{dataset.name}' were "
                f"made with other settings ({', '.join(changed)}). Pass "
                "overwrite=True to redo them, or another brain_key to keep "
                "both."
            )
        index = open_index(dataset, brain_key)
        everything = set(read_objects(dataset, field).label_id)
        stored = index.stored_ids()
        others = (stored & everything) - set(table.label_id)
        if changed and others:
            raise RaremineError(
                f"Embeddings '{brain_key}' of dataset '{dataset.name}' also "
                f"hold {len(others)} objects outside this view, made with "
                f"other settings ({', '.join(changed)}). Pass the whole "
                "dataset, or another brain_key."
            )
        # labels that were deleted since would answer similarity queries
        gone = stored - everything
        if overwrite:
            gone |= set(table.label_id)
        if not changed:
            index.remove_from_index(label_ids=sorted(gone))
            if loader and index.config.embedder != dict(loader):
                # the same weights, found elsewhere now
                index.config.embedder = dict(loader)
                index.save_config()
            return index
        dataset.delete_brain_run(brain_key)
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


def _declare(dataset: fo.Dataset, field: str) -> None:
    declare_columns(
        dataset,
        field,
        {
            "embedding_status": fof.StringField,
            "embedding_reason": fof.StringField,
        },
    )


def _write_status(
    dataset: fo.Dataset,
    field: str,
    table: ObjectTable,
    done: Iterable[int],
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
