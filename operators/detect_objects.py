"""Detect objects on the camera images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import raremine.brain as rmb
from raremine.operators.checks import check_detector, check_new_field
from raremine.operators.choices import mined_fields
from raremine.operators.engines import ask_for_engine
from raremine.operators.forms import Form
from raremine.operators.model_names import DETECTORS, DEVICES
from raremine.operators.stage_operator import StageOperator
from raremine.operators.targets import target_collection


class DetectObjects(StageOperator):
    """Detect objects on the camera images."""

    stage = "detect_objects"
    label = "Detect objects"
    description = (
        "Find objects on the camera images with an Ultralytics detector"
    )
    icon = "search"
    positional = ("model",)
    finished_at = "{field}_status"

    def fill_form(self, form: Form, ctx: Any) -> None:
        """Asks for the detector and its thresholds."""
        form.text("model", DETECTORS)
        form.text("field", mined_fields(ctx.dataset))
        form.decimal("conf", 0.0, 1.0)
        form.integer("max_det", 1)
        form.switch("overwrite")
        with form.section("Detector options"):
            form.decimal("iou", 0.0, 1.0)
            form.integer("imgsz", 32)
            form.texts("classes")
        with form.section("Speed and memory"):
            form.switch("half")
            form.text("device", DEVICES)
            form.integer("batch_size", 1)
            form.switch("exact")
            ask_for_engine(form)

    def check_form(
        self, form: Form, given: Mapping[str, Any], ctx: Any
    ) -> None:
        """Checks the detector and the field."""
        check_detector(form, "model", given.get("model"))
        check_new_field(form, "field", given.get("field"), ctx.dataset)

    def run(
        self, ctx: Any, arguments: dict[str, Any], progress: Any
    ) -> Mapping[str, Any]:
        """Detects; returns the summary."""
        return rmb.detect_objects(
            target_collection(ctx), **arguments, progress=progress
        )
