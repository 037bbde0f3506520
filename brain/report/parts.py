"""Pieces that several sections of the report are made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from raremine.brain.report.content import Content
from raremine.brain.report.html import Html, element


def section(title: str, how: str, *children: Any, id: str) -> Html:
    """Wraps a section: heading, how to read it, content."""
    return element(
        "section",
        element("h2", title),
        element("p", how, class_="how"),
        *children,
        id=id,
    )


def panel(*children: Any) -> Html:
    """Wraps content in a box."""
    return element("div", *children, class_="panel")


def table(
    head: Sequence[str],
    rows: Iterable[Iterable[Html]],
    numbers: Iterable[int] = (),
) -> Html:
    """Makes a table that scrolls where it does not fit.

    Args:
        head: names of the columns
        rows: cells of each row, ``td`` elements
        numbers (()): columns whose names stand at the right
    """
    right = set(numbers)
    whole = element(
        "table",
        element(
            "thead",
            element(
                "tr",
                (
                    element("th", name, class_="n" if i in right else None)
                    for i, name in enumerate(head)
                ),
            ),
        ),
        element("tbody", (element("tr", row) for row in rows)),
    )
    return element("div", whole, class_="wide")


def empty(content: Content, what: str) -> Html:
    """Says why a section has nothing to show."""
    return element(
        "p", content.missing.get(what, "Nothing to show."), class_="empty"
    )


def words(name: str) -> str:
    """Writes a name of the code as words."""
    return name.replace("_", " ")
