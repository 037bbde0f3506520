"""How much there is to do: counts that a form can afford at every key."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import fiftyone.core.media as fom

from raremine.brain.columns import resolve
from raremine.operators.targets import target_collection

KEPT = 60.0
"""Seconds for which a count is taken as it was."""

_MOST = 64
Counted = TypeVar("Counted")
_kept: dict[str, tuple[float, Any]] = {}


@dataclass(frozen=True)
class Amount:
    """What a run works on.

    Attributes:
        images: camera images
        cameras: slices that they are of, 0 = the collection is not grouped
        objects: objects of the field on them, None = there is no such field
        keyframes: groups of the dataset that they belong to, 0 as above
    """

    images: int
    cameras: int = 0
    objects: int | None = None
    keyframes: int = 0

    def __str__(self) -> str:
        """Returns the counts in words."""
        text = _many(self.images, "image")
        if self.cameras > 1:
            text += f" of {self.cameras} cameras"
        if self.objects is not None:
            text += f" with {_many(self.objects, 'object')}"
        return text


def amount_of(ctx: Any, field: str | None, whole: bool = False) -> Amount:
    """Counts what an operator's target holds.

    Args:
        ctx: FiftyOne's execution context
        field: detections field whose objects count, None = no objects
        whole (False): the whole dataset, whatever the target is

    Raises:
        RaremineError: if the target holds no images
    """
    return kept(
        ctx,
        f"amount of {field}",
        lambda: _count(
            ctx.dataset if whole else target_collection(ctx), field
        ),
        whole,
    )


def finished_of(ctx: Any, path: str, whole: bool = False) -> int:
    """Counts what an earlier run has finished of an operator's target.

    Args:
        ctx: FiftyOne's execution context
        path: field of samples or objects that is set on what is finished
        whole (False): in the whole dataset, whatever the target is
    """
    if ctx.dataset.get_field(path) is None:
        return 0

    def count() -> int:
        samples = ctx.dataset if whole else target_collection(ctx)
        return int(resolve(samples).images.count(path))

    return kept(ctx, path, count, whole)


def kept(
    ctx: Any, what: str, count: Callable[[], Counted], whole: bool = False
) -> Counted:
    """Counts, or takes the count of a moment ago.

    Args:
        ctx: FiftyOne's execution context
        what: what is counted, which tells it from other counts
        count: does it
        whole (False): whether the count is of the whole dataset, and so the
            same from every place
    """
    key = _key(ctx, what, whole)
    now = time.monotonic()
    known = _kept.get(key)
    if known is not None and now - known[0] < KEPT:
        found: Counted = known[1]
        return found
    counted = count()
    if len(_kept) >= _MOST:
        _kept.clear()
    _kept[key] = (now, counted)
    return counted


def forget_amounts() -> None:
    """Forgets all counts: a run has changed what there is."""
    _kept.clear()


def _count(samples: Any, field: str | None) -> Amount:
    scope = resolve(samples, field or "objects")
    objects = None
    if field is not None and scope.dataset.get_field(field) is not None:
        objects = (
            scope.images.count(f"{field}.detections")
            if scope.label_ids is None
            else len(scope.label_ids)
        )
    cameras = keyframes = 0
    if scope.dataset.media_type == fom.GROUP:
        cameras = len(scope.images.distinct("group.name"))
        keyframes = len(scope.dataset)
    return Amount(len(scope.images), cameras, objects, keyframes)


def _key(ctx: Any, what: str, whole: bool) -> str:
    request = ctx.request_params
    place = {} if whole else {k: request.get(k) for k in _PLACE}
    parts = [str(ctx.dataset._doc.id), what, place]
    return json.dumps(parts, sort_keys=True, default=str)


_PLACE = (
    "view",
    "view_name",
    "filters",
    "extended",
    "selected",
    "selected_samples",
    "selected_labels",
    "view_target",
)


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"
