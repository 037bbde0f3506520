"""Turns what a strategy reaches into rows of the report's table."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from raremine.brain.evaluation.curves import ALL
from raremine.brain.evaluation.outcomes import Outcome, Protocol
from raremine.brain.evaluation.resampling import (
    FRAME,
    SCENE,
    interval,
)

COLUMNS = (
    "strategy",
    "budget",
    "target",
    "metric",
    "mean",
    "std",
    "low",
    "high",
)

METRICS = {
    "frame_recall": "share of the frames with the target that were selected",
    "instance_recall": "share of the target's instances seen in the selection",
    "precision": "share of the selected frames that hold the target",
    "frame_lift": "frame recall over that of a random selection, expected",
    "instance_lift": "instance recall over that of a random selection",
    "scene_coverage": "share of the scenes with a selected frame",
    "class_divergence": "divergence (nats) of the classes of the instances "
    "seen to uniform: 0 = all classes alike; lower is better",
    "redundancy": "mean cosine of a selected frame to the selected frame "
    "most like it; lower is better",
    "frame_recall_area": "mean frame recall over all budgets up to this one",
    "instance_recall_area": "mean instance recall over budgets up to this",
}
"""What each metric of the table means."""

DIGITS = 5
"""Decimals of the points of a curve."""

Rows = list[dict[str, Any]]


def summarise(outcome: Outcome, rules: Protocol) -> tuple[Rows, Rows]:
    """Turns an outcome into rows.

    Args:
        outcome: of a strategy
        rules: what it was measured by

    Returns:
        rows of the table, see ``COLUMNS``, and rows of the curves to draw
    """
    table = _Table(outcome.name, rules.budgets)
    curves: Rows = []
    everywhere = rules.finds.total.sum(axis=0)
    expected = rules.finds.expected.sum(axis=1) / _or_nan(everywhere)
    expected_here = rules.expected / _or_nan(rules.things)
    places = rules.at_budget
    recall = outcome.recall[:, places]
    resampled = outcome.resampled_recall[places]
    for j, (what, name) in enumerate(rules.finds.kinds):
        metric = "scene_coverage" if what == SCENE else f"{what}_recall"
        table.add(metric, name, recall[:, :, j], resampled[:, j])
        if what == SCENE:
            continue
        table.add(
            f"{what}_lift",
            name,
            recall[:, :, j] / _or_nan(expected[places, j]),
            resampled[:, j] / _or_nan(expected_here[:, j]),
        )
        table.add(
            f"{what}_recall_area",
            name,
            outcome.area[:, [j]],
            outcome.resampled_area[[j]],
            rules.budgets[-1:],
        )
        curves.append(_curve(outcome, rules, j))
    shares = rules.finds.shares[places]
    found = outcome.resampled_recall[places] * rules.things
    frames = shares[:, None] * rules.frames
    names = [name for what, name in rules.finds.kinds if what == FRAME]
    for number, name in enumerate(names):
        j = rules.finds.kinds.index((FRAME, name))
        table.add(
            "precision",
            name,
            outcome.precision[:, :, number],
            found[:, j] / _or_nan(frames),
        )
    # without intervals: a set of scenes drawn again is less even by the draw
    # alone, and a frame drawn twice would be its own likeness
    table.add("class_divergence", ALL, outcome.divergence)
    table.add("redundancy", ALL, outcome.redundancy)
    return table.rows, curves


class _Table:
    """Rows of one strategy.

    Args:
        name: the strategy's
        budgets: (b,) shares of the frames
    """

    def __init__(self, name: str, budgets: np.ndarray) -> None:
        self.rows: Rows = []
        self._name = name
        self._budgets = budgets

    def add(
        self,
        metric: str,
        target: str,
        seeds: np.ndarray,
        pools: np.ndarray | None = None,
        budgets: np.ndarray | None = None,
    ) -> None:
        """Adds a row for each budget.

        Args:
            metric: one of ``METRICS``
            target: a class or "all"
            seeds: (n, b) by seed
            pools (None): (b, r) by resampled pool
            budgets (None): (b,) None = all
        """
        at = self._budgets if budgets is None else budgets
        mean, std = mean_and_std(seeds)
        low = high = np.full(len(at), np.nan)
        if pools is not None:
            low, high = interval(pools)
        for number, budget in enumerate(at.tolist()):
            cells = (
                *(self._name, budget, target, metric),
                *(float(v[number]) for v in (mean, std, low, high)),
            )
            self.rows.append(dict(zip(COLUMNS, cells, strict=True)))


def mean_and_std(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and sample standard deviation over the rows (seeds)."""
    if len(values) > 1:
        # the mean of equal numbers may be off by a rounding error
        same = (values == values[0]).all(axis=0)
        mean, std = values.mean(axis=0), values.std(axis=0, ddof=1)
        return np.where(same, values[0], mean), np.where(same, 0.0, std)
    # the spread of a single seed is unknown, not zero
    return values[0], np.full(values.shape[1], math.nan)


def _curve(outcome: Outcome, rules: Protocol, j: int) -> dict[str, Any]:
    what, name = rules.finds.kinds[j]
    mean, std = mean_and_std(outcome.recall[:, :, j])
    low, high = interval(outcome.resampled_recall[:, j])
    return {
        "strategy": outcome.name,
        "target": name,
        "metric": f"{what}_recall",
        "budget": rules.points.round(DIGITS).tolist(),
        "mean": mean.round(DIGITS).tolist(),
        "std": std.round(DIGITS).tolist(),
        "low": low.round(DIGITS).tolist(),
        "high": high.round(DIGITS).tolist(),
    }


def _or_nan(values: np.ndarray) -> np.ndarray:
    """Returns a denominator: NaN in place of 0."""
    return np.where(values == 0, np.nan, values)
