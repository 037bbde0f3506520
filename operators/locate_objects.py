"""Measure how far the objects are and how large."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import raremine.brain as rmb
from raremine.brain.errors import RaremineError
from raremine.brain.locating.stage import can_locate
from raremine.operators.amounts import kept
from raremine.operators.forms import Form, field_of
from raremine.operators.stage_operator import StageOperator
from raremine.operators.targets import target_collection


class LocateObjects(StageOperator):
    """Measure how far the objects are and how large."""

    stage = "locate_objects"
    label = "Locate objects"
    description = (
        "Measure each object's distance and seen size by the LiDAR points "
        "in its box"
    )
    icon = "straighten"
    finished_at = "{field}.detections.located_by"

    def fill_form(self, form: Form, ctx: Any) -> None:
        """Asks for the objects; says what they lack to be measured."""
        form.objects(ctx.dataset)
        if form.live:
            _tell_missing(form, ctx)
        form.switch("overwrite")
        with form.section("Speed"):
            form.integer("workers", 1)

    def run(
        self, ctx: Any, arguments: dict[str, Any], progress: Any
    ) -> Mapping[str, Any]:
        """Measures; returns the summary."""
        return rmb.locate_objects(
            target_collection(ctx), **arguments, progress=progress
        )


def locatable(ctx: Any) -> bool:
    """Whether any image of the dataset says how its camera stands."""
    # a dataset may have no images at all
    with suppress(RaremineError):
        return kept(
            ctx, "locatable", lambda: can_locate(ctx.dataset), whole=True
        )
    return False


def _tell_missing(form: Form, ctx: Any) -> None:
    field = field_of(ctx.params)
    if ctx.dataset.get_field(f"{field}.detections.ann_token") is not None:
        form.missing(
            "These are annotations",
            f"Field '{field}' holds annotations with their cuboids, whose "
            "distance is known; choose a field of detections.",
        )
    elif not locatable(ctx):
        form.missing(
            "No calibrated camera",
            f"No image of '{ctx.dataset.name}' says how its camera stands: "
            "that takes camera intrinsics, sensor_to_world and the image "
            "size, which 'Load nuScenes' writes.",
        )
