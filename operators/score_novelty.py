"""Score every captioned object by how rare its keywords are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import raremine.brain as rmb
from raremine.brain.novelty.frequency import POOLINGS, UNITS
from raremine.brain.novelty.stage import SOURCES
from raremine.operators.checks import check_run_key
from raremine.operators.forms import Form, field_of
from raremine.operators.stage_operator import StageOperator
from raremine.operators.targets import target_collection


class ScoreNovelty(StageOperator):
    """Score every captioned object by how rare its keywords are."""

    stage = "score_novelty"
    label = "Score novelty"
    description = "Score captioned objects by how rare their keywords are"
    icon = "new_releases"

    def fill_form(self, form: Form, ctx: Any) -> None:
        """Asks for how keywords are found, counted and pooled."""
        form.objects(ctx.dataset)
        field = field_of(ctx.params)
        captions = f"{field}.detections.caption"
        if form.live and ctx.dataset.get_field(captions) is None:
            form.missing(
                "No captions yet",
                f"The objects in '{field}' have no captions; run 'Caption "
                "objects' first.",
            )
        form.choice("pooling", POOLINGS)
        form.choice("per", UNITS, label="Count by")
        form.choice("source", SOURCES)
        with form.section("Which keywords count"):
            form.integer("min_count", 1)
            form.integer("min_in_scene", 1)
            form.integer("ngrams", 1)
            form.texts("stop_words")
            form.texts("keep_words")
            form.text("brain_key")

    def check_form(
        self, form: Form, given: Mapping[str, Any], ctx: Any
    ) -> None:
        """Checks the brain key."""
        key = given.get("brain_key")
        check_run_key(form, "brain_key", key, ctx.dataset, "novelty")

    def run(
        self, ctx: Any, arguments: dict[str, Any], progress: Any
    ) -> Mapping[str, Any]:
        """Scores; returns the summary."""
        return rmb.score_novelty(target_collection(ctx), **arguments)
