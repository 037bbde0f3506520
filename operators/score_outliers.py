"""Score how unusual every object is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import raremine.brain as rmb
from raremine.brain.outliers.fusion import FUSIONS
from raremine.brain.outliers.scoring import SCORERS
from raremine.operators.forms import Form
from raremine.operators.outlier_settings import (
    add_settings,
    add_weights,
    take_settings,
)
from raremine.operators.stage_operator import StageOperator
from raremine.operators.targets import target_collection


class ScoreOutliers(StageOperator):
    """Score how unusual every object is."""

    stage = "score_outliers"
    label = "Score outliers"
    description = "Score how unusual every object is and flag the outliers"
    icon = "insights"

    def fill_form(self, form: Form, ctx: Any) -> None:
        """Asks for the objects, their vectors and the methods."""
        form.objects(ctx.dataset)
        form.vectors(ctx.dataset)
        form.texts("methods", tuple(SCORERS))
        form.choice("fusion", FUSIONS)
        add_weights(form, tuple(SCORERS))
        form.decimal("share", 0.0, 1.0)
        add_settings(form, tuple(SCORERS))
        form.integer("k", 1)
        form.integer("seed")
        form.text("model")
        form.text("brain_key")
        form.switch("overwrite")

    def run(
        self, ctx: Any, arguments: dict[str, Any], progress: Any
    ) -> Mapping[str, Any]:
        """Scores; returns the summary."""
        settings = take_settings(arguments)
        return rmb.score_outliers(
            target_collection(ctx), **arguments, **settings
        )
