"""Rank objects by several signals at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import raremine.brain as rmb
from raremine.brain.novelty.ranking import MISSING
from raremine.brain.novelty.signals import numeric_names
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
"""What the form suggests first."""


class RankPareto(StageOperator):
    """Rank objects by several signals at once."""

    stage = "rank_pareto"
    label = "Rank by Pareto fronts"
    description = "Rank objects by several signals at once, without weights"
    icon = "leaderboard"
    positional = ("signals",)

    def fill_form(self, form: Form, ctx: Any) -> None:
        """Asks for the signals, suggesting every number there is."""
        form.objects(ctx.dataset)
        field = ctx.params.get("field") or "objects"
        present = numeric_names(ctx.dataset, field)
        form.texts("signals", tuple(dict.fromkeys((*SIGNALS, *present))))
        form.choice("missing", MISSING, label="Objects without a value")
        form.text("brain_key")

    def run(
        self, ctx: Any, arguments: dict[str, Any], progress: Any
    ) -> Mapping[str, Any]:
        """Ranks; returns the summary."""
        return rmb.rank_pareto(target_collection(ctx), **arguments)
