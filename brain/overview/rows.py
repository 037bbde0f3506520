"""The columns of a few objects, each list bounded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import fiftyone as fo

from raremine.brain.overview.conditions import AT_LEAST, Condition
from raremine.brain.overview.fields import MinedField
from raremine.brain.overview.histogram import Axis, Grid, beyond_conditions
from raremine.brain.overview.pipelines import Stages, objects, run

OF_IMAGE = ("filepath", "scene_name", "sample_token")
TEXTS = ("label", "concept", "group", "caption", "reason")

SAME_SCENE = 2
"""Most rows of one concept from one scene: the frames before and after show
the same object again."""

_ENOUGH = 20
"""So many candidates a row, because most of them fall to ``SAME_SCENE``."""


@dataclass(frozen=True)
class ObjectRow:
    """An object with what was decided about it.

    Attributes:
        label_id: its id
        sample_id: id of its image
        filepath: of its image
        scene: name of its scene, "" if there are none
        camera: group slice, "" if not grouped
        box: relative x, y, width, height
        texts: name → text, "" where there is none, see ``TEXTS``
        numbers: name → number, only those that it has
    """

    label_id: str
    sample_id: str
    filepath: str
    scene: str
    camera: str
    box: tuple[float, ...]
    texts: dict[str, str]
    numbers: dict[str, float] = field(default_factory=dict)


def most_unusual(
    dataset: fo.Dataset,
    mined: MinedField,
    score: str,
    grid: Grid,
    *,
    group: str | None = None,
    most: int = 20,
) -> list[ObjectRow]:
    """Returns the objects with the highest score, from different scenes.

    Args:
        dataset: the root dataset
        mined: the mined field
        score: what to rank by
        grid: a grid that this score is an axis of, which tells where to look
        group (None): only objects of this group
        most (20): rows at most
    """
    at = [axis.name for axis in grid.axes].index(score)
    wanted = most * _ENOUGH
    first = _first_bin(grid, at, group, wanted)
    conditions = list(beyond_conditions(grid.axes[at], first))
    if group:
        conditions.append(Condition("group", "is", group))
    path = f"{mined.name}.detections"
    stages: Stages = [
        *objects(
            mined.name, _names(mined), conditions, of_image=_image(dataset)
        ),
        {"$sort": {f"{path}.{score}": -1, f"{path}._id": 1}},
        {"$limit": wanted},
    ]
    rows = [_row(dataset, mined, found) for found in run(dataset, stages)]
    return _without_repeats(rows, most)


def first_fronts(
    dataset: fo.Dataset, mined: MinedField, most: int = 1_500
) -> list[ObjectRow]:
    """Returns objects of the first Pareto fronts.

    Args:
        dataset: the root dataset
        mined: a field that was ranked
        most (1500): rows at most
    """
    path = f"{mined.name}.detections"
    first = (
        Condition("pareto_order", AT_LEAST, 0),
        Condition("pareto_order", "below", most),
    )
    stages: Stages = [
        *objects(mined.name, _names(mined), first, of_image=_image(dataset)),
        {"$sort": {f"{path}.pareto_order": 1}},
        {"$limit": most},
    ]
    return [_row(dataset, mined, found) for found in run(dataset, stages)]


def some_objects(
    dataset: fo.Dataset, mined: MinedField, most: int = 1_000
) -> list[ObjectRow]:
    """Returns objects of images drawn at random.

    Args:
        dataset: the root dataset
        mined: the mined field
        most (1000): rows at most
    """
    stages: Stages = [
        {"$sample": {"size": most}},
        *objects(mined.name, _names(mined), of_image=_image(dataset)),
        {"$limit": most},
    ]
    return [_row(dataset, mined, found) for found in run(dataset, stages)]


def _first_bin(grid: Grid, at: int, group: str | None, wanted: int) -> int:
    """The bin from which on there are enough objects, or the first."""
    counts = grid.totals(at)
    if group:
        of_group = grid.histogram(at).get(group)
        if of_group is None:
            return 0
        counts = of_group
    axis: Axis = grid.axes[at]
    beyond = counts[::-1].cumsum()[::-1]
    enough = [b for b in range(axis.bins) if beyond[b] >= wanted]
    return max(enough, default=0)


def _without_repeats(rows: Sequence[ObjectRow], most: int) -> list[ObjectRow]:
    seen: dict[tuple[str, str], int] = {}
    images: set[str] = set()
    kept: list[ObjectRow] = []
    for row in rows:
        # without scenes each image is one of its own
        scene = row.scene or row.sample_id
        key = (scene, row.texts["concept"] or row.texts["label"])
        if seen.get(key, 0) >= SAME_SCENE or row.sample_id in images:
            continue
        seen[key] = seen.get(key, 0) + 1
        images.add(row.sample_id)
        kept.append(row)
        if len(kept) == most:
            break
    return kept


def _names(mined: MinedField) -> list[str]:
    numbers: Iterable[str] = (*mined.scores, "pareto_front", "pareto_order")
    return ["_id", "bounding_box", *TEXTS, *numbers]


def _image(dataset: fo.Dataset) -> list[str]:
    group = dataset.group_field
    return [*OF_IMAGE, *([f"{group}.name"] if group else [])]


def _row(
    dataset: fo.Dataset, mined: MinedField, found: dict[str, Any]
) -> ObjectRow:
    one = found[mined.name]["detections"]
    numbers = (*mined.scores, "pareto_front", "pareto_order")
    group = found.get(dataset.group_field or "") or {}
    return ObjectRow(
        label_id=str(one["_id"]),
        sample_id=str(found["_id"]),
        filepath=found.get("filepath") or "",
        scene=found.get("scene_name") or "",
        camera=group.get("name") or "",
        box=tuple(one.get("bounding_box") or ()),
        texts={name: str(one.get(name) or "") for name in TEXTS},
        numbers={
            name: float(one[name])
            for name in numbers
            if one.get(name) is not None
        },
    )
