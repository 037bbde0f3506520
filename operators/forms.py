"""Forms that read their defaults and help from the SDK.

A parameter is described once, in the signature and the docstring of the SDK
function; the App's form shows the same default and the same words.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from typing import Any

import fiftyone as fo
import fiftyone.operators.types as types

_LABELS = {
    "conf": "Confidence",
    "iou": "IoU threshold",
    "imgsz": "Image size",
    "max_det": "Objects per image",
    "brain_key": "Brain key",
    "dataroot": "Dataroot",
    "splits": "File of own splits",
    "k": "Neighbours",
    "out_dir": "Output folder",
    "dtype": "Number type",
    "hint": "Hint at the class",
    "min_size": "Smallest side",
    "half": "Half precision",
    "exact": "Decode at full size",
}
_ARGUMENT = re.compile(r"^\**(?P<name>\w+)(?: \(.*?\)+)?: (?P<text>.*)$")


def argument_help(function: Callable[..., Any]) -> dict[str, str]:
    """Reads the descriptions of a function's arguments.

    Args:
        function: a function with a Google style docstring

    Returns:
        description by argument, on one line each, as a form words it
    """
    lines = inspect.cleandoc(function.__doc__ or "").splitlines()
    if "Args:" not in lines:
        return {}
    start = lines.index("Args:") + 1
    texts: dict[str, str] = {}
    name = ""
    for line in lines[start:]:
        if line and not line.startswith(" "):
            break
        entry = re.match(r" {4}(\S.*)$", line)
        match = _ARGUMENT.match(entry.group(1)) if entry else None
        if match:
            name = match["name"]
            texts[name] = match["text"]
        elif name and line.strip():
            texts[name] += " " + line.strip()
    return {name: _worded(text) for name, text in texts.items() if text}


def _worded(text: str) -> str:
    # An object, such as "any ``Detector``", cannot be typed into a form.
    text = re.sub(r",? or any ``[A-Z]\w+``", "", text)
    text = text.replace("``", "").replace("None =", "empty =")
    return text[:1].upper() + text[1:]


class Form:
    """The inputs of an operator that calls one SDK function.

    Args:
        function: the SDK function
        *parts: functions that it hands options on to
    """

    def __init__(
        self, function: Callable[..., Any], *parts: Callable[..., Any]
    ) -> None:
        self.inputs = types.Object()
        self._parameters: dict[str, inspect.Parameter] = {}
        self._help: dict[str, str] = {}
        for source in (*parts, function):
            self._parameters |= inspect.signature(source).parameters
            self._help |= argument_help(source)

    @property
    def names(self) -> set[str]:
        """Names of the parameters that the form asks for."""
        return set(self.inputs.properties)

    def text(
        self, name: str, suggestions: Sequence[str] = (), **options: Any
    ) -> None:
        """Asks for a text; suggestions can be picked, others typed."""
        view = _suggest(suggestions) if suggestions else None
        self.inputs.str(name, view=view, **self._facts(name, options))

    def texts(
        self, name: str, suggestions: Sequence[str] = (), **options: Any
    ) -> None:
        """Asks for a list of texts."""
        facts = self._facts(name, options)
        if facts.get("default") is not None:
            facts["default"] = list(facts["default"])
        self.inputs.list(
            name, types.String(), view=_suggest(suggestions), **facts
        )

    def numbers(self, name: str, **options: Any) -> None:
        """Asks for a list of numbers."""
        facts = self._facts(name, options)
        if facts.get("default") is not None:
            facts["default"] = list(facts["default"])
        self.inputs.list(name, types.Number(), **facts)

    def choice(self, name: str, values: Sequence[str], **options: Any) -> None:
        """Asks for one of some values."""
        self.inputs.enum(
            name,
            list(values),
            view=types.DropdownView(),
            **self._facts(name, options),
        )

    def integer(
        self,
        name: str,
        low: int | None = None,
        high: int | None = None,
        **options: Any,
    ) -> None:
        """Asks for a whole number."""
        facts = self._facts(name, options)
        self.inputs.int(name, min=low, max=high, **facts)

    def decimal(
        self,
        name: str,
        low: float | None = None,
        high: float | None = None,
        **options: Any,
    ) -> None:
        """Asks for a number."""
        facts = self._facts(name, options)
        self.inputs.float(name, min=low, max=high, **facts)

    def switch(self, name: str, **options: Any) -> None:
        """Asks for yes or no."""
        self.inputs.bool(name, **self._facts(name, options))

    def objects(self, dataset: fo.Dataset, name: str = "field") -> None:
        """Asks for the field of detections a stage reads.

        A dataset without any detections makes the form say so and keeps it
        from being sent.
        """
        schema = dataset.get_field_schema(embedded_doc_type=fo.Detections)
        default = self._parameters[name].default
        if default in schema:
            self.text(name, sorted(schema))
        elif schema:
            self.text(name, sorted(schema), default=None)
        else:
            self.text(name)
            self.missing(
                "No detections yet",
                f"Dataset '{dataset.name}' has no objects; run 'Detect "
                "objects' first.",
            )

    def vectors(self, dataset: fo.Dataset, name: str = "embeddings") -> None:
        """Asks for the brain key of the objects' vectors."""
        keys = dataset.list_brain_runs(type="similarity")
        if self._parameters[name].default in keys or not keys:
            self.text(name, keys)
        else:
            self.text(name, keys, default=None)
        if not keys:
            self.missing(
                "No embeddings yet",
                f"Dataset '{dataset.name}' has no vectors; run 'Embed "
                "objects' first.",
            )

    def notice(self, label: str, description: str) -> None:
        """Tells something."""
        self.inputs.view(
            _slug(label), types.Notice(label=label, description=description)
        )

    def missing(self, label: str, description: str) -> None:
        """Tells what has to be done before; the form cannot be sent."""
        self.inputs.view(
            _slug(label),
            types.Warning(label=label, description=description),
            invalid=True,
            error_message=description,
        )

    def _facts(self, name: str, options: dict[str, Any]) -> dict[str, Any]:
        """Label, help and default of a parameter, unless given."""
        parameter = self._parameters.get(name)
        default = parameter.default if parameter else None
        facts: dict[str, Any] = {
            "label": _LABELS.get(name, name.replace("_", " ").capitalize()),
            "required": default is inspect.Parameter.empty
            and options.get("default") is None,
        }
        if name in self._help:
            facts["description"] = self._help[name]
        if default is not None and default is not inspect.Parameter.empty:
            facts["default"] = default
        facts.update(options)
        return {k: v for k, v in facts.items() if v is not None}


def _suggest(values: Sequence[str]) -> types.AutocompleteView:
    view = types.AutocompleteView(allow_user_input=True)
    for value in values:
        view.add_choice(value, label=value)
    return view


def _slug(label: str) -> str:
    return re.sub(r"\W+", "_", label.lower()).strip("_")
