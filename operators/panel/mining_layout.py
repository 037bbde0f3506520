"""Lays the Mining panel out: cards that flow into as many columns as fit."""

from __future__ import annotations

import fiftyone.operators.types as types

from raremine.brain.overview.steps import Advice
from raremine.operators.panel import mining_cards as cards
from raremine.operators.panel.mining_scores import histograms_card
from raremine.operators.panel.mining_state import Content
from raremine.operators.panel.mining_widgets import (
    Handlers,
    add_button,
    add_choice,
    add_row,
    add_run_button,
)


def lay_out(content: Content, on: Handlers) -> types.Property:
    """Returns the whole panel.

    Args:
        content: what was read
        on: the panel
    """
    root = types.Object()
    _head(root, content, on)
    page = types.Object()
    cards.funnel_card(page, content, on)
    cards.concepts_card(page, content, on)
    cards.table_card(page, content, on)
    histograms_card(page, content, on)
    cards.pareto_card(page, content, on)
    cards.keywords_card(page, content, on)
    cards.selection_card(page, content, on)
    cards.evaluation_card(page, content, on)
    columns = "repeat(auto-fit, minmax(min(100%, 420px), 1fr))"
    root.define_property(
        "page",
        page,
        view=types.GridView(
            orientation="horizontal",
            gap=1.5,
            componentsProps={
                "grid": {
                    "sx": {
                        "gridAutoFlow": "row",
                        "gridTemplateColumns": columns,
                        "alignItems": "stretch",
                    }
                }
            },
        ),
    )
    return _property(root)


def lay_out_problem(
    title: str, text: str, on: Handlers, advice: Advice | None = None
) -> types.Property:
    """Returns a panel that says why there is nothing to see.

    Args:
        title: in a few words
        text: in a sentence
        on: the panel
        advice: what to run first
    """
    root = types.Object()
    root.view("problem", types.Notice(label=title, description=text))
    row = add_row(root, "buttons")
    if advice is not None:
        add_run_button(row, "first", advice, on, variant="contained")
    add_button(row, "again", "Refresh", "refresh", on.on_refresh)
    return _property(root)


def _property(root: types.Object) -> types.Property:
    space = {
        "container": {"sx": {"padding": "0.75rem 1rem 2rem"}},
        # as wide as the panel, whatever stands in it
        "grid": {"sx": {"gridTemplateColumns": "minmax(0, 1fr)"}},
    }
    return types.Property(
        root,
        view=types.GridView(
            orientation="vertical", gap=1.5, componentsProps=space
        ),
    )


def _head(root: types.Object, content: Content, on: Handlers) -> None:
    row = add_row(root, "head")
    if len(content.fields) > 1:
        add_choice(
            row,
            "field",
            "Objects",
            content.fields,
            content.mined.name,
            on.on_field,
        )
    add_button(row, "whole", "Whole dataset", "undo", on.on_clear)
    add_button(row, "refresh", "Refresh", "refresh", on.on_refresh)
    for name, label, icon in (
        ("mine", "Mine…", "travel_explore"),
        ("search_objects", "Search…", "search"),
        ("select_frames", "Select frames…", "playlist_add_check"),
        ("show_map", "Map…", "bubble_chart"),
    ):
        params = {"operator": name}
        add_button(row, name, label, icon, on.on_run, params)
    counts = content.counts
    if counts is not None:
        root.md(
            f"**{counts.keyframes:,}** keyframes · **{counts.images:,}** "
            f"images · **{counts.objects:,}** objects in "
            f"`{content.mined.name}` · click anything to see it in the grid",
            name="summary",
        )
    first = next(iter(content.advice.values()), None)
    if first is not None:
        root.view(
            "next", types.Notice(label="Next step", description=first.text)
        )
        add_run_button(root, "next_run", first, on, variant="contained")
