"""Selecting frames on a dataset: reads, applies the rule, tags, records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import fiftyone as fo
from bson import ObjectId

from raremine.brain.columns import all_slices
from raremine.brain.errors import MissingStageError, RaremineError
from raremine.brain.runs import record_run
from raremine.brain.selection.exclusion import with_exclusions_read
from raremine.brain.selection.frames import frames_for
from raremine.brain.selection.recipe import Recipe, load_recipe
from raremine.brain.selection.result import Selection
from raremine.brain.selection.rule import select
from raremine.brain.selection.runs import (
    STAGE,
    SelectionRunConfig,
    find_run,
    run_key,
    selection_runs,
    take_in_runs,
)
from raremine.brain.selection.views import (
    has_groups,
    mining_view_names,
    save_mining_views,
    save_split_views,
    split_view_names,
)

FIELD = "objects"


def select_frames(
    dataset: fo.Dataset,
    recipe: Recipe | Mapping[str, Any] | str | Path | None = None,
    *,
    name: str,
    seed: int | None = None,
    field: str | None = None,
    embeddings: str | None = None,
    also: Mapping[str, str] | None = None,
    pool: str | Sequence[str] | None = None,
    exclude: Iterable[str] | None = None,
    exclude_file: str | Path | Sequence[str] | None = None,
    exclude_selection: str | Sequence[str] | None = None,
    max_frames_per_scene: int | None = None,
    min_gap_seconds: float | None = None,
    max_similarity: float | None = None,
    balance: str | None = None,
    top_up: str | None = None,
) -> Selection:
    """Selects the keyframes of a training split.

    The samples of the chosen keyframes, on all slices, get a tag with the
    selection's name, and saved views show them: ``Target``, ``Rare``,
    ``Target/Rare selection`` and one for each split. Selecting again under
    the same name replaces the earlier selection, its tags and its views.

    Args:
        dataset: the dataset
        recipe (None): shares of all train frames by component, such as
            ``{"random": 0.1, "target": 0.1}``, or the path of a YAML file;
            see ``Recipe`` for components and options. None = the recipe,
            seed and field of the selection of that name, to repeat it.
        name: name of the selection
        seed (None): seed of everything that is drawn, None = the recipe's,
            or else 0
        field (None): the mined detections, None = ``objects``
        embeddings (None): brain key of the vectors that frame embeddings
            come from, where the recipe needs them; None = that of the
            field's crops, ``<field>_clip``, or else ``frames_clip``
        also (None): prefix of frame columns → another detections field that
            was mined too, such as ``{"paper": "objects_paper"}``
        pool (None): splits to select from; None = what the recipe says, by
            default the train splits
        exclude (None): sample tokens to leave out
        exclude_file (None): files with sample tokens to leave out
        exclude_selection (None): selections whose frames to leave out
        max_frames_per_scene (None): most frames of one scene
        min_gap_seconds (None): least seconds between two frames of a scene
        max_similarity (None): frames whose embedding has a larger cosine to
            that of a chosen frame are left out
        balance (None): "round_robin" or "rank"
        top_up (None): "none" or "random"

    Returns:
        the selection

    Raises:
        RecipeError: if the recipe does not fit the data set
        MissingStageError: if a component needs a stage that has not run, or
            there is no selection to repeat
        RaremineError: if the name is already used as a tag or by another run
    """
    dataset = dataset._root_dataset
    take_in_runs(dataset)
    runs = selection_runs(dataset)
    key = next((k for k, p in runs.items() if p["name"] == name), None)
    before = runs.get(key or "", {})
    if recipe is None:
        recipe = load_selection(dataset, name).recipe
        field = field or before.get("field")
        embeddings = embeddings or before.get("embeddings")
        also = also or before.get("also")
    asked = load_recipe(recipe).with_options(
        pool=pool,
        exclude=exclude,
        exclude_file=exclude_file,
        exclude_selection=exclude_selection,
        max_frames_per_scene=max_frames_per_scene,
        min_gap_seconds=min_gap_seconds,
        max_similarity=max_similarity,
        balance=balance,
        top_up=top_up,
        seed=seed,
    )
    field = field or FIELD
    key = key or _new_key(dataset, name)
    frames = frames_for(
        dataset, asked, field=field, embeddings=embeddings, also=also
    )
    read, notes = with_exclusions_read(
        asked,
        frames.sample_token.tolist(),
        lambda other: load_selection(dataset, other).tokens,
    )
    selection = select(frames, read, name=name)
    selection = replace(selection, notes=(*notes, *selection.notes))
    shown = {p.split for p in selection.picks} | set(frames.split.tolist())
    splits = sorted(
        s for s in shown if s or s in {p.split for p in selection.picks}
    )
    split_views = split_view_names(
        dataset, name, splits, before.get("views", ())
    )
    views = [*split_views.values()]
    if has_groups(dataset):
        views = [*mining_view_names(dataset).values(), *views]
    # The run goes first: a kill while tagging leaves a selection that can be
    # loaded and repeated, not tags that nothing explains.
    record_run(
        dataset,
        key,
        STAGE,
        field=field,
        params={
            "name": name,
            "seed": selection.seed,
            "recipe": asked.to_dict(),
            "field": field,
            "embeddings": embeddings,
            "also": dict(also or {}),
            "frames": len(selection),
            "views": views,
            "number": _next_number(runs),
        },
        results={"selection": selection.to_dict()},
        tag=name,
        config_cls=SelectionRunConfig,
    )
    _tag(dataset, selection)
    for view in set(before.get("views", ())) - set(views):
        if dataset.has_saved_view(view):
            dataset.delete_saved_view(view)
    save_split_views(dataset, selection, split_views)
    if has_groups(dataset):
        save_mining_views(dataset, selection, field)
    return selection


def load_selection(
    dataset: fo.Dataset, selection: Selection | str | None = None
) -> Selection:
    """Returns a selection of a dataset.

    Args:
        dataset: the dataset
        selection (None): a ``Selection`` (returned as it is), the name of
            one, or None for the one that was made last

    Raises:
        MissingStageError: if there is no such selection
    """
    if isinstance(selection, Selection):
        return selection
    dataset = dataset._root_dataset
    take_in_runs(dataset)
    key = find_run(dataset, selection)
    # not from FiftyOne's cache: another process may have replaced the run
    stored = dataset.load_brain_results(key, cache=False)
    if stored is None:
        raise MissingStageError(
            f"The selection under brain key '{key}' of dataset "
            f"'{dataset.name}' was not finished; run select_frames again."
        )
    return Selection.from_dict(stored.data["selection"])


def list_selections(dataset: fo.Dataset) -> list[str]:
    """Returns the names of a dataset's selections, the oldest first."""
    dataset = dataset._root_dataset
    take_in_runs(dataset)
    runs = selection_runs(dataset)
    return [
        params["name"]
        for params in sorted(runs.values(), key=lambda p: p["number"])
    ]


