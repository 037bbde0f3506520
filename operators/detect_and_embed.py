"""Detect objects and embed their crops in one pass over the images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import raremine.brain as rmb
from raremine.operators.engines import ask_for_engine
from raremine.operators.forms import Form
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

    def fill_form(self, form: Form, ctx: Any) -> None:
        """Asks for both models, and what is most often changed of them."""
        form.text("detector")
        form.text("embedder")
        form.text("pretrained")
        form.text("field")
        form.text("brain_key")
        form.decimal("conf", 0.0, 1.0)
        form.decimal("iou", 0.0, 1.0)
        form.integer("imgsz", 32)
        form.integer("max_det", 1)
        form.texts("classes")
        form.decimal("padding", 0.0, 1.0)
        form.decimal("min_size", 0.0)
        form.switch("overwrite")
        ask_for_engine(form)

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
