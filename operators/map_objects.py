"""Lay the objects out on a map by their vectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import raremine.brain as rmb
from raremine.operators.forms import Form
from raremine.operators.show_map import open_map
from raremine.operators.stage_operator import StageOperator
from raremine.operators.targets import target_collection


class MapObjects(StageOperator):
    """Lay the objects out on a map by their vectors."""

    stage = "map_objects"
    label = "Map objects"
    description = "Lay the objects of all cameras out on a map and show it"
    icon = "map"

    def fill_form(self, form: Form, ctx: Any) -> None:
        """Asks for the objects, their vectors and how to make the map."""
        form.objects(ctx.dataset)
        form.vectors(ctx.dataset)
        form.choice("method", ("umap", "tsne", "pca"))
        form.integer("k", 2)
        form.decimal("perplexity", 1.0)
        form.text(
            "onto",
            ctx.dataset.list_brain_runs(type="visualization"),
            label="Add to map",
        )
        form.text("brain_key")
        form.integer("seed")
        form.switch("overwrite")

    def run(
        self, ctx: Any, arguments: dict[str, Any], progress: Any
    ) -> Mapping[str, Any]:
        """Lays out and shows the map; returns the summary."""
        summary = rmb.map_objects(target_collection(ctx), **arguments)
        if not ctx.delegated:
            open_map(ctx, arguments.get("brain_key"))
        return summary
