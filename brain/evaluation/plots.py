"""Figures of an evaluation: recall against budget, and bars per class.

Figures are made without pyplot, so that drawing them opens no window, keeps
no global state and works in any thread of the App's server.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from raremine.brain.evaluation.curves import ALL
from raremine.brain.evaluation.report import MiningReport
from raremine.brain.strategies import DEFAULT, ORACLE, RANDOM

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_DRAWN = 8
"""Strategies in a figure: more lines than that cannot be told apart."""

_FIXED_STYLE: dict[str, dict[str, Any]] = {
    RANDOM: {"color": "#7f7f7f", "linestyle": "--"},
    ORACLE: {"color": "#000000", "linestyle": ":"},
    DEFAULT: {"color": "#d62728", "linewidth": 2.6},
}
_COLORS = (
    "#1f77b4",
    "#ff7f0e",
    "#2ca02c",
    "#9467bd",
    "#8c564b",
    "#e377c2",
    "#17becf",
    "#bcbd22",
)
_TITLES = {
    "frame_recall": "Frames with a target",
    "instance_recall": "Target instances",
}


def recall_figure(
    report: MiningReport,
    strategies: Sequence[str] | None = None,
    target: str = ALL,
) -> Figure:
    """Draws frame and instance recall against the budget.

    Lines are means and bands one standard deviation over the seeds.

    Args:
        report: an evaluation
        strategies (None): what to draw; None = random, the oracle, default
            and the best others
        target ("all"): a class name or "all"
    """
    from matplotlib.figure import Figure

    names = _drawn(report, strategies)
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    table = report.curve_table
    table = table[table.target == target]
    largest = min(1.0, max(report.meta["budgets"]) * 1.5)
    for axes, metric in ((left, "frame_recall"), (right, "instance_recall")):
        for name, style in zip(names, _styles(names), strict=True):
            rows = table[(table.strategy == name) & (table.metric == metric)]
            _line(axes, rows, name, style)
        axes.set(
            title=_TITLES[metric] + ("" if target == ALL else f": {target}"),
            xlabel="budget (share of the frames)",
            xlim=(0, largest),
            ylim=(0, 1.02),
        )
        axes.xaxis.set_major_formatter("{x:.0%}")
        axes.yaxis.set_major_formatter("{x:.0%}")
        axes.grid(alpha=0.3)
    left.set_ylabel("recall")
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", frameon=False)
    return figure


def class_figure(
    report: MiningReport,
    budget: float | None = None,
    strategies: Sequence[str] | None = None,
    metric: str = "frame_recall",
) -> Figure:
    """Draws a bar per target class and strategy at one budget.

    Args:
        report: an evaluation
        budget (None): one that was evaluated; None = the one nearest to 20 %
        strategies (None): what to draw, as in ``recall_figure``
        metric ("frame_recall"): any metric of the table with classes
    """
    from matplotlib.figure import Figure

    budgets = np.array(report.meta["budgets"])
    if budget is None:
        budget = float(budgets[np.argmin(np.abs(budgets - 0.2))])
    names = _drawn(report, strategies)
    # a class without ground truth in the pool has nothing to show
    held = report.meta["truth"]["instances_by_class"]
    targets = [ALL, *(t for t in report.meta["targets"] if held[t])]
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    axes = figure.subplots()
    width = 0.84 / len(names)
    table = report.table
    table = table[(table.metric == metric) & np.isclose(table.budget, budget)]
    for number, (name, style) in enumerate(
        zip(names, _styles(names), strict=True)
    ):
        rows = table[table.strategy == name].set_index("target")
        axes.bar(
            np.arange(len(targets)) + (number + 0.5) * width - 0.42,
            rows["mean"].reindex(targets).to_numpy(),
            width * 0.92,
            yerr=rows["std"].reindex(targets).fillna(0).to_numpy(),
            error_kw={"elinewidth": 0.8, "alpha": 0.6},
            color=style["color"],
            label=name,
        )
    axes.set_xticks(range(len(targets)), targets)
    title = metric.replace("_", " ")
    axes.set(
        title=f"{title.capitalize()} at {budget:.0%} of the frames",
        ylabel=title,
    )
    if not metric.endswith("lift"):
        axes.set_ylim(0, 1.02)
        axes.yaxis.set_major_formatter("{x:.0%}")
    axes.grid(axis="y", alpha=0.3)
    axes.set_axisbelow(True)
    figure.legend(loc="outside right center", frameon=False)
    return figure


def save_figures(report: MiningReport, folder: str | Path) -> list[Path]:
    """Writes the figures of a report as PNG files.

    Args:
        report: an evaluation
        folder: where to, made if it does not exist

    Returns:
        the paths: ``recall.png`` and ``classes.png``
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, figure in (
        ("recall", recall_figure(report)),
        ("classes", class_figure(report)),
    ):
        paths.append(folder / f"{name}.png")
        figure.savefig(paths[-1], dpi=110)
    return paths


def _drawn(
    report: MiningReport, strategies: Sequence[str] | None
) -> list[str]:
    if strategies is not None:
        return list(strategies)
    table = report.table
    table = table[
        (table.metric == "frame_recall_area") & (table.target == ALL)
    ]
    ranked = table.sort_values("mean", ascending=False).strategy.tolist()
    fixed = [n for n in (ORACLE, DEFAULT, RANDOM) if n in ranked]
    others = [n for n in ranked if n not in fixed]
    kept = {*fixed, *others[: MOST_DRAWN - len(fixed)]}
    return [n for n in ranked if n in kept]


def _styles(names: Sequence[str]) -> list[dict[str, Any]]:
    colors = iter(_COLORS * (len(names) // len(_COLORS) + 1))
    return [
        dict(_FIXED_STYLE[n]) if n in _FIXED_STYLE else {"color": next(colors)}
        for n in names
    ]


def _line(
    axes: Axes, rows: pd.DataFrame, name: str, style: dict[str, Any]
) -> None:
    rows = rows.sort_values("budget")
    budget, mean = rows.budget.to_numpy(), rows["mean"].to_numpy()
    std = rows["std"].fillna(0).to_numpy()
    axes.plot(budget, mean, label=name, **style)
    axes.fill_between(
        budget,
        np.clip(mean - std, 0, 1),
        np.clip(mean + std, 0, 1),
        color=style["color"],
        alpha=0.15,
        linewidth=0,
    )
