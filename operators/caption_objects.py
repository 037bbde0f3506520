"""Describe objects with a vision-language model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import raremine.brain as rmb
from raremine.brain.captions.candidates import RETRIED, count_candidates
from raremine.brain.errors import RaremineError
from raremine.brain.models.huggingface_captioner import ATTENTION
from raremine.operators.amounts import kept
from raremine.operators.checks import check_captioner
from raremine.operators.estimates import Estimate, estimate
from raremine.operators.forms import Form, answers, field_of
from raremine.operators.model_names import CAPTIONERS, DEVICES
from raremine.operators.server_key import with_server_key
from raremine.operators.stage_operator import StageOperator
from raremine.operators.targets import target_collection

CANDIDATES = ("outliers", "outliers_or_rare", "all")


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
            CAPTIONERS,
            description="Hub id or local folder of a Qwen2-VL model, or the "
            "address of an OpenAI-compatible server such as "
            "http://localhost:8000/v1",
        )
        form.choice("candidates", CANDIDATES)
        form.text("prompt", ("default", "paper"))
        form.switch("estimate_only")
        form.switch("overwrite")
        with form.section("What the model sees and says"):
            form.decimal("padding", 0.0, 1.0)
            form.switch("hint")
            form.integer("max_new_tokens", 1)
            form.integer("min_pixels", 1)
            form.integer("max_pixels", 1)
            form.texts("retry", RETRIED)
        with form.section("A model on this machine"):
            form.text("device", DEVICES)
            form.choice("dtype", ("float32", "float16", "bfloat16"))
            form.choice("attention", ATTENTION)
            form.integer("batch_size", 1)
        with form.section("A model at a server"):
            form.text("served_model")
            form.integer("concurrency", 1)
            form.text(
                "api_key_env",
                label="Secret with the server's key",
                description="FiftyOne secret or environment variable; the "
                "key itself is never stored",
            )
            form.numbers("price_per_million_tokens")

    def estimated(self, ctx: Any) -> Estimate | None:
        """Estimates how long the candidates' captions will take."""
        given = answers(ctx.params)
        if ctx.dataset is None or given.get("estimate_only"):
            return None
        count, model = _todo(ctx, given), given.get("model")
        return estimate(ctx.dataset, self.stage, count, model)

    def check_form(
        self, form: Form, given: Mapping[str, Any], ctx: Any
    ) -> None:
        """Checks the model and what it is asked about."""
        check_captioner(form, "model", given.get("model"))
        low, high = given.get("min_pixels"), given.get("max_pixels")
        if low and high and low > high:
            form.wrong("min_pixels", f"It is more than the most, {high}.")
        field = field_of(given)
        scored = ctx.dataset.get_field(f"{field}.detections.outlier")
        if given.get("candidates", "outliers") != "all" and scored is None:
            form.wrong(
                "candidates",
                f"The objects in '{field}' are not scored yet; run 'Score "
                "outliers' first, or caption all.",
            )

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
    field = field_of(ctx.params)
    try:
        counts = _counts(ctx, field)
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


def _todo(ctx: Any, given: Mapping[str, Any]) -> int:
    """Counts the captions that are missing, roughly."""
    counts = _counts(ctx, field_of(given))
    every = given.get("candidates", "outliers") == "all"
    wanted = counts["objects" if every else "outliers"]
    done = 0 if given.get("overwrite") else counts["captioned"]
    return max(wanted - done, 0)


def _counts(ctx: Any, field: str) -> dict[str, int]:
    return kept(
        ctx,
        f"candidates in {field}",
        lambda: count_candidates(target_collection(ctx), field),
    )
