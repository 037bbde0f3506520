"""Figures of an evaluation: curves, bars per class, two heat maps.

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
from raremine.brain.strategies import DEFAULT, ORACLE, PAPER, RANDOM

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
    PAPER: {"color": "#1f77b4", "linewidth": 1.8},
}
_BANDS = (RANDOM, DEFAULT, PAPER)
_COLORS = (
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

    Lines are means over the seeds; the bands of random and our presets are
    95 % intervals over scenes.

    Args:
        report: an evaluation
        strategies (None): what to draw; None = random, the oracle, our
            presets and the best others
        target ("all"): a class name or "all"
    """
    from matplotlib.figure import Figure

    names = drawn_strategies(report, strategies)
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    table = report.curve_table
    table = table[table.target == target]
    for axes, metric in ((left, "frame_recall"), (right, "instance_recall")):
        for name, style in zip(names, _styles(names), strict=True):
            rows = table[(table.strategy == name) & (table.metric == metric)]
            _line(axes, rows, name, style)
        axes.set(
            title=_TITLES[metric] + ("" if target == ALL else f": {target}"),
            xlabel="budget (share of the frames)",
            xlim=(0, max(report.meta["budgets"])),
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
    metric: str = "frame_lift",
) -> Figure:
    """Draws a bar per target class and strategy at one budget.

    Args:
        report: an evaluation
        budget (None): one that was evaluated; None = the one nearest to 20 %
        strategies (None): what to draw, as in ``recall_figure``
        metric ("frame_lift"): any metric of the table with classes; whiskers
            are its 95 % interval over scenes
    """
    from matplotlib.figure import Figure

    budget = report.mark if budget is None else budget
    names = drawn_strategies(report, strategies)
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
        rows = rows.reindex(targets)
        axes.bar(
            np.arange(len(targets)) + (number + 0.5) * width - 0.42,
            rows["mean"].to_numpy(),
            width * 0.92,
            yerr=_whiskers(rows),
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
    if metric.endswith("lift"):
        axes.axhline(1, color="#000000", linewidth=0.8, linestyle="--")
    else:
        axes.set_ylim(0, 1.02)
        axes.yaxis.set_major_formatter("{x:.0%}")
    axes.grid(axis="y", alpha=0.3)
    axes.set_axisbelow(True)
    figure.legend(loc="outside right center", frameon=False)
    return figure


def signal_figure(report: MiningReport) -> Figure:
    """Draws Spearman's correlation of the frames' signals."""
    return _heat_map(
        report.signal_table,
        "Rank correlation of the frames' signals",
        low=-1,
        colors="RdBu_r",
    )


def overlap_figure(report: MiningReport) -> Figure:
    """Draws how far the strategies' selections are the same frames."""
    return _heat_map(
        report.overlap_table,
        f"Overlap of selections at {report.mark:.0%} (Jaccard index)",
        low=0,
        colors="viridis",
    )


def save_figures(report: MiningReport, folder: str | Path) -> list[Path]:
    """Writes the figures of a report as PNG files.

    Args:
        report: an evaluation
        folder: where to, made if it does not exist

    Returns:
        the paths: ``recall.png``, ``classes.png``, ``signals.png`` and
        ``overlap.png``
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, figure in (
        ("recall", recall_figure(report)),
        ("classes", class_figure(report)),
        ("signals", signal_figure(report)),
        ("overlap", overlap_figure(report)),
    ):
        paths.append(folder / f"{name}.png")
        figure.savefig(paths[-1], dpi=110)
    return paths


def drawn_strategies(
    report: MiningReport, strategies: Sequence[str] | None = None
) -> list[str]:
    """Returns what to draw, the best first.

    Args:
        report: an evaluation
        strategies (None): these; None = random, the oracle, our presets and
            as many of the best others as can be told apart
    """
    if strategies is not None:
        return list(strategies)
    fixed = (ORACLE, DEFAULT, PAPER, RANDOM)
    ranked = report.ranked(distinct=fixed)
    others = [name for name in ranked if name not in fixed]
    left_out = others[MOST_DRAWN - (len(ranked) - len(others)) :]
    return [name for name in ranked if name not in left_out]


def _heat_map(
    table: pd.DataFrame, title: str, *, low: float, colors: str
) -> Figure:
    """Draws a square table of numbers up to 1."""
    from matplotlib.figure import Figure

    n = max(len(table), 1)
    side = 2.6 + 0.42 * n
    figure = Figure(figsize=(side + 0.6, side), layout="constrained")
    axes = figure.subplots()
    values = table.to_numpy(dtype=np.float64).reshape(
        n if len(table) else 0, -1
    )
    axes.set_title(title)
    if not len(table):
        axes.text(0.5, 0.5, "nothing to show", ha="center")
        return figure
    image = axes.imshow(values, vmin=low, vmax=1, cmap=colors)
    names = [str(name).replace("_", " ") for name in table.columns]
    axes.set_xticks(range(n), names, rotation=90)
    axes.set_yticks(range(n), names)
    for row in range(n):
        for column in range(n):
            value = values[row, column]
            if np.isfinite(value):
                red, green, blue, _ = image.cmap(image.norm(value))
                bright = 0.3 * red + 0.59 * green + 0.11 * blue > 0.5
                axes.text(
                    column,
                    row,
                    _short(value),
                    ha="center",
                    va="center",
                    fontsize=7,
                    color="#000000" if bright else "#ffffff",
                )
    figure.colorbar(image, shrink=0.8)
    return figure


def _short(value: float) -> str:
    """Writes a number from -1 to 1 in few signs: ".42", "-.10", "1"."""
    text = f"{value:.2f}".replace("0.", ".").replace("1.00", "1")
    return "0" if text in (".00", "-.00") else text


def _whiskers(rows: pd.DataFrame) -> np.ndarray:
    """Returns (2, n) distances from the mean down and up."""
    mean = rows["mean"].to_numpy(dtype=np.float64)
    down = mean - rows["low"].to_numpy(dtype=np.float64)
    up = rows["high"].to_numpy(dtype=np.float64) - mean
    # the mean of the pool may lie outside of what resampling gives
    return np.nan_to_num(np.maximum(np.stack([down, up]), 0))


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
    axes.plot(budget, mean, label=name, **style)
    if name not in _BANDS:
        # more bands than these hide each other
        return
    axes.fill_between(
        budget,
        rows["low"].to_numpy(),
        rows["high"].to_numpy(),
        color=style["color"],
        alpha=0.15,
        linewidth=0,
    )
