"""Writes docs/tutorial.ipynb from docs/tutorial.md, which the tests run.

``python docs/notebook.py`` brings it up to date. Prose becomes Markdown
cells, blocks become code cells; shell runs by ``%%bash``.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parent / "tutorial.md"
NOTEBOOK = PAGE.with_suffix(".ipynb")

_BLOCK = re.compile(r"^```(python|bash)\n(.*?)^```$", re.M | re.S)
_COMMENT = re.compile(r"<!--.*?-->\n*", re.S)


def notebook(text: str) -> dict[str, Any]:
    """Turns a page into a notebook.

    Args:
        text: Markdown with blocks of Python and shell

    Returns:
        the notebook, format 4.5, no outputs
    """
    cells: list[dict[str, Any]] = []
    end = 0
    for match in [*_BLOCK.finditer(text), None]:
        prose = text[end : match.start() if match else None]
        prose = _COMMENT.sub("", prose).strip()
        if prose:
            cells.append(_cell("markdown", prose, len(cells)))
        if match:
            code = match[2].rstrip()
            if match[1] == "bash":
                code = f"%%bash\n{code}"
            cells.append(_cell("code", code, len(cells)))
            end = match.end()
    kernel = {"display_name": "Python 3", "language": "python"}
    return {
        "cells": cells,
        "metadata": {"kernelspec": {**kernel, "name": "python3"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _cell(kind: str, source: str, number: int) -> dict[str, Any]:
    cell: dict[str, Any] = {
        "cell_type": kind,
        "id": f"cell-{number:02}",
        "metadata": {},
        "source": source.splitlines(keepends=True),
    }
    if kind == "code":
        cell |= {"execution_count": None, "outputs": []}
    return cell


def written(text: str) -> str:
    """Returns the notebook's file for a page's text."""
    return json.dumps(notebook(text), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    NOTEBOOK.write_text(written(PAGE.read_text("utf-8")), "utf-8")
