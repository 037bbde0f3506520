"""Measure mining strategies against ground truth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import fiftyone.operators.types as types

import raremine.brain as rmb
from raremine.operators.forms import Form
from raremine.operators.stage_operator import StageOperator


class EvaluateMining(StageOperator):
    """Measure mining strategies against ground truth."""

    stage = "evaluate_mining"
    label = "Evaluate mining"
    description = (
        "Measure how much of the rare ground truth each strategy finds"
    )
    icon = "query_stats"
    risk = types.RiskLevel.LOW
    works_on_view = False
    positional = ("strategies", "budgets")

    def fill_form(self, form: Form, ctx: Any) -> None:
        """Asks for strategies, budgets and targets."""
        form.texts("strategies")
        form.numbers("budgets")
        form.texts("targets")
        form.integer(
            "seeds",
            1,
            default=20,
            description="Number of seeds of the strategies that draw",
        )
        form.text("field", default="objects", description="Mined detections")

    def run(
        self, ctx: Any, arguments: dict[str, Any], progress: Any
    ) -> Mapping[str, Any]:
        """Measures; returns recall of target frames by strategy and budget."""
        if "seeds" in arguments:
            arguments["seeds"] = range(arguments["seeds"])
        report = rmb.evaluate_mining(ctx.dataset, **arguments)
        wanted = {"target": "all", "metric": "frame_recall"}
        return {
            "recall": [
                {c: row[c] for c in ("strategy", "budget", "mean", "std")}
                for row in report.rows
                if wanted.items() <= row.items()
            ]
        }
