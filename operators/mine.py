"""Run every stage, from images to a training split."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import raremine.brain as rmb
from raremine.brain.captions.candidates import count_candidates
from raremine.brain.models.weights import is_local
from raremine.brain.presets import preset_settings
from raremine.operators.amounts import finished_of, kept
from raremine.operators.checks import (
    check_captioner,
    check_file,
    check_folder_to_write,
    check_new_field,
    check_vocabulary,
    vocabulary_names,
)
from raremine.operators.choices import mined_fields
from raremine.operators.estimates import Estimate, estimate
from raremine.operators.forms import Form, answers, field_of
from raremine.operators.locate_objects import locatable
from raremine.operators.model_names import CAPTIONERS
from raremine.operators.model_questions import ask_for_models, check_models
from raremine.operators.recipes import (
    SHARES,
    add_shares,
    describe,
    take_recipe,
)
from raremine.operators.server_key import with_server_key
from raremine.operators.stage_operator import StageOperator

EMBEDDER = "ViT-B-32"
WEIGHTS = "laion2b_s34b_b79k"

OBJECTS_PER_IMAGE = 5
OUTLIERS = 0.2
"""What to expect of a first run: nuScenes has about that many objects, and
the default share of them is captioned."""

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
        given = answers(ctx.params)
        form.choice("preset", ("default", "paper"))
        ask_for_models(form, EMBEDDER, WEIGHTS)
        form.switch(
            "captions",
            default=True,
            description="Whether to describe unusual objects in words",
        )
        form.text(
            "captioner",
            CAPTIONERS,
            description=(
                "Hub id or local folder of a Qwen2-VL model, or address of "
                "an OpenAI-compatible server"
            ),
        )
        form.switch("overwrite")
        with form.section("Concepts and targets"):
            form.text(
                "vocabulary",
                ("driving", "paper"),
                description="A YAML file or 'paper', empty = the preset's",
            )
            form.texts("targets", vocabulary_names(_vocabulary(given)))
        with form.section("Training split"):
            add_shares(form)
            form.text("name", rmb.list_selections(ctx.dataset))
            form.integer("seed")
        with form.section("Where results go"):
            form.text("field", mined_fields(ctx.dataset))
            form.text("out_dir")

    def estimated(self, ctx: Any) -> Estimate | None:
        """Adds up what the stages take; a first run finds its own objects."""
        if ctx.dataset is None:
            return None
        given, amount = answers(ctx.params), self.amount(ctx)
        objects = amount.objects or OBJECTS_PER_IMAGE * amount.images
        captions = objects * OUTLIERS if given.get("captions", True) else 0
        images = amount.images
        if not given.get("overwrite"):
            images -= _detected(ctx, given)
            captions -= _captioned(ctx, given)
        counts = {
            "detect_and_embed": images,
            "locate_objects": _unlocated(ctx, given, objects),
            "score_outliers": objects,
            "map_objects": objects,
            "caption_objects": round(captions),
            "match_concepts": objects,
            "score_novelty": objects,
            "rank_pareto": objects,
            "select_frames": amount.keyframes,
            "evaluate_mining": amount.keyframes,
        }
        models = {
            "detect_and_embed": given.get("detector"),
            "caption_objects": given.get("captioner"),
        }
        parts = [
            estimate(ctx.dataset, stage, count, models.get(stage))
            for stage, count in counts.items()
            if count > 0
        ]
        known = [part for part in parts if part is not None]
        seconds = sum(part.seconds for part in known)
        return Estimate(seconds, all(part.measured for part in known[:1]))

    def check_form(
        self, form: Form, given: Mapping[str, Any], ctx: Any
    ) -> None:
        """Checks the models, the vocabulary, the shares and the folder."""
        check_models(form, given)
        if given.get("captions", True):
            check_captioner(form, "captioner", given.get("captioner"))
        chosen, targets = _vocabulary(given), given.get("targets")
        check_vocabulary(form, "vocabulary", chosen, targets)
        check_file(form, "recipe", given.get("recipe"))
        check_new_field(form, "field", given.get("field"), ctx.dataset)
        check_folder_to_write(form, "out_dir", given.get("out_dir"))
        total = sum(given.get(name) or 0 for name in SHARES)
        if total > 1 and not given.get("recipe"):
            form.wrong(
                SHARES[0],
                f"The shares add up to {total:.2f}; they are shares of all "
                "train frames and cannot exceed 1.",
            )

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


def _detected(ctx: Any, given: Mapping[str, Any]) -> int:
    """Counts the images that an earlier run has looked at."""
    status = f"{field_of(given)}_status"
    return finished_of(ctx, status, whole=True)


def _unlocated(ctx: Any, given: Mapping[str, Any], objects: int) -> int:
    """Counts the objects that are still to be measured, if any can be."""
    concepts = preset_settings(given.get("preset") or "default")["concepts"]
    if not (concepts["use_size"] and locatable(ctx)):
        return 0
    if given.get("overwrite"):
        return objects
    path = f"{field_of(given)}.detections.located_by"
    return objects - finished_of(ctx, path, whole=True)


def _captioned(ctx: Any, given: Mapping[str, Any]) -> int:
    field = field_of(given)
    return kept(
        ctx,
        f"captions of {field}",
        lambda: count_candidates(ctx.dataset, field)["captioned"],
        whole=True,
    )


def _vocabulary(given: Mapping[str, Any]) -> Any:
    preset = given.get("preset")
    return given.get("vocabulary") or ("paper" if preset == "paper" else None)


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
