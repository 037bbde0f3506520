"""Strategies compared in pairs: over resampled scenes and over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from raremine.brain.evaluation.outcomes import Outcome, Protocol
from raremine.brain.evaluation.resampling import FRAME, INSTANCE, interval

PAIR_COLUMNS = (
    "a",
    "b",
    "budget",
    "target",
    "metric",
    "difference",
    "low",
    "high",
    "better_scenes",
    "std",
    "better_seeds",
)

DIGITS = 6


def compare_pairs(
    outcomes: Sequence[Outcome], rules: Protocol
) -> dict[str, list[Any]]:
    """Compares every two strategies, column by column.

    Args:
        outcomes: of the strategies
        rules: what they were measured by

    Returns:
        ``PAIR_COLUMNS`` as lists of equal length: strategies ``a`` and ``b``
        (each pair once), budget, target, metric (``frame_recall``,
        ``instance_recall`` and their ``_area``), the mean over seeds of a
        minus b with its 95 % interval over scenes, the share of resampled
        pools in which a is better, the standard deviation of the difference
        over seeds, and the share of seeds with which a is better; a tie is
        half of "better"
    """
    out: dict[str, list[Any]] = {name: [] for name in PAIR_COLUMNS}
    for metric, budget, take in _measures(rules):
        values = [take(outcome) for outcome in outcomes]
        for number, (ours, again) in enumerate(values):
            for other in range(number + 1, len(values)):
                theirs, again_theirs = values[other]
                _add(
                    out,
                    outcomes[number].name,
                    outcomes[other].name,
                    metric,
                    budget,
                    _targets(rules, metric),
                    ours - theirs,
                    again - again_theirs,
                )
    return out


def _measures(rules: Protocol) -> list[tuple[str, float, Any]]:
    """Returns metric, budget, and what takes both values of an outcome.

    These are (n, t) by seed and (t, r) by resampled pool, for t targets.
    """

    def recall(kinds: np.ndarray, at: int) -> Any:
        return lambda o: (
            o.recall[:, at][:, kinds],
            o.resampled_recall[at][kinds],
        )

    def area(kinds: np.ndarray) -> Any:
        return lambda o: (o.area[:, kinds], o.resampled_area[kinds])

    found: list[tuple[str, float, Any]] = []
    for what in (FRAME, INSTANCE):
        kinds = np.array(
            [j for j, kind in enumerate(rules.finds.kinds) if kind[0] == what]
        )
        for budget, at in zip(
            rules.budgets.tolist(), rules.at_budget.tolist(), strict=True
        ):
            found.append((f"{what}_recall", budget, recall(kinds, at)))
        largest = float(rules.budgets[-1])
        found.append((f"{what}_recall_area", largest, area(kinds)))
    return found


def _targets(rules: Protocol, metric: str) -> list[str]:
    what = metric.partition("_")[0]
    return [name for kind, name in rules.finds.kinds if kind == what]


def _add(
    out: dict[str, list[Any]],
    a: str,
    b: str,
    metric: str,
    budget: float,
    targets: Sequence[str],
    seeds: np.ndarray,
    pools: np.ndarray,
) -> None:
    """Adds the rows of a pair: (n, t) differences by seed, (t, r) by pool."""
    low, high = interval(pools)
    n = len(seeds)
    columns = {
        "difference": seeds.mean(axis=0),
        "low": low,
        "high": high,
        "better_scenes": _better(pools.T),
        "std": seeds.std(axis=0, ddof=1) if n > 1 else np.nan * seeds[0],
        "better_seeds": _better(seeds),
    }
    t = len(targets)
    out["a"] += [a] * t
    out["b"] += [b] * t
    out["metric"] += [metric] * t
    out["budget"] += [budget] * t
    out["target"] += targets
    for name, values in columns.items():
        out[name] += np.round(values, DIGITS).tolist()


def _better(differences: np.ndarray) -> np.ndarray:
    """Returns the share of rows above 0, a tie as half, by column."""
    known = np.isfinite(differences)
    # recalls are sums and quotients: what rounding leaves is a tie
    sign = np.sign(np.where(np.abs(differences) < 1e-9, 0, differences))
    points = np.where(known, (sign + 1) / 2, 0).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(points / known.sum(axis=0))
