"""Detect objects and embed their crops in one pass over the images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import raremine.brain as rmb
from raremine.operators.checks import check_new_field
from raremine.operators.choices import mined_fields
from raremine.operators.engines import ask_for_engine
from raremine.operators.forms import Form
from raremine.operators.model_questions import (
    ask_for_crops,
    ask_for_crops_key,
    ask_for_models,
    check_crops_key,
    check_models,
)
from raremine.operators.stage_operator import StageOperator
from raremine.operators.targets import target_collection

DETECT = ("conf", "iou", "imgsz", "max_det", "classes")
EMBED = ("padding", "min_size")


class DetectAndEmbed(StageOperator):
    """Detect objects and embed their crops in one pass over the images."""

    stage = "detect_and_embed"
    label = "Detect and embed objects"
    description = (
        "Find objects on the camera images and turn their crops into "
        "vectors; each image is read once"
    )
    icon = "image_search"
    parts = ("detect_objects", "embed_objects")
    positional = ("detector", "embedder", "pretrained")
    finished_at = "{field}_status"

    def fill_form(self, form: Form, ctx: Any) -> None:
        """Asks for both models, and what is most often changed of them."""
        ask_for_models(form)
        form.text("field", mined_fields(ctx.dataset))
        ask_for_crops_key(form, ctx)
        form.switch("overwrite")
        with form.section("Detector options"):
            form.decimal("conf", 0.0, 1.0)
            form.decimal("iou", 0.0, 1.0)
            form.integer("imgsz", 32)
            form.integer("max_det", 1)
            form.texts("classes")
        with form.section("Crops"):
            ask_for_crops(form)
        with form.section("Speed and memory"):
            ask_for_engine(form)

    def check_form(
        self, form: Form, given: Mapping[str, Any], ctx: Any
    ) -> None:
        """Checks both models, the field and the brain key."""
        check_models(form, given)
        check_new_field(form, "field", given.get("field"), ctx.dataset)
        check_crops_key(form, given, ctx)

    def run(
        self, ctx: Any, arguments: dict[str, Any], progress: Any
    ) -> Mapping[str, Any]:
        """Detects and embeds; returns both summaries."""
        for name, options in (("detect", DETECT), ("embed", EMBED)):
            given = {k: arguments.pop(k) for k in options if k in arguments}
            if given:
                arguments[name] = given
        return rmb.detect_and_embed(
            target_collection(ctx), **arguments, progress=progress
        )
