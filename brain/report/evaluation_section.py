"""The section that says whether mining was worth it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from raremine.brain.evaluation.curves import ALL
from raremine.brain.evaluation.report import MiningReport
from raremine.brain.report.charts import Bar, Line, bars, line_chart
from raremine.brain.report.content import Content
from raremine.brain.report.evaluation_tables import (
    between,
    headline_strategy,
    strategy_table,
    strategy_title,
    times,
)
from raremine.brain.report.html import Html, count, element, join, percent
from raremine.brain.report.parts import empty, panel, section
from raremine.brain.strategies import ORACLE, PAPER, RANDOM

BASELINES = (
    "detector_class",
    "isolation_forest",
    "tsne_knn",
    "least_confidence",
    "vlmine",
)
"""Single signals that others would mine by, in the order of preference."""

OTHERS = 3
"""Strategies that are drawn besides ours, random and the ceiling."""


def worth(content: Content) -> Html:
    """Recall against budget, and by class."""
    title = "Was it worth it?"
    report = content.evaluation
    if report is None:
        return section(
            title,
            "How many frames with a target a budget buys, against random.",
            empty(content, "evaluation"),
            id="recall",
        )
    return section(
        title,
        how_to_read(report),
        element(
            "div",
            recall_panel(report),
            panel(
                element(
                    "h3",
                    "Each class at "
                    f"{percent(headline_budget(report))} of the frames",
                ),
                class_bars(report),
            ),
            class_="two",
        ),
        verdict(report),
        element(
            "details",
            element("summary", "Every strategy, with intervals"),
            strategy_table(report),
        ),
        id="recall",
    )


def how_to_read(report: MiningReport) -> str:
    """Returns what the lines and bands are."""
    truth = report.meta.get("truth", {})
    seeds = len(report.meta.get("seeds", ()))
    return (
        "Measured against ground truth that mining never saw. The higher a "
        "line, the more frames with a target its first share of frames "
        f"holds, on average over {seeds} seeds; bands (of random and of "
        "whole presets) are 95 % intervals over the scenes that might have "
        f"been recorded. {count(truth.get('frames_with_target', 0))} of "
        f"{count(truth.get('frames', 0))} frames hold a target."
    )


def recall_panel(report: MiningReport, metric: str = "frame_recall") -> Html:
    """Draws recall against budget, in a box.

    Args:
        report: an evaluation
        metric ("frame_recall"): or "instance_recall"
    """
    names = drawn_strategies(report)
    mark = headline_budget(report)
    what = {
        "frame_recall": ("Frames with any target", "target frames"),
        "instance_recall": ("Target instances", "target instances"),
    }[metric]
    chart = line_chart(
        curve_lines(report, names, metric),
        x_max=max(report.meta["budgets"]),
        x_title="budget: share of the frames taken",
        y_title=f"share of {what[1]} found",
        mark=mark,
        description=f"Recall of {what[1]} against the budget: "
        + "; ".join(
            f"{strategy_title(n)} "
            f"{percent(recall_at(report, n, metric=metric) or 0)}"
            f" at {percent(mark)}"
            for n in names
        ),
    )
    return panel(
        element("h3", f"{what[0]}; numbers at {percent(mark)} of the frames"),
        chart,
    )


def verdict(report: MiningReport) -> Html | None:
    """Says in a sentence whether ours beats random, and how surely."""
    ours = headline_strategy(report)
    lift = report.cell(ours, "frame_lift")
    if lift is None or ours == RANDOM:
        return None
    sentence = (
        f"At {percent(report.mark)} of the frames {strategy_title(ours)} "
        f"finds {times(lift['mean'])} as many frames with a target as random "
        f"does ({between(lift, times)} over scenes)"
    )
    if report.pairs and RANDOM in report.meta["strategies"]:
        pair = report.compare(ours, RANDOM)
        sentence += (
            f", and over all budgets it is ahead in "
            f"{percent(pair['better_scenes'])} of the resampled sets of "
            "scenes and with "
            f"{percent(pair['better_seeds'])} of the seeds"
        )
    notes = " ".join(report.meta.get("notes", ()))
    return element("p", f"{sentence}. {notes}", class_="note")


def headline_budget(report: MiningReport) -> float:
    """Returns the evaluated budget nearest to a fifth of the frames."""
    return report.mark


def recall_at(
    report: MiningReport,
    strategy: str,
    target: str = ALL,
    metric: str = "frame_recall",
) -> float | None:
    """Returns a strategy's recall at the headline budget, None without."""
    found = report.cell(strategy, metric, target)
    return None if found is None else found["mean"]


