"""Decide every object's concept and group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import raremine.brain as rmb
from raremine.operators.checks import (
    check_vectors,
    check_vocabulary,
    vocabulary_names,
)
from raremine.operators.forms import Form, answers, field_of
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
        given = answers(ctx.params)
        form.objects(ctx.dataset)
        form.vectors(ctx.dataset, given.get("field"))
        form.text("vocabulary", ("driving", "paper"))
        form.texts("targets", vocabulary_names(given.get("vocabulary")))
        form.choice("evidence", ("both", "text", "image"))
        with form.section("How evidence is weighed"):
            form.choice("weighting", ("calibrated", "fixed", "adaptive"))
            form.decimal("margin", 0.0, 1.0)
            form.switch("only_captioned")
            form.switch("trust_detector")
            form.switch("use_size")

    def check_form(
        self, form: Form, given: Mapping[str, Any], ctx: Any
    ) -> None:
        """Checks the vocabulary, its targets and the vectors."""
        check_vectors(form, given, ctx.dataset)
        chosen = given.get("vocabulary")
        check_vocabulary(form, "vocabulary", chosen, given.get("targets"))
        field = field_of(given)
        captions = f"{field}.detections.caption"
        if (
            given.get("evidence") == "text"
            and ctx.dataset.get_field(captions) is None
        ):
            form.wrong(
                "evidence",
                f"The objects in '{field}' have no captions yet; run 'Caption "
                "objects' first, or decide by image.",
            )

    def run(
        self, ctx: Any, arguments: dict[str, Any], progress: Any
    ) -> Mapping[str, Any]:
        """Matches; returns the summary."""
        return rmb.match_concepts(target_collection(ctx), **arguments)
