"""Keyword novelty and Pareto fronts, written on the objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import fiftyone.core.fields as fof
import numpy as np

from raremine.brain.columns import (
    declare_columns,
    has_objects,
    read_objects,
    resolve,
    write_objects,
)
from raremine.brain.errors import MissingStageError, RaremineError
from raremine.brain.frames import write_frame_summary
from raremine.brain.novelty.frequency import (
    document_frequency,
    novelty_scores,
)
from raremine.brain.novelty.keywords import caption_keywords
from raremine.brain.novelty.pareto import pareto_fronts
from raremine.brain.objects import ObjectTable
from raremine.brain.runs import check_key, record_run
from raremine.brain.summary import StageSummary

LISTED_KEYWORDS = 1000
"""Keywords kept in the run's results, the most novel first."""


def score_keywords(
    samples: Any,
    *,
    field: str = "objects",
    pooling: str = "mean",
    min_count: int = 1,
    source: str = "both",
    brain_key: str | None = None,
) -> dict[str, Any]:
    """Scores each captioned object by how rare its keywords are.

    See :func:`raremine.brain.score_novelty`.
    """
    summary = StageSummary("score_novelty")
    if source not in ("both", "model", "rules"):
        raise RaremineError(
            f"Unknown keyword source '{source}'; choose both, model or rules."
        )
    scope = resolve(samples, field)
    dataset = scope.dataset
    brain_key = brain_key or f"{field}_novelty"
    check_key(dataset, brain_key, "novelty")
    if dataset.get_field(f"{field}.detections.caption_status") is None:
        raise MissingStageError(
            f"Objects '{field}' of dataset '{dataset.name}' have no captions; "
            "run caption_objects first."
        )
    table = read_objects(
        scope, field, ["caption", "caption_keywords", "caption_status"]
    )
    # all rows are written: a caption that is gone takes its novelty along
    captioned = table["caption_status"] == "ok"
    keywords = [
        _keywords(table, row, source) if captioned[row] else ()
        for row in range(len(table))
    ]
    scores = novelty_scores(keywords, pooling=pooling, min_count=min_count)
    declare_columns(
        dataset, field, {"keywords": fof.ListField, "novelty": fof.FloatField}
    )
    write_objects(
        dataset,
        field,
        table,
        {
            "keywords": [
                list(words) if has else None
                for words, has in zip(keywords, captioned, strict=True)
            ],
            "novelty": scores,
        },
    )
    counts = document_frequency(keywords)
    rare = sorted(counts.items(), key=lambda item: (item[1], item[0]))
    root = f"{field}.detections"
    record_run(
        dataset,
        brain_key,
        "novelty",
        field=field,
        fields=[f"{root}.keywords", f"{root}.novelty"],
        params={
            "pooling": pooling,
            "min_count": min_count,
            "source": source,
        },
        results={
            "objects": int(captioned.sum()),
            "keywords": dict(rare[:LISTED_KEYWORDS]),
        },
    )
    summary.count(objects=int(captioned.sum()), keywords=len(counts))
    return summary.to_dict()


def rank(
    samples: Any,
    signals: Sequence[str] = ("outlier_score", "novelty"),
    *,
    field: str = "objects",
    brain_key: str | None = None,
) -> dict[str, Any]:
    """Writes each object's Pareto front.

    See :func:`raremine.brain.rank_pareto`.
    """
    summary = StageSummary("rank_pareto")
    scope = resolve(samples, field)
    dataset = scope.dataset
    brain_key = brain_key or f"{field}_pareto"
    check_key(dataset, brain_key, "pareto")
    names = [signal.removeprefix("-") for signal in signals]
    _check_signals(dataset, field, names, has_objects(scope, field))
    table = read_objects(scope, field, names)
    values = np.column_stack(
        [
            -table[name] if signal.startswith("-") else table[name]
            for signal, name in zip(signals, names, strict=True)
        ]
    )
    # an object without any of the signals takes part in no comparison
    compared = np.isfinite(values).any(axis=1)
    fronts = pareto_fronts(values[compared])
    place: list[int | None] = [None] * len(table)
    for row, front in zip(np.flatnonzero(compared), fronts, strict=True):
        place[row] = int(front)
    declare_columns(dataset, field, {"pareto_front": fof.IntField})
    write_objects(dataset, field, table, {"pareto_front": place})
    write_frame_summary(dataset, field)
    sizes = np.bincount(fronts).tolist() if len(fronts) else []
    record_run(
        dataset,
        brain_key,
        "pareto",
        field=field,
        fields=[f"{field}.detections.pareto_front"],
        params={"signals": list(signals)},
        results={"objects": len(fronts), "front_sizes": sizes},
    )
    summary.count(
        objects=len(fronts),
        fronts=len(sizes),
        first_front=sizes[0] if sizes else 0,
    )
    return summary.to_dict()


def _keywords(table: ObjectTable, row: int, source: str) -> tuple[str, ...]:
    own = table["caption_keywords"][row]
    words: dict[str, None] = {}
    if source != "rules" and isinstance(own, list):
        for phrase in own:
            words.update(dict.fromkeys(caption_keywords(phrase)))
    if source != "model":
        text = table["caption"][row] or ""
        words.update(dict.fromkeys(caption_keywords(text)))
    return tuple(words)


def _check_signals(
    dataset: Any, field: str, names: Sequence[str], has: bool
) -> None:
    if not names:
        raise RaremineError("rank_pareto needs at least one signal.")
    for name in names:
        path = f"{field}.detections.{name}"
        ftype = dataset.get_field(path) if has else None
        if ftype is None:
            raise MissingStageError(
                f"Objects '{field}' of dataset '{dataset.name}' have no "
                f"'{name}'; run the stage that makes it (score_outliers, "
                "score_novelty), or choose another signal."
            )
        if not isinstance(ftype, (fof.FloatField, fof.IntField)):
            raise RaremineError(
                f"Signal '{name}' holds no numbers ({type(ftype).__name__})."
            )
