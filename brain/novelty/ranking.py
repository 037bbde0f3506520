"""Pareto fronts over any signals, written on the objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import fiftyone.core.fields as fof
import numpy as np

from raremine.brain.columns import declare_columns, resolve, write_objects
from raremine.brain.errors import RaremineError
from raremine.brain.frames import write_frame_summary
from raremine.brain.novelty.pareto import pareto_fronts, pareto_order
from raremine.brain.novelty.run import (
    ParetoRankingConfig,
    ParetoRankingResults,
    pack_ids,
)
from raremine.brain.novelty.signals import find_signals, read_signals
from raremine.brain.progress import checkpoint
from raremine.brain.runs import (
    check_key,
    fingerprint,
    mark_unfinished,
    record_run,
)
from raremine.brain.summary import StageSummary

MISSING = ("last", "skip")
"""What becomes of an object that lacks some of the signals."""


def rank(
    samples: Any,
    signals: Sequence[str] = ("outlier_score", "novelty"),
    *,
    field: str = "objects",
    missing: str = "last",
    brain_key: str | None = None,
) -> dict[str, Any]:
    """Writes each object's Pareto front and place.

    See :func:`raremine.brain.rank_pareto`.
    """
    summary = StageSummary("rank_pareto")
    if missing not in MISSING:
        raise RaremineError(
            f"Unknown way '{missing}' with missing values; choose "
            f"{' or '.join(MISSING)}."
        )
    scope = resolve(samples, field)
    dataset = scope.dataset
    brain_key = brain_key or f"{field}_pareto"
    check_key(dataset, brain_key, "pareto")
    found = find_signals(scope, field, signals)
    table, values = read_signals(scope, field, found)
    # an object without any of the signals takes part in no comparison
    absent = np.isnan(values)
    compared = np.flatnonzero(
        ~(absent.any(axis=1) if missing == "skip" else absent.all(axis=1))
    )
    fronts = pareto_fronts(values[compared])
    order = pareto_order(values[compared], fronts)
    declare_columns(
        dataset,
        field,
        {"pareto_front": fof.IntField, "pareto_order": fof.IntField},
    )
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    checkpoint("Writing fronts")
    mark_unfinished(dataset, brain_key)
    write_objects(
        dataset,
        field,
        table,
        {
            "pareto_front": _everyone(fronts, compared, len(table)),
            "pareto_order": _everyone(place, compared, len(table)),
        },
    )
    write_frame_summary(dataset, field)
    sizes = np.bincount(fronts) if len(fronts) else np.zeros(0, np.int64)
    root = f"{field}.detections"
    record_run(
        dataset,
        brain_key,
        "pareto",
        field=field,
        fields=[f"{root}.pareto_front", f"{root}.pareto_order"],
        params={
            "signals": list(signals),
            "read_as": [f"{s.level}:{s.name}" for s in found],
            "missing": missing,
            "objects": fingerprint(table.label_id),
        },
        results={"objects": len(fronts), "fronts": len(sizes)},
        arrays={
            "label_ids": pack_ids(table.label_id[compared][order]),
            "front_sizes": sizes,
        },
        config_cls=ParetoRankingConfig,
        results_cls=ParetoRankingResults,
    )
    summary.count(
        objects=len(fronts),
        fronts=len(sizes),
        first_front=int(sizes[0]) if len(sizes) else 0,
        without_signal=len(table) - len(compared),
    )
    return summary.to_dict()


def _everyone(
    values: np.ndarray, rows: np.ndarray, count: int
) -> list[int | None]:
    """Returns values of some rows as values of all, None for the others."""
    everyone: list[int | None] = [None] * count
    for row, value in zip(rows.tolist(), values.tolist(), strict=True):
        everyone[row] = value
    return everyone
