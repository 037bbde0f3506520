"""Measure mining strategies against ground truth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import fiftyone as fo
import fiftyone.operators.types as types

import raremine.brain as rmb
from raremine.brain.evaluation.ground_truth import TruthFilter
from raremine.brain.strategies import registered
from raremine.operators.forms import Form
from raremine.operators.stage_operator import StageOperator

FILTERS = {
    "min_height": "Least height of a ground truth box as a share of the "
    "image's",
    "min_visibility": "Least visible share in percent, by nuScenes' bins "
    "(0, 40, 60, 80)",
    "min_points": "Least LiDAR and radar points in a box",
}
"""Which ground truth counts, by the names of ``TruthFilter``."""

SHOWN = ("strategy", "budget", "mean", "low", "high", "lift")


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
        """Asks for strategies, budgets, targets and ground truth."""
        fields = _detections(ctx.dataset)
        form.texts("strategies", sorted(registered()))
        form.numbers("budgets")
        form.texts("targets")
        form.integer(
            "seeds",
            1,
            default=20,
            description="Number of seeds of the strategies that draw",
        )
        form.text("field", fields)
        form.text(
            "paper_field",
            fields,
            label="Field of the preset paper",
            description="Another field, mined with the preset paper, to "
            "compare with; empty = the field's name with _paper behind, if "
            "there is one",
        )
        form.text("gt_field", fields, label="Ground truth")
        form.text("embeddings", ctx.dataset.list_brain_runs(type="similarity"))
        form.texts("splits")
        standard = TruthFilter()
        form.decimal(
            "min_height",
            0.0,
            1.0,
            default=standard.min_height,
            description=FILTERS["min_height"],
        )
        form.decimal(
            "min_visibility",
            0.0,
            100.0,
            default=standard.min_visibility,
            description=FILTERS["min_visibility"],
        )
        form.integer(
            "min_points",
            0,
            default=standard.min_points,
            description=FILTERS["min_points"],
        )
        form.text("out_dir")
        form.text("brain_key")

    def run(
        self, ctx: Any, arguments: dict[str, Any], progress: Any
    ) -> Mapping[str, Any]:
        """Measures; returns recall of target frames by strategy and budget."""
        if "seeds" in arguments:
            arguments["seeds"] = range(arguments["seeds"])
        if "paper_field" in arguments:
            arguments["also"] = {"paper": arguments.pop("paper_field")}
        keep = {n: arguments.pop(n) for n in FILTERS if n in arguments}
        if keep:
            arguments["keep"] = keep
        report = rmb.evaluate_mining(
            ctx.dataset, **arguments, progress=progress
        )
        lift = {
            (row["strategy"], row["budget"]): row["mean"]
            for row in report.rows
            if (row["target"], row["metric"]) == ("all", "frame_lift")
        }
        recall = [
            {**row, "lift": lift.get((row["strategy"], row["budget"]))}
            for row in report.rows
            if (row["target"], row["metric"]) == ("all", "frame_recall")
        ]
        return {
            "recall": [
                {name: _number(row.get(name)) for name in SHOWN}
                for row in recall
            ],
            "notes": list(report.meta.get("notes", ())),
        }


def _detections(dataset: fo.Dataset) -> list[str]:
    return sorted(dataset.get_field_schema(embedded_doc_type=fo.Detections))


def _number(value: Any) -> Any:
    """Rounds for the App; what is not a number becomes nothing."""
    if not isinstance(value, float):
        return value
    return round(value, 4) if value == value else None
