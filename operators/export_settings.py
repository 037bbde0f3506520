"""The options of export formats in a form, and what an export will need."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import fiftyone as fo

from raremine.brain.errors import RaremineError
from raremine.brain.selection.export import (
    export_formats,
    plan_export,
    size_text,
)
from raremine.brain.selection.exporters import exporter
from raremine.operators.forms import Form

_CLASS_ATTRIBUTES = ("label", "concept", "category")


def options_of(format: str) -> dict[str, Any]:
    """Returns the options of a format, in order, with their defaults."""
    parameters = inspect.signature(exporter(format).write).parameters
    return {
        name: parameter.default
        for name, parameter in parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }


def all_options() -> set[str]:
    """Returns the names of the options of all formats."""
    return {name for format in export_formats() for name in options_of(format)}


def add_options(form: Form, format: str, dataset: fo.Dataset) -> None:
    """Asks for the options of a format.

    Args:
        form: the form, which knows the format's ``write``
        format: name of the format
        dataset: the dataset, for suggestions
    """
    kinds = _kinds(format)
    for name, default in options_of(format).items():
        kind = kinds.get(name)
        parts = (kind, *typing.get_args(kind))
        if typing.get_origin(kind) is Literal:
            form.choice(name, typing.get_args(kind))
        elif kind is bool:
            form.switch(name)
        elif name == "field":
            fields = dataset.get_field_schema(embedded_doc_type=fo.Detections)
            form.text(name, sorted(fields))
        elif name == "label":
            form.text(name, _CLASS_ATTRIBUTES, label="Class")
        elif any(typing.get_origin(part) is Sequence for part in parts):
            form.texts(name)
        elif int in parts and default is True:
            # a number's box cannot show it; the help tells what is meant
            form.integer(name, default=None)
        elif int in parts:
            form.integer(name)
        elif float in parts:
            form.decimal(name)
        else:
            form.text(name)


def add_plan(
    form: Form,
    dataset: fo.Dataset,
    arguments: Mapping[str, Any],
    options: Mapping[str, Any],
) -> None:
    """Shows where the export goes and what it needs, or why it cannot be.

    Args:
        form: the form
        dataset: the dataset
        arguments: selection, format, out_dir and overwrite, as set so far
        options: options of the format, as set so far
    """
    try:
        plan = plan_export(
            dataset,
            arguments.get("selection"),
            arguments["format"],
            arguments["out_dir"],
            **options,
        )
        form.notice(
            "Destination",
            f"{plan.destination} needs {size_text(plan.bytes)} at most; "
            f"{size_text(plan.free)} are free.",
        )
        plan.check(bool(arguments.get("overwrite")))
        if plan.exists:
            form.notice(
                "It exists",
                "It will be replaced when the new export is finished.",
            )
    except RaremineError as error:
        form.missing("This cannot be exported", str(error))


def _kinds(format: str) -> dict[str, Any]:
    """Types of a format's options; texts where they cannot be told."""
    try:
        return typing.get_type_hints(exporter(format).write)
    except NameError:
        return {}
