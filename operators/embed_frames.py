"""Embed every camera image as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import raremine.brain as rmb
from raremine.operators.engines import ask_for_engine
from raremine.operators.forms import Form
from raremine.operators.stage_operator import StageOperator
from raremine.operators.targets import target_collection


class EmbedFrames(StageOperator):
    """Embed every camera image as a whole."""

    stage = "embed_frames"
    label = "Embed frames"
    description = (
        "Turn every camera image into a vector, for search and for "
        "selections that spread over the data"
    )
    icon = "blur_on"
    positional = ("model", "pretrained")

    def fill_form(self, form: Form, ctx: Any) -> None:
        """Asks for the embedding model."""
        form.text("model")
        form.text("pretrained")
        form.text("brain_key")
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
        return rmb.embed_frames(
            target_collection(ctx), **arguments, progress=progress
        )
