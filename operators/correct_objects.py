"""Set the concept or group of chosen objects by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import fiftyone.core.patches as fop

import raremine.brain as rmb
from raremine.brain.concepts.vocabulary import GROUPS, load_vocabulary
from raremine.brain.errors import RaremineError
from raremine.brain.runs import run_params
from raremine.operators.checks import check_names
from raremine.operators.forms import Form, answers, field_of
from raremine.operators.stage_operator import StageOperator


class CorrectObjects(StageOperator):
    """Set the concept or group of chosen objects by hand."""

    stage = "correct_objects"
    label = "Correct objects"
    description = (
        "Say what the selected objects are; matching concepts again keeps it"
    )
    icon = "edit"
    works_on_view = False
    positional = ("concept",)

    def fill_form(self, form: Form, ctx: Any) -> None:
        """Asks for concept and group, if any object is selected."""
        form.objects(ctx.dataset)
        chosen = selected_labels(ctx)
        if chosen or answers(ctx.params).get("labels"):
            form.notice(
                "Selected objects",
                "1 object is selected."
                if len(chosen) == 1
                else f"{len(chosen)} objects are selected.",
            )
        else:
            form.missing(
                "Nothing selected",
                "Select objects first: patches in a patches view, or labels "
                "in an opened sample.",
            )
        form.text("concept", _concepts(ctx))
        form.choice("group", GROUPS)
        form.switch("clear")
        with form.section("Objects by their ids"):
            form.texts("labels")

    def tell_work(self, form: Form, ctx: Any) -> None:
        """Says nothing here: the form tells how many are selected."""

    def check_form(
        self, form: Form, given: Mapping[str, Any], ctx: Any
    ) -> None:
        """Checks the concept, and that there is something to say."""
        concept, clear = given.get("concept"), given.get("clear")
        if concept:
            check_names(form, "concept", concept, _concepts(ctx), "concept")
        if clear and (concept or given.get("group")):
            form.wrong(
                "clear", "Clear takes corrections back; empty the others."
            )

    def run(
        self, ctx: Any, arguments: dict[str, Any], progress: Any
    ) -> Mapping[str, Any]:
        """Corrects; returns the summary."""
        labels = arguments.pop("labels", None) or selected_labels(ctx)
        if not labels:
            raise RaremineError("Select objects first; nothing was changed.")
        return rmb.correct_objects(ctx.dataset, labels=labels, **arguments)


def selected_labels(ctx: Any) -> list[str]:
    """Returns the ids of the labels or patches that the user selected."""
    field = field_of(ctx.params)
    labels = [
        str(label["label_id"])
        for label in ctx.selected_labels or []
        if label.get("field", field) == field
    ]
    if labels or not isinstance(ctx.view, fop.PatchesView):
        return labels
    # the sample of a patch has the id of its label
    return [str(one) for one in ctx.selected or []]


def _concepts(ctx: Any) -> list[str]:
    field = field_of(ctx.params)
    recorded = run_params(ctx.dataset, f"{field}_concepts") or {}
    return list(recorded.get("concepts") or load_vocabulary().names)
