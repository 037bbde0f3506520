"""Score how unusual every object is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import raremine.brain as rmb
from raremine.brain.outliers.fusion import FUSIONS
from raremine.brain.outliers.scoring import SCORERS
from raremine.operators.checks import (
    check_file,
    check_run_key,
    check_vectors,
)
from raremine.operators.forms import Form, answers
from raremine.operators.outlier_settings import (
    add_settings,
    add_weights,
    check_settings,
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
        field = answers(ctx.params).get("field")
        form.objects(ctx.dataset)
        form.vectors(ctx.dataset, field)
        form.texts("methods", tuple(SCORERS))
        form.decimal("share", 0.0, 1.0)
        form.switch("overwrite")
        with form.section("Fusion and limits"):
            form.choice("fusion", FUSIONS)
            add_weights(form, tuple(SCORERS))
            add_settings(form, tuple(SCORERS))
        with form.section("Neighbours, seed, reference set"):
            form.integer("k", 1)
            form.integer("seed")
            form.text("model")
            form.text("brain_key")

    def check_form(
        self, form: Form, given: Mapping[str, Any], ctx: Any
    ) -> None:
        """Checks methods, limits, weights, the reference and the key."""
        check_settings(form, given, tuple(SCORERS))
        check_file(form, "model", given.get("model"))
        key = given.get("brain_key")
        check_run_key(form, "brain_key", key, ctx.dataset, "outliers")
        check_vectors(form, given, ctx.dataset)

    def run(
        self, ctx: Any, arguments: dict[str, Any], progress: Any
    ) -> Mapping[str, Any]:
        """Scores; returns the summary."""
        settings = take_settings(arguments)
        return rmb.score_outliers(
            target_collection(ctx), **arguments, **settings
        )
