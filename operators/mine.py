"""Run every stage, from images to a training split."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import raremine.brain as rmb
from raremine.brain.models.weights import is_local
from raremine.operators.forms import Form
from raremine.operators.recipes import add_shares, describe, take_recipe
from raremine.operators.server_key import with_server_key
from raremine.operators.stage_operator import StageOperator

EMBEDDER = "ViT-B-32"
WEIGHTS = "laion2b_s34b_b79k"

LARGE = ("selection", "evaluation")
"""Parts of the result that grow with the data set; they are in its runs."""


class Mine(StageOperator):
    """Run every stage, from images to a training split."""

    stage = "mine"
    label = "Mine rare objects"
    description = "Run every stage, from camera images to a training split"
    icon = "diamond"
    works_on_view = False
    positional = ("preset",)

    def fill_form(self, form: Form, ctx: Any) -> None:
        """Asks for models, vocabulary and the split."""
        form.notice(
            "Large data sets",
            "A run of more than ten minutes should be scheduled, not executed "
            "here: FiftyOne stops waiting for it.",
        )
        form.choice("preset", ("default", "paper"))
        form.text(
            "detector",
            description="Weights file or name of an Ultralytics detector",
        )
        form.text(
            "embedder",
            default=EMBEDDER,
            description="Name that open_clip knows, or a local folder",
        )
        form.text(
            "pretrained",
            default=WEIGHTS,
            description="Weights of the embedder, an open_clip tag or a file; "
            "a local folder brings its own",
        )
        form.switch(
            "captions",
            default=True,
            description="Whether to describe unusual objects in words",
        )
        form.text(
            "captioner",
            description=(
                "Hub id or local folder of a Qwen2-VL model, or address of "
                "an OpenAI-compatible server"
            ),
        )
        form.text(
            "vocabulary",
            ("paper",),
            description="A YAML file or 'paper', empty = the preset's",
        )
        form.texts("targets")
        add_shares(form)
        form.text("field")
        form.text("name")
        form.integer("seed")
        form.text("out_dir")
        form.switch("overwrite")

    def run(
        self, ctx: Any, arguments: dict[str, Any], progress: Any
    ) -> Mapping[str, Any]:
        """Mines; returns counts, groups and the stages' summaries."""
        arguments["recipe"] = take_recipe(arguments)
        arguments |= _models(arguments)
        arguments |= with_server_key(ctx, "captioner", arguments)
        result = rmb.mine(ctx.dataset, **arguments, progress=progress)
        summary = {k: v for k, v in result.items() if k not in LARGE}
        return {**summary, "selection": describe(result["selection"])}


def _models(arguments: dict[str, Any]) -> dict[str, Any]:
    """Takes the models' parts out and puts them as ``mine`` wants them."""
    models: dict[str, Any] = {}
    model = arguments.pop("embedder", None)
    pretrained = arguments.pop("pretrained", None)
    if model and is_local(model):
        models["embedder"] = model
    elif model or pretrained:
        models["embedder"] = {
            "model": model or EMBEDDER,
            "pretrained": pretrained or WEIGHTS,
        }
    if not arguments.pop("captions", True):
        models["captioner"] = None
    return models
