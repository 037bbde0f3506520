"""The index that embedding fills: who made it, and what has to go from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import fiftyone as fo
import fiftyone.core.fields as fof

from raremine.brain.columns import Scope, declare_columns, resolve
from raremine.brain.crop_index import (
    CropIndexConfig,
    CropIndexResults,
    create_index,
    open_index,
)
from raremine.brain.errors import RaremineError
from raremine.brain.id_set import IdSet, label_ids
from raremine.brain.models.protocols import Embedder
from raremine.brain.stream.crops import SMALLEST_SIDE, CropRule


def prepare_index(
    scope: Scope,
    embedder: Embedder,
    *,
    field: str,
    brain_key: str,
    rule: CropRule,
    normalize: bool,
    dtype: str,
    loader: Mapping[str, Any] | None,
    index_dir: str | None,
    overwrite: bool,
    chosen: IdSet | None = None,
) -> CropIndexResults:
    """Opens or makes the index, without the vectors that are to be redone.

    Args:
        scope: the images
        embedder: the embedder
        field: the detections field, which gets the columns of embedding
        brain_key: the index's brain key
        rule: which objects have a crop, and how it is cut
        normalize: whether vectors have length one
        dtype: how vectors are stored, "float32" or "float16"
        loader: how another process loads the text encoder
        index_dir: LanceDB's folder for a new index
        overwrite: whether to remove the vectors of these objects
        chosen (None): the only labels in question, None = all of the images

    Raises:
        RaremineError: if the key or the vectors belong to something else
    """
    check_dtype(dtype)
    params = {
        "embedder": embedder.identity(),
        "padding": rule.padding,
        "normalize": normalize,
        "field": field,
        # only where they differ from what was always so
        **({"dtype": dtype} if dtype != "float32" else {}),
        **(
            {"min_size": rule.min_size}
            if rule.min_size != SMALLEST_SIDE
            else {}
        ),
    }
    dataset = scope.dataset
    index = reopen_index(
        dataset,
        brain_key,
        params,
        patches_field=field,
        loader=loader,
        overwrite=overwrite,
        everything=lambda: label_ids(resolve(dataset, field).images, field),
        asked=lambda: (
            label_ids(scope.images, field) if chosen is None else chosen
        ),
        forget=lambda: _forget(scope, field),
    )
    if index is None:
        index = create_index(
            dataset,
            field,
            brain_key,
            embedder=loader,
            params=params,
            index_dir=index_dir,
            dtype=dtype,
        )
    declare_columns(
        scope.dataset,
        field,
        {
            "embedding_status": fof.StringField,
            "embedding_reason": fof.StringField,
        },
    )
    return index


def check_dtype(dtype: str) -> None:
    """Raises ``RaremineError`` if vectors cannot be stored so."""
    if dtype not in ("float32", "float16"):
        raise RaremineError(
            f"dtype='{dtype}' cannot be stored; give 'float32' or 'float16'."
        )


def reopen_index(
    dataset: fo.Dataset,
    brain_key: str,
    params: Mapping[str, Any],
    *,
    patches_field: str | None,
    loader: Mapping[str, Any] | None,
    overwrite: bool,
    everything: Callable[[], IdSet],
    asked: Callable[[], IdSet],
    forget: Callable[[], None],
) -> CropIndexResults | None:
    """Opens the index that is there, without what has to go from it.

    Args:
        dataset: the root dataset
        brain_key: the index's brain key
        params: what decides the vectors now
        patches_field: whose objects it holds, None = whole images
        loader: how another process loads the text encoder
        overwrite: whether to remove the vectors that are asked for
        everything: gives the ids of all objects, or images, that exist
        asked: gives the ids of those in question
        forget: lets what was left out before be tried again

    Returns:
        the index; None if there is none, or it had to be deleted because
        everything in it was made with other settings

    Raises:
        RaremineError: if the key or the vectors belong to something else
    """
    if not dataset.has_brain_run(brain_key):
        return None
    config = dataset.get_brain_info(brain_key).config
    if not isinstance(config, CropIndexConfig):
        raise RaremineError(
            f"Brain key '{brain_key}' of dataset '{dataset.name}' "
            f"belongs to a '{config.type}' run of another kind; choose "
            "another key."
        )
    if (config.patches_field is None) != (patches_field is None):
        holds = "whole images" if config.patches_field is None else "objects"
        raise RaremineError(
            f"Embeddings '{brain_key}' of dataset '{dataset.name}' are of "
            f"{holds}; choose another brain_key."
        )
    changed = sorted(
        k
        for k in {*params, *config.params}
        if params.get(k) != config.params.get(k)
    )
    if changed and not overwrite:
        raise RaremineError(
            f"Embeddings '{brain_key}' of dataset '{dataset.name}' were "
            f"made with other settings ({', '.join(changed)}). Pass "
            "overwrite=True to redo them, or another brain_key to keep "
            "both."
        )
    index = open_index(dataset, brain_key)
    stored, existing, wanted = index.stored_set(), everything(), asked()
    others = (stored & existing) - wanted
    if changed and len(others):
        what = "images" if patches_field is None else "objects"
        raise RaremineError(
            f"Embeddings '{brain_key}' of dataset '{dataset.name}' also "
            f"hold {len(others)} {what} outside this view, made with "
            f"other settings ({', '.join(changed)}). Pass the whole "
            "dataset, or another brain_key."
        )
    if changed:
        dataset.delete_brain_run(brain_key)
        forget()
        return None
    # what was deleted since would answer similarity queries
    gone = stored - existing
    if overwrite:
        gone = gone | (stored & wanted)
        forget()
    if len(gone) == len(stored):
        index.clear()
    else:
        index.remove_from_index(label_ids=list(gone))
    if loader and index.config.embedder != dict(loader):
        # the same weights, found elsewhere now
        index.config.embedder = dict(loader)
        index.save_config()
    return index


def _forget(scope: Scope, field: str) -> None:
    """Lets objects that the old rule left out be tried again."""
    path = f"{field}.detections.embedding_status"
    if scope.dataset.get_field(path) is not None:
        scope.dataset._sample_collection.update_many(
            {path: "skipped"},
            {"$set": {f"{field}.detections.$[o].embedding_status": None}},
            array_filters=[{"o.embedding_status": "skipped"}],
        )
