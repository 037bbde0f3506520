"""Embed the crop of every object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import raremine.brain as rmb
from raremine.operators.engines import ask_for_engine
from raremine.operators.forms import Form
from raremine.operators.stage_operator import StageOperator
from raremine.operators.targets import target_collection


class EmbedObjects(StageOperator):
    """Embed the crop of every object."""

    stage = "embed_objects"
    label = "Embed objects"
    description = (
        "Turn every object's crop into a vector, for search, maps and scores"
    )
    icon = "scatter_plot"
    positional = ("model", "pretrained")

    def fill_form(self, form: Form, ctx: Any) -> None:
        """Asks for the objects and the embedding model."""
        form.objects(ctx.dataset)
        form.text("model")
        form.text("pretrained")
        form.text("brain_key")
        form.decimal("padding", 0.0, 1.0)
        form.decimal("min_size", 0.0)
        form.switch("normalize")
        form.choice("dtype", ("float32", "float16"))
        form.choice("precision", ("float32", "float16", "bfloat16"))
        form.text("device")
        form.integer("batch_size", 1)
        form.switch("overwrite")
        ask_for_engine(form)

    def run(
        self, ctx: Any, arguments: dict[str, Any], progress: Any
    ) -> Mapping[str, Any]:
        """Embeds; returns the summary."""
        return rmb.embed_objects(
            target_collection(ctx), **arguments, progress=progress
        )
