"""Decide every object's concept and group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import raremine.brain as rmb
from raremine.operators.forms import Form
from raremine.operators.stage_operator import StageOperator
from raremine.operators.targets import target_collection


class MatchConcepts(StageOperator):
    """Decide every object's concept and group."""

    stage = "match_concepts"
    label = "Match concepts"
    description = (
        "Decide each object's concept and whether it is Target, Rare or Common"
    )
    icon = "category"
    positional = ("vocabulary",)

    def fill_form(self, form: Form, ctx: Any) -> None:
        """Asks for the vocabulary and how evidence is weighed."""
        form.objects(ctx.dataset)
        form.vectors(ctx.dataset)
        form.text("vocabulary", ("paper",))
        form.choice("evidence", ("both", "text", "image"))
        form.choice("weighting", ("calibrated", "fixed", "adaptive"))
        form.texts("targets")
        form.decimal("margin", 0.0, 1.0)
        form.switch("only_captioned")
        form.switch("trust_detector")

    def run(
        self, ctx: Any, arguments: dict[str, Any], progress: Any
    ) -> Mapping[str, Any]:
        """Matches; returns the summary."""
        return rmb.match_concepts(target_collection(ctx), **arguments)
