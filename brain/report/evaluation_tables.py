"""Tables and heat maps of an evaluation, as markup."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from raremine.brain.evaluation.curves import ALL
from raremine.brain.evaluation.report import MiningReport
from raremine.brain.report.html import Html, count, element, percent
from raremine.brain.report.parts import table, words
from raremine.brain.strategies import DEFAULT, ORACLE, PAPER, RANDOM

STRATEGY_TITLES = {
    ORACLE: "oracle (ceiling)",
    DEFAULT: "raremine",
    PAPER: "preset paper",
    RANDOM: "random",
    "random_and_default": "half random, half mined",
    "detector_class": "detector’s class",
    "concept_group": "concept group only",
    "outlier_score": "outlier score",
    "isolation_forest": "Isolation Forest",
    "tsne_knn": "t-SNE kNN",
    "knn": "kNN distance",
    "lof": "LOF",
    "pareto": "Pareto order",
    "least_confidence": "detector’s doubt",
    "vlmine": "VLMine",
    "mining_score": "mining score",
    "core_set": "core-set",
    "core_set_fast": "core-set, fast",
}

COLUMNS = (
    ("frame_recall", "Frames", percent),
    ("instance_recall", "Instances", percent),
    ("frame_lift", "Lift", lambda v: times(v)),
    ("precision", "Precision", percent),
    ("scene_coverage", "Scenes", percent),
    ("class_divergence", "Divergence", lambda v: _number(v)),
    ("redundancy", "Redundancy", lambda v: _number(v)),
)
"""Metric, heading, and how it is written."""


def strategy_title(name: str) -> str:
    """Returns what a strategy is called on a page."""
    return STRATEGY_TITLES.get(name, words(name))


def headline_strategy(report: MiningReport) -> str:
    """Returns whose numbers come first: ours, or else the best one."""
    ranked = report.ranked()
    if DEFAULT in ranked:
        return DEFAULT
    return next((n for n in ranked if n not in (ORACLE, RANDOM)), ranked[0])


def times(value: float) -> str:
    """Writes a lift: "3.1×", a dash where it is unknown."""
    return "–" if math.isnan(value) else f"{value:.1f}×"


def between(cell: Mapping[str, float], write: Callable[[float], str]) -> str:
    """Writes an interval: "2.8× to 3.3×", nothing where it is unknown."""
    # reports of earlier versions have none
    low, high = (cell.get(end, math.nan) for end in ("low", "high"))
    if math.isnan(low) or math.isnan(high):
        return ""
    return f"{write(low)} to {write(high)}"


def strategy_table(report: MiningReport, target: str = ALL) -> Html:
    """Lists what every strategy reaches at the marked budget.

    Args:
        report: an evaluation
        target ("all"): a class name or "all"
    """
    cells = {
        (row["strategy"], row["metric"]): row
        for row in report.rows
        if row["target"] == target and math.isclose(row["budget"], report.mark)
    }
    largest = max(report.meta["budgets"])
    areas = {
        row["strategy"]: row
        for row in report.rows
        if row["target"] == target and row["metric"] == "frame_recall_area"
    }
    shown = [
        (metric, title, write)
        for metric, title, write in COLUMNS
        if any(
            not math.isnan(cells[n, metric]["mean"])
            for n in report.meta["strategies"]
            if (n, metric) in cells
        )
    ]
    names = sorted(areas, key=lambda name: -areas[name]["mean"])
    return table(
        (
            "Strategy",
            *(title for _, title, _ in shown),
            f"Area to {percent(largest)}",
        ),
        [
            [
                element("td", strategy_title(name)),
                *(
                    _value(cells.get((name, metric)), write)
                    for metric, _, write in shown
                ),
                _value(areas.get(name), percent),
            ]
            for name in names
        ],
        numbers=range(1, len(shown) + 2),
    )


def pair_table(
    report: MiningReport, reference: str, metric: str = "frame_recall_area"
) -> Html:
    """Compares one strategy with every other one.

    Args:
        report: an evaluation
        reference: the strategy
        metric ("frame_recall_area"): what is compared
    """
    rows = []
    for name in report.ranked():
        if name == reference:
            continue
        pair = report.compare(reference, name, metric)
        rows.append(
            [
                element("td", strategy_title(name)),
                element(
                    "td",
                    _points(pair["difference"]),
                    element("span", between(pair, _points), class_="ci"),
                    class_="n",
                ),
                element("td", percent(pair["better_scenes"]), class_="n"),
                element("td", percent(pair["better_seeds"]), class_="n"),
            ]
        )
    return table(
        (
            f"{strategy_title(reference)} against",
            "Difference, points",
            "Better, sets of scenes",
            "Better, seeds",
        ),
        rows,
        numbers=(1, 2, 3),
    )


def object_table(report: MiningReport, field: str, among: str = "all") -> Html:
    """Lists how well each object score ranks what is target and rare.

    Args:
        report: an evaluation
        field: the mined detections
        among ("all"): or "matched", without clutter
    """
    cells = {
        (row["score"], row["truth"]): row
        for row in report.objects
        if row["field"] == field and row["among"] == among
    }
    present = {truth for _, truth in cells}
    wanted = [truth for truth in ("target", "rare") if truth in present]
    if not wanted:
        return element("p", "No object shows any.", class_="empty")
    names = list(dict.fromkeys(score for score, _ in cells))
    names.sort(key=lambda n: -_of(cells, (n, wanted[0]), "average_precision"))
    heads = ["Score"]
    for truth in wanted:
        some = next(cell for key, cell in cells.items() if key[1] == truth)
        heads.append(f"{truth}: AUROC")
        heads.append(f"AP ({some['prevalence']:.3f})")
    return table(
        heads,
        [
            [
                element("td", _score_title(name), class_="nowrap"),
                *(
                    element(
                        "td",
                        _number(_of(cells, (name, truth), what)),
                        class_="n",
                    )
                    for truth in wanted
                    for what in ("auroc", "average_precision")
                ),
            ]
            for name in names
        ],
        numbers=range(1, len(heads)),
    )


def matching_note(summary: Mapping[str, Any]) -> str:
    """Says what became of the mined objects when they were matched."""
    found = summary["boxes_found"]
    there = summary["boxes"]
    rare = ", ".join(summary["rare_categories"]) or "none"
    return (
        f"{count(summary['objects'])} mined objects: "
        f"{count(summary['matched'])} show an annotated object (overlap from "
        f"{summary['min_iou']:g}, one to one, the surest first), "
        f"{count(summary['unmatched'])} show none and count against a score, "
        f"{count(summary['detected_again'])} show a thing that another "
        f"object shows already, and {count(summary['box_left_out'])} a box "
        "that the filter leaves out: the last two are not judged. The "
        f"detector found {count(found['target'])} of "
        f"{count(there['target'])} target boxes and {count(found['rare'])} "
        f"of {count(there['rare'])} rare ones (categories below "
        f"{percent(summary['rare_share'])} of the boxes: {rare})."
    )


def heat_map(names: Sequence[str], values: np.ndarray, *, title: str) -> Html:
    """Draws a square table of numbers from -1 to 1.

    Args:
        names: n names
        values: (n, n), NaN is left blank
        title: what a reader who cannot see colours is told
    """
    head = element(
        "tr", element("td"), (element("th", name) for name in names)
    )
    body = (
        element(
            "tr",
            element("th", name),
            (_tint(float(value)) for value in row),
        )
        for name, row in zip(names, values, strict=True)
    )
    whole = element(
        "table",
        element("thead", head),
        element("tbody", body),
        aria_label=title,
    )
    return element("div", whole, class_="heat")


def _tint(value: float) -> Html:
    if math.isnan(value):
        return element("td", "–", class_="none")
    share = min(abs(value), 1) * 75
    color = "--target" if value >= 0 else "--o1"
    return element(
        "td",
        _short(value),
        style=f"background:color-mix(in srgb,var({color}) {share:.0f}%,"
        "var(--card))",
    )


def _value(
    cell: Mapping[str, Any] | None, write: Callable[[float], str]
) -> Html:
    if cell is None:
        return element("td", "–", class_="n")
    return element(
        "td",
        write(cell["mean"]),
        element("span", between(cell, write), class_="ci"),
        class_="n",
    )


def _short(value: float) -> str:
    """Writes a number from -1 to 1 in few signs: ".42", "−.10", "1"."""
    text = f"{value:.2f}"
    if text in ("0.00", "-0.00"):
        return "0"
    if text in ("1.00", "-1.00"):
        text = text[:-3]
    return text.replace("0.", ".").replace("-", "−")


def _score_title(name: str) -> str:
    """Returns what an object score is called: "−confidence" if turned."""
    return words(name).replace("-", "−")


def _of(cells: Mapping[Any, Mapping[str, Any]], key: Any, what: str) -> float:
    return float(cells[key][what]) if key in cells else math.nan


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"


def _points(value: float) -> str:
    """Writes a difference of shares in percentage points, with its sign."""
    if math.isnan(value):
        return "–"
    points = f"{100 * value:+.1f}"
    return "0.0" if points in ("+0.0", "-0.0") else points.replace("-", "−")
