"""What several forms ask about detectors, embedders and their vectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from raremine.operators.checks import (
    check_detector,
    check_embedder,
    check_other_key,
)
from raremine.operators.choices import vector_keys
from raremine.operators.engines import ask_for_engine
from raremine.operators.forms import Form, field_of
from raremine.operators.model_names import (
    DETECTORS,
    DEVICES,
    EMBEDDERS,
    WEIGHTS,
)


def ask_for_models(
    form: Form, embedder: str | None = None, pretrained: str | None = None
) -> None:
    """Asks for a detector and an embedder in one form.

    Args:
        form: the form
        embedder (None): default, None = that of the SDK function
        pretrained (None): default of its weights, None = as above
    """
    form.text(
        "detector",
        DETECTORS,
        description="Weights file or name of an Ultralytics detector",
    )
    form.text(
        "embedder",
        EMBEDDERS,
        default=embedder,
        description="Name that open_clip knows, or a local folder",
    )
    form.text(
        "pretrained",
        WEIGHTS,
        default=pretrained,
        description="Weights of the embedder, an open_clip tag or a file; "
        "a local folder brings its own",
    )


def check_models(form: Form, given: Mapping[str, Any]) -> None:
    """Checks the detector and the embedder."""
    check_detector(form, "detector", given.get("detector"))
    check_embedder(form, "embedder", given, "pretrained")


def ask_for_crops(form: Form) -> None:
    """Asks what is cut out, and what is too small for it."""
    form.decimal("padding", 0.0, 1.0)
    form.decimal("min_size", 0.0)


def ask_for_embedding_speed(form: Form) -> None:
    """Asks what the embedder computes with."""
    form.choice("precision", ("float32", "float16", "bfloat16"))
    form.text("device", DEVICES)
    form.integer("batch_size", 1)
    ask_for_engine(form)


def ask_for_crops_key(form: Form, ctx: Any) -> None:
    """Asks for the brain key of a field's crops."""
    form.text("brain_key", vector_keys(ctx.dataset, field_of(ctx.params)))


def check_crops_key(form: Form, given: Mapping[str, Any], ctx: Any) -> None:
    """Checks that vectors of a field's crops can stand under the key."""
    check_other_key(
        form,
        "brain_key",
        given.get("brain_key"),
        ctx.dataset,
        "similarity",
        field_of(given),
    )
