"""Select the keyframes of a training split."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import fiftyone.operators as foo

import raremine.brain as rmb
from raremine.operators.forms import Form
from raremine.operators.recipes import describe
from raremine.operators.selection_settings import (
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

    @property
    def config(self) -> foo.OperatorConfig:
        """FiftyOne's description; the form changes with what is chosen."""
        config = super().config
        config.dynamic = True
        return config

    def fill_form(self, form: Form, ctx: Any) -> None:
        """Asks for the recipe: a preset, own shares or a file."""
        names = rmb.list_selections(ctx.dataset)
        form.text("name", names)
        exists = ctx.params.get("name") in names
        if exists:
            form.notice(
                "The name is in use",
                f"Selection '{ctx.params['name']}' will be replaced.",
            )
        add_recipe(form, ctx.params, exists)
        if "preset" in ctx.params:
            # only the App always sends it; a script gets the SDK's error
            check(form, ctx.params)
        add_limits(form, ctx.params, ctx)

    def run(
        self, ctx: Any, arguments: dict[str, Any], progress: Any
    ) -> Mapping[str, Any]:
        """Selects; returns what was taken and why frames are missing."""
        recipe = take_settings(arguments)
        selection = rmb.select_frames(ctx.dataset, recipe, **arguments)
        return describe(selection.to_dict())
