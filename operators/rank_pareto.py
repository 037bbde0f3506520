"""Rank objects by several signals at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import raremine.brain as rmb
from raremine.brain.novelty.ranking import MISSING
from raremine.brain.novelty.signals import numeric_names
from raremine.operators.checks import check_run_key
from raremine.operators.forms import Form, field_of
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
        form.texts("signals", _signals(ctx))
        form.choice("missing", MISSING, label="Objects without a value")
        with form.section("Where it is recorded"):
            form.text("brain_key")

    def check_form(
        self, form: Form, given: Mapping[str, Any], ctx: Any
    ) -> None:
        """Checks the signals and the brain key."""
        field = field_of(given)
        present = set(numeric_names(ctx.dataset, field))
        unknown = [
            name
            for name in given.get("signals") or ()
            if name.lstrip("-").partition(":")[2] == ""
            and name.lstrip("-") not in present
        ]
        if unknown:
            form.wrong(
                "signals",
                f"Nothing has computed {', '.join(map(repr, unknown))} for "
                f"'{field}' yet; there are {', '.join(sorted(present))}.",
            )
        key = given.get("brain_key")
        check_run_key(form, "brain_key", key, ctx.dataset, "pareto")

    def run(
        self, ctx: Any, arguments: dict[str, Any], progress: Any
    ) -> Mapping[str, Any]:
        """Ranks; returns the summary."""
        return rmb.rank_pareto(target_collection(ctx), **arguments)


def _signals(ctx: Any) -> tuple[str, ...]:
    """Every number there is, the usual signals first."""
    field = field_of(ctx.params)
    present = numeric_names(ctx.dataset, field)
    usual = [s for s in SIGNALS if s.lstrip("-") in present]
    return tuple(dict.fromkeys((*(usual or SIGNALS), *present)))
