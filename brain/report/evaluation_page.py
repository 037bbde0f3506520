"""The report of an evaluation: one HTML page of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import fiftyone as fo
import numpy as np

from raremine.brain.evaluation.curves import ALL
from raremine.brain.evaluation.report import METRICS, MiningReport
from raremine.brain.report.charts import Bar, bars
from raremine.brain.report.document import document, write_document
from raremine.brain.report.evaluation_examples import (
    default_pairs,
    examples,
)
from raremine.brain.report.evaluation_section import (
    how_to_read,
    recall_panel,
    verdict,
)
from raremine.brain.report.evaluation_tables import (
    between,
    headline_strategy,
    heat_map,
    matching_note,
    object_table,
    pair_table,
    strategy_table,
    strategy_title,
    times,
)
from raremine.brain.report.html import Html, count, element, join, percent
from raremine.brain.report.parts import panel, section, words
from raremine.brain.strategies import ORACLE, RANDOM

COMPARED = 3
"""Strategies whose lift is drawn for each class."""


def write_page(
    report: MiningReport,
    path: str | Path,
    dataset: fo.Dataset | None = None,
    *,
    compare: Sequence[tuple[str, str]] | None = None,
    title: str | None = None,
) -> Path:
    """Writes the page; see :meth:`MiningReport.to_html`."""
    name = title or (None if dataset is None else dataset.name)
    return write_document(path, page(report, dataset, compare, name))


def page(
    report: MiningReport,
    dataset: fo.Dataset | None = None,
    compare: Sequence[tuple[str, str]] | None = None,
    title: str | None = None,
) -> str:
    """Returns the whole page."""
    heading = title or "Evaluation"
    shown = (
        [examples(report, dataset, compare)]
        if dataset is not None and report.differences
        else []
    )
    return document(
        f"{heading}: evaluation",
        _header(report, heading),
        _recall(report),
        _classes(report),
        _strategies(report),
        _pairs(report),
        *shown,
        *_objects(report),
        *_agreement(report),
        _facts(report),
    )


def _header(report: MiningReport, heading: str) -> Html:
    name = headline_strategy(report)
    truth = report.meta.get("truth", {})
    mark = percent(report.mark)
    cards: list[Html] = []
    for metric, meaning, write in (
        ("frame_lift", "as many target frames as random finds", times),
        ("frame_recall", "of the frames with a target", percent),
        ("instance_recall", "of the target instances", percent),
        ("scene_coverage", "of the scenes are in the selection", percent),
    ):
        cell = report.cell(name, metric)
        if cell is None:
            continue
        limits = between(cell, write)
        cards.append(
            element(
                "div",
                element("b", write(cell["mean"])),
                element("span", meaning),
                element("span", limits) if limits else None,
                class_="card main" if not cards else "card",
            )
        )
    return element(
        "header",
        element("p", "raremine · evaluation", class_="eyebrow"),
        element("h1", heading),
        element(
            "p",
            f"What {strategy_title(name)} finds with {mark} of "
            f"{count(truth.get('frames', 0))} frames of "
            f"{count(report.meta.get('scenes', 0))} scenes, of which "
            f"{count(truth.get('frames_with_target', 0))} hold one of "
            f"{', '.join(report.meta['targets'])}. Intervals tell what other "
            "scenes of the kind would have given, in 95 of 100 cases.",
            class_="lede",
        ),
        element("div", cards, class_="cards"),
    )


def _recall(report: MiningReport) -> Html:
    return section(
        "Recall by budget",
        how_to_read(report),
        recall_panel(report),
        recall_panel(report, "instance_recall"),
        verdict(report),
        id="recall",
    )


def _classes(report: MiningReport) -> Html:
    """Lift of each class, a bar for each of a few strategies."""
    ours = headline_strategy(report)
    rivals = [b for a, b in default_pairs(report) if a == ours]
    ranked = report.ranked(distinct=(ours, *rivals, ORACLE, RANDOM))
    names = list(dict.fromkeys([ours, *rivals, *ranked]))
    names = [n for n in names if n not in (ORACLE, RANDOM)][:COMPARED]
    truth = report.meta.get("truth", {})
    held = truth.get("instances_by_class", {})
    scenes = truth.get("scenes_by_class", {})
    targets = [ALL, *(t for t in report.meta["targets"] if held.get(t))]
    cells = {
        (t, n): cell
        for t in targets
        for n in names
        if (cell := report.cell(n, "frame_lift", t)) is not None
    }
    ends = [
        v
        for cell in cells.values()
        for v in (cell["mean"], cell["high"])
        if np.isfinite(v)
    ]
    most = max([1.0, *ends])
    styles = dict(zip(names, ("default", "plain", "random"), strict=False))
    blocks: list[Html] = []
    for target in targets:
        title = "any target" if target == ALL else target
        number = (
            f" ({_many(held[target], 'object')} in "
            f"{_many(scenes.get(target, 0), 'scene')})"
            if target != ALL
            else ""
        )
        rows = [
            Bar(
                strategy_title(name),
                [(styles[name], cells[target, name]["mean"] / most)],
                times(cells[target, name]["mean"]),
                1 / most,
                note=between(cells[target, name], times),
                between=(
                    cells[target, name]["low"] / most,
                    cells[target, name]["high"] / most,
                ),
            )
            for name in names
            if (target, name) in cells
        ]
        blocks.append(element("h3", title + number))
        blocks.append(bars(rows))
    return section(
        "Lift by class",
        "How many times as many frames with the class a selection of "
        f"{percent(report.mark)} holds as random frames would. The rule "
        "across each bar is random, 1×; thin lines are 95 % intervals over "
        "scenes: wide for a class of few scenes, none for one of a single "
        "scene.",
        panel(*blocks),
        id="classes",
    )


def _strategies(report: MiningReport) -> Html:
    return section(
        "Every strategy",
        f"At {percent(report.mark)} of the frames, for all targets, with "
        "95 % intervals over scenes. Divergence (of the classes from all "
        "alike) and redundancy are better when they are low.",
        strategy_table(report),
        *(
            element(
                "details",
                element("summary", f"For {target} alone"),
                strategy_table(report, target),
            )
            for target in report.meta["targets"]
            if report.meta["truth"]["frames_by_class"].get(target)
        ),
        id="strategies",
    )


def _pairs(report: MiningReport) -> Html | None:
    if len(report.meta["strategies"]) < 2 or not report.pairs:
        return None
    ours = headline_strategy(report)
    references = [ours] + [
        n for n in (RANDOM,) if n in report.meta["strategies"] and n != ours
    ]
    return section(
        "Is the difference real?",
        "Difference in the area under recall of target frames by budget, in "
        "percentage points. All strategies are measured on the same "
        "resampled sets of scenes, so what makes all of them better or worse "
        "cancels out. An interval that holds 0 says that other scenes might "
        "have turned it around.",
        pair_table(report, references[0]),
        *(
            element(
                "details",
                element("summary", f"{strategy_title(n)} against others"),
                pair_table(report, n),
            )
            for n in references[1:]
        ),
        id="pairs",
    )


def _objects(report: MiningReport) -> list[Html]:
    found = report.meta.get("objects", {})
    blocks: list[Html] = []
    for field, summary in found.items():
        if not any(row["field"] == field for row in report.objects):
            continue
        if len(found) > 1:
            blocks.append(element("h3", f"Field {field}"))
        blocks.append(object_table(report, field))
        blocks.append(
            element(
                "details",
                element("summary", "Among objects that show something real"),
                object_table(report, field, "matched"),
            )
        )
        blocks.append(element("p", matching_note(summary), class_="note"))
    if not blocks:
        return []
    return [
        section(
            "Which score finds rare objects",
            "Every mined object is matched to the annotations; each score "
            "then ranks the objects. AUROC is the chance that a target has "
            "the higher score of the two, with something else. AP is the "
            "average precision; a random ranking has the number in brackets.",
            *blocks,
            id="objects",
        )
    ]


def _agreement(report: MiningReport) -> list[Html]:
    parts: list[Html] = []
    overlap = report.overlap_table
    if len(overlap):
        names = [strategy_title(n) for n in overlap.columns]
        parts.append(
            section(
                "Do they choose the same frames?",
                f"Jaccard index of two selections at {percent(report.mark)}: "
                "shared frames over all frames that either has, between "
                "different seeds. On the diagonal: how much of a strategy’s "
                "selection does not depend on luck. Two random selections "
                f"share {report.mark / (2 - report.mark):.2f}.",
                panel(heat_map(names, overlap.to_numpy(), title="overlap")),
                id="overlap",
            )
        )
    signals = report.signal_table
    if len(signals):
        parts.append(
            section(
                "Do the signals agree?",
                "Spearman’s rank correlation of the frames’ signals. Signals "
                "that hardly correlate are worth joining; two that always "
                "agree are one.",
                panel(
                    heat_map(
                        [words(str(n)) for n in signals.columns],
                        signals.to_numpy(),
                        title="rank correlation",
                    )
                ),
                id="signals",
            )
        )
    return parts


def _many(number: int, what: str) -> str:
    return f"{count(number)} {what}{'' if number == 1 else 's'}"


def _facts(report: MiningReport) -> Html:
    meta = report.meta
    truth = meta.get("truth", {})
    filters = truth.get("filter", {})
    facts = {
        "pool": f"{count(truth.get('frames', 0))} frames"
        + (
            f", splits {', '.join(s for s in meta['splits'] if s)}"
            if any(meta.get("splits", ()))
            else ""
        ),
        "ground truth": f"{meta.get('gt_field', 'ground_truth')}: "
        f"{count(truth.get('boxes_counted', 0))} of "
        f"{count(truth.get('boxes', 0))} target boxes count ("
        + ", ".join(f"{words(k)} {v:g}" for k, v in filters.items())
        + ")",
        "seeds": count(len(meta["seeds"])),
        "resampled sets of scenes": count(meta.get("resamples", 0)),
        "notes": " ".join(meta.get("notes", ())) or "none",
    }
    return element(
        "footer",
        element(
            "dl",
            (
                join(element("dt", name), element("dd", value))
                for name, value in facts.items()
            ),
        ),
        element("h3", "What the metrics are"),
        element(
            "dl",
            (
                join(element("dt", words(name)), element("dd", meaning))
                for name, meaning in METRICS.items()
            ),
        ),
    )
