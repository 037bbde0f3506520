"""A human's decisions outlive the boxes they were made on.

Detecting anew replaces every box of an image. What somebody said of the old
boxes is set aside in the corrections' run before they go, and handed on to
the new box at the same place. A kill in between loses nothing: the next run
finds what is still set aside.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypedDict

import fiftyone as fo
import numpy as np
from scipy.optimize import linear_sum_assignment

from raremine.brain.columns import read_objects, resolve, write_objects
from raremine.brain.objects import ObjectTable
from raremine.brain.runs import load_results, record_run

DECIDED_COLUMNS = ("human_concept", "human_group")
"""What a human says an object is. It belongs to a run of its own: deleting
the concepts' run and matching again keeps it."""

SAME_OBJECT = 0.5
"""IoU from which a new box shows the object of an old one."""


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
    total = int(decided(table).sum())
    record_run(
        dataset,
        corrections_key(field),
        "corrections",
        field=field,
        fields=[f"{field}.detections.{name}" for name in DECIDED_COLUMNS],
        results={"objects": total, "set_aside": list(aside)},
    )
    return total


def decided(table: ObjectTable) -> np.ndarray:
    """Tells which rows a human decided: (n,) bool."""
    return np.array(
        [
            any(isinstance(table[name][row], str) for name in DECIDED_COLUMNS)
            for row in range(len(table))
        ],
        dtype=bool,
    )


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
    table = table.take(decided(table))
    aside: dict[tuple[str, tuple[float, ...]], Decision] = {}
    for old in set_aside(dataset, field):
        # what was not found again may be found this time
        waits = old["waits"] or old["image"] in images
        aside[old["image"], tuple(old["box"])] = {**old, "waits": waits}
    for row in range(len(table)):
        image = str(table.sample_id[row])
        box = [float(v) for v in table["bounding_box"][row]]
        aside[image, tuple(box)] = Decision(
            image=image,
            box=box,
            concept=_text(table["human_concept"][row]),
            group=_text(table["human_group"][row]),
            waits=True,
        )
    if aside:
        record_decisions(dataset, field, list(aside.values()))


def hand_on(dataset: fo.Dataset, field: str) -> dict[str, int]:
    """Gives decisions that were set aside to the new boxes of their objects.

    One box gets one decision, those that overlap most together (IoU from
    ``SAME_OBJECT``). A decision whose object was not found again stays set
    aside; the next detection may find it.

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
    table = read_objects(view, field, ("bounding_box",))
    rows_of = _rows_by_image(table)
    rows: list[int] = []
    given: list[Decision] = []
    left: list[Decision] = []
    for image, own in _by_image(aside).items():
        if image not in done:
            left += own
            continue
        there = rows_of.get(image, np.empty(0, dtype=int))
        new = same_objects(
            np.array([d["box"] for d in own]),
            table["bounding_box"][there],
        )
        for decision, row in zip(own, new.tolist(), strict=True):
            if row >= 0:
                rows.append(int(there[row]))
                given.append(decision)
            else:
                left.append({**decision, "waits": False})
    if given:
        write_objects(
            dataset,
            field,
            table.take(np.array(rows)),
            {
                "human_concept": [d["concept"] for d in given],
                "human_group": [d["group"] for d in given],
            },
        )
    record_decisions(dataset, field, left)
    return {
        "corrections_kept": len(given),
        "corrections_without_object": sum(not d["waits"] for d in left),
    }


def same_objects(old: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Pairs old boxes of an image with new ones.

    Args:
        old: (n, 4) float, x, y, w, h
        new: (m, 4) float, likewise

    Returns:
        (n,) int: the row of ``new`` that shows the same object, -1 for none;
        no row twice, and of all such pairings the one with the largest sum
        of IoU
    """
    import torch
    from torchvision.ops import box_iou

    pairs = np.full(len(old), -1)
    if not len(old) or not len(new):
        return pairs
    corners = [
        torch.from_numpy(np.concatenate([b[:, :2], b[:, :2] + b[:, 2:]], 1))
        for b in (np.asarray(old, float), np.asarray(new, float))
    ]
    overlap = box_iou(corners[0], corners[1]).numpy()
    overlap = np.where(overlap >= SAME_OBJECT, overlap, 0)
    first, second = linear_sum_assignment(overlap, maximize=True)
    real = overlap[first, second] > 0
    pairs[first[real]] = second[real]
    return pairs


def _by_image(aside: Iterable[Decision]) -> dict[str, list[Decision]]:
    grouped: dict[str, list[Decision]] = {}
    for decision in aside:
        grouped.setdefault(decision["image"], []).append(decision)
    return grouped


def _rows_by_image(table: ObjectTable) -> dict[str, np.ndarray]:
    order = np.argsort(table.sample_id, kind="stable")
    images, starts = np.unique(table.sample_id[order], return_index=True)
    parts: Any = np.split(order, starts[1:])
    return dict(zip(images.tolist(), parts, strict=True))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
