"""The frame of every page: its head, its styles, and how it is written."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from raremine.brain.errors import RaremineError
from raremine.brain.report.html import Html, element
from raremine.brain.report.style import CSS

# Nothing may be loaded and nothing may run, whatever a text says.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def document(title: str, *body: Any) -> str:
    """Returns a whole page, which holds its styles itself.

    Args:
        title: shown by the browser
        *body: the page's parts
    """
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element(
            "meta",
            name="viewport",
            content="width=device-width, initial-scale=1",
        ),
        element("title", f"{title} · raremine"),
        element("style", Html(CSS)),
    )
    whole = element(
        "html", head, element("body", element("main", *body)), lang="en"
    )
    return f"<!doctype html>\n{whole}\n"


def write_document(path: str | Path, page: str) -> Path:
    """Writes a page, whole or not at all.

    Args:
        path: the HTML file to write, replaced if it exists
        page: its text

    Returns:
        the path

    Raises:
        RaremineError: if the file cannot be written
    """
    path = Path(path).expanduser().resolve()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(dir=path.parent, suffix=".html")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(page)
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
