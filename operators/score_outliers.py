"""Score how unusual every object is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import raremine.brain as rmb
from raremine.operators.forms import Form
from raremine.operators.stage_operator import StageOperator
from raremine.operators.targets import target_collection

METHODS = (
    "isolation_forest",
    "knn",
    "lof",
    "class_lof",
    "tsne_knn",
    "umap_knn",
    "class_rarity",
)
FUSIONS = ("union", "intersection", "majority", "mean_rank")


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
        form.texts("methods", METHODS)
        form.choice("fusion", FUSIONS)
        form.decimal("share", 0.0, 1.0)
        form.integer("k", 1)
        form.integer("seed")
        form.text("model")
        form.text("brain_key")
        form.switch("overwrite")

    def run(
        self, ctx: Any, arguments: dict[str, Any], progress: Any
    ) -> Mapping[str, Any]:
        """Scores; returns the summary."""
        return rmb.score_outliers(target_collection(ctx), **arguments)
