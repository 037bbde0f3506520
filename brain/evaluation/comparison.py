"""Measures strategies on a frame table: the pure core of the evaluation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from raremine.brain.evaluation.agreement import overlap, signal_correlation
from raremine.brain.evaluation.differences import found_and_missed
from raremine.brain.evaluation.ground_truth import FrameTruth
from raremine.brain.evaluation.outcomes import Outcome, outcome, protocol
from raremine.brain.evaluation.paired import compare_pairs
from raremine.brain.evaluation.report import MiningReport, nearest_budget
from raremine.brain.evaluation.resampling import FEWEST_SCENES
from raremine.brain.evaluation.rows import summarise
from raremine.brain.objects import FrameTable
from raremine.brain.ranking import share_count
from raremine.brain.strategies import EMBEDDING, Strategy

BUDGETS = (0.05, 0.1, 0.2, 0.3)

RESAMPLES = 1000

BEYOND = 1.25
"""How far orders go: in a resampled pool a budget may end a little later."""

FEWEST_OF_CLASS = 10
"""Scenes with a class below which its intervals say little."""

DIGITS = 4
"""Decimals of correlations and overlaps."""


def compare(
    frames: FrameTable,
    truth: FrameTruth,
    strategies: Sequence[Strategy],
    budgets: Sequence[float] = BUDGETS,
    seeds: Sequence[int] = tuple(range(20)),
    *,
    resamples: int = RESAMPLES,
    say: Callable[[str], None] = lambda name: None,
) -> MiningReport:
    """Measures strategies on a frame table.

    Args:
        frames: the frames of the pool, sorted by token. Redundancy is
            measured by their column ``embedding``, if they have one
        truth: their ground truth, which only a strategy with ``needs_truth``
            is given
        strategies: what to compare
        budgets: shares of the frames
        seeds: seeds of whatever is drawn
        resamples (1000): resampled pools behind the intervals
        say (None): called with a strategy's name when it is measured
    """
    rules = protocol(
        truth,
        frames.scene,
        budgets,
        embedding=frames.columns.get(EMBEDDING),
        resamples=resamples,
    )
    mark = nearest_budget(rules.budgets.tolist())
    limit = order_limit(len(frames), float(rules.budgets[-1]))
    report = MiningReport([], [])
    outcomes: list[Outcome] = []
    for strategy in strategies:
        orders = orders_of(strategy, frames, seeds, truth, limit=limit)
        outcomes.append(outcome(strategy.name, orders, rules, mark))
        rows, curves = summarise(outcomes[-1], rules)
        report.rows += rows
        report.curves += curves
        say(strategy.name)
    names = [s.name for s in strategies]
    report.pairs = compare_pairs(outcomes, rules)
    report.overlap = {
        "strategies": names,
        "jaccard": _rounded(overlap(outcomes, len(frames))),
    }
    signals, spearman = signal_correlation(frames)
    report.signals = {"names": signals, "spearman": _rounded(spearman)}
    report.differences = found_and_missed(outcomes, truth, frames.scene)
    scenes = len(rules.finds.scene_frames)
    report.meta = {
        "strategies": names,
        "budgets": rules.budgets.tolist(),
        "seeds": list(seeds),
        "targets": list(truth.targets),
        "scenes": scenes,
        "resamples": rules.weight.shape[1],
        "mark": mark,
        "truth": truth.summary,
        "notes": few_scenes(scenes, truth.summary.get("scenes_by_class", {})),
    }
    return report


def orders_of(
    strategy: Strategy,
    frames: FrameTable,
    seeds: Sequence[int],
    truth: FrameTruth | None = None,
    *,
    limit: int | None = None,
) -> list[np.ndarray]:
    """Returns a strategy's order of the frames for each seed.

    Args:
        strategy: it gets the ground truth only if it ``needs_truth``
        frames: the frames of the pool, sorted by token
        seeds: seeds of whatever is drawn
        truth (None): the ground truth
        limit (None): how many frames matter
    """
    seen = truth if strategy.needs_truth else None
    return [strategy.run(frames, seed, seen, limit=limit) for seed in seeds]


def order_limit(frames: int, largest: float) -> int:
    """Returns how far orders have to go for the largest budget."""
    return min(frames, int(np.ceil(BEYOND * share_count(largest, frames))))


def few_scenes(scenes: int, by_class: Mapping[str, int]) -> list[str]:
    """Returns warnings where there are too few scenes for intervals.

    Args:
        scenes: number of scenes
        by_class: number of scenes that hold each class
    """
    if scenes < 2:
        return ["There is one scene, so nothing says how others would do."]
    notes = []
    if scenes < FEWEST_SCENES:
        notes.append(
            f"There are {scenes} scenes; intervals from fewer than "
            f"{FEWEST_SCENES} are too narrow."
        )
    few = [
        f"{name} ({number})"
        for name, number in by_class.items()
        if 0 < number < FEWEST_OF_CLASS
    ]
    if few:
        notes.append(
            f"Fewer than {FEWEST_OF_CLASS} scenes hold {', '.join(few)}: "
            "intervals of these classes say little."
        )
    return notes


def _rounded(matrix: np.ndarray) -> list[list[float]]:
    return [[float(v) for v in row] for row in np.round(matrix, DIGITS)]
