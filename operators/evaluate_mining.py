"""Measure mining strategies against ground truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import raremine.brain as rmb
from raremine.brain.evaluation.ground_truth import TruthFilter
from raremine.brain.strategies import registered
from raremine.operators.checks import (
    check_folder_to_write,
    check_names,
    check_run_key,
)
from raremine.operators.choices import (
    class_names,
    detection_fields,
    frame_vector_keys,
    mined_fields,
    split_names,
)
from raremine.operators.forms import Form, answers, field_of
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
    works_on_view = False
    positional = ("strategies", "budgets")

    def fill_form(self, form: Form, ctx: Any) -> None:
        """Asks for strategies, budgets, targets and ground truth."""
        given = answers(ctx.params)
        fields = detection_fields(ctx.dataset)
        field = field_of(given)
        truths = [f for f in fields if f == "ground_truth"] or fields
        if form.live and not truths:
            form.missing(
                "No ground truth",
                "This dataset has no boxes to measure against; load it with "
                "its annotations.",
            )
        form.texts(
            "strategies",
            sorted(registered()),
            description="Names; empty = random, oracle, our own, every score "
            "that the objects have, and those that compare frames",
        )
        form.numbers("budgets")
        form.texts("targets", _classes(ctx, given) if form.live else ())
        form.pick("field", mined_fields(ctx.dataset))
        form.text("out_dir")
        with form.section("How it is measured"):
            self._ask_for_measuring(form, ctx, fields, field)
        with form.section("Which ground truth counts"):
            _ask_for_truth(form)

    def _ask_for_measuring(
        self, form: Form, ctx: Any, fields: Sequence[str], field: str
    ) -> None:
        form.integer(
            "seeds",
            1,
            default=20,
            description="Number of seeds of the strategies that draw",
        )
        form.text(
            "paper_field",
            fields,
            label="Field of the preset paper",
            description="Another field, mined with the preset paper, to "
            "compare with; empty = the field's name with _paper behind, if "
            "there is one",
        )
        form.text("gt_field", fields, label="Ground truth")
        form.text("embeddings", frame_vector_keys(ctx.dataset, field))
        form.texts("splits", split_names(ctx.dataset), label="Splits")
        form.text("brain_key")

    def check_form(
        self, form: Form, given: Mapping[str, Any], ctx: Any
    ) -> None:
        """Checks strategies, budgets, splits, the folder and the key."""
        strategies = given.get("strategies") or []
        check_names(form, "strategies", strategies, registered(), "strategy")
        wrong = [b for b in given.get("budgets") or () if not 0 < b <= 1]
        if wrong:
            form.wrong(
                "budgets",
                f"{', '.join(map(str, wrong))} is no share of the frames; "
                "give numbers above 0 and up to 1.",
            )
        splits = split_names(ctx.dataset)
        check_names(form, "splits", given.get("splits") or [], splits, "split")
        check_folder_to_write(form, "out_dir", given.get("out_dir"))
        key = given.get("brain_key")
        check_run_key(form, "brain_key", key, ctx.dataset, "evaluation")

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


def _ask_for_truth(form: Form) -> None:
    standard = TruthFilter()
    form.decimal(
        "min_height",
        0.0,
        1.0,
        default=standard.min_height,
        label="Least height (share of the image's)",
        description=FILTERS["min_height"],
    )
    form.decimal(
        "min_visibility",
        0.0,
        100.0,
        default=standard.min_visibility,
        label="Least visibility (%)",
        description=FILTERS["min_visibility"],
    )
    form.integer(
        "min_points",
        0,
        default=standard.min_points,
        description=FILTERS["min_points"],
    )


def _classes(ctx: Any, given: Mapping[str, Any]) -> list[str]:
    """The classes and categories of the ground truth, for suggestions."""
    truth = given.get("gt_field") or "ground_truth"
    found: list[str] = []
    for name in ("label", "category"):
        found += class_names(ctx.dataset, truth, name)
    return list(dict.fromkeys(found))


def _number(value: Any) -> Any:
    """Rounds for the App; what is not a number becomes nothing."""
    if not isinstance(value, float):
        return value
    return round(value, 4) if value == value else None
