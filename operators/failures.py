"""What a stage could not do, as a view to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import fiftyone as fo
from fiftyone import ViewField as F

from raremine.brain.columns import all_slices


@dataclass(frozen=True)
class Status:
    """Where a stage writes that it failed.

    Attributes:
        path: the status, with ``{field}`` for the detections field
        bad: its values that mean failure
        objects: whether it is on objects, not on samples
    """

    path: str
    bad: tuple[str, ...]
    objects: bool = True


_DETECTED = Status("{field}_status", ("failed",), objects=False)
_EMBEDDED = Status("embedding_status", ("failed",))

STATUSES: Mapping[str, Sequence[Status]] = {
    "load_nuscenes": (
        Status("load_status", ("missing", "unreadable"), objects=False),
    ),
    "detect_objects": (_DETECTED,),
    "embed_objects": (_EMBEDDED,),
    "embed_frames": (
        Status("frame_embedding_status", ("failed",), objects=False),
    ),
    "caption_objects": (
        Status("caption_status", ("failed", "refused", "unparsable")),
    ),
}


def failure_views(
    dataset: fo.Dataset, results: Mapping[str, Any], field: str
) -> dict[str, fo.DatasetView]:
    """Finds what the stages of a run could not do.

    Args:
        dataset: the dataset
        results: an operator's summary: of one stage, or of several under
            "stages" or by any other name
        field: the detections field

    Returns:
        view by stage, of the images or of the objects' patches; only of
        stages that say that they had failures
    """
    found = {}
    for stage in _summaries(results):
        for status in STATUSES.get(stage["stage"], ()):
            view = _view(dataset, status, field)
            if stage.get("failures") and view is not None:
                found[stage["stage"]] = view
    return found


def _summaries(results: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    many = results.get("stages")
    if not isinstance(many, list):
        many = [results, *results.values()]
    return [
        one for one in many if isinstance(one, Mapping) and one.get("stage")
    ]


def _view(
    dataset: fo.Dataset, status: Status, field: str
) -> fo.DatasetView | None:
    bad = list(status.bad)
    if not status.objects:
        path = status.path.format(field=field)
        if dataset.get_field(path) is None:
            return None
        return all_slices(dataset).match(F(path).is_in(bad))
    if dataset.get_field(f"{field}.detections.{status.path}") is None:
        return None
    images = dataset
    if dataset.media_type == "group":
        images = dataset.select_group_slices(media_type="image")
    wrong = F(status.path).is_in(bad)
    return images.filter_labels(field, wrong).to_patches(field)
