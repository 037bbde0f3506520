"""The result of an evaluation: one tidy table, and curves to draw."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from raremine.brain.errors import RaremineError
from raremine.brain.evaluation.curves import ALL, Curves, area
from raremine.brain.ranking import share_count

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("strategy", "budget", "target", "metric", "mean", "std")

METRICS = {
    "frame_recall": "share of the frames with the target that were selected",
    "instance_recall": "share of the target's instances seen in the selection",
    "precision": "share of the selected frames that hold the target",
    "frame_lift": "frame recall over that of a random selection, expected",
    "instance_lift": "instance recall over that of a random selection",
    "scene_coverage": "share of the scenes with a selected frame",
    "frame_recall_area": "mean frame recall over all budgets up to this one",
    "instance_recall_area": "mean instance recall over budgets up to this",
}
"""What each metric of the table means."""

DRAWN_POINTS = 60
"""Points of a curve that is kept to be drawn, over budgets from 0 to 1."""

DIGITS = 5
"""Decimals of these points."""


@dataclass
class MiningReport:
    """How well strategies mine, against ground truth.

    Attributes:
        rows: the table's rows, see ``table``
        curves: recall against budget, to draw: one entry per strategy,
            target and metric with lists ``budget``, ``mean`` and ``std``
        meta: parameters, the pool and its ground truth
    """

    rows: list[dict[str, Any]]
    curves: list[dict[str, Any]]
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def table(self) -> pd.DataFrame:
        """One row per strategy, budget, target and metric.

        ``target`` is a class name or "all"; ``mean`` and ``std`` are over
        the seeds. Metrics are described in ``METRICS``. NaN = the class has
        no ground truth in the pool.
        """
        return _frame(self.rows)

    @property
    def curve_table(self) -> pd.DataFrame:
        """Recall at many budgets, to draw; columns as in ``table``."""
        return _frame(
            [
                {**curve, "budget": budget, "mean": mean, "std": std}
                for curve in self.curves
                for budget, mean, std in zip(
                    curve["budget"], curve["mean"], curve["std"], strict=True
                )
            ]
        )

    def recall(
        self,
        strategy: str,
        budget: float,
        target: str = ALL,
        metric: str = "frame_recall",
    ) -> float:
        """Returns the mean over seeds of one cell of the table.

        Args:
            strategy: its name
            budget: share of the pool's frames, one that was evaluated
            target ("all"): a class name or "all"
            metric ("frame_recall"): one of ``METRICS``

        Raises:
            RaremineError: if it was not evaluated
        """
        wanted = {"strategy": strategy, "target": target, "metric": metric}
        for row in self.rows:
            if math.isclose(row["budget"], budget) and all(
                row[k] == v for k, v in wanted.items()
            ):
                return float(row["mean"])
        have = {
            k: sorted({str(row[k]) for row in self.rows})
            for k in ("strategy", "budget", "target", "metric")
        }
        raise RaremineError(
            f"{metric} of '{strategy}' at budget {budget} for '{target}' was "
            f"not evaluated; there is: {have}."
        )

    def to_dict(self) -> dict[str, Any]:
        """Returns the report as plain values, null in place of NaN."""
        return {
            "meta": self.meta,
            "table": _no_nan(self.rows),
            "curves": _no_nan(self.curves),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> MiningReport:
        """Rebuilds a report from ``to_dict``."""
        return cls(
            _with_nan(data["table"]),
            _with_nan(data["curves"]),
            dict(data["meta"]),
        )

    def to_json(self, path: str | Path | None = None) -> str:
        """Returns the report as JSON and writes it to ``path`` if given."""
        text = json.dumps(self.to_dict(), allow_nan=False)
        if path is not None:
            Path(path).write_text(text + "\n", encoding="utf-8")
        return text


def summarise(
    strategy: str,
    runs: Sequence[Curves],
    expected: Curves,
    budgets: Sequence[float],
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Turns a strategy's curves, one per seed, into rows.

    Args:
        strategy: its name
        runs: its curves, one for each seed
        expected: the exact average of random selection
        budgets: shares of the frames

    Returns:
        rows of the table, and rows of the curves to draw
    """
    f = len(runs[0].scene_coverage) - 1
    largest = max(budgets)
    rows: list[dict[str, Any]] = []

    def add(
        budget: float,
        target: str,
        metric: str,
        values: Sequence[float] | np.ndarray,
    ) -> None:
        mean, std = _mean_and_std(np.asarray(values)[:, None])
        cells = (
            strategy,
            float(budget),
            target,
            metric,
            float(mean[0]),
            float(std[0]),
        )
        rows.append(dict(zip(COLUMNS, cells, strict=True)))

    curves: list[dict[str, Any]] = []
    shares = np.unique([*budgets, *np.linspace(0, 1, DRAWN_POINTS + 1)])
    drawn = [share_count(share, f) for share in shares]
    for kind in ("frame", "instance"):
        recalls = [getattr(run, f"{kind}_recall") for run in runs]
        random = getattr(expected, f"{kind}_recall")
        for target in recalls[0]:
            of_target = np.stack([r[target] for r in recalls])
            for budget in budgets:
                k = share_count(budget, f)
                add(budget, target, f"{kind}_recall", of_target[:, k])
                lift = (
                    of_target[:, k] / random[target][k]
                    if random[target][k]
                    else np.full(len(runs), np.nan)
                )
                add(budget, target, f"{kind}_lift", lift)
            areas = [area(c, share_count(largest, f)) for c in of_target]
            add(largest, target, f"{kind}_recall_area", areas)
            mean, std = _mean_and_std(of_target[:, drawn])
            curves.append(
                {
                    "strategy": strategy,
                    "target": target,
                    "metric": f"{kind}_recall",
                    "budget": shares.round(DIGITS).tolist(),
                    "mean": mean.round(DIGITS).tolist(),
                    "std": std.round(DIGITS).tolist(),
                }
            )
    for budget in budgets:
        k = share_count(budget, f)
        for target in runs[0].precision:
            values = [run.precision[target][k] for run in runs]
            add(budget, target, "precision", values)
        values = [run.scene_coverage[k] for run in runs]
        add(budget, ALL, "scene_coverage", values)
    return rows, curves


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(rows, columns=list(COLUMNS))


def _mean_and_std(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and sample standard deviation over the rows (seeds)."""
    if len(values) > 1:
        return values.mean(axis=0), values.std(axis=0, ddof=1)
    # the spread of a single seed is unknown, not zero
    return values[0], np.full(values.shape[1], math.nan)


def _no_nan(value: Any) -> Any:
    """Replaces NaN, which JSON does not know, by None."""
    if isinstance(value, dict):
        return {k: _no_nan(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_no_nan(v) for v in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _with_nan(value: Any) -> Any:
    """Undoes ``_no_nan``, in tables that hold no other None."""
    if isinstance(value, dict):
        return {k: _with_nan(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_with_nan(v) for v in value]
    return math.nan if value is None else value
