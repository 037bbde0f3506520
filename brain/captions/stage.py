"""Captions candidate objects with a vision-language model."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from typing import Any

import fiftyone as fo
import fiftyone.core.fields as fof
import numpy as np

from raremine.brain.captions import asking
from raremine.brain.captions.candidates import candidate_rows, finished_rows
from raremine.brain.captions.estimate import Price, Usage, in_words
from raremine.brain.captions.parsing import Caption, storable
from raremine.brain.captions.prompts import build_prompt
from raremine.brain.columns import (
    Scope,
    declare_columns,
    read_objects,
    require_objects,
    resolve,
    write_objects,
)
from raremine.brain.errors import RaremineError
from raremine.brain.models.protocols import AnsweringCaptioner, Captioner
from raremine.brain.objects import ObjectTable
from raremine.brain.progress import Progress, ProgressArgument
from raremine.brain.runs import check_key, record_run, run_params
from raremine.brain.stream.batches import crop_batches, image_objects
from raremine.brain.summary import StageSummary

CHUNK = 256
"""Rows held back at most. Captions are written after each batch, since a
generation costs far more than a write; this bounds those without a crop."""

_log = logging.getLogger(__name__)

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
    retry: str | Iterable[str] | None = None,
    price_per_million_tokens: Price = None,
    estimate_only: bool = False,
    workers: int = 2,
    progress: ProgressArgument = None,
) -> dict[str, Any]:
    """Captions every candidate whose status is to be asked for again.

    See :func:`raremine.brain.caption_objects`.
    """
    summary = StageSummary("caption_objects")
    usage = Usage(price_per_million_tokens)
    build_prompt(prompt, "car")
    scope = resolve(samples, field)
    dataset = scope.dataset
    require_objects(scope, field)
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
    done = chosen & finished_rows(table, retry) & (not overwrite)
    todo = table.take(chosen & ~done)
    if isinstance(captioner, AnsweringCaptioner) and len(todo):
        # before anything is written: a wrong key or address changes nothing
        as_json = prompt == "default"
        captioner.prepare(asking.ANSWER_SCHEMA if as_json else None)
    _declare(dataset, field)
    # the address does not decide a caption, so it is no part of the settings
    server = getattr(captioner, "base_url", None)
    # first, so that a rerun after a kill knows what made the part it finds
    _record(dataset, run_key, field, params, {}, server)
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

    estimate: dict[str, Any] = {}
    with Progress(len(todo), "Captioning objects", progress) as bar:
        batches = crop_batches(
            image_objects(scope, todo),
            asking.held_crops(captioner),
            padding=padding,
            on_failure=no_crop,
            workers=workers,
        )
        for batch in asking.split_batches(batches, captioner):
            prompts = [
                build_prompt(prompt, todo["label"][row] if hint else None)
                for row, _ in batch
            ]
            start = time.perf_counter()
            answers = asking.ask(
                captioner, [crop for _, crop in batch], prompts
            )
            usage.add(answers, time.perf_counter() - start)
            for (row, _), answer in zip(batch, answers, strict=True):
                raw = storable(answer.text)
                finish(row, raw, asking.read(answer, prompt))
            flush()
            bar.add(len(batch))
            if not estimate:
                estimate = usage.estimate(len(todo))
                _log.info("Captions of %s", in_words(estimate))
            if estimate_only:
                break
        flush()
    _record(dataset, run_key, field, params, counts, server)
    summary.count(objects=len(todo), skipped=int(done.sum()), status=counts)
    if "prompt_tokens" in estimate or estimate_only:
        summary.count(estimate=estimate, usage=usage.total())
    return summary.to_dict()


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
    if recorded is not None:
        recorded.pop("server", None)
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
    server: str | None,
) -> None:
    root = f"{field}.detections"
    record_run(
        dataset,
        key,
        "captions",
        field=field,
        fields=[f"{root}.{name}" for name in COLUMNS],
        params={**params, "server": server} if server else params,
        results={"status": counts},
    )


def _declare(dataset: fo.Dataset, field: str) -> None:
    types: dict[str, type[fof.Field]] = dict.fromkeys(COLUMNS, fof.StringField)
    declare_columns(
        dataset, field, {**types, "caption_keywords": fof.ListField}
    )


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
