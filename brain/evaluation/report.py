"""The result of an evaluation: tidy tables, and curves to draw."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from raremine.brain.errors import RaremineError
from raremine.brain.evaluation.curves import ALL
from raremine.brain.evaluation.object_scores import SCORE_COLUMNS
from raremine.brain.evaluation.paired import PAIR_COLUMNS
from raremine.brain.evaluation.rows import COLUMNS, METRICS

if TYPE_CHECKING:
    import fiftyone as fo
    import pandas as pd

__all__ = ["COLUMNS", "METRICS", "MiningReport"]

MARK = 0.2
"""Where selections are compared: the evaluated budget nearest to this."""


@dataclass
class MiningReport:
    """How well strategies mine, against ground truth.

    Attributes:
        rows: the table's rows, see ``table``
        curves: recall against budget, to draw: one entry per strategy,
            target and metric with lists ``budget``, ``mean``, ``std``,
            ``low`` and ``high``
        meta: parameters, the pool and its ground truth
        pairs: strategies in pairs, column by column, see ``compare``
        objects: how well each object score ranks, see ``object_table``
        overlap: ``strategies`` and ``jaccard``, see ``overlap_table``
        signals: ``names`` and ``spearman``, see ``signal_table``
        differences: strategy → other strategy → label ids of ground truth
            that the first one's selection shows and the other's does not
    """

    rows: list[dict[str, Any]]
    curves: list[dict[str, Any]]
    meta: dict[str, Any] = field(default_factory=dict)
    pairs: dict[str, list[Any]] = field(default_factory=dict)
    objects: list[dict[str, Any]] = field(default_factory=list)
    overlap: dict[str, Any] = field(default_factory=dict)
    signals: dict[str, Any] = field(default_factory=dict)
    differences: dict[str, dict[str, list[str]]] = field(default_factory=dict)

    @property
    def table(self) -> pd.DataFrame:
        """One row per strategy, budget, target and metric.

        ``target`` is a class name or "all"; ``mean`` and ``std`` are over
        the seeds; ``low`` and ``high`` are the 95 % interval of the mean
        over resampled scenes. Metrics are described in ``METRICS``. NaN =
        the class has no ground truth in the pool, or nothing tells.
        """
        return _frame(self.rows, COLUMNS)

    @property
    def curve_table(self) -> pd.DataFrame:
        """Recall at many budgets, to draw; columns as in ``table``."""
        drawn = ("budget", "mean", "std", "low", "high")
        rows = []
        for curve in self.curves:
            n = len(curve["budget"])
            columns = [curve.get(name, [math.nan] * n) for name in drawn]
            rows += [
                {**curve, **dict(zip(drawn, values, strict=True))}
                for values in zip(*columns, strict=True)
            ]
        return _frame(rows, COLUMNS)

    @property
    def pair_table(self) -> pd.DataFrame:
        """One row per pair of strategies, budget, target and metric.

        See :func:`raremine.brain.evaluation.paired.compare_pairs`.
        """
        import pandas as pd

        return pd.DataFrame(self.pairs, columns=list(PAIR_COLUMNS))

    @property
    def object_table(self) -> pd.DataFrame:
        """One row per field, score, truth and kind of objects.

        See :func:`raremine.brain.evaluation.object_scores.score_rows`.
        """
        return _frame(self.objects, ("field", *SCORE_COLUMNS))

    @property
    def overlap_table(self) -> pd.DataFrame:
        """Jaccard index of the strategies' selections at ``mark``.

        See :func:`raremine.brain.evaluation.agreement.overlap`.
        """
        return _square(self.overlap, "strategies", "jaccard")

    @property
    def signal_table(self) -> pd.DataFrame:
        """Spearman's correlation of the frames' signals."""
        return _square(self.signals, "names", "spearman")

    @property
    def mark(self) -> float:
        """The budget at which selections are compared."""
        return nearest_budget(self.meta["budgets"])

    def ranked(self, distinct: Sequence[str] | None = None) -> list[str]:
        """Returns the strategies, the best area of frame recall first.

        Args:
            distinct (None): None = all; names = these, and of the others
                those whose curve lies neither on one of theirs nor on that
                of a better one: single scores often order alike
        """
        area = {
            row["strategy"]: row["mean"]
            for row in self.rows
            if row["metric"] == "frame_recall_area" and row["target"] == ALL
        }
        names = sorted(area, key=lambda name: -area[name])
        if distinct is None:
            return names
        lines = {
            curve["strategy"]: tuple(curve["mean"])
            for curve in self.curves
            if curve["metric"] == "frame_recall" and curve["target"] == ALL
        }
        kept = [name for name in distinct if name in area]
        drawn = {lines.get(name) for name in kept}
        for name in names:
            if lines.get(name) not in drawn:
                kept.append(name)
                drawn.add(lines.get(name))
        return [name for name in names if name in kept]

    def compare(
        self,
        a: str,
        b: str,
        metric: str = "frame_recall_area",
        target: str = ALL,
        budget: float | None = None,
    ) -> dict[str, Any]:
        """Returns how much better one strategy is than another.

        Args:
            a: a strategy
            b: another one
            metric ("frame_recall_area"): or "frame_recall",
                "instance_recall", "instance_recall_area"
            target ("all"): a class name or "all"
            budget (None): one that was evaluated; None = the largest

        Returns:
            dict with ``difference`` (mean of a minus b), its interval
            ``low`` to ``high`` over resampled scenes, ``better_scenes`` and
            ``better_seeds``: in which share of them a is better, and ``std``
            of the difference over seeds

        Raises:
            RaremineError: if these were not compared
        """
        table = self.pair_table
        budget = max(self.meta["budgets"]) if budget is None else budget
        rows = table[
            (table.metric == metric)
            & (table.target == target)
            & np.isclose(table.budget, budget)
        ]
        straight = rows[(rows.a == a) & (rows.b == b)]
        turned = rows[(rows.a == b) & (rows.b == a)]
        if len(straight):
            return {**straight.iloc[0].to_dict()}
        if not len(turned):
            raise RaremineError(
                f"{metric} of '{a}' and '{b}' at budget {budget} for "
                f"'{target}' was not compared; there are the strategies "
                f"{', '.join(self.meta.get('strategies', ()))}."
            )
        row = turned.iloc[0].to_dict()
        return {
            **row,
            "a": a,
            "b": b,
            "difference": -row["difference"],
            "low": -row["high"],
            "high": -row["low"],
            "better_scenes": 1 - row["better_scenes"],
            "better_seeds": 1 - row["better_seeds"],
        }

    def cell(
        self,
        strategy: str,
        metric: str,
        target: str = ALL,
        budget: float | None = None,
    ) -> dict[str, float] | None:
        """Returns ``mean``, ``std``, ``low`` and ``high`` of one cell.

        Args:
            strategy: its name
            metric: one of ``METRICS``
            target ("all"): a class name or "all"
            budget (None): one that was evaluated; None = ``mark``

        Returns:
            None if it was not evaluated
        """
        at = self.mark if budget is None else budget
        wanted = {"strategy": strategy, "target": target, "metric": metric}
        for row in self.rows:
            if math.isclose(row["budget"], at) and all(
                row[k] == v for k, v in wanted.items()
            ):
                return {
                    name: float(row.get(name, math.nan))
                    for name in ("mean", "std", "low", "high")
                }
        return None

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
        found = self.cell(strategy, metric, target, budget)
        if found is not None:
            return found["mean"]
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
            "pairs": _no_nan(self.pairs),
            "objects": _no_nan(self.objects),
            "overlap": _no_nan(self.overlap),
            "signals": _no_nan(self.signals),
            "differences": self.differences,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> MiningReport:
        """Rebuilds a report from ``to_dict``, also of earlier versions."""
        return cls(
            _with_nan(data["table"]),
            _with_nan(data["curves"]),
            dict(data["meta"]),
            _with_nan(data.get("pairs", {})),
            _with_nan(data.get("objects", [])),
            _with_nan(data.get("overlap", {})),
            _with_nan(data.get("signals", {})),
            data.get("differences", {}),
        )

    def to_json(self, path: str | Path | None = None) -> str:
        """Returns the report as JSON and writes it to ``path`` if given."""
        text = json.dumps(self.to_dict(), allow_nan=False)
        if path is not None:
            Path(path).write_text(text + "\n", encoding="utf-8")
        return text

    def to_html(
        self,
        path: str | Path,
        dataset: fo.Dataset | None = None,
        *,
        compare: Sequence[tuple[str, str]] | None = None,
        title: str | None = None,
    ) -> Path:
        """Writes the report as one HTML page that needs no other file.

        Args:
            path: the file to write, replaced if it exists
            dataset (None): the dataset, to cut examples from its images
            compare (None): pairs of strategies: examples that the first one
                found and the second one missed; None = ours against random,
                against the best baseline, and the other way round
            title (None): the heading; None = the dataset's name

        Returns:
            the path

        Raises:
            RaremineError: if the file cannot be written or there is no such
                strategy
        """
        from raremine.brain.report.evaluation_page import write_page

        return write_page(self, path, dataset, compare=compare, title=title)


def nearest_budget(budgets: Sequence[float]) -> float:
    """Returns the evaluated budget nearest to a fifth of the frames."""
    values = np.asarray(budgets, dtype=np.float64)
    return float(values[np.argmin(np.abs(values - MARK))])


def _frame(rows: list[dict[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(rows, columns=list(columns))


def _square(data: Mapping[str, Any], names: str, values: str) -> pd.DataFrame:
    import pandas as pd

    labels = data.get(names, [])
    return pd.DataFrame(
        np.asarray(data.get(values, []), dtype=np.float64).reshape(
            len(labels), len(labels)
        ),
        index=labels,
        columns=labels,
    )


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
