"""How many objects, by group, concept and what each stage found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import fiftyone as fo
import fiftyone.core.media as fom

from raremine.brain.overview.conditions import IS, Condition
from raremine.brain.overview.fields import MinedField
from raremine.brain.overview.parts import run_in_parts
from raremine.brain.overview.pipelines import (
    Stages,
    images_with,
    objects,
    run,
)

GROUPS = ("target", "rare", "common")

_KEYS = ("group", "concept", "label", "outlier", "caption_status", "ambiguous")


@dataclass(frozen=True)
class Step:
    """One step of the funnel.

    Attributes:
        name: what is counted
        count: how many
        conditions: what an object has to be, None where not objects are
            counted but keyframes or images
    """

    name: str
    count: int
    conditions: tuple[Condition, ...] | None


@dataclass(frozen=True)
class Bar:
    """A concept of one group.

    Attributes:
        name: the concept, or the detector's class before there are concepts
        group: target, rare, common or ""
        count: objects
        conditions: what an object has to be
    """

    name: str
    group: str
    count: int
    conditions: tuple[Condition, ...]


@dataclass(frozen=True)
class Counts:
    """Objects of a field, counted.

    Attributes:
        keyframes: of the dataset; images where it is not grouped
        images: of all cameras
        objects: in the field
        outliers: flagged, None before outliers were scored
        captioned: with a caption, None before
        ambiguous: whose two best concepts are too close to tell, None before
        groups: objects by group, empty before concepts were matched
        bars: objects by concept and group, see ``Bar``
        frames: keyframes by the highest group of their objects, empty before
            concepts were matched
    """

    keyframes: int
    images: int
    objects: int
    outliers: int | None
    captioned: int | None
    ambiguous: int | None
    groups: dict[str, int]
    bars: tuple[Bar, ...]
    frames: dict[str, int]

    @property
    def funnel(self) -> list[Step]:
        """From images to what is rare; the steps of the objects overlap."""
        steps = [
            Step("Images", self.images, None),
            Step("Objects", self.objects, ()),
        ]
        if self.outliers is not None:
            flagged = (Condition("outlier", IS, True),)
            steps.append(Step("Outliers", self.outliers, flagged))
        if self.captioned is not None:
            captioned = (Condition("caption_status", IS, "ok"),)
            steps.append(Step("Captioned", self.captioned, captioned))
        for group in ("rare", "target"):
            if self.groups:
                of_group = (Condition("group", IS, group),)
                count = self.groups.get(group, 0)
                steps.append(Step(group.capitalize(), count, of_group))
        return steps


def count_objects(dataset: fo.Dataset, field: MinedField) -> Counts:
    """Counts what is in a field, in one pass through the objects.

    Args:
        dataset: the root dataset
        field: the mined field
    """
    names = [name for name in _KEYS if field.has(name)]
    if field.has("concept"):
        names.remove("label")
    path = f"${field.name}.detections."
    rows = run_in_parts(
        dataset,
        [
            *objects(field.name, names),
            {
                "$group": {
                    "_id": {name: f"{path}{name}" for name in names},
                    "n": {"$sum": 1},
                }
            },
        ],
    )
    cells = [(dict(row["_id"] or {}), int(row["n"])) for row in rows]
    has_groups = field.has("group")
    return Counts(
        keyframes=_count_keyframes(dataset),
        images=dataset._sample_collection.count_documents(
            {"_media_type": fom.IMAGE}
        ),
        objects=sum(n for _, n in cells),
        outliers=_sum(field, cells, "outlier", True),
        captioned=_sum(field, cells, "caption_status", "ok"),
        ambiguous=_sum(field, cells, "ambiguous", True),
        groups=_by(cells, "group") if has_groups else {},
        bars=_bars(cells, "concept" if field.has("concept") else "label"),
        frames=_frames(dataset, field) if has_groups else {},
    )


def balance(
    dataset: fo.Dataset, field: MinedField, tag: str
) -> tuple[Bar, ...]:
    """Counts the objects of a selection by concept and group.

    Args:
        dataset: the root dataset
        field: the mined field
        tag: the selection's tag
    """
    name = "concept" if field.has("concept") else "label"
    keys = [name, "group"] if field.has("group") else [name]
    path = f"${field.name}.detections."
    rows = run(
        dataset,
        [
            *objects(field.name, keys, only={"tags": tag}),
            {
                "$group": {
                    "_id": {k: f"{path}{k}" for k in keys},
                    "n": {"$sum": 1},
                }
            },
        ],
    )
    return _bars([(dict(r["_id"]), int(r["n"])) for r in rows], name)


def _count_keyframes(dataset: fo.Dataset) -> int:
    samples = dataset._sample_collection
    if dataset.media_type != fom.GROUP:
        return int(samples.count_documents({}))
    path = f"{dataset.group_field}.name"
    of_slice = {path: dataset.default_group_slice}
    return int(samples.count_documents(of_slice))


def frame_groups(dataset: fo.Dataset, field: MinedField) -> Stages:
    """Returns stages that give each keyframe the highest group it holds.

    Args:
        dataset: the root dataset
        field: a mined field with groups

    Returns:
        stages whose documents have the keyframe as ``_id`` and the place of
        its group in ``GROUPS`` as ``place``
    """
    groups = f"${field.name}.detections.group"
    place: Any = len(GROUPS) - 1
    for at in reversed(range(len(GROUPS) - 1)):
        place = {"$cond": [{"$in": [GROUPS[at], groups]}, at, place]}
    grouped = dataset.media_type == fom.GROUP
    keyframe = f"${dataset.group_field}._id" if grouped else "$_id"
    return [
        {"$match": images_with(field.name)},
        {"$group": {"_id": keyframe, "place": {"$min": place}}},
    ]


def _frames(dataset: fo.Dataset, field: MinedField) -> dict[str, int]:
    if not field.described:
        stages = frame_groups(dataset, field)
        count = {"$group": {"_id": "$place", "n": {"$sum": 1}}}
        rows = run(dataset, [*stages, count])
        return {GROUPS[int(r["_id"])]: int(r["n"]) for r in rows}
    only: dict[str, Any] = {}
    if dataset.media_type == fom.GROUP:
        only[f"{dataset.group_field}.name"] = dataset.default_group_slice
    rows = run(
        dataset,
        [
            {"$match": only},
            {"$group": {"_id": "$mining_group", "n": {"$sum": 1}}},
        ],
    )
    return {str(r["_id"]): int(r["n"]) for r in rows if r["_id"]}


def _sum(
    field: MinedField,
    cells: Iterable[tuple[dict[str, Any], int]],
    name: str,
    value: Any,
) -> int | None:
    if not field.has(name):
        return None
    return sum(n for key, n in cells if key.get(name) == value)


def _by(
    cells: Iterable[tuple[dict[str, Any], int]], name: str
) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for key, n in cells:
        if key.get(name) is not None:
            counts[str(key[name])] += n
    return dict(counts)


def _bars(
    cells: Sequence[tuple[dict[str, Any], int]], name: str
) -> tuple[Bar, ...]:
    counts: Counter[tuple[str, str]] = Counter()
    for key, n in cells:
        if key.get(name) is not None:
            counts[str(key[name]), str(key.get("group") or "")] += n
    bars = []
    for (what, group), n in counts.items():
        conditions = [Condition(name, IS, what)]
        if group:
            conditions.append(Condition("group", IS, group))
        bars.append(Bar(what, group, n, tuple(conditions)))
    place = {group: at for at, group in enumerate(GROUPS)}
    return tuple(
        sorted(bars, key=lambda b: (place.get(b.group, 9), -b.count, b.name))
    )
