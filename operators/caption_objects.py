"""Describe objects with a vision-language model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import raremine.brain as rmb
from raremine.brain.captions.candidates import RETRIED, count_candidates
from raremine.brain.errors import RaremineError
from raremine.brain.models.huggingface_captioner import ATTENTION
from raremine.operators.forms import Form
from raremine.operators.server_key import with_server_key
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
        _tell_candidates(form, ctx)
        form.text(
            "model",
            description="Hub id or local folder of a Qwen2-VL model, or the "
            "address of an OpenAI-compatible server such as "
            "http://localhost:8000/v1",
        )
        form.text("served_model")
        form.choice("candidates", ("outliers", "outliers_or_rare", "all"))
        form.text("prompt", ("default", "paper"))
        form.decimal("padding", 0.0, 1.0)
        form.switch("hint")
        form.integer("max_new_tokens", 1)
        form.integer("min_pixels", 1)
        form.integer("max_pixels", 1)
        form.text("device")
        form.choice("dtype", ("float32", "float16", "bfloat16"))
        form.choice("attention", ATTENTION)
        form.integer("batch_size", 1)
        form.integer("concurrency", 1)
        form.text(
            "api_key_env",
            label="Secret with the server's key",
            description="FiftyOne secret or environment variable; the key "
            "itself is never stored",
        )
        form.numbers("price_per_million_tokens")
        form.switch("estimate_only")
        form.texts("retry", RETRIED)
        form.switch("overwrite")

    def run(
        self, ctx: Any, arguments: dict[str, Any], progress: Any
    ) -> Mapping[str, Any]:
        """Captions; returns the summary."""
        arguments |= with_server_key(ctx, "model", arguments)
        return rmb.caption_objects(
            target_collection(ctx), **arguments, progress=progress
        )


def _tell_candidates(form: Form, ctx: Any) -> None:
    """Says how many captions there may be: each costs time or money."""
    field = ctx.params.get("field") or "objects"
    try:
        counts = count_candidates(target_collection(ctx), field)
    except RaremineError:
        # the run itself says what is wrong with the view
        return
    # its name in the form must not be that of the choice of candidates
    form.notice(
        "How many captions",
        f"{counts['outliers']:,} outliers among {counts['objects']:,} "
        f"objects; {counts['captioned']:,} have a caption. 'Estimate only' "
        "asks for the first few and tells what all will take.",
    )
