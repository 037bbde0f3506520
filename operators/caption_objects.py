"""Describe objects with a vision-language model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import raremine.brain as rmb
from raremine.operators.forms import Form
from raremine.operators.stage_operator import StageOperator
from raremine.operators.targets import target_collection


class CaptionObjects(StageOperator):
    """Describe objects with a vision-language model."""

    stage = "caption_objects"
    label = "Caption objects"
    description = "Describe unusual objects with a vision-language model"
    icon = "chat"
    positional = ("model",)

    def fill_form(self, form: Form, ctx: Any) -> None:
        """Asks for the objects, the model and the prompt."""
        form.objects(ctx.dataset)
        form.text("model")
        form.choice("candidates", ("outliers", "outliers_or_rare", "all"))
        form.text("prompt", ("default", "paper"))
        form.decimal("padding", 0.0, 1.0)
        form.switch("hint")
        form.integer("max_new_tokens", 1)
        form.integer("min_pixels", 1)
        form.integer("max_pixels", 1)
        form.text("device")
        form.choice("dtype", ("float32", "float16", "bfloat16"))
        form.integer("batch_size", 1)
        form.switch("overwrite")

    def run(
        self, ctx: Any, arguments: dict[str, Any], progress: Any
    ) -> Mapping[str, Any]:
        """Captions; returns the summary."""
        return rmb.caption_objects(
            target_collection(ctx), **arguments, progress=progress
        )
