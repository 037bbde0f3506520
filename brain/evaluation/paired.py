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

DIGITS = 5


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
    names = [outcome.name for outcome in outcomes]
    for metric, budget, take in _measures(rules):
        values = [take(outcome) for outcome in outcomes]
        targets = _targets(rules, metric)
        t = len(targets)
        for at, (seeds, pools) in enumerate(values[:-1]):
            others = names[at + 1 :]
            # (m, t, n) by seed and (m, t, r) by pool
            by_seed = np.stack([(seeds - v[0]).T for v in values[at + 1 :]])
            by_pool = np.stack([pools - v[1] for v in values[at + 1 :]])
            low, high = interval(by_pool)
            columns = {
                "difference": by_seed.mean(axis=-1),
                "low": low,
                "high": high,
                "better_scenes": _better(by_pool),
                "std": _std(by_seed),
                "better_seeds": _better(by_seed),
            }
            out["a"] += [names[at]] * (t * len(others))
            out["b"] += [other for other in others for _ in targets]
            out["metric"] += [metric] * (t * len(others))
            out["budget"] += [budget] * (t * len(others))
            out["target"] += targets * len(others)
            for name, column in columns.items():
                out[name] += np.round(column, DIGITS).ravel().tolist()
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


def _std(differences: np.ndarray) -> np.ndarray:
    """Returns the standard deviation over seeds, NaN for one seed."""
    if differences.shape[-1] < 2:
        return np.full(differences.shape[:-1], np.nan)
    return np.asarray(differences.std(axis=-1, ddof=1))


def _better(differences: np.ndarray) -> np.ndarray:
    """Returns the share of differences above 0, a tie as half."""
    known = np.isfinite(differences)
    # recalls are sums and quotients: what rounding leaves is a tie
    sign = np.sign(np.where(np.abs(differences) < 1e-9, 0, differences))
    points = np.where(known, (sign + 1) / 2, 0).sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(points / known.sum(axis=-1))
