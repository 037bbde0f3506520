"""What the runs of stages found: keywords, selections, evaluations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import fiftyone as fo

from raremine.brain.overview.conditions import HOLDS, Condition
from raremine.brain.overview.fields import latest_run
from raremine.brain.selection.result import Selection, Shortage
from raremine.brain.selection.stage import list_selections, load_selection
from raremine.brain.strategies import DEFAULT, PAPER, RANDOM

MOST_KEYWORDS = 15
MOST_CURVES = 6
FIRST_STRATEGIES = (DEFAULT, PAPER, RANDOM, "oracle")


@dataclass(frozen=True)
class Keyword:
    """A word of the captions.

    Attributes:
        word: the keyword
        novelty: -log(frequency)
        objects: how many carry it
        scenes: in how many scenes
    """

    word: str
    novelty: float
    objects: int
    scenes: int

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """What an object that carries it has to be."""
        return (Condition("keywords", HOLDS, self.word),)


@dataclass(frozen=True)
class SelectionSummary:
    """A selection without its frames.

    Attributes:
        name: which is also the tag on the samples
        field: the mined field it was made from
        frames: how many keyframes
        pool: keyframes that the shares refer to
        parts: component → keyframes
        shortages: shares and quotas that are not met
        notes: what else there is to know
        recipe: shares by component
    """

    name: str
    field: str
    frames: int
    pool: int
    parts: dict[str, int]
    shortages: tuple[Shortage, ...]
    notes: tuple[str, ...]
    recipe: dict[str, Any]


@dataclass(frozen=True)
class Curve:
    """How much a strategy finds.

    Attributes:
        strategy: its name
        budget: shares of the pool's frames
        mean: recall at each, mean over seeds
        low: lower end of its interval over scenes, empty if not resampled
        high: upper end
    """

    strategy: str
    budget: tuple[float, ...]
    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True)
class Evaluation:
    """The curves of an evaluation.

    Attributes:
        brain_key: of its run
        field: the mined field
        gt_field: the ground truth
        mark: budget at which the strategies' finds were compared
        targets: the target classes
        curves: the best first
        areas: strategy → area under its curve, the mean of its recall
        found: strategy → other strategy → ids of a few ground truth boxes
            that the first one finds at the mark and the other does not
    """

    brain_key: str
    field: str
    gt_field: str
    mark: float
    targets: tuple[str, ...]
    curves: tuple[Curve, ...]
    areas: dict[str, float]
    found: dict[str, dict[str, list[str]]]


def top_keywords(
    dataset: fo.Dataset, field: str, most: int = MOST_KEYWORDS
) -> list[Keyword] | None:
    """Returns the most novel keywords.

    A word that a single object carries may be a slip of the captioner, so
    those come after all others.

    Args:
        dataset: the root dataset
        field: the mined field
        most (15): how many

    Returns:
        None if novelty was never scored
    """
    key = latest_run(dataset, "novelty", field)
    results: Any = dataset.load_brain_results(key) if key else None
    if results is None:
        return None
    table = results.table()
    # among equals, what several scenes show is the least likely slip
    table = table[table.novelty.notna()].sort_values(
        ["novelty", "scenes"], ascending=False, kind="stable"
    )
    again = table[table["count"] > 1].head(most)
    once = table[table["count"] == 1].head(most - len(again))
    return [
        Keyword(str(r.keyword), float(r.novelty), int(r[2]), int(r.scenes))
        for rows in (again, once)
        for r in rows.itertuples()
    ]


def pareto_signals(dataset: fo.Dataset, field: str) -> list[str] | None:
    """Returns the object scores that the latest Pareto ranking joined.

    Args:
        dataset: the root dataset
        field: the mined field

    Returns:
        names of attributes; None if there is no ranking
    """
    key = latest_run(dataset, "pareto", field)
    if key is None:
        return None
    params = dataset.get_brain_info(key).config.params
    levels = [str(s).partition(":") for s in params.get("read_as", ())]
    return [name for level, _, name in levels if level == "object"]


def selection_names(dataset: fo.Dataset, field: str) -> list[str]:
    """Returns the selections, those of a field last: the newest at the end.

    Args:
        dataset: the root dataset
        field: the mined field
    """
    names = list_selections(dataset)
    return sorted(names, key=lambda n: _field_of(dataset, n) == field)


def summarise_selection(dataset: fo.Dataset, name: str) -> SelectionSummary:
    """Returns what is to say about a selection.

    Args:
        dataset: the root dataset
        name: name of the selection
    """
    selection = load_selection(dataset, name)
    recipe = selection.recipe or {}
    return SelectionSummary(
        name,
        _field_of(dataset, name),
        len(selection),
        selection.pool_size,
        selection.counts,
        selection.shortages,
        selection.notes,
        {k: v for k, v in recipe.items() if isinstance(v, float)},
    )


def tokens_of_part(selection: Selection, part: str) -> list[str]:
    """Returns the keyframes that a component chose."""
    return [p.sample_token for p in selection.picks if p.component == part]


def read_evaluation(
    dataset: fo.Dataset, field: str | None = None
) -> Evaluation | None:
    """Returns the latest evaluation, None if there is none.

    Args:
        dataset: the root dataset
        field (None): a mined field whose evaluations come before others
    """
    from raremine.brain.evaluation.stage import load_report

    key = latest_run(dataset, "evaluation", field)
    key = key or latest_run(dataset, "evaluation")
    if key is None or dataset.load_brain_results(key) is None:
        return None
    report = load_report(dataset, key)
    ranked = report.ranked(FIRST_STRATEGIES)
    shown = _shown(ranked)
    curves = {
        str(c["strategy"]): c
        for c in report.curves
        if c["metric"] == "frame_recall" and c["target"] == "all"
    }
    return Evaluation(
        brain_key=key,
        field=str(report.meta.get("field", "")),
        gt_field=str(report.meta.get("gt_field", "ground_truth")),
        mark=report.mark,
        targets=tuple(report.meta.get("targets", ())),
        curves=tuple(_curve(curves[n]) for n in shown if n in curves),
        areas=_areas(report.rows, shown),
        found={n: report.differences.get(n, {}) for n in shown},
    )


def _shown(ranked: Sequence[str]) -> list[str]:
    """Ours, the paper's, random, the ceiling, and the best of the others."""
    kept = [name for name in ranked if name in FIRST_STRATEGIES]
    others = [name for name in ranked if name not in FIRST_STRATEGIES]
    kept += others[: max(MOST_CURVES - len(kept), 0)]
    return [name for name in ranked if name in kept]


def _curve(curve: dict[str, Any]) -> Curve:
    def numbers(name: str) -> tuple[float, ...]:
        return tuple(float(v) for v in curve.get(name) or ())

    return Curve(
        str(curve["strategy"]),
        numbers("budget"),
        numbers("mean"),
        numbers("low"),
        numbers("high"),
    )


def _areas(
    rows: Sequence[dict[str, Any]], names: Sequence[str]
) -> dict[str, float]:
    wanted = [
        r
        for r in rows
        if r["metric"] == "frame_recall_area"
        and r["target"] == "all"
        and r["strategy"] in names
    ]
    last = max((r["budget"] for r in wanted), default=None)
    return {
        str(r["strategy"]): float(r["mean"])
        for r in wanted
        if r["budget"] == last
    }


def _field_of(dataset: fo.Dataset, name: str) -> str:
    from raremine.brain.selection.runs import selection_runs

    for params in selection_runs(dataset).values():
        if params.get("name") == name:
            return str(params.get("field") or "objects")
    return ""
