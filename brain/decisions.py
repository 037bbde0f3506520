"""A human's decisions outlive the boxes they were made on.

Detecting anew replaces every box of an image. What somebody said of the old
boxes is set aside in the corrections' run before they go, and handed on to
the new box at the same place. A kill in between loses nothing: the next run
finds what is still set aside.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypedDict

import fiftyone as fo
import numpy as np

from raremine.brain.box_matching import match_boxes
from raremine.brain.columns import read_objects, resolve, write_objects
from raremine.brain.objects import ObjectTable
from raremine.brain.runs import load_results, record_run

DECIDED_COLUMNS = ("human_concept", "human_group")
"""What a human says an object is. It belongs to a run of its own: deleting
the concepts' run and matching again keeps it."""


class Decision(TypedDict):
    """What a human said of an object whose box is gone.

    Attributes:
        image: id of the image's sample
        box: relative (x, y, w, h)
        concept: what the object is, None if only its group was said
        group: its group, None if only its concept was said
        waits: whether the image has not been detected anew yet; False where
            it has, and no new box lies there
    """

    image: str
    box: list[float]
    concept: str | None
    group: str | None
    waits: bool


def corrections_key(field: str) -> str:
    """Returns the brain key of the corrections of a detections field."""
    return f"{field}_corrections"


def set_aside(dataset: fo.Dataset, field: str) -> list[Decision]:
    """Returns the decisions whose boxes are gone."""
    key = corrections_key(field)
    if not dataset.has_brain_run(key):
        return []
    found: list[Decision] = load_results(dataset, key).get("set_aside", [])
    return found


def record_decisions(
    dataset: fo.Dataset, field: str, aside: Sequence[Decision]
) -> int:
    """Records the corrections' run.

    Args:
        dataset: the root dataset
        field: the detections field
        aside: decisions whose boxes are gone

    Returns:
        how many objects carry a decision
    """
    table = read_objects(dataset, field, DECIDED_COLUMNS)
    total = sum(pair is not None for pair in read_decisions(table))
    record_run(
        dataset,
        corrections_key(field),
        "corrections",
        field=field,
        fields=[f"{field}.detections.{name}" for name in DECIDED_COLUMNS],
        results={"objects": total, "set_aside": list(aside)},
    )
    return total


def read_decisions(
    table: ObjectTable,
) -> list[tuple[str | None, str | None] | None]:
    """Returns (concept, group) by a human, None where nobody decided.

    Args:
        table: objects with ``DECIDED_COLUMNS``
    """
    pairs = zip(
        *(map(_text, table[name]) for name in DECIDED_COLUMNS), strict=True
    )
    return [pair if any(pair) else None for pair in pairs]


def put_aside(
    dataset: fo.Dataset, field: str, image_ids: Iterable[str]
) -> None:
    """Keeps the decisions on images whose boxes are about to go.

    Args:
        dataset: the root dataset
        field: the detections field, still with these boxes
        image_ids: ids of the images' samples
    """
    if not dataset.has_brain_run(corrections_key(field)):
        return
    images = set(image_ids)
    view = resolve(dataset).images.select(sorted(images))
    table = read_objects(view, field, ("bounding_box", *DECIDED_COLUMNS))
    aside: dict[tuple[str, tuple[float, ...]], Decision] = {}
    for old in set_aside(dataset, field):
        # what was not found again may be found this time
        waits = old["waits"] or old["image"] in images
        aside[old["image"], tuple(old["box"])] = {**old, "waits": waits}
    for row, pair in enumerate(read_decisions(table)):
        if pair is None:
            continue
        image = str(table.sample_id[row])
        box = [float(v) for v in table["bounding_box"][row]]
        aside[image, tuple(box)] = Decision(
            image=image, box=box, concept=pair[0], group=pair[1], waits=True
        )
    if aside:
        record_decisions(dataset, field, list(aside.values()))


def hand_on(dataset: fo.Dataset, field: str) -> dict[str, int]:
    """Gives decisions that were set aside to the new boxes of their objects.

    One box gets one decision, as ``match_boxes`` pairs them (IoU from .5);
    what was said of the new box itself stands. A decision whose object was
    not found again stays set aside; the next detection may find it.

    Args:
        dataset: the root dataset
        field: the detections field

    Returns:
        ``corrections_kept`` and ``corrections_without_object``, empty where
        nothing had waited
    """
    aside = set_aside(dataset, field)
    if not any(decision["waits"] for decision in aside):
        return {}
    images = {decision["image"] for decision in aside if decision["waits"]}
    view = resolve(dataset).images.select(sorted(images)).exists(field)
    done = set(view.values("id"))
    table = read_objects(view, field, ("bounding_box", *DECIDED_COLUMNS))
    new = match_boxes(
        np.array([d["image"] for d in aside]),
        np.array([d["box"] for d in aside]),
        np.zeros(len(aside)),
        table.sample_id,
        table["bounding_box"],
    ).box
    said = read_decisions(table)
    # after a kill somebody may have spoken of the new box already
    given = [
        (row, decision)
        for row, decision in zip(new.tolist(), aside, strict=True)
        if row >= 0 and said[row] is None
    ]
    left: list[Decision] = [
        {**d, "waits": d["waits"] and d["image"] not in done}
        for d, row in zip(aside, new, strict=True)
        if row < 0
    ]
    if given:
        write_objects(
            dataset,
            field,
            table.take(np.array([row for row, _ in given])),
            {
                "human_concept": [d["concept"] for _, d in given],
                "human_group": [d["group"] for _, d in given],
            },
        )
    record_decisions(dataset, field, left)
    return {
        "corrections_kept": len(given),
        "corrections_without_object": sum(not d["waits"] for d in left),
    }


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
