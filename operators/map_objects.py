"""Lay the objects out on a map by their vectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import raremine.brain as rmb
from raremine.operators.checks import (
    check_names,
    check_other_key,
    check_vectors,
)
from raremine.operators.choices import map_keys
from raremine.operators.forms import Form, field_of
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
        field = field_of(ctx.params)
        maps = map_keys(ctx.dataset, field)
        form.objects(ctx.dataset)
        form.vectors(ctx.dataset, field)
        form.choice(
            "method",
            ("umap", "tsne", "pca"),
            description="umap, tsne or pca; empty = umap, or that of the map "
            "that is added to",
        )
        form.text("brain_key", maps)
        form.switch("overwrite")
        with form.section("Layout, or adding to a map"):
            form.integer("k", 2)
            form.decimal("perplexity", 1.0)
            form.pick("onto", maps, label="Add to map")
            form.integer("seed")

    def check_form(
        self, form: Form, given: Mapping[str, Any], ctx: Any
    ) -> None:
        """Checks the vectors and both keys."""
        field = field_of(given)
        check_vectors(form, given, ctx.dataset)
        key = given.get("brain_key")
        check_other_key(
            form, "brain_key", key, ctx.dataset, "visualization", field
        )
        if given.get("onto"):
            maps = map_keys(ctx.dataset, field)
            check_names(form, "onto", given["onto"], maps, "map")

    def run(
        self, ctx: Any, arguments: dict[str, Any], progress: Any
    ) -> Mapping[str, Any]:
        """Lays out and shows the map; returns the summary."""
        summary = rmb.map_objects(target_collection(ctx), **arguments)
        if not ctx.delegated:
            open_map(ctx, arguments.get("brain_key"))
        return summary