def drawn_strategies(report: MiningReport) -> list[str]:
    """Returns what to draw: ours, random, the ceiling, and others.

    The others are baselines, or the best ones where these were not measured.
    """
    ours = headline_strategy(report)
    ends = (ORACLE, RANDOM, ours)
    ranked = report.ranked(distinct=(*ends, PAPER, *BASELINES))
    others = [n for n in (PAPER, *BASELINES, *ranked) if n in ranked]
    others = [n for n in dict.fromkeys(others) if n not in ends][:OTHERS]
    return [
        n
        for n in dict.fromkeys((ORACLE, *others, RANDOM, ours))
        if n in ranked
    ]


def curve_lines(
    report: MiningReport, names: Sequence[str], metric: str = "frame_recall"
) -> list[Line]:
    """Returns the lines of recall over all targets.

    Args:
        report: an evaluation
        names: strategies
        metric ("frame_recall"): or "instance_recall"
    """
    points = report.curve_table
    points = points[
        (points.target == ALL) & (points.metric == metric)
    ].sort_values("budget")
    ours = headline_strategy(report)
    lines = []
    other = 0
    for name in names:
        if name in (ORACLE, RANDOM):
            style = name
        elif name == ours:
            style = "default"
        else:
            style, other = f"other-{other}", other + 1
        own = points[points.strategy == name]
        x, y, low, high = (
            own[column].to_numpy(dtype=np.float64)
            for column in ("budget", "mean", "low", "high")
        )
        if name not in (RANDOM, ours, PAPER):
            # more bands than these hide each other
            low = high = np.full(len(y), np.nan)
        reached = recall_at(report, name, metric=metric)
        value = "" if reached is None else percent(reached)
        lines.append(Line(strategy_title(name), style, x, y, low, high, value))
    return lines


def class_bars(report: MiningReport) -> Html:
    """Draws mined against random recall for each target class."""
    ours = headline_strategy(report)
    truth = report.meta.get("truth", {})
    frames = truth.get("frames_by_class", {})
    rows = []
    for name in report.meta["targets"]:
        mined = report.cell(ours, "frame_recall", name)
        random = recall_at(report, RANDOM, name)
        if not frames.get(name) or mined is None:
            rows.append(Bar(name, [], "none"))
            continue
        rows.append(
            Bar(
                f"{name} ({count(frames[name])})",
                [("default", mined["mean"])],
                percent(mined["mean"]),
                random,
                note=_random_note(random),
                between=(mined["low"], mined["high"]),
            )
        )
    found = report.cell(ours, "instance_recall")
    drawn = recall_at(report, RANDOM, metric="instance_recall")
    things = sum(truth.get("instances_by_class", {}).values())
    if found is not None:
        rows.append(
            Bar(
                f"target objects ({count(things)})",
                [("default", found["mean"])],
                percent(found["mean"]),
                drawn,
                note=_random_note(drawn),
                between=(found["low"], found["high"]),
            )
        )
    key = element(
        "div",
        element(
            "span", element("i", class_="dot default"), strategy_title(ours)
        ),
        element("span", element("i", class_="dot tick"), "random, mean"),
        element("span", "thin line: 95 % interval over scenes"),
        element("span", "(…) frames, objects in all"),
        class_="key",
    )
    return join(bars(rows), key)


def _random_note(recall: float | None) -> str | None:
    return None if recall is None else f"random: {percent(recall)}"
