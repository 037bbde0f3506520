"""Select the keyframes of a training split."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import raremine.brain as rmb
from raremine.operators.checks import check_file, check_names
from raremine.operators.choices import free_name, split_names
from raremine.operators.forms import Form, answers
from raremine.operators.recipes import describe
from raremine.operators.selection_settings import (
    OWN_PARTS,
    add_limits,
    add_recipe,
    check,
    take_settings,
)
from raremine.operators.stage_operator import StageOperator


class SelectFrames(StageOperator):
    """Select the keyframes of a training split."""

    stage = "select_frames"
    label = "Select frames"
    description = (
        "Select the keyframes of a training split by shares of all "
        "train frames"
    )
    icon = "playlist_add_check"
    works_on_view = False

    def fill_form(self, form: Form, ctx: Any) -> None:
        """Asks for the recipe: a preset, own shares or a file."""
        given = answers(ctx.params)
        names = rmb.list_selections(ctx.dataset)
        form.text(
            "name",
            names,
            required=True,
            default=free_name(names) if form.live else None,
        )
        exists = given.get("name") in names
        if exists:
            form.notice(
                "The name is in use",
                f"Selection '{given['name']}' will be replaced.",
            )
        add_recipe(form, given, exists)
        if "preset" in given:
            # only the App always sends it; a script gets the SDK's error
            check(form, given, ctx)
        add_limits(form, given, ctx)

    def left_over(self, ctx: Any) -> set[str]:
        """What other recipes than the chosen one ask for."""
        return {"recipe", *OWN_PARTS}

    def check_form(
        self, form: Form, given: Mapping[str, Any], ctx: Any
    ) -> None:
        """Checks files, the splits and the earlier selections."""
        check_file(form, "recipe", given.get("recipe"))
        check_file(form, "exclude_file", given.get("exclude_file"))
        splits = split_names(ctx.dataset)
        check_names(form, "pool", given.get("pool") or [], splits, "split")
        names = rmb.list_selections(ctx.dataset)
        excluded = given.get("exclude_selection") or []
        check_names(form, "exclude_selection", excluded, names, "selection")

    def run(
        self, ctx: Any, arguments: dict[str, Any], progress: Any
    ) -> Mapping[str, Any]:
        """Selects; returns what was taken and why frames are missing."""
        recipe = take_settings(arguments)
        selection = rmb.select_frames(ctx.dataset, recipe, **arguments)
        return describe(selection.to_dict())
