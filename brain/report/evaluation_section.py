"""The section that says whether mining was worth it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from raremine.brain.evaluation.curves import ALL
from raremine.brain.evaluation.report import MiningReport
from raremine.brain.report.charts import Bar, Line, bars, line_chart
from raremine.brain.report.content import Content
from raremine.brain.report.html import Html, count, element, join, percent
from raremine.brain.report.parts import empty, panel, section, table, words
from raremine.brain.strategies import DEFAULT, ORACLE, RANDOM

BUDGET = 0.2
"""The budget of the headline: a fifth of the frames."""

STRATEGY_TITLES = {
    ORACLE: "oracle (ceiling)",
    DEFAULT: "raremine",
    RANDOM: "random",
    "random_and_default": "half random, half mined",
    "detector_class": "detector’s class",
    "concept_group": "concept group only",
    "outlier_score": "outlier score",
    "isolation_forest": "Isolation Forest",
    "tsne_knn": "t-SNE kNN",
    "knn": "kNN distance",
    "pareto": "Pareto order",
    "least_confidence": "detector’s doubt",
    "vlmine": "VLMine",
    "mining_score": "mining score",
}

BASELINES = (
    "detector_class",
    "isolation_forest",
    "tsne_knn",
    "least_confidence",
    "vlmine",
)
"""Single signals that others would mine by, in the order of preference."""


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
    truth = report.meta.get("truth", {})
    names = drawn_strategies(report)
    largest = min(1.0, max(report.meta["budgets"]) * 1.5)
    chart = line_chart(
        curve_lines(report, names),
        x_max=largest,
        x_title="budget: share of the train frames taken",
        y_title="share of target frames found",
        mark=headline_budget(report),
        description="Recall of target frames against the budget: "
        + "; ".join(
            f"{STRATEGY_TITLES.get(n, n)} {percent(recall_at(report, n) or 0)}"
            f" at {percent(headline_budget(report))}"
            for n in names
        ),
    )
    seeds = len(report.meta.get("seeds", ()))
    return section(
        title,
        "Measured against ground truth that mining never saw. The higher a "
        "line, the more frames with a target its first share of frames "
        "holds; bands are one standard deviation over "
        f"{seeds} seeds. {count(truth.get('frames_with_target', 0))} of "
        f"{count(truth.get('frames', 0))} train frames hold a target.",
        element(
            "div",
            panel(
                element(
                    "h3",
                    "Frames with any target; numbers at "
                    f"{percent(headline_budget(report))} of the frames",
                ),
                chart,
            ),
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
        _strategy_table(report),
        id="recall",
    )


def headline_budget(report: MiningReport) -> float:
    """Returns the evaluated budget nearest to a fifth of the frames."""
    budgets = np.asarray(report.meta["budgets"], dtype=float)
    return float(budgets[np.argmin(np.abs(budgets - BUDGET))])


def recall_at(
    report: MiningReport,
    strategy: str,
    target: str = ALL,
    metric: str = "frame_recall",
) -> float | None:
    """Returns a strategy's recall at the headline budget, None without."""
    budget = headline_budget(report)
    for row in report.rows:
        if (
            row["strategy"] == strategy
            and row["target"] == target
            and row["metric"] == metric
            and math.isclose(row["budget"], budget)
        ):
            return float(row["mean"])
    return None


def drawn_strategies(report: MiningReport) -> list[str]:
    """Returns what to draw: ours, random, the ceiling, three baselines."""
    have = {row["strategy"] for row in report.rows}
    others = [n for n in BASELINES if n in have][:3]
    return [n for n in (ORACLE, *others, RANDOM, DEFAULT) if n in have]


def curve_lines(report: MiningReport, names: Sequence[str]) -> list[Line]:
    """Returns the lines of frame recall over all targets."""
    points = report.curve_table
    points = points[
        (points.target == ALL) & (points.metric == "frame_recall")
    ].sort_values("budget")
    lines = []
    other = 0
    for name in names:
        if name in (ORACLE, RANDOM, DEFAULT):
            style = name
        else:
            style, other = f"other-{other}", other + 1
        own = points[points.strategy == name]
        x, y, spread = (
            own[column].to_numpy(dtype=np.float64)
            for column in ("budget", "mean", "std")
        )
        title = STRATEGY_TITLES.get(name, words(name))
        reached = recall_at(report, name)
        value = "" if reached is None else percent(reached)
        lines.append(Line(title, style, x, y, spread, value))
    return lines


def class_bars(report: MiningReport) -> Html:
    """Draws mined against random recall for each target class."""
    truth = report.meta.get("truth", {})
    frames = truth.get("frames_by_class", {})
    rows = []
    for name in report.meta["targets"]:
        mined, random = (recall_at(report, s, name) for s in (DEFAULT, RANDOM))
        if not frames.get(name) or mined is None or random is None:
            rows.append(Bar(name, [], "none"))
            continue
        rows.append(
            Bar(
                f"{name} ({count(frames[name])})",
                [("default", mined)],
                percent(mined),
                random,
                note=f"random: {percent(random)}",
            )
        )
    found, drawn = (
        recall_at(report, s, metric="instance_recall")
        for s in (DEFAULT, RANDOM)
    )
    things = sum(truth.get("instances_by_class", {}).values())
    if found is not None and drawn is not None:
        rows.append(
            Bar(
                f"target objects ({count(things)})",
                [("default", found)],
                percent(found),
                drawn,
                note=f"random: {percent(drawn)}",
            )
        )
    key = element(
        "div",
        element("span", element("i", class_="dot default"), "raremine"),
        element("span", element("i", class_="dot tick"), "random, mean"),
        element("span", "(…) frames, objects in train"),
        class_="key",
    )
    return join(bars(rows), key)


def _strategy_table(report: MiningReport) -> Html:
    budgets = report.meta["budgets"]
    cells: dict[str, dict[float, float]] = {}
    for row in report.rows:
        if row["metric"] == "frame_recall" and row["target"] == ALL:
            cells.setdefault(row["strategy"], {})[row["budget"]] = row["mean"]
    mark = headline_budget(report)
    ranked = sorted(cells, key=lambda n: -cells[n].get(mark, 0))
    return element(
        "details",
        element("summary", "Recall of target frames by every strategy"),
        table(
            ("Strategy", *(percent(b) for b in budgets)),
            [
                [
                    element("td", STRATEGY_TITLES.get(n, words(n))),
                    *(
                        element(
                            "td",
                            percent(cells[n].get(b, math.nan)),
                            class_="n",
                        )
                        for b in budgets
                    ),
                ]
                for n in ranked
            ],
            numbers=range(1, len(budgets) + 1),
        ),
    )
