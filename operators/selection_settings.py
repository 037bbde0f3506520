"""Recipes of selections as they can be put together in a form.

Presets come first. Own shares are hidden until they are asked for, the limits
folded; a call from Python that gives them need not ask.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import fiftyone.operators.types as types

import raremine.brain as rmb
from raremine.brain.errors import RaremineError
from raremine.brain.selection.recipe import BALANCE, load_recipe
from raremine.brain.selection.stage import select_frames
from raremine.brain.strategies import registered
from raremine.operators.choices import (
    frame_vector_keys,
    mined_fields,
    split_names,
)
from raremine.operators.forms import Form, argument_help, field_of
from raremine.operators.recipes import SHARES, add_shares, take_shares

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "random 10 % + target 10 %": {"random": 0.1, "target": 0.1},
    "random 10 % + target 5 % + rare 5 %": {
        "random": 0.1,
        "target": 0.05,
        "rare": 0.05,
    },
    "random 10 % + core set 10 %": {"random": 0.1, "core_set": 0.1},
    "random 20 %": {"random": 0.2},
}
OWN = "own shares"
FILE = "recipe file"
AGAIN = "as it was made before"

OWN_PARTS = (*SHARES, "components", "quotas")
LIMITS = (
    "max_frames_per_scene",
    "min_gap_seconds",
    "max_similarity",
    "balance",
    "top_up",
    "exclude_selection",
    "exclude_file",
    "pool",
    "seed",
    "field",
    "embeddings",
)


def preset_of(params: Mapping[str, Any]) -> str:
    """Returns the preset that is meant: the chosen one, or what is given."""
    if params.get("preset"):
        return str(params["preset"])
    if params.get("recipe"):
        return FILE
    if any(params.get(name) not in (None, []) for name in OWN_PARTS):
        return OWN
    return next(iter(PRESETS))


def add_recipe(form: Form, params: Mapping[str, Any], exists: bool) -> None:
    """Asks for a preset, and for what the chosen one needs.

    Args:
        form: the form
        params: what the user has set so far
        exists: whether a selection of that name can be made again
    """
    preset = preset_of(params)
    form.choice(
        "preset",
        [*PRESETS, OWN, FILE, *([AGAIN] if exists or preset == AGAIN else [])],
        default=preset,
        label="Recipe",
        description="Shares of all train frames, by what they are taken for",
    )
    form.text(
        "recipe",
        required=preset == FILE,
        label="Recipe file",
        description="Path of a YAML file",
    )
    add_shares(form, with_file=False)
    form.texts(
        "components",
        [f"{name} 0.05" for name in _strategies()],
        label="Other components",
        description="A score or strategy and its share, such as "
        "'core_set 0.05'",
    )
    form.texts(
        "quotas",
        ["target trailer 0.02", "target bicycle 50"],
        description="A component, a concept, and how many of its frames "
        "must hold it: a share of all train frames or a whole number",
    )
    if preset != FILE:
        _fold(form, ("recipe",))
    if preset != OWN:
        _fold(form, OWN_PARTS)


def add_limits(form: Form, params: Mapping[str, Any], ctx: Any) -> None:
    """Asks for everything that is seldom changed, folded at first."""
    with form.section("Limits, exclusions, seed"):
        _ask_for_limits(form, params, ctx)


def _ask_for_limits(form: Form, params: Mapping[str, Any], ctx: Any) -> None:
    field = field_of(params)
    texts = argument_help(select_frames)
    form.integer("max_frames_per_scene", 1, **_help(texts, LIMITS[0]))
    form.decimal("min_gap_seconds", 0.0, **_help(texts, LIMITS[1]))
    form.decimal("max_similarity", 0.0, 1.0, **_help(texts, LIMITS[2]))
    form.choice(
        "balance",
        BALANCE,
        description="Take target and rare frames in turns of their concepts, "
        "by score alone, or by score where what a scene has shown already "
        "counts less",
    )
    form.choice(
        "top_up",
        ("none", "random"),
        description="What fills shares that fall short",
    )
    form.texts(
        "exclude_selection",
        rmb.list_selections(ctx.dataset),
        **_help(texts, "exclude_selection"),
    )
    form.text("exclude_file", **_help(texts, "exclude_file"))
    form.texts("pool", split_names(ctx.dataset), **_help(texts, "pool"))
    form.integer("seed", 0)
    form.pick("field", mined_fields(ctx.dataset), **_help(texts, "field"))
    form.text(
        "embeddings",
        frame_vector_keys(ctx.dataset, field),
        **_help(texts, "embeddings"),
    )


def take_settings(arguments: dict[str, Any]) -> Any:
    """Takes the recipe's parts out of an operator's arguments.

    Args:
        arguments: the user's arguments; loses these parts

    Returns:
        the recipe as the SDK takes it, None to repeat a selection

    Raises:
        RaremineError: if a component or a quota cannot be read
    """
    preset = preset_of(arguments)
    arguments.pop("preset", None)
    parts = {
        name: arguments.pop(name)
        for name in ("components", "quotas")
        if name in arguments
    }
    shares = take_shares(arguments)
    file = arguments.pop("recipe", None)
    if preset in PRESETS:
        return dict(PRESETS[preset])
    if preset in (FILE, AGAIN):
        return file
    recipe: dict[str, Any] = dict(shares)
    for text in parts.get("components", ()):
        name, share = _numbered(text, "core_set 0.05")
        recipe[name] = float(share)
    for text in parts.get("quotas", ()):
        words, quota = _numbered(text, "target trailer 0.02")
        component, _, concept = words.partition(" ")
        entry = recipe.get(component)
        if entry is None:
            raise RaremineError(
                f"The quota '{text}' is about '{component}', which has no "
                "share; give it one."
            )
        if not isinstance(entry, dict):
            entry = recipe[component] = {"share": entry, "quotas": {}}
        entry["quotas"][concept.strip()] = quota
    return recipe


def check(form: Form, params: Mapping[str, Any], ctx: Any) -> None:
    """Says in the form what is wrong with the recipe so far."""
    given = {k: v for k, v in params.items() if v not in (None, "", [])}
    options = {n: given[n] for n in LIMITS[:-2] if n in given}
    try:
        if preset_of(given) == FILE and "recipe" not in given:
            return
        recipe = take_settings(given)
        if recipe is not None:
            load_recipe(recipe).with_options(**options)
    except RaremineError as error:
        form.missing("This cannot be selected", str(error))
        return
    if recipe is not None:
        _check_strategies(form, ctx, given, recipe)


def _check_strategies(
    form: Form, ctx: Any, given: Mapping[str, Any], recipe: Any
) -> None:
    """Says which stage has to run before the recipe can be followed."""
    field = field_of(given)
    shares = load_recipe(recipe).shares
    grouped = ctx.dataset.get_field(f"{field}.detections.group") is not None
    wanted = [name for name in ("target", "rare") if shares.get(name)]
    if form.live and wanted and not grouped:
        form.missing(
            "No groups yet",
            f"The objects in '{field}' are not grouped, so no frame can be "
            f"taken as {' or '.join(wanted)}; run 'Match concepts' first.",
        )


def _numbered(text: str, example: str) -> tuple[str, float]:
    words, _, number = text.strip().rpartition(" ")
    try:
        value = float(number) if not number.isdigit() else int(number)
        if words:
            return words.strip(), value
    except ValueError:
        pass
    raise RaremineError(f"'{text}' cannot be read; write it like '{example}'.")


def _fold(form: Form, names: Sequence[str]) -> None:
    """Hides questions; a script may answer them all the same."""
    for name in names:
        question = form.inputs.properties.pop(name)
        if form.live:
            # the App leaves some room for a hidden one
            continue
        form.inputs.properties[name] = question
        question.view = types.HiddenView(
            label=question.view.label, description=question.view.description
        )


def _help(texts: Mapping[str, str], name: str) -> dict[str, Any]:
    return {"description": texts[name]}


def _strategies() -> list[str]:
    return sorted(
        name
        for name, strategy in registered().items()
        if not strategy.needs_truth and name != "random"
    )
