"""Select the keyframes of a training split."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import raremine.brain as rmb
from raremine.operators.forms import Form
from raremine.operators.recipes import add_shares, describe, take_recipe
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
        """Asks for the shares of the split."""
        form.text("name")
        add_shares(form)
        form.choice(
            "balance",
            ("round_robin", "rank"),
            description="Give every concept the same quota, or go by score "
            "alone",
        )
        form.integer(
            "max_frames_per_scene",
            1,
            description="Most frames of one scene, empty = no limit",
        )
        form.choice(
            "top_up",
            ("none", "random"),
            description="What fills shares that fall short",
        )
        form.integer("seed")

    def run(
        self, ctx: Any, arguments: dict[str, Any], progress: Any
    ) -> Mapping[str, Any]:
        """Selects; returns what was taken and why frames are missing."""
        recipe = take_recipe(arguments)
        selection = rmb.select_frames(ctx.dataset, recipe, **arguments)
        return describe(selection.to_dict())
