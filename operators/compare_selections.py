"""Compare two selections."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import fiftyone.operators.types as types

import raremine.brain as rmb
from raremine.operators.checks import check_names
from raremine.operators.choices import detection_fields, selection_sizes
from raremine.operators.forms import Form
from raremine.operators.stage_operator import StageOperator


class CompareSelections(StageOperator):
    """Compare two selections."""

    stage = "compare_selections"
    label = "Compare selections"
    description = (
        "Compare two selections: overlap, class balance, scene coverage"
    )
    icon = "compare_arrows"
    risk = types.RiskLevel.LOW
    works_on_view = False
    positional = ("a", "b")

    def fill_form(self, form: Form, ctx: Any) -> None:
        """Asks for the two selections."""
        names = rmb.list_selections(ctx.dataset)
        if len(names) < 2:
            form.missing(
                "Nothing to compare",
                f"Dataset '{ctx.dataset.name}' has {len(names)} selections; "
                "make two with 'Select frames' first.",
            )
        form.pick("a", names, label="Selection a")
        form.pick("b", names[1:] + names[:1], label="Selection b")
        self._tell_sizes(form, ctx, names)
        form.pick("field", detection_fields(ctx.dataset))
        form.text("classes", ("label", "concept"))

    def _tell_sizes(self, form: Form, ctx: Any, names: list[str]) -> None:
        """Says how many keyframes are compared, with the form's defaults."""
        sizes = selection_sizes(ctx.dataset)
        both = zip(("a", "b"), names, strict=False)
        chosen = [ctx.params.get(name) or first for name, first in both]
        if len(chosen) == 2 and sizes.keys() >= set(chosen):
            a, b = chosen
            form.notice(
                "What will be done",
                f"Compares '{a}' with '{b}': {sizes[a]:,} and "
                f"{sizes[b]:,} keyframes. Nothing is changed.",
            )

    def tell_work(self, form: Form, ctx: Any) -> None:
        """Says nothing of images: two lists of frames are compared."""

    def check_form(
        self, form: Form, given: Mapping[str, Any], ctx: Any
    ) -> None:
        """Checks that they are two selections."""
        names = rmb.list_selections(ctx.dataset)
        for name in ("a", "b"):
            check_names(form, name, given.get(name), names, "selection")
        if given.get("a") and given.get("a") == given.get("b"):
            form.wrong("b", "Choose another selection than a.")

    def run(
        self, ctx: Any, arguments: dict[str, Any], progress: Any
    ) -> Mapping[str, Any]:
        """Compares; returns the comparison."""
        a, b = arguments.pop("a"), arguments.pop("b")
        compared = rmb.compare_selections(ctx.dataset, a, b, **arguments)
        return _readable(compared.to_dict())


def _readable(comparison: dict[str, Any]) -> dict[str, Any]:
    """Rounds, and leaves out shares that counts tell as well."""
    for name in ("overlap", "kl_to_uniform", "scenes"):
        comparison[name] = {
            key: round(value, 3) if isinstance(value, float) else value
            for key, value in comparison[name].items()
        }
    comparison["classes"] = [
        {k: v for k, v in row.items() if not k.startswith("share_")}
        for row in comparison["classes"]
    ]
    return comparison
