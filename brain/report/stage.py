"""Writes the report of a mined dataset: one HTML file that needs no other."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import fiftyone as fo

from raremine.brain.errors import RaremineError
from raremine.brain.report import sections
from raremine.brain.report.content import Content, gather
from raremine.brain.report.evaluation_section import worth
from raremine.brain.report.html import Html, element
from raremine.brain.report.run_section import footer, stages
from raremine.brain.report.selection_section import selection
from raremine.brain.report.style import CSS

# Nothing may be loaded and nothing may run, whatever a text says.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def write_report(
    dataset: fo.Dataset,
    result: Mapping[str, Any] | None,
    path: str | Path,
    field: str = "objects",
    *,
    title: str | None = None,
    examples: int = 16,
    facts: Mapping[str, str] | None = None,
) -> Path:
    """Writes an HTML report of a mined dataset.

    The page holds its styles, charts and pictures itself and has no script.
    Sections for which the dataset has no data (no ground truth, no captions)
    say what is missing.

    Args:
        dataset: a dataset with mined objects
        result: what ``mine`` returned, None for only what is recorded on
            the dataset
        path: the HTML file to write, replaced if it exists
        field ("objects"): the mined detections
        title (None): the heading, None = the dataset's name
        examples (16): crops to show of each group
        facts (None): further lines for the end of the page, by name

    Returns:
        the path

    Raises:
        MissingStageError: if nothing was detected yet
        RaremineError: if the file cannot be written
    """
    content = gather(dataset, result, field, examples=examples, facts=facts)
    if title:
        content.name = title
    path = Path(path).expanduser().resolve()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(dir=path.parent, suffix=".html")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(page(content))
            # mkstemp makes files for their owner alone
            Path(draft).chmod(0o644)
            Path(draft).replace(path)
        finally:
            Path(draft).unlink(missing_ok=True)
    except OSError as error:
        raise RaremineError(
            f"The report {path} cannot be written ({error.strerror}); choose "
            "another file."
        ) from error
    return path


def page(content: Content) -> str:
    """Returns the whole page."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element(
            "meta",
            name="viewport",
            content="width=device-width, initial-scale=1",
        ),
        element("title", f"{content.name} · raremine"),
        element("style", Html(CSS)),
    )
    body = element(
        "body",
        element(
            "main",
            sections.header(content),
            sections.funnel(content),
            worth(content),
            sections.examples(content),
            sections.concepts(content),
            sections.unusual(content),
            sections.keywords(content),
            selection(content),
            stages(content),
            footer(content),
        ),
    )
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"
