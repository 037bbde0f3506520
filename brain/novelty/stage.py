"""Keyword novelty, written on the objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import fiftyone.core.fields as fof

from raremine.brain.columns import (
    Scope,
    declare_columns,
    read_objects,
    resolve,
    write_objects,
)
from raremine.brain.errors import MissingStageError, RaremineError
from raremine.brain.novelty.frequency import keyword_table
from raremine.brain.novelty.keywords import (
    StopList,
    caption_keywords,
    stop_list,
)
from raremine.brain.novelty.run import (
    KeywordNoveltyConfig,
    KeywordNoveltyResults,
    keyword_arrays,
)
from raremine.brain.objects import ObjectTable
from raremine.brain.progress import checkpoint
from raremine.brain.runs import (
    check_key,
    fingerprint,
    mark_unfinished,
    record_run,
)
from raremine.brain.summary import StageSummary

SOURCES = ("both", "model", "rules")
"""Where keywords come from."""


def score_keywords(
    samples: Any,
    *,
    field: str = "objects",
    pooling: str = "mean",
    min_count: int = 1,
    source: str = "both",
    per: str = "object",
    min_in_scene: int = 1,
    ngrams: int = 2,
    stop_words: Sequence[str] = (),
    keep_words: Sequence[str] = (),
    brain_key: str | None = None,
) -> dict[str, Any]:
    """Scores each captioned object by how rare its keywords are.

    See :func:`raremine.brain.score_novelty`.
    """
    summary = StageSummary("score_novelty")
    if source not in SOURCES:
        raise RaremineError(
            f"Unknown keyword source '{source}'; choose both, model or rules."
        )
    numbers = {
        "min_count": min_count,
        "min_in_scene": min_in_scene,
        "ngrams": ngrams,
    }
    for name, number in numbers.items():
        if number < 1:
            raise RaremineError(f"{name} must be 1 or more, got {number}.")
    stop = stop_list(stop_words, keep_words)
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
        _keywords(table, row, source, ngrams, stop) if captioned[row] else ()
        for row in range(len(table))
    ]
    scenes = _scenes(scope, table, per == "scene" or min_in_scene > 1)
    words = keyword_table(keywords, scenes)
    scores = words.score(
        len(table),
        pooling=pooling,
        per=per,
        min_count=min_count,
        min_in_scene=min_in_scene,
    )
    checkpoint("Writing keywords and novelty")
    mark_unfinished(dataset, brain_key)
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
    root = f"{field}.detections"
    record_run(
        dataset,
        brain_key,
        "novelty",
        field=field,
        fields=[f"{root}.keywords", f"{root}.novelty"],
        params={
            "pooling": pooling,
            "source": source,
            "per": per,
            **numbers,
            "stop_words": sorted(stop_words),
            "keep_words": sorted(keep_words),
            "objects": fingerprint(table.label_id),
        },
        results={
            "objects": int(captioned.sum()),
            "keywords": len(words.words),
            "scenes": words.all_scenes,
        },
        arrays=keyword_arrays(
            words,
            words.novelty(per, min_count, min_in_scene),
            list(table.label_id),
        ),
        config_cls=KeywordNoveltyConfig,
        results_cls=KeywordNoveltyResults,
    )
    summary.count(objects=int(captioned.sum()), keywords=len(words.words))
    return summary.to_dict()


def _keywords(
    table: ObjectTable, row: int, source: str, ngrams: int, stop: StopList
) -> tuple[str, ...]:
    own = table["caption_keywords"][row]
    texts = []
    if source != "rules" and isinstance(own, list):
        texts += own
    if source != "model":
        texts.append(table["caption"][row] or "")
    words: dict[str, None] = {}
    for text in texts:
        words.update(
            dict.fromkeys(caption_keywords(text, ngrams=ngrams, stop=stop))
        )
    return tuple(words)


def _scenes(
    scope: Scope, table: ObjectTable, needed: bool
) -> Sequence[str] | None:
    """Returns the objects' scenes, None if the dataset names none."""
    if scope.dataset.get_field("scene_name") is not None:
        return list(table["scene_name"])
    if needed:
        raise RaremineError(
            f"Dataset '{scope.dataset.name}' has no field 'scene_name', so "
            "keywords cannot be counted by scene; add it, or leave out "
            "per='scene' and min_in_scene."
        )
    return None
