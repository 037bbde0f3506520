"""Chooses crops that show what was found, and cuts them in memory."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from raremine.brain.columns import Scope
from raremine.brain.crop_pictures import crop_pictures
from raremine.brain.frames import object_evidence
from raremine.brain.objects import ObjectTable
from raremine.brain.ranking import class_frequency, round_robin

LONGEST_SIDE = 200
"""Pixels of an example: 48 of them stay far below a megabyte."""

SAME_SCENE = 2
"""Most examples of one concept from one scene: its neighbours in time show
the same object again."""


@dataclass(frozen=True)
class Example:
    """A crop with what was decided about it.

    Attributes:
        image: JPEG as a data URI, "" if the image could not be read
        concept: its concept, "" without one
        label: the detector's class
        score: concept score, NaN without one
        caption: "" without one
        reason: why it is in its group
        scene: scene name
        group: target, rare, common or ""
    """

    image: str
    concept: str
    label: str
    score: float
    caption: str
    reason: str
    scene: str
    group: str


@dataclass(frozen=True)
class ExampleGroup:
    """Examples under one heading."""

    title: str
    style: str
    total: int
    examples: list[Example] = field(default_factory=list)


def find_examples(
    scope: Scope, objects: ObjectTable, most: int = 16
) -> list[ExampleGroup]:
    """Chooses and cuts examples of Target, Rare and the most unusual others.

    The last ones show what the groups may have missed.

    Args:
        scope: the images that the objects lie on
        objects: the mined objects
        most (16): examples of each group
    """
    score = _numbers(objects, "outlier_score")
    evidence = object_evidence(_numbers(objects, "concept_score"), score)
    groups = objects["group"]
    chosen: list[tuple[str, str, int, np.ndarray]] = []
    for group, title in (("target", "Target"), ("rare", "Rare")):
        members = np.flatnonzero(groups == group)
        first, others = own_concepts(objects, members, group)
        rows = fair_choice(objects, first, evidence, most - most // 4)
        rest = fair_choice(objects, others, evidence, most - len(rows))
        rows = np.concatenate([rows, rest])
        chosen.append((title, group, len(members), rows))
    rest = np.isfinite(score) & (groups != "target") & (groups != "rare")
    candidates = np.flatnonzero(rest)
    order = candidates[np.argsort(-score[candidates], kind="stable")]
    rows = without_repeats(objects, order, most)
    chosen.append(("Most unusual of the Common", "common", len(order), rows))

    wanted = np.concatenate([rows for *_, rows in chosen])
    images = cut_crops(scope, objects, wanted)
    return [
        ExampleGroup(
            title,
            style,
            total,
            [_example(objects, row, images[row]) for row in rows.tolist()],
        )
        for title, style, total, rows in chosen
        if total
    ]


def own_concepts(
    objects: ObjectTable, members: np.ndarray, group: str
) -> tuple[np.ndarray, np.ndarray]:
    """Splits a group into objects of the group's concepts and others.

    A detector's class can make an object of another concept a target too;
    those are often its mistakes and would fill the rarest places first.

    Args:
        objects: objects with ``concept`` and ``group``
        members: (m,) rows of the group
        group: its name
    """
    inside: Counter[str] = Counter()
    for concept, of_group in zip(
        objects["concept"], objects["group"], strict=True
    ):
        inside[str(concept)] += 1 if of_group == group else -1
    own = np.array(
        [inside[str(objects["concept"][row])] > 0 for row in members],
        dtype=bool,
    )
    return members[own], members[~own]


def fair_choice(
    objects: ObjectTable, rows: np.ndarray, evidence: np.ndarray, most: int
) -> np.ndarray:
    """Chooses the best rows so that each concept gets its turn.

    Args:
        objects: objects with ``concept`` and ``scene_name``
        rows: (r,) candidates
        evidence: (n,) what to rank by, higher first
        most: how many at most

    Returns:
        rows, taken from one concept after the other, the rarest first
    """
    order = rows[np.argsort(-evidence[rows], kind="stable")]
    order = without_repeats(objects, order, len(order))
    concepts = np.empty(len(objects), dtype=object)
    for row in range(len(objects)):
        concepts[row] = (str(objects["concept"][row] or ""),)
    frequency = class_frequency(concepts[order])
    turns = round_robin(order, concepts, frequency)
    return np.array([row for row, _ in turns][:most], dtype=np.int64)


def without_repeats(
    objects: ObjectTable, order: np.ndarray, most: int
) -> np.ndarray:
    """Drops rows that would show the same thing of the same scene again.

    Args:
        objects: objects with ``concept`` and ``scene_name``
        order: (r,) rows, the best first
        most: how many at most
    """
    seen: Counter[tuple[object, object]] = Counter()
    images: set[str] = set()
    kept: list[int] = []
    for row in order.tolist():
        key = (objects["scene_name"][row], objects["concept"][row])
        sample = str(objects.sample_id[row])
        if seen[key] >= SAME_SCENE or sample in images:
            continue
        seen[key] += 1
        images.add(sample)
        kept.append(row)
        if len(kept) == most:
            break
    return np.array(kept, dtype=np.int64)


def cut_crops(
    scope: Scope, objects: ObjectTable, rows: np.ndarray
) -> dict[int, str]:
    """Cuts crops from their images.

    Args:
        scope: the images
        objects: objects with ``bounding_box``
        rows: (r,) which of them

    Returns:
        row → data URI of its crop, "" where there is none
    """
    samples = {str(objects.sample_id[row]) for row in rows.tolist()}
    if not samples:
        return {}
    view = scope.images.select(sorted(samples))
    paths = dict(zip(*view.values(["id", "filepath"]), strict=True))
    shown = [r for r in rows.tolist() if str(objects.sample_id[r]) in paths]
    pictures = crop_pictures(
        [
            (paths[str(objects.sample_id[row])], objects["bounding_box"][row])
            for row in shown
        ],
        LONGEST_SIDE,
    )
    out = dict.fromkeys(rows.tolist(), "")
    return {**out, **dict(zip(shown, pictures, strict=True))}


def _example(
    objects: ObjectTable, row: int, image: str
) -> Example:
    def words(name: str) -> str:
        value = objects[name][row]
        return value if isinstance(value, str) else ""

    captioned = words("caption_status") == "ok"
    return Example(
        image=image,
        concept=words("concept"),
        label=words("label"),
        score=float(_numbers(objects, "concept_score")[row]),
        caption=words("caption") if captioned else "",
        reason=words("reason"),
        scene=words("scene_name"),
        group=words("group"),
    )


def _numbers(objects: ObjectTable, name: str) -> np.ndarray:
    return np.asarray(objects[name], dtype=np.float64)
