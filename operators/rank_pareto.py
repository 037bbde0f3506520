"""Rank objects by several signals at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import raremine.brain as rmb
from raremine.operators.forms import Form
from raremine.operators.stage_operator import StageOperator
from raremine.operators.targets import target_collection

SIGNALS = (
    "outlier_score",
    "novelty",
    "isolation_forest",
    "knn",
    "lof",
    "class_lof",
    "tsne_knn",
    "-confidence",
    "-concept_margin",
)


class RankPareto(StageOperator):
    """Rank objects by several signals at once."""

    stage = "rank_pareto"
    label = "Rank by Pareto fronts"
    description = "Rank objects by several signals at once, without weights"
    icon = "leaderboard"
    positional = ("signals",)

    def fill_form(self, form: Form, ctx: Any) -> None:
        """Asks for the signals."""
        form.objects(ctx.dataset)
        form.texts("signals", SIGNALS)
        form.text("brain_key")

    def run(
        self, ctx: Any, arguments: dict[str, Any], progress: Any
    ) -> Mapping[str, Any]:
        """Ranks; returns the summary."""
        return rmb.rank_pareto(target_collection(ctx), **arguments)
