"""Selecting frames on a dataset: reads, applies the rule, tags, records."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import fiftyone as fo
from fiftyone import ViewField as F

from raremine.brain.columns import all_slices
from raremine.brain.errors import MissingStageError, RaremineError
from raremine.brain.frames import read_frames
from raremine.brain.runs import load_results, record_run, run_params
from raremine.brain.selection.recipe import (
    GROUP_COMPONENTS,
    Recipe,
    load_recipe,
)
from raremine.brain.selection.result import Selection
from raremine.brain.selection.rule import select

STAGE = "selection"


def select_frames(
    dataset: fo.Dataset,
    recipe: Recipe | Mapping[str, Any] | str | Path,
    *,
    name: str,
    seed: int = 0,
    field: str = "objects",
    pool: str | Sequence[str] | None = None,
    exclude: Iterable[str] | None = None,
    max_frames_per_scene: int | None = None,
    balance: str | None = None,
    top_up: str | None = None,
) -> Selection:
    """Selects the keyframes of a training split.

    The samples of the chosen keyframes, on all slices, get a tag with the
    selection's name. Selecting again under the same name replaces the
    earlier selection and its tags.

    Args:
        dataset: the dataset
        recipe: shares of all train frames by component, such as
            ``{"random": 0.1, "target": 0.1}``, or the path of a YAML file;
            see ``Recipe`` for components and options
        name: name of the selection
        seed (0): seed of everything that is drawn
        field ("objects"): the mined detections
        pool (None): splits to select from; None = what the recipe says, by
            default the train splits
        exclude (None): sample tokens to leave out
        max_frames_per_scene (None): most frames of one scene
        balance (None): "round_robin" or "rank"
        top_up (None): "none" or "random"

    Returns:
        the selection

    Raises:
        RecipeError: if the recipe does not fit the data set
        MissingStageError: if a component needs a stage that has not run
        RaremineError: if the name is already used as a tag or by another run
    """
    recipe = load_recipe(recipe).with_options(
        pool=pool,
        exclude=exclude,
        max_frames_per_scene=max_frames_per_scene,
        balance=balance,
        top_up=top_up,
    )
    dataset = dataset._root_dataset
    key = _key_of(dataset, name) or _new_key(dataset, name)
    _check_groups(dataset, field, recipe)
    selection = select(read_frames(dataset, field), recipe, seed, name=name)
    # The run goes first: a kill while tagging leaves a selection that can be
    # loaded and repeated, not tags that nothing explains.
    record_run(
        dataset,
        key,
        STAGE,
        field=field,
        params={
            "name": name,
            "seed": seed,
            "recipe": selection.recipe,
            "number": _next_number(dataset),
        },
        results={"selection": selection.to_dict()},
        tag=selection.name,
    )
    _tag(dataset, selection)
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
    runs = _runs(dataset)
    if not runs:
        raise MissingStageError(
            f"Dataset '{dataset.name}' has no selection; run select_frames "
            "first."
        )
    if selection is None:
        key = max(runs, key=lambda k: runs[k]["number"])
    else:
        by_name = {params["name"]: key for key, params in runs.items()}
        if selection not in by_name:
            raise MissingStageError(
                f"Dataset '{dataset.name}' has no selection '{selection}' "
                f"(it has: {', '.join(sorted(by_name))})."
            )
        key = by_name[selection]
    return Selection.from_dict(load_results(dataset, key)["selection"])


def list_selections(dataset: fo.Dataset) -> list[str]:
    """Returns the names of a dataset's selections, the oldest first."""
    runs = _runs(dataset._root_dataset)
    return [
        params["name"]
        for params in sorted(runs.values(), key=lambda p: p["number"])
    ]


def delete_selection(dataset: fo.Dataset, name: str) -> None:
    """Deletes a selection: its tags and its run.

    Raises:
        MissingStageError: if there is no such selection
    """
    dataset = dataset._root_dataset
    load_selection(dataset, name)
    dataset.delete_brain_run(_key_of(dataset, name))


def run_key(name: str) -> str:
    """Returns the brain key of a selection: an identifier from its name.

    Args:
        name: any text; one that is no identifier gets a short hash of itself
            behind, so that "a-b" and "a b" do not collide
    """
    if not isinstance(name, str) or not name.strip():
        raise RaremineError("A selection needs a name that is not empty.")
    slug = re.sub(r"[^0-9A-Za-z]+", "_", name).strip("_")
    if slug != name:
        digest = hashlib.sha256(name.encode()).hexdigest()[:6]
        slug = f"{slug}_{digest}" if slug else digest
    return f"{STAGE}_{slug}"


def _runs(dataset: fo.Dataset) -> dict[str, dict[str, Any]]:
    """Returns the parameters of every selection run, by brain key."""
    keys = dataset.list_brain_runs(type=f"raremine_{STAGE}")
    return {key: run_params(dataset, key) or {} for key in keys}


def _next_number(dataset: fo.Dataset) -> int:
    """A counter and not the clock tells which selection is the last."""
    numbers = [p["number"] for p in _runs(dataset).values()]
    return max(numbers, default=0) + 1


def _key_of(dataset: fo.Dataset, name: str) -> str | None:
    """Finds a selection's run, which may have been renamed since."""
    for key, params in _runs(dataset).items():
        if params["name"] == name:
            return key
    return None


def _new_key(dataset: fo.Dataset, name: str) -> str:
    """Returns the key of a new selection; refuses a tag in other use."""
    key = run_key(name)
    count = len(all_slices(dataset).match_tags(name))
    if count:
        raise RaremineError(
            f"The tag '{name}' is already on {count} samples of dataset "
            f"'{dataset.name}' and no selection of that name is recorded; "
            "choose another name or remove the tag."
        )
    return key


def _check_groups(dataset: fo.Dataset, field: str, recipe: Recipe) -> None:
    wanted = [c for c in GROUP_COMPONENTS if recipe.shares.get(c)]
    if wanted and dataset.get_field(f"{field}.detections.group") is None:
        raise MissingStageError(
            f"The recipe asks for {' and '.join(wanted)} frames, but the "
            f"objects in '{field}' of dataset '{dataset.name}' have no "
            "group; run match_concepts first."
        )


def _tag(dataset: fo.Dataset, selection: Selection) -> None:
    """Puts the tag on all slices of the chosen keyframes, and only those."""
    samples = all_slices(dataset)
    chosen = F(token_field(dataset)).is_in(selection.tokens)
    name = selection.name
    samples.match_tags(name).match(~chosen).untag_samples(name)
    samples.match(chosen).tag_samples(name)


def token_field(dataset: fo.Dataset) -> str:
    """Returns the field with the keys of ``read_frames``' rows."""
    has_tokens = dataset.get_field("sample_token") is not None
    return "sample_token" if has_tokens else "id"
