"""Export a selection for training code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import raremine.brain as rmb
from raremine.brain.selection.export import export_formats
from raremine.brain.selection.stage import list_selections
from raremine.operators.forms import Form
from raremine.operators.stage_operator import StageOperator


class ExportSelection(StageOperator):
    """Export a selection for training code."""

    stage = "export_selection"
    label = "Export selection"
    description = (
        "Write a selection's frames to files that training code reads"
    )
    icon = "file_download"
    works_on_view = False
    positional = ("selection", "format", "out_dir")

    def fill_form(self, form: Form, ctx: Any) -> None:
        """Asks for the selection, the format and the folder."""
        form.text("selection", list_selections(ctx.dataset), required=False)
        form.choice("format", export_formats(), default="tokens")
        form.text("out_dir")
        form.switch(
            "overwrite", default=False, description="Replace an earlier export"
        )

    def run(
        self, ctx: Any, arguments: dict[str, Any], progress: Any
    ) -> Mapping[str, Any]:
        """Exports; returns the path."""
        selection = arguments.pop("selection", None)
        format = arguments.pop("format", "tokens")
        path = rmb.export_selection(
            ctx.dataset, selection, format, **arguments
        )
        return {"path": path}
