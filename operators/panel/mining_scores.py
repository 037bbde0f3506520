"""The cards of two scores, each with a histogram and a threshold."""

from __future__ import annotations

import fiftyone.operators.types as types

from raremine.brain.overview.histogram import beyond_conditions
from raremine.operators.panel import mining_charts as charts
from raremine.operators.panel import mining_links as links
from raremine.operators.panel.mining_looks import number, share, words
from raremine.operators.panel.mining_state import Content
from raremine.operators.panel.mining_widgets import (
    Handlers,
    add_button,
    add_card,
    add_choice,
    add_missing,
    add_plot,
    add_problem,
    add_row,
)


def histograms_card(
    page: types.Object, content: Content, on: Handlers
) -> None:
    """How two scores are spread, each with a threshold."""
    grid, choice = content.grid, content.choice
    if grid is None:
        card = add_card(page, "scores", "Scores", "How scores are spread.")
        if not add_missing(card, content, "outliers", on):
            add_problem(card, content, "scores", on)
        return
    handlers = (
        (on.on_score_a, on.on_cut_a, choice.cut_a),
        (on.on_score_b, on.on_cut_b, choice.cut_b),
    )
    for at, axis in enumerate(grid.axes):
        on_score, on_cut, cut = handlers[at]
        letter = "ab"[at]
        card = add_card(
            page,
            f"scores_{letter}",
            f"Score: {words(axis.name)}",
            f"{grid.scored(at):,} objects have one. Move the threshold to see "
            "how many lie beyond; a click on a bar shows its objects.",
        )
        add_choice(
            card,
            "score",
            "Score",
            content.mined.scores,
            axis.name,
            on_score,
        )
        add_plot(
            card,
            "histogram",
            charts.histogram(grid, at, cut),
            on.on_open,
            height=230,
        )
        card.float(
            "cut",
            default=cut,
            min=axis.place(0),
            max=axis.place(axis.bins - 1),
            view=types.SliderView(
                label="Threshold",
                value_label_display="auto",
                view_multiple_of=axis.step,
                componentsProps={
                    # the slider brings more air than a card has
                    "item": {"sx": {"margin": "-26px 0 -30px"}},
                    "slider": {"step": axis.step},
                },
            ),
            on_change=on_cut,
        )
        _beyond(card, content, at, cut, on)


def _beyond(
    card: types.Object,
    content: Content,
    at: int,
    cut: float | None,
    on: Handlers,
) -> None:
    grid = content.grid
    if grid is None or cut is None:
        return
    axis = grid.axes[at]
    first = axis.nearest(cut)
    bins: list[int | None] = [None] * len(grid.axes)
    bins[at] = first
    count = grid.beyond(*bins)
    row = add_row(card, "beyond")
    add_button(
        row,
        "open",
        f"{count:,} objects ≥ {number(axis.place(first))} "
        f"({share(count, grid.scored(at))})",
        "grid_view",
        on.on_open,
        {"id": links.objects(beyond_conditions(axis, first))},
        disabled=not count,
    )
    other = content.choice.cut_b if at == 0 else content.choice.cut_a
    if len(grid.axes) == 2 and other is not None:
        second = grid.axes[1 - at]
        place = second.nearest(other)
        bins[1 - at] = place
        both = grid.beyond(*bins)
        rules = (
            *beyond_conditions(axis, first),
            *beyond_conditions(second, place),
        )
        add_button(
            row,
            "both",
            f"{both:,} of them also {words(second.name)} ≥ "
            f"{number(second.place(place))}",
            "join_inner",
            on.on_open,
            {"id": links.objects(rules)},
            disabled=not both,
            variant="text",
        )
