"""Embed every camera image as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import raremine.brain as rmb
from raremine.operators.checks import check_embedder, check_other_key
from raremine.operators.forms import Form
from raremine.operators.model_names import EMBEDDERS, WEIGHTS
from raremine.operators.model_questions import ask_for_embedding_speed
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
    counts = ""
    finished_at = "frame_embedding_status"

    def fill_form(self, form: Form, ctx: Any) -> None:
        """Asks for the embedding model."""
        form.text("model", EMBEDDERS)
        form.text("pretrained", WEIGHTS)
        form.text("brain_key")
        form.switch("overwrite")
        with form.section("Speed and memory"):
            form.switch("normalize")
            form.choice("dtype", ("float32", "float16"))
            ask_for_embedding_speed(form)

    def check_form(
        self, form: Form, given: Mapping[str, Any], ctx: Any
    ) -> None:
        """Checks the model and the brain key."""
        check_embedder(form, "model", given, "pretrained")
        key = given.get("brain_key")
        check_other_key(
            form, "brain_key", key, ctx.dataset, "similarity", None
        )

    def run(
        self, ctx: Any, arguments: dict[str, Any], progress: Any
    ) -> Mapping[str, Any]:
        """Embeds; returns the summary."""
        return rmb.embed_frames(
            target_collection(ctx), **arguments, progress=progress
        )
