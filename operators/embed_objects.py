"""Embed the crop of every object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import raremine.brain as rmb
from raremine.operators.checks import check_embedder
from raremine.operators.forms import Form
from raremine.operators.model_names import EMBEDDERS, WEIGHTS
from raremine.operators.model_questions import (
    ask_for_crops,
    ask_for_crops_key,
    ask_for_embedding_speed,
    check_crops_key,
)
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
    finished_at = "{field}.detections.embedding_status"

    def fill_form(self, form: Form, ctx: Any) -> None:
        """Asks for the objects and the embedding model."""
        form.objects(ctx.dataset)
        form.text("model", EMBEDDERS)
        form.text("pretrained", WEIGHTS)
        ask_for_crops_key(form, ctx)
        form.switch("overwrite")
        with form.section("Crops and vectors"):
            ask_for_crops(form)
            form.switch("normalize")
            form.choice("dtype", ("float32", "float16"))
        with form.section("Speed and memory"):
            ask_for_embedding_speed(form)

    def check_form(
        self, form: Form, given: Mapping[str, Any], ctx: Any
    ) -> None:
        """Checks the model and the brain key."""
        check_embedder(form, "model", given, "pretrained")
        check_crops_key(form, given, ctx)

    def run(
        self, ctx: Any, arguments: dict[str, Any], progress: Any
    ) -> Mapping[str, Any]:
        """Embeds; returns the summary."""
        return rmb.embed_objects(
            target_collection(ctx), **arguments, progress=progress
        )
