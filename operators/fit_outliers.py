"""Learn what is usual from a reference set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import fiftyone.operators.types as types

import raremine.brain as rmb
from raremine.brain.outliers.model import FITTED_METHODS
from raremine.operators.checks import check_file_to_write, check_vectors
from raremine.operators.forms import Form, answers
from raremine.operators.outlier_settings import (
    add_settings,
    check_settings,
    take_settings,
)
from raremine.operators.stage_operator import StageOperator
from raremine.operators.targets import target_collection


class FitOutliers(StageOperator):
    """Learn what is usual from a reference set."""

    stage = "fit_outliers"
    label = "Fit outlier methods"
    description = (
        "Learn what is usual from these objects, to score others against them"
    )
    icon = "model_training"
    # a file of that name is replaced
    risk = types.RiskLevel.HIGH
    positional = ("path",)

    def fill_form(self, form: Form, ctx: Any) -> None:
        """Asks for the file, the objects, their vectors and the methods."""
        form.text("path")
        form.objects(ctx.dataset)
        form.vectors(ctx.dataset, answers(ctx.params).get("field"))
        form.texts("methods", FITTED_METHODS)
        form.decimal("share", 0.0, 1.0)
        with form.section("Limits, neighbours, seed"):
            add_settings(form, FITTED_METHODS)
            form.integer("k", 1)
            form.integer("seed")

    def check_form(
        self, form: Form, given: Mapping[str, Any], ctx: Any
    ) -> None:
        """Checks the file, methods and limits."""
        check_file_to_write(form, "path", given.get("path"))
        check_settings(form, given, FITTED_METHODS)
        check_vectors(form, given, ctx.dataset)

    def run(
        self, ctx: Any, arguments: dict[str, Any], progress: Any
    ) -> Mapping[str, Any]:
        """Fits; returns the summary."""
        path = arguments.pop("path")
        settings = take_settings(arguments)
        return rmb.fit_outliers(
            target_collection(ctx), path, **arguments, **settings
        )
