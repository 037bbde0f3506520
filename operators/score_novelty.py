"""Score every captioned object by how rare its keywords are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import raremine.brain as rmb
from raremine.brain.novelty.frequency import POOLINGS, UNITS
from raremine.brain.novelty.stage import SOURCES
from raremine.operators.forms import Form
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
        form.choice("pooling", POOLINGS)
        form.choice("per", UNITS, label="Count by")
        form.integer("min_count", 1)
        form.integer("min_in_scene", 1)
        form.choice("source", SOURCES)
        form.integer("ngrams", 1)
        form.texts("stop_words")
        form.texts("keep_words")
        form.text("brain_key")

    def run(
        self, ctx: Any, arguments: dict[str, Any], progress: Any
    ) -> Mapping[str, Any]:
        """Scores; returns the summary."""
        return rmb.score_novelty(target_collection(ctx), **arguments)
