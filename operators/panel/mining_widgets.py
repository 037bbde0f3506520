"""The pieces that the Mining panel's cards are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import fiftyone.operators.types as types

from raremine.brain.overview.steps import Advice
from raremine.operators.panel.mining_looks import Plot, words
from raremine.operators.panel.mining_state import Content

ROW = 21
"""Pixels of a horizontal bar."""

CONFIG = {"displayModeBar": False, "scrollZoom": False}
SCATTER = {"displayModeBar": True, "displaylogo": False, "scrollZoom": True}

_IN_A_ROW = {"item": {"sx": {"width": "auto", "maxWidth": "100%"}}}
_SMALL = {
    "container": {
        "sx": {
            "fontSize": "0.85rem",
            "color": "text.secondary",
            "& p": {"margin": 0},
            "& ul": {"margin": 0, "paddingLeft": "1.2rem"},
            "& *": {"fontSize": "0.85rem"},
        }
    }
}
_TITLE = {
    "container": {"sx": {"& p": {"margin": 0}, "& *": {"fontWeight": 700}}}
}

Handlers = Any
"""The panel, whose methods handle the events."""


def add_row(where: types.Object, name: str) -> types.Object:
    """Adds a row of inputs and buttons that wraps where it is too long."""
    row = types.Object()
    view = types.GridView(gap=1, align_y="bottom")
    where.define_property(name, row, view=view)
    return row


def add_text(where: types.Object, name: str, text: str) -> None:
    """Adds small text."""
    where.md(text, name=name, componentsProps=_SMALL)


def add_card(
    page: types.Object, name: str, title: str, text: str, wide: bool = False
) -> types.Object:
    """Adds a card with a title and a sentence on how to read it."""
    card = types.Object()
    border = "1px solid rgba(128, 128, 128, 0.28)"
    page.define_property(
        name,
        card,
        view=types.GridView(
            orientation="vertical",
            gap=1,
            componentsProps={
                "item": {
                    "sx": {
                        "border": border,
                        "borderRadius": "6px",
                        "padding": "12px 14px",
                        "minWidth": 0,
                        "overflow": "hidden",
                        **({"gridColumn": "1 / -1"} if wide else {}),
                    }
                },
                "grid": {"sx": {"gridTemplateColumns": "minmax(0, 1fr)"}},
            },
        ),
    )
    card.md(title, name="title", componentsProps=_TITLE)
    add_text(card, "help", text)
    return card


def add_plot(
    card: types.Object,
    name: str,
    plot: Plot,
    on_click: Callable[..., Any],
    height: int | None = None,
) -> None:
    """Adds a plot whose things open views."""
    traces, layout = plot
    rows = len(traces[0]["y"]) if traces else 0
    card.plot(
        name,
        data=traces,
        layout=layout,
        config=CONFIG,
        on_click=on_click,
        height=f"{height or max(rows, 1) * ROW + 8}px",
    )


def add_choice(
    where: types.Object,
    name: str,
    label: str,
    values: Iterable[str],
    chosen: str | None,
    on_change: Callable[..., Any],
) -> None:
    """Adds a drop-down."""
    # the App focuses a panel's first input, and scrolls down to it
    props = {**_IN_A_ROW, "select": {"autoFocus": False}}
    view = types.DropdownView(componentsProps=props)
    for value in values:
        view.add_choice(value, label=words(value))
    where.enum(
        name,
        list(values),
        label=label,
        default=chosen,
        view=view,
        on_change=on_change,
    )


def add_button(
    where: types.Object,
    name: str,
    label: str,
    icon: str,
    on_click: Callable[..., Any],
    params: dict[str, Any] | None = None,
    variant: str = "outlined",
    disabled: bool = False,
) -> None:
    """Adds a button."""
    where.btn(
        name,
        label=label,
        icon=icon,
        variant=variant,
        on_click=on_click,
        params=params or {},
        disabled=disabled,
        componentsProps=_IN_A_ROW,
    )


def add_run_button(
    where: types.Object,
    name: str,
    advice: Advice,
    on: Handlers,
    variant: str = "outlined",
) -> None:
    """Adds a button that opens the form of an operator."""
    params = {"operator": advice.operator, "with": advice.params}
    label = f"{advice.label}…"
    add_button(where, name, label, "play_arrow", on.on_run, params, variant)


def add_missing(
    card: types.Object, content: Content, stage: str, on: Handlers
) -> bool:
    """Says which stage comes first, if it is missing."""
    advice = content.advice.get(stage)
    if advice is None:
        return False
    add_text(card, "missing", advice.text)
    add_run_button(card, "run", advice, on)
    return True


def add_problem(
    card: types.Object, content: Content, part: str, on: Handlers
) -> None:
    """Says why a part is missing."""
    text = content.problems.get(part) or "There is nothing to show yet."
    add_text(card, "problem_text", text)
