"""Show the objects that fit a text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import fiftyone.operators.types as types

import raremine.brain as rmb
from raremine.operators.checks import check_vectors
from raremine.operators.forms import Form, answers
from raremine.operators.stage_operator import StageOperator
from raremine.operators.targets import target_collection


class SearchObjects(StageOperator):
    """Show the objects that fit a text.

    FiftyOne's own searches look through what is shown, and its Similarity
    Search panel cannot show what it found on a dataset with a 3D slice.
    """

    stage = "search_objects"
    label = "Search objects by text"
    description = "Show the objects of all cameras that fit a text, best first"
    icon = "search"
    positional = ("query",)
    shows_view = True

    def resolve_placement(self, ctx: Any) -> types.Placement | None:
        """Puts a button beside FiftyOne's own search, if that can be used."""
        dataset = ctx.dataset
        if dataset is None or not dataset.list_brain_runs(type="similarity"):
            return None
        return types.Placement(
            types.Places.SAMPLES_GRID_ACTIONS,
            types.Button(label=self.label, icon="manage_search", prompt=True),
        )

    def fill_form(self, form: Form, ctx: Any) -> None:
        """Asks for the text and the vectors."""
        form.text("query")
        form.objects(ctx.dataset)
        form.vectors(ctx.dataset, answers(ctx.params).get("field"))
        form.integer("k", 1, label="Objects to show")
        form.text("name")
        name = answers(ctx.params).get("name")
        if form.live and ctx.dataset.has_saved_view(name or ""):
            form.notice(
                "The name is in use",
                f"The saved view '{name}' will be replaced.",
            )

    def check_form(
        self, form: Form, given: Mapping[str, Any], ctx: Any
    ) -> None:
        """Checks that the vectors are of the chosen objects."""
        check_vectors(form, given, ctx.dataset)

    def run(
        self, ctx: Any, arguments: dict[str, Any], progress: Any
    ) -> Mapping[str, Any]:
        """Searches and shows the view; returns how many were found."""
        found = rmb.search_objects(target_collection(ctx), **arguments)
        if not ctx.delegated:
            ctx.ops.set_view(view=found)
        return {"stage": self.stage, "objects": len(found)}
