"""The table of the most unusual objects, with a thumbnail in each row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import fiftyone.operators.types as types

from raremine.brain.overview.rows import ObjectRow
from raremine.operators.panel.mining_looks import number, words
from raremine.operators.panel.mining_state import Content

THUMBNAIL = 56
"""Pixels of a row's picture, either way."""

NO_IMAGE = "no image"

_CELL = {
    "fontSize": "0.8rem",
    "padding": "4px 8px",
    "lineHeight": 1.35,
    "cursor": "pointer",
    "verticalAlign": "middle",
}


def table(
    content: Content, on_row: Callable[..., Any]
) -> tuple[types.TableView, list[dict[str, Any]]]:
    """Returns the table and its rows.

    FiftyOne's tables hold text alone, so a row's picture is the background
    of its first cell.

    Args:
        content: what was read
        on_row: event handler for a click on a row

    Returns:
        the view, and one dict a row
    """
    found = content.table or []
    score = content.choice.rank_by or "outlier_score"
    second = _second(content, score)
    has_front = content.mined.has("pareto_front")
    view = types.TableView(
        size="small",
        actions_label="Frame",
        variant="filled",
        on_click_row=on_row,
        componentsProps={
            "tableContainer": {"sx": {"containerType": "inline-size"}},
            "table": {"sx": {"minWidth": 0, "tableLayout": "fixed"}},
            "tableHead": {"sx": _widths(bool(second), has_front)},
            "tableHeadCell": {
                "sx": {
                    "fontSize": "0.75rem",
                    "padding": "4px 8px",
                    "lineHeight": 1.25,
                }
            },
            "tableBodyCell": {"sx": _CELL},
            "tableBody": {
                "sx": {
                    **_pictures(content.thumbnails, len(found)),
                    **_narrow(bool(second), has_front),
                }
            },
        },
    )
    view.add_column("crop", label="Crop")
    view.add_column("what", label="What")
    view.add_column("score", label=words(score))
    if second:
        view.add_column("second", label=words(second))
    if has_front:
        view.add_column("front", label="Front")
    view.add_column("reason", label="Why")
    view.add_column("where", label="Where")
    rows = [
        _row(row, picture, score, second)
        for row, picture in zip(found, content.thumbnails, strict=True)
    ]
    return view, rows


def _second(content: Content, score: str) -> str | None:
    """The other score worth a column."""
    wanted = ("outlier_score", "novelty", "concept_score")
    for name in wanted:
        if name != score and name in content.mined.scores:
            return name
    return None


def _row(
    row: ObjectRow, picture: str, score: str, second: str | None
) -> dict[str, Any]:
    concept, label = row.texts["concept"], row.texts["label"]
    what = concept or label or "object"
    if concept and label and label != concept:
        what += f" (detector: {label})"
    group = row.texts["group"]
    front = row.numbers.get("pareto_front")
    shown = {
        "id": row.label_id,
        # a space keeps the cell; its picture is its background
        "crop": " " if picture else NO_IMAGE,
        "what": f"{what} · {group.capitalize()}" if group else what,
        "score": _score(row, score),
        "front": "" if front is None else f"{front:.0f}",
        "reason": row.texts["reason"] or row.texts["caption"],
        "where": " · ".join(filter(None, [row.scene, row.camera])),
    }
    if second:
        shown["second"] = _score(row, second)
    return shown


def _score(row: ObjectRow, name: str) -> str:
    value = row.numbers.get(name)
    return "–" if value is None else number(value)


def _widths(second: bool, front: bool) -> dict[str, Any]:
    """Returns the looks of the table's head, the columns' widths."""
    widths = [f"{THUMBNAIL + 16}px", "21%", "66px"]
    widths += ["66px"] * second + ["50px"] * front + ["auto", "19%", "60px"]
    looks: dict[str, Any] = {
        f"& > tr > th:nth-of-type({at})": {"width": width}
        for at, width in enumerate(widths, 1)
    }
    return {**looks, **_narrow(second, front)}


def _narrow(second: bool, front: bool) -> dict[str, Any]:
    """Hides what a narrow panel has no room for: the reason needs it."""
    hidden = ["& > tr > *:nth-last-of-type(2)"]
    hidden += [
        f"& > tr > *:nth-of-type({4 + n})" for n in range(second + front)
    ]
    looks = {place: {"display": "none"} for place in hidden}
    return {"@container (max-width: 660px)": looks}


def _pictures(thumbnails: list[str], rows: int) -> dict[str, Any]:
    """Returns the looks of the table's body, pictures included."""
    first = "& > tr:nth-of-type({}) > td:first-of-type"
    looks: dict[str, Any] = {
        "& > tr:hover": {"background": "rgba(255, 255, 255, 0.06)"},
        "& > tr > td:first-of-type": {
            "height": THUMBNAIL + 8,
            "color": "rgba(128, 128, 128, 0.9)",
            "fontSize": "0.65rem",
            "textAlign": "center",
        },
    }
    for at, picture in enumerate(thumbnails[:rows], 1):
        if picture:
            looks[first.format(at)] = {
                "backgroundImage": f"url({picture})",
                "backgroundSize": "contain",
                "backgroundRepeat": "no-repeat",
                "backgroundPosition": "center",
                "backgroundOrigin": "content-box",
            }
    return looks