def delete_selection(dataset: fo.Dataset, name: str) -> dict[str, Any]:
    """Deletes a selection: its tags, its saved views and its run.

    Views that another selection has as well, such as ``Target``, stay.

    Args:
        dataset: the dataset
        name: name of the selection

    Returns:
        what went: ``selection``, ``frames``, ``views``

    Raises:
        MissingStageError: if there is no such selection
    """
    dataset = dataset._root_dataset
    take_in_runs(dataset)
    key = find_run(dataset, name)
    params = selection_runs(dataset)[key]
    views = set(dataset.list_saved_views())
    dataset.delete_brain_run(key)
    return {
        "selection": name,
        "frames": params.get("frames"),
        "views": sorted(views - set(dataset.list_saved_views())),
    }


def _next_number(runs: Mapping[str, Mapping[str, Any]]) -> int:
    """A counter and not the clock tells which selection is the last."""
    return max((p["number"] for p in runs.values()), default=0) + 1


def _new_key(dataset: fo.Dataset, name: str) -> str:
    """Returns the key of a new selection; refuses a tag in other use."""
    key = run_key(name)
    if dataset.has_brain_run(key):
        raise RaremineError(
            f"Brain key '{key}' of dataset '{dataset.name}' belongs to "
            "another run; choose another name or rename that run."
        )
    count = len(all_slices(dataset).match_tags(name))
    if count:
        raise RaremineError(
            f"The tag '{name}' is already on {count} samples of dataset "
            f"'{dataset.name}' and no selection of that name is recorded; "
            "choose another name or remove the tag."
        )
    return key


def _tag(dataset: fo.Dataset, selection: Selection) -> None:
    """Puts the tag on all slices of the chosen keyframes, and only those."""
    samples = all_slices(dataset)
    key = token_field(dataset)
    tokens: list[Any] = list(selection.tokens)
    if key == "id":
        key, tokens = "_id", [ObjectId(token) for token in tokens]
    # a query, not an expression: those cost MongoDB minutes with thousands
    # of tokens
    name = selection.name
    samples.match_tags(name).match({key: {"$nin": tokens}}).untag_samples(name)
    samples.match({key: {"$in": tokens}}).tag_samples(name)


def token_field(dataset: fo.Dataset) -> str:
    """Returns the field with the keys of ``read_frames``' rows."""
    has_tokens = dataset.get_field("sample_token") is not None
    return "sample_token" if has_tokens else "id"
