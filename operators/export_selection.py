"""Export a selection for training code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import fiftyone.operators.types as types

import raremine.brain as rmb
from raremine.brain.selection.export import export_formats, size_text
from raremine.brain.selection.exporters import exporter
from raremine.brain.selection.exporters.datasheet import (
    is_export,
    read_datasheet,
)
from raremine.brain.selection.exporters.job import check_options
from raremine.brain.selection.stage import list_selections
from raremine.operators.checks import check_folder_to_write, check_names
from raremine.operators.choices import detection_fields
from raremine.operators.export_settings import (
    add_options,
    add_plan,
    all_options,
    options_of,
)
from raremine.operators.forms import Form, answers
from raremine.operators.stage_operator import StageOperator

DEFAULT_FORMAT = "tokens"

_KINDS = ("frames", "boxes", "cuboids", "instances")


class ExportSelection(StageOperator):
    """Export a selection for training code."""

    stage = "export_selection"
    label = "Export selection"
    description = (
        "Write a selection's frames to files that training code reads"
    )
    icon = "file_download"
    # overwrite deletes files
    risk = types.RiskLevel.HIGH
    works_on_view = False
    positional = ("selection", "format", "out_dir")

    def form(self, ctx: Any) -> Form:
        """Builds the form, which takes a format's help from its code."""
        given = answers(ctx.params)
        format = _format(given)
        known = format in export_formats()
        parts = (exporter(format).write,) if known else ()
        form = Form(*parts, rmb.export_selection)
        if ctx.dataset is None:
            form.missing("No dataset", "Open a dataset first.")
            return form
        selections = list_selections(ctx.dataset)
        if form.live and not selections:
            form.missing(
                "No selection yet",
                f"Dataset '{ctx.dataset.name}' has no selection; run 'Select "
                "frames' first.",
            )
        form.pick(
            "selection",
            selections,
            required=False,
            default=selections[-1] if selections else None,
            description="Name of a selection, empty = the last one",
        )
        form.choice(
            "format",
            export_formats(),
            default=DEFAULT_FORMAT,
            description=exporter(format).summary if known else None,
        )
        form.text("out_dir")
        form.switch(
            "overwrite",
            default=False,
            description="Replace an earlier export of this selection in "
            "this format",
        )
        if known:
            with form.section(f"Options of {format}"):
                add_options(form, format, ctx.dataset)
        if form.live:
            self.check_form(form, given, ctx)
        return form

    def check_form(
        self, form: Form, given: Mapping[str, Any], ctx: Any
    ) -> None:
        """Checks the selection and the folder."""
        names = list_selections(ctx.dataset)
        chosen = given.get("selection")
        check_names(form, "selection", chosen, names, "selection")
        check_folder_to_write(form, "out_dir", given.get("out_dir"))
        if given.get("field"):
            fields = detection_fields(ctx.dataset)
            check_names(form, "field", given["field"], fields, "field")

    def left_over(self, ctx: Any) -> set[str]:
        """Options of formats that were looked at before."""
        return all_options()

    def resolve_input(self, ctx: Any) -> types.Property:
        """Shows the form, with where the export goes and what it needs."""
        form = self.form(ctx)
        given = {
            name: value
            for name, value in answers(ctx.params).items()
            if value not in (None, "", [])
        }
        # a script is told by the SDK, which checks the same
        usable = form.live and ctx.dataset is not None
        folder = form.questions.get("out_dir")
        if usable and given.get("out_dir") and not (folder and folder.invalid):
            format = _format(given)
            options = {n: given[n] for n in options_of(format) if n in given}
            add_plan(form, ctx.dataset, {**given, "format": format}, options)
        view = types.View(label=self.label, description=self.description)
        return types.Property(form.inputs, view=view)

    def run(
        self, ctx: Any, arguments: dict[str, Any], progress: Any
    ) -> Mapping[str, Any]:
        """Exports; returns the path and what the datasheet tells."""
        selection = arguments.pop("selection", None)
        format = arguments.pop("format", DEFAULT_FORMAT)
        path = rmb.export_selection(
            ctx.dataset, selection, format, **arguments, progress=progress
        )
        return {"path": path, **_told(Path(path))}

    def __call__(
        self,
        samples: Any,
        *values: Any,
        delegate: bool = False,
        **arguments: Any,
    ) -> Any:
        """Runs the operator from Python; see ``StageOperator``.

        Raises:
            RaremineError: if the format has no such option
        """
        given = {**dict(zip(self.positional, values, strict=False))}
        given.update(arguments)
        format = _format(given)
        options = {
            name: value
            for name, value in arguments.items()
            if name not in (*self.positional, "overwrite")
        }
        check_options(format, exporter(format), options)
        return super().__call__(
            samples, *values, delegate=delegate, **arguments
        )


def _format(params: Mapping[str, Any]) -> str:
    return str(params.get("format") or DEFAULT_FORMAT)


def _told(path: Path) -> dict[str, Any]:
    """What a person wants to know of an export that was just made."""
    if not any(is_export(folder) for folder in (path, *path.parents)):
        return {}
    sheet = read_datasheet(path)
    files, scenes = sheet["files"], sheet["scenes"]
    told = {
        "selection": sheet["selection"]["name"],
        "frames": sheet["frames"]["selection"],
        "scenes": f"{scenes['selection']} of {scenes['pool']}",
        "files": files["files"],
        "links": files["links"] + files["hard_links"],
        "size": size_text(files["bytes"]),
        "notes": sheet["notes"],
    }
    for name, rows in sheet["classes"].items():
        told[name.replace(".", "_")] = [
            _row(label, row) for label, row in rows.items()
        ]
    return told


def _row(label: str, counts: Mapping[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {"class": label}
    for kind in _KINDS:
        numbers = counts.get(kind)
        if numbers:
            before, after = numbers["pool"], numbers["selection"]
            row[kind] = f"{before} → {after}"
    return row
