"""The cards of the Mining panel, one question each."""

from __future__ import annotations

import fiftyone.operators.types as types

from raremine.brain.overview.conditions import IS, Condition
from raremine.brain.overview.counts import GROUPS
from raremine.brain.overview.steps import Advice
from raremine.operators.panel import mining_bars as bars
from raremine.operators.panel import mining_charts as charts
from raremine.operators.panel import mining_links as links
from raremine.operators.panel.mining_looks import share
from raremine.operators.panel.mining_state import Content
from raremine.operators.panel.mining_table import table
from raremine.operators.panel.mining_widgets import (
    CONFIG,
    SCATTER,
    Handlers,
    add_button,
    add_card,
    add_choice,
    add_missing,
    add_plot,
    add_problem,
    add_row,
    add_run_button,
    add_text,
)

ALL = "all groups"


def funnel_card(page: types.Object, content: Content, on: Handlers) -> None:
    """Images, objects, and what each stage picked out."""
    card = add_card(
        page,
        "funnel",
        "From images to rare objects",
        "What each step picked out; an object can be in several.",
    )
    counts = content.counts
    if counts is None:
        add_problem(card, content, "counts", on)
        return
    add_plot(card, "bars", bars.funnel(counts), on.on_open)
    if counts.groups:
        add_text(card, "groups_title", "Objects by group")
        add_plot(card, "groups", bars.groups(counts), on.on_open)
    if counts.frames:
        add_text(
            card, "frames_title", "Keyframes by the best of their objects"
        )
        add_plot(card, "frames", bars.keyframes(counts), on.on_open)


def concepts_card(page: types.Object, content: Content, on: Handlers) -> None:
    """What the objects are."""
    counts = content.counts
    has_groups = content.mined.has("group")
    text = (
        "What the Target objects are, then the Rare ones; the Common ones "
        "come last, their bars cut short."
        if has_groups
        else "What the detector called them; there are no concepts yet."
    )
    card = add_card(page, "concepts", "Concepts", text)
    if counts is None:
        add_problem(card, content, "counts", on)
        return
    if not has_groups:
        add_missing(card, content, "concepts", on)
    if counts.bars:
        add_plot(card, "bars", bars.concepts(counts.bars), on.on_open)
    if counts.ambiguous:
        link = links.objects((Condition("ambiguous", IS, True),))
        add_button(
            card,
            "ambiguous",
            f"{counts.ambiguous:,} ambiguous: two concepts too close to tell",
            "help_outline",
            on.on_open,
            {"id": link},
            variant="text",
        )


def table_card(page: types.Object, content: Content, on: Handlers) -> None:
    """The most unusual objects with their crops and reasons."""
    card = add_card(
        page,
        "unusual",
        "Most unusual objects",
        "The highest scores, at most two of a concept in a scene. A click "
        "shows the object's crop, the button behind it its whole keyframe.",
        wide=True,
    )
    if content.table is None:
        if not add_missing(card, content, "outliers", on):
            add_problem(card, content, "table", on)
        return
    row = add_row(card, "controls")
    add_choice(
        row,
        "rank_by",
        "Ranked by",
        content.mined.scores,
        content.choice.rank_by,
        on.on_rank_by,
    )
    if content.mined.has("group"):
        add_choice(
            row,
            "rank_group",
            "Group",
            [ALL, *GROUPS],
            content.choice.rank_group or ALL,
            on.on_rank_group,
        )
    if not content.table:
        add_text(card, "none", "There are no such objects.")
        return
    view, rows = table(content, on.on_row)
    view.add_row_action(
        "keyframe",
        on_click=on.on_keyframe,
        icon="grid_view",
        tooltip="The whole keyframe, all cameras",
    )
    card.list("rows", types.Object(), view=view, default=rows)


def pareto_card(page: types.Object, content: Content, on: Handlers) -> None:
    """Objects by two signals, the first fronts coloured."""
    card = add_card(
        page,
        "pareto",
        "Pareto fronts",
        "No object beats one of front 0 in all signals. Draw a lasso around "
        "points, or click one, to see the crops.",
    )
    x, y = content.choice.x, content.choice.y
    if content.points is None or x is None or y is None:
        if not add_missing(card, content, "pareto", on):
            add_problem(card, content, "pareto", on)
        return
    row = add_row(card, "controls")
    add_choice(row, "x", "Across", content.signals, x, on.on_x)
    add_choice(row, "y", "Up", content.signals, y, on.on_y)
    traces, layout = charts.pareto(content.points, x, y)
    card.plot(
        "plot",
        data=traces,
        layout=layout,
        config=SCATTER,
        on_click=on.on_point,
        on_selected=on.on_lasso,
        height="320px",
    )
    drawn = sum(len(trace["x"]) for trace in traces)
    if content.counts is not None and drawn < content.counts.objects:
        add_text(
            card,
            "note",
            f"{drawn:,} of {content.counts.objects:,} objects: the first "
            "fronts, and some others to compare with.",
        )


