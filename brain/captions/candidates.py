"""Which objects are captioned, and which of them anew."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from raremine.brain.columns import has_objects, resolve
from raremine.brain.errors import MissingStageError, RaremineError
from raremine.brain.objects import ObjectTable

RARE_SHARE = 0.05
"""A detector class below this share of all objects counts as rare."""

RETRIED = ("failed", "refused", "unparsable")
"""Statuses that a rerun asks for again."""


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


def finished_rows(
    table: ObjectTable, retry: Iterable[str] | str | None = None
) -> np.ndarray:
    """Returns which objects are not asked about again.

    Args:
        table: objects with ``caption_status``
        retry (None): statuses to ask for again, None = all of ``RETRIED``

    Returns:
        (n,) bool

    Raises:
        RaremineError: if a status is none of ``RETRIED``
    """
    again = {retry} if isinstance(retry, str) else set(
        RETRIED if retry is None else retry
    )
    unknown = sorted(map(str, again - set(RETRIED)))
    if unknown:
        raise RaremineError(
            f"retry cannot name {', '.join(map(repr, unknown))}; the "
            f"statuses to ask for again are {', '.join(RETRIED)} (captions "
            "that are ok are redone by overwrite=True)."
        )
    left = {"ok", *RETRIED} - again
    return np.array([s in left for s in table["caption_status"]], dtype=bool)


def count_candidates(samples: Any, field: str = "objects") -> dict[str, int]:
    """Counts what a captioning would be about, without reading any object.

    Args:
        samples: any collection with objects
        field ("objects"): detections field

    Returns:
        dict with ``objects``, ``outliers`` and ``captioned`` (status ok)
    """
    scope = resolve(samples, field)
    if not has_objects(scope, field):
        return {"objects": 0, "outliers": 0, "captioned": 0}
    images, root = scope.images, f"{field}.detections"
    if scope.label_ids is not None:
        images = images.select_labels(
            ids=sorted(scope.label_ids), fields=field
        )

    def number(name: str, value: Any) -> int:
        path = f"{root}.{name}"
        if scope.dataset.get_field(path) is None:
            return 0
        return int(images.count_values(path).get(value, 0))

    return {
        "objects": int(images.count(root)),
        "outliers": number("outlier", True),
        "captioned": number("caption_status", "ok"),
    }
