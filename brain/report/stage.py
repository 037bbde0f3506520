"""Writes the report of a mined dataset: one HTML file that needs no other."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import fiftyone as fo

from raremine.brain.report import sections
from raremine.brain.report.content import Content, gather
from raremine.brain.report.document import document, write_document
from raremine.brain.report.evaluation_section import worth
from raremine.brain.report.run_section import footer, stages
from raremine.brain.report.selection_section import selection


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
    return write_document(path, page(content))


def page(content: Content) -> str:
    """Returns the whole page."""
    return document(
        content.name,
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
    )
