"""Detect objects and embed their crops in one pass over the images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import raremine.brain as rmb
from raremine.operators.checks import (
    check_detector,
    check_embedder,
    check_new_field,
    check_other_key,
)
from raremine.operators.choices import mined_fields, vector_keys
from raremine.operators.engines import ask_for_engine
from raremine.operators.forms import Form, answers
from raremine.operators.model_names import DETECTORS, EMBEDDERS, WEIGHTS
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
        form.text(
            "detector",
            DETECTORS,
            description="Weights file or name of an Ultralytics detector",
        )
        form.text(
            "embedder",
            EMBEDDERS,
            description="Name that open_clip knows, or a local folder",
        )
        form.text(
            "pretrained",
            WEIGHTS,
            description="Weights of the embedder, an open_clip tag or a file; "
            "a local folder brings its own",
        )
        form.text("field", mined_fields(ctx.dataset))
        form.text(
            "brain_key", vector_keys(ctx.dataset, _field(answers(ctx.params)))
        )
        form.switch("overwrite")
        with form.section("Detector options"):
            form.decimal("conf", 0.0, 1.0)
            form.decimal("iou", 0.0, 1.0)
            form.integer("imgsz", 32)
            form.integer("max_det", 1)
            form.texts("classes")
        with form.section("Crops"):
            form.decimal("padding", 0.0, 1.0)
            form.decimal("min_size", 0.0)
        with form.section("Speed and memory"):
            ask_for_engine(form)

    def check_form(
        self, form: Form, given: Mapping[str, Any], ctx: Any
    ) -> None:
        """Checks both models, the field and the brain key."""
        check_detector(form, "detector", given.get("detector"))
        check_embedder(form, "embedder", given, "pretrained")
        check_new_field(form, "field", given.get("field"), ctx.dataset)
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
        """Detects and embeds; returns both summaries."""
        for name, options in (("detect", DETECT), ("embed", EMBED)):
            given = {k: arguments.pop(k) for k in options if k in arguments}
            if given:
                arguments[name] = given
        return rmb.detect_and_embed(
            target_collection(ctx), **arguments, progress=progress
        )


def _field(given: Mapping[str, Any]) -> str:
    return given.get("field") or "objects"
