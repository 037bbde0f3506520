"""Captions candidate objects with a vision-language model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import fiftyone as fo
import fiftyone.core.fields as fof
import numpy as np

from raremine.brain.captions.parsing import Caption, parse_answer
from raremine.brain.captions.prompts import build_prompt
from raremine.brain.columns import (
    Scope,
    declare_columns,
    has_objects,
    read_objects,
    resolve,
    write_objects,
)
from raremine.brain.errors import MissingStageError, RaremineError
from raremine.brain.models.protocols import Captioner
from raremine.brain.objects import ObjectTable
from raremine.brain.progress import Progress, ProgressArgument
from raremine.brain.runs import check_key, record_run, run_params
from raremine.brain.stream.batches import crop_batches, image_objects
from raremine.brain.summary import StageSummary

CHUNK = 256
"""Rows held back at most. Captions are written after each batch, since a
generation costs far more than a write; this bounds those without a crop."""

SORTED_BATCHES = 8
"""Batches of crops held at a time to sort them by size, so that a batch's
crops cost about the same number of visual tokens and little is padding."""

RARE_SHARE = 0.05
"""A detector class below this share of all objects counts as rare."""

COLUMNS = (
    "caption",
    "caption_class",
    "caption_keywords",
    "caption_raw",
    "caption_status",
    "caption_reason",
    "caption_model",
)


def caption(
    samples: Any,
    captioner: Captioner,
    *,
    field: str = "objects",
    candidates: str | Iterable[str] = "outliers",
    prompt: str = "default",
    padding: float = 0.1,
    hint: bool = True,
    overwrite: bool = False,
    workers: int = 2,
    progress: ProgressArgument = None,
) -> dict[str, Any]:
    """Captions every candidate whose caption is not ok yet.

    See :func:`raremine.brain.caption_objects`.
    """
    summary = StageSummary("caption_objects")
    build_prompt(prompt, "car")
    scope = resolve(samples, field)
    dataset = scope.dataset
    if not has_objects(scope, field):
        raise MissingStageError(
            f"Dataset '{dataset.name}' has no objects in field '{field}'; "
            "run detect_objects first."
        )
    table = read_objects(
        scope,
        field,
        ["bounding_box", "label", "outlier", "caption_status"],
    )
    chosen = candidate_rows(table, candidates)
    params = {
        "captioner": captioner.identity(),
        "prompt": prompt,
        "padding": padding,
        "hint": hint,
    }
    run_key = f"{field}_captions"
    check_key(dataset, run_key, "captions")
    changed = _check_model(scope, field, run_key, params, overwrite)
    status = table["caption_status"]
    done = chosen & (status == "ok") & (not overwrite)
    todo = table.take(chosen & ~done)
    _declare(dataset, field)
    # first, so that a rerun after a kill knows what made the part it finds
    _record(dataset, run_key, field, params, {})
    kept = (status == "ok") & (not changed)
    never = table.take(~chosen & ~kept & (status != "skipped"))
    blank = {name: [None] * len(never) for name in COLUMNS}
    write_objects(
        dataset,
        field,
        never,
        {**blank, "caption_status": ["skipped"] * len(never)},
    )

    counts: dict[str, int] = {}
    finished: list[tuple[int, str, Caption]] = []

    def finish(row: int, raw: str, answer: Caption) -> None:
        counts[answer.status] = counts.get(answer.status, 0) + 1
        if answer.status != "ok":
            summary.fail(
                f"object {todo.label_id[row]}",
                f"{answer.status}: {answer.reason}",
            )
        finished.append((row, raw, answer))
        if len(finished) >= CHUNK:
            flush()

    def flush() -> None:
        _write(dataset, field, todo, finished, captioner.name)
        finished.clear()

    def no_crop(row: int, path: str, reason: str) -> None:
        finish(row, "", Caption("failed", reason=f"{path}: {reason}"))

    with Progress(len(todo), "Captioning objects", progress) as bar:
        batches = crop_batches(
            image_objects(scope, todo),
            captioner.batch_size * SORTED_BATCHES,
            padding=padding,
            on_failure=no_crop,
            workers=workers,
        )
        for batch in _similar_size(batches, captioner.batch_size):
            prompts = [
                build_prompt(prompt, todo["label"][row] if hint else None)
                for row, _ in batch
            ]
            answers = _ask(captioner, [crop for _, crop in batch], prompts)
            for (row, _), (raw, error) in zip(
                batch, answers, strict=True
            ):
                finish(
                    row,
                    raw,
                    Caption("failed", reason=error)
                    if error
                    else parse_answer(raw, prompt),
                )
            flush()
            bar.add(len(batch))
        flush()
    _record(dataset, run_key, field, params, counts)
    summary.count(objects=len(todo), skipped=int(done.sum()), status=counts)
    return summary.to_dict()


def candidate_rows(
    table: ObjectTable, candidates: str | Iterable[str]
) -> np.ndarray:
    """Returns which objects to caption.

    Args:
        table: objects with ``outlier`` and ``label``
        candidates: "outliers", "outliers_or_rare" (also detector classes
            below 5 % of all objects), "all", or label ids

    Returns:
        (n,) bool

    Raises:
        RaremineError: if the choice is unknown
        MissingStageError: if outliers are asked for and none were scored
    """
    n = len(table)
    if candidates == "all":
        return np.ones(n, dtype=bool)
    if not isinstance(candidates, str):
        wanted = {str(i) for i in candidates}
        return np.array([i in wanted for i in table.label_id], dtype=bool)
    if candidates not in ("outliers", "outliers_or_rare"):
        raise RaremineError(
            f"Unknown candidates '{candidates}'; choose 'outliers', "
            "'outliers_or_rare', 'all', or pass label ids."
        )
    flags = table["outlier"]
    if n and not any(isinstance(flag, bool) for flag in flags):
        raise MissingStageError(
            "No object has an outlier flag yet; run score_outliers first, or "
            "pass candidates='all'."
        )
    chosen = np.array([flag is True for flag in flags], dtype=bool)
    if candidates == "outliers_or_rare" and n:
        _, inverse, counts = np.unique(
            table["label"].astype(str), return_inverse=True, return_counts=True
        )
        chosen |= (counts / n < RARE_SHARE)[inverse]
    return chosen


def _check_model(
    scope: Scope,
    field: str,
    key: str,
    params: dict[str, Any],
    overwrite: bool,
) -> bool:
    """Returns whether earlier captions were made with other settings."""
    dataset = scope.dataset
    recorded = run_params(dataset, key)
    if recorded is None or recorded == params:
        return False
    changed = sorted(k for k in params if params[k] != recorded.get(k))
    if not overwrite:
        raise RaremineError(
            f"Captions of dataset '{dataset.name}' were made with other "
            f"settings ({', '.join(changed)}). Pass overwrite=True to redo "
            "them."
        )
    table = read_objects(dataset, field, ["caption_status"])
    ours = set(read_objects(scope, field).label_id)
    others = sum(
        status not in (None, "skipped") and label_id not in ours
        for label_id, status in zip(
            table.label_id, table["caption_status"], strict=True
        )
    )
    if others:
        raise RaremineError(
            f"Dataset '{dataset.name}' has captions of {others} objects "
            "outside this view, made with other settings "
            f"({', '.join(changed)}). Pass the whole dataset."
        )
    return True


def _record(
    dataset: fo.Dataset,
    key: str,
    field: str,
    params: dict[str, Any],
    counts: dict[str, int],
) -> None:
    root = f"{field}.detections"
    record_run(
        dataset,
        key,
        "captions",
        field=field,
        fields=[f"{root}.{name}" for name in COLUMNS],
        params=params,
        results={"status": counts},
    )


def _declare(dataset: fo.Dataset, field: str) -> None:
    types: dict[str, type[fof.Field]] = dict.fromkeys(COLUMNS, fof.StringField)
    declare_columns(
        dataset, field, {**types, "caption_keywords": fof.ListField}
    )


def _similar_size(
    batches: Iterator[list[tuple[int, np.ndarray]]], size: int
) -> Iterator[list[tuple[int, np.ndarray]]]:
    for batch in batches:
        batch.sort(key=lambda item: item[1].shape[0] * item[1].shape[1])
        for start in range(0, len(batch), size):
            yield batch[start : start + size]


def _ask(
    captioner: Captioner, crops: Sequence[np.ndarray], prompts: Sequence[str]
) -> list[tuple[str, str | None]]:
    """Returns (answer, error) per crop; one bad crop costs only itself."""
    try:
        answers = captioner.caption(crops, prompts)
        if len(answers) != len(crops):
            raise ValueError(f"{len(answers)} answers for {len(crops)} crops")
        return [(str(answer), None) for answer in answers]
    except Exception as error:
        if len(crops) == 1:
            return [("", f"{type(error).__name__}: {error}")]
    out: list[tuple[str, str | None]] = []
    for crop, prompt in zip(crops, prompts, strict=True):
        out += _ask(captioner, [crop], [prompt])
    return out


def _write(
    dataset: fo.Dataset,
    field: str,
    table: ObjectTable,
    finished: Sequence[tuple[int, str, Caption]],
    model: str,
) -> None:
    rows = np.array([row for row, _, _ in finished], dtype=int)
    if not len(rows):
        return
    answers = [answer for _, _, answer in finished]
    write_objects(
        dataset,
        field,
        table.take(rows),
        {
            "caption": [a.text for a in answers],
            "caption_class": [a.answer_class for a in answers],
            "caption_keywords": [list(a.keywords) for a in answers],
            "caption_raw": [raw for _, raw, _ in finished],
            "caption_status": [a.status for a in answers],
            "caption_reason": [a.reason for a in answers],
            "caption_model": [model] * len(answers),
        },
    )
