"""Delete a selection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import fiftyone.operators.types as types

import raremine.brain as rmb
from raremine.operators.checks import check_names
from raremine.operators.choices import selection_sizes
from raremine.operators.forms import Form
from raremine.operators.stage_operator import StageOperator


class DeleteSelection(StageOperator):
    """Delete a selection: its tags, its saved views and its run."""

    stage = "delete_selection"
    label = "Delete selection"
    description = "Delete a selection: its tags, its saved views and its run"
    icon = "playlist_remove"
    risk = types.RiskLevel.HIGH
    works_on_view = False
    positional = ("name",)

    def fill_form(self, form: Form, ctx: Any) -> None:
        """Asks for the selection."""
        names = rmb.list_selections(ctx.dataset)
        if not names:
            form.missing(
                "No selection",
                f"Dataset '{ctx.dataset.name}' has no selection to delete.",
            )
        form.pick("name", names, label="Selection")
        sizes = selection_sizes(ctx.dataset)
        chosen = ctx.params.get("name") or next(iter(names), None)
        if chosen in sizes:
            form.notice(
                "What will be done",
                f"The tag '{chosen}' goes from its keyframes "
                f"({sizes[chosen]:,}), with the selection's saved views and "
                "its run. Samples, labels, scores and exports stay as they "
                "are.",
            )

    def tell_work(self, form: Form, ctx: Any) -> None:
        """Says nothing of images here: the form tells what goes."""

    def check_form(
        self, form: Form, given: Mapping[str, Any], ctx: Any
    ) -> None:
        """Checks that there is such a selection."""
        names = rmb.list_selections(ctx.dataset)
        check_names(form, "name", given.get("name"), names, "selection")

    def run(
        self, ctx: Any, arguments: dict[str, Any], progress: Any
    ) -> Mapping[str, Any]:
        """Deletes; returns what went."""
        return rmb.delete_selection(ctx.dataset, arguments["name"])