def keywords_card(page: types.Object, content: Content, on: Handlers) -> None:
    """The rarest words of the captions."""
    card = add_card(
        page,
        "keywords",
        "Most novel words of the captions",
        "Words that the fewest captions use; those of a single object come "
        "last, they may be slips.",
    )
    if not content.keywords:
        if not add_missing(card, content, "novelty", on):
            add_problem(card, content, "keywords", on)
        return
    add_plot(card, "bars", bars.keywords(content.keywords), on.on_open)


def selection_card(page: types.Object, content: Content, on: Handlers) -> None:
    """What was selected, its shortage and class balance."""
    card = add_card(
        page,
        "selection",
        "Selection",
        "The keyframes chosen for training, and what they hold.",
    )
    selected = content.selection
    if selected is None:
        add_text(
            card,
            "none",
            content.problems.get("selection")
            or "No keyframes are selected yet; 'Select frames' takes those "
            "that are worth labelling.",
        )
        run = Advice("select_frames", "Select frames", "")
        add_run_button(card, "run", run, on)
        return
    row = add_row(card, "controls")
    if len(content.selections) > 1:
        add_choice(
            row,
            "name",
            "Shown",
            content.selections[::-1],
            selected.name,
            on.on_selection,
        )
    add_button(
        row,
        "open",
        f"{selected.frames:,} keyframes",
        "grid_view",
        on.on_open,
        {"id": links.selection(selected.name)},
    )
    add_button(
        row,
        "export",
        "Export…",
        "download",
        on.on_run,
        {"operator": "export_selection", "with": {"selection": selected.name}},
    )
    if len(content.selections) > 1:
        add_button(
            row,
            "compare",
            "Compare…",
            "compare_arrows",
            on.on_run,
            {"operator": "compare_selections"},
        )
    add_text(
        card,
        "size",
        f"**{selected.frames:,}** of {selected.pool:,} train keyframes "
        f"({share(selected.frames, selected.pool)})",
    )
    add_plot(card, "parts", bars.parts(selected), on.on_open)
    short = [f"- **Short**: {s.reason}" for s in selected.shortages]
    notes = [f"- {note}" for note in selected.notes]
    add_text(
        card,
        "shortage",
        "\n".join([*short, *notes]) or "No shortage: every share is met.",
    )
    if content.balance and content.counts is not None:
        add_text(
            card,
            "balance_title",
            "Class balance: bars are shares of the selection's objects, "
            "ticks are shares of all objects",
        )
        add_plot(
            card,
            "balance",
            bars.class_balance(content.balance, content.counts, selected.name),
            on.on_open,
        )


def evaluation_card(
    page: types.Object, content: Content, on: Handlers
) -> None:
    """What the mining finds, measured against ground truth."""
    found = content.evaluation
    card = add_card(
        page,
        "evaluation",
        "Was it worth it?",
        "Target keyframes found against keyframes taken, by ground truth. "
        "The number behind a name is the mean recall. A click on a curve "
        "shows what it finds and its counterpart misses.",
    )
    if found is None:
        text = content.problems.get("evaluation") or (
            "Not evaluated yet; 'Evaluate mining' compares the mining with "
            "random and other baselines."
            if content.has_truth
            else "There is no ground truth on this dataset to evaluate with."
        )
        add_text(card, "none", text)
        if content.has_truth:
            run = Advice("evaluate_mining", "Evaluate mining", "")
            add_run_button(card, "run", run, on)
        return
    traces, layout = charts.curves(found)
    card.plot(
        "plot",
        data=traces,
        layout=layout,
        config=CONFIG,
        on_click=on.on_open,
        height="340px",
    )
    add_text(
        card,
        "about",
        f"`{found.brain_key}` of `{found.field}` against "
        f"`{found.gt_field}`; targets: {', '.join(found.targets)}",
    )
