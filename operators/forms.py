"""Forms that read their defaults and help from the SDK.

A parameter is described once, in the signature and the docstring of the SDK
function; the App's form shows the same default and the same words.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import fiftyone as fo
import fiftyone.operators.types as types

from raremine.operators.app_process import in_app
from raremine.operators.choices import detection_fields, vector_keys

_LABELS = {
    "conf": "Least confidence (0 to 1)",
    "iou": "IoU threshold (0 to 1)",
    "imgsz": "Image size (px)",
    "max_det": "Objects per image, at most",
    "brain_key": "Brain key",
    "dataroot": "Dataroot",
    "splits": "File of own splits",
    "k": "Neighbours",
    "out_dir": "Output folder",
    "dtype": "Number type",
    "hint": "Hint at the class",
    "min_size": "Smallest side (px)",
    "half": "Half precision",
    "exact": "Decode at full size",
    "padding": "Padding (share of the box)",
    "share": "Share of outliers (0 to 1)",
    "batch_size": "Batch size",
    "max_new_tokens": "Longest answer (tokens)",
    "min_pixels": "Least pixels of a crop (px²)",
    "max_pixels": "Most pixels of a crop (px²)",
    "price_per_million_tokens": "Price of a million tokens",
    "min_gap_seconds": "Least time between frames (s)",
    "max_similarity": "Most similarity of two frames (0 to 1)",
    "margin": "Least margin (0 to 1)",
    "sweeps": "Sweeps beside each keyframe",
}
_SECTION = "section_"
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
    text = re.sub(r", ([^,()]*) or any ``[A-Z]\w+``", r" or \1", text)
    text = re.sub(r",? or any ``[A-Z]\w+``", "", text)
    text = text.replace("``", "").replace("None =", "empty =")
    return text[:1].upper() + text[1:]


def answers(params: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what a user has set, whatever section of the form it is in.

    Args:
        params: the parameters of a run as the App or a script sends them
    """
    flat: dict[str, Any] = {}
    for name, value in params.items():
        if name.startswith(_SECTION):
            flat.update(value or {})
        else:
            flat[name] = value
    return flat


def field_of(params: Mapping[str, Any]) -> str:
    """Returns the detections field that a user works on.

    Args:
        params: as for :func:`answers`
    """
    return answers(params).get("field") or "objects"


