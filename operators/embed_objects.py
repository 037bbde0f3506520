"""Embed the crop of every object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import raremine.brain as rmb
from raremine.operators.checks import check_embedder, check_other_key
from raremine.operators.choices import vector_keys
from raremine.operators.engines import ask_for_engine
from raremine.operators.forms import Form, answers
from raremine.operators.model_names import DEVICES, EMBEDDERS, WEIGHTS
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
        form.text(
            "brain_key", vector_keys(ctx.dataset, _field(answers(ctx.params)))
        )
        form.switch("overwrite")
        with form.section("Crops and vectors"):
            form.decimal("padding", 0.0, 1.0)
            form.decimal("min_size", 0.0)
            form.switch("normalize")
            form.choice("dtype", ("float32", "float16"))
        with form.section("Speed and memory"):
            form.choice("precision", ("float32", "float16", "bfloat16"))
            form.text("device", DEVICES)
            form.integer("batch_size", 1)
            ask_for_engine(form)

    def check_form(
        self, form: Form, given: Mapping[str, Any], ctx: Any
    ) -> None:
        """Checks the model and the brain key."""
        check_embedder(form, "model", given, "pretrained")
        check_other_key(
            form,
            "brain_key",
            given.get("brain_key"),
            ctx.dataset,
            "similarity",
            _field(given),
        )

    def run(
        self, ctx: Any, arguments: dict[str, Any], progress: Any
    ) -> Mapping[str, Any]:
        """Embeds; returns the summary."""
        return rmb.embed_objects(
            target_collection(ctx), **arguments, progress=progress
        )


def _field(given: Mapping[str, Any]) -> str:
    return given.get("field") or "objects"