class Form:
    """The inputs of an operator that calls one SDK function.

    A person who fills it in is told what is wrong as soon as it is typed; a
    script is told by the SDK, which checks the same.

    Args:
        function: the SDK function
        *parts: functions that it hands options on to
    """

    def __init__(
        self, function: Callable[..., Any], *parts: Callable[..., Any]
    ) -> None:
        self.inputs = types.Object()
        self.live = in_app()
        self._at = self.inputs
        self._parameters: dict[str, inspect.Parameter] = {}
        self._help: dict[str, str] = {}
        for source in (*parts, function):
            self._parameters |= inspect.signature(source).parameters
            self._help |= argument_help(source)

    @property
    def names(self) -> set[str]:
        """Names of the parameters that the form asks for."""
        return set(self.questions)

    @property
    def questions(self) -> dict[str, types.Property]:
        """The questions by their name, whatever section they are in."""
        found: dict[str, types.Property] = {}
        for name, question in self.inputs.properties.items():
            if name.startswith(_SECTION):
                found.update(question.type.properties)
            else:
                found[name] = question
        return found

    @contextmanager
    def section(self, label: str) -> Iterator[None]:
        """Puts what is asked for inside under a heading, folded at first.

        Only in the App: a script gives parameters without any sections.
        """
        if not self.live:
            yield
            return
        outer = self._at
        self._at = types.Object()
        try:
            yield
        finally:
            inner, self._at = self._at, outer
            if inner.properties:
                view = types.ObjectView(label=label, collapsible=True)
                self._at.define_property(
                    _SECTION + _slug(label), inner, view=view
                )

    def target(self, ctx: Any) -> None:
        """Asks what to work on: the dataset, the view, what is selected."""
        if not self.live:
            # FiftyOne takes the choice from a script as well
            ctx.target_view()
            return
        self._at.view_target(
            ctx,
            # FiftyOne's own words are "Target view"
            view_type=lambda **_: types.RadioGroup(label="Work on"),
            action_description="Work on",
            allow_selected_labels=True,
            dataset_label="Whole dataset",
            base_view_label="All patches",
            selected_samples_label="Selected samples",
        )

    def wrong(self, name: str, message: str) -> None:
        """Says at a question what is wrong with its answer."""
        question = self.questions.get(name)
        if self.live and question is not None and not question.invalid:
            question.invalid = True
            question.error_message = message

    def text(
        self, name: str, suggestions: Sequence[str] = (), **options: Any
    ) -> None:
        """Asks for a text; suggestions can be picked, others typed."""
        view = _suggest(suggestions) if suggestions else None
        self._at.str(name, view=view, **self._facts(name, options))

    def texts(
        self, name: str, suggestions: Sequence[str] = (), **options: Any
    ) -> None:
        """Asks for a list of texts."""
        facts = self._facts(name, options)
        if facts.get("default") is not None:
            facts["default"] = list(facts["default"])
        self._at.list(
            name, types.String(), view=_suggest(suggestions), **facts
        )

    def numbers(self, name: str, **options: Any) -> None:
        """Asks for a list of numbers."""
        facts = self._facts(name, options)
        if facts.get("default") is not None:
            facts["default"] = list(facts["default"])
        self._at.list(name, types.Number(), **facts)

    def choice(self, name: str, values: Sequence[str], **options: Any) -> None:
        """Asks for one of some values."""
        self._at.enum(
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
        self._at.int(name, min=low, max=high, **facts)

    def decimal(
        self,
        name: str,
        low: float | None = None,
        high: float | None = None,
        **options: Any,
    ) -> None:
        """Asks for a number."""
        facts = self._facts(name, options)
        self._at.float(name, min=low, max=high, **facts)

    def switch(self, name: str, **options: Any) -> None:
        """Asks for yes or no."""
        self._at.bool(name, **self._facts(name, options))

    def pick(self, name: str, values: Sequence[str], **options: Any) -> None:
        """Asks for one of the values that there are.

        The default is the SDK's where there is such a value, else the first.
        """
        facts = self._facts(name, options)
        if values and facts.get("default") not in (None, *values):
            facts["default"] = values[0]
        if facts.get("required") and values:
            facts.setdefault("default", values[0])
        if not self.live or not values:
            self._at.str(
                name, view=_suggest(values) if values else None, **facts
            )
            return
        view: types.View = types.DropdownView()
        if not facts.get("default"):
            # a drop-down cannot be cleared, a text can
            view = _typed()
        for value in values:
            view.add_choice(value, label=value)
        self._at.str(name, view=view, **facts)

    def objects(self, dataset: fo.Dataset, name: str = "field") -> None:
        """Asks for the field of detections a stage reads.

        A dataset without any detections makes the form say so and keeps it
        from being sent.
        """
        fields = detection_fields(dataset)
        self.pick(name, fields)
        if not fields:
            self.missing(
                "No detections yet",
                f"Dataset '{dataset.name}' has no objects; run 'Detect "
                "objects' first.",
            )

    def vectors(
        self,
        dataset: fo.Dataset,
        field: str | None = None,
        name: str = "embeddings",
    ) -> None:
        """Asks for the brain key of the objects' vectors.

        Args:
            dataset: the dataset
            field (None): the field of objects, None = that of the SDK
            name ("embeddings"): the parameter
        """
        keys = vector_keys(dataset, field or "objects")
        self.pick(name, keys)
        if not keys:
            self.missing(
                "No embeddings yet",
                f"Dataset '{dataset.name}' has no vectors of the objects in "
                f"'{field or 'objects'}'; run 'Embed objects' first.",
            )

    def notice(self, label: str, description: str) -> None:
        """Tells something."""
        self._at.view(
            _slug(label), types.Notice(label=label, description=description)
        )

    def missing(self, label: str, description: str) -> None:
        """Tells what has to be done before; the form cannot be sent."""
        self._at.view(
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
        return facts | {k: v for k, v in options.items() if v is not None}


def _typed() -> types.AutocompleteView:
    """A box in which typed text counts.

    The App would highlight the first suggestion, and the enter key then
    puts that in the place of what was typed.
    """
    return types.AutocompleteView(
        allow_user_input=True,
        componentsProps={"autocomplete": {"autoHighlight": False}},
    )


def _suggest(values: Sequence[str]) -> types.AutocompleteView:
    view = _typed()
    for value in values:
        view.add_choice(value, label=value)
    return view


def _slug(label: str) -> str:
    return re.sub(r"\W+", "_", label.lower()).strip("_")
