"""Which keyframes really hold which target objects.

The truth is what a training split would gain from a frame: annotated boxes
on its cameras, of a target class, large and visible enough to learn from,
and counted once per keyframe however many cameras see the same instance.

Any field of 2D boxes will do. What nuScenes alone has (category, visibility,
point counts, instances) filters and links where it is there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from raremine.brain.errors import RaremineError
from raremine.brain.objects import FrameTable, ObjectTable
from raremine.brain.target_classes import TARGET_CLASSES, class_name

IGNORE = "ignore"
"""Label of annotated things outside the ten detection classes: no class."""

COLUMNS = (
    "label",
    "category",
    "bounding_box",
    "visibility",
    "num_lidar_pts",
    "num_radar_pts",
    "instance_token",
)
"""Attributes of the ground truth that are read, all optional but ``label``."""

_LEVEL = re.compile(r"v(\d+)-(\d+)")
_VISIBILITY_OF_TOKEN = {"1": 0.0, "2": 40.0, "3": 60.0, "4": 80.0}


@dataclass(frozen=True)
class TruthFilter:
    """Which ground truth boxes count.

    Attributes:
        min_height (0.025): least height of a box as a share of the image's,
            about 22 of 900 pixels: what is smaller can hardly be named
        min_visibility (40): least visible share in percent by the lower end
            of nuScenes' four bins (0, 40, 60, 80); unknown counts as visible
        min_points (1): least LiDAR and radar points in the cuboid, as in the
            nuScenes detection task; unknown counts as enough
    """

    min_height: float = 0.025
    min_visibility: float = 40.0
    min_points: int = 1


@dataclass(frozen=True)
class FrameTruth:
    """Target ground truth by keyframe.

    Attributes:
        targets: (c,) class names
        presence: (f, c) bool, whether a frame holds a class
        seen_frame: (m,) int64, row of the frame of each sighting. A sighting
            is one instance in one frame, however many boxes show it.
        seen_instance: (m,) int64, its instance. An instance belongs to one
            scene: the same name in another scene is another instance.
        instance_class: (i,) int64, class of each instance, an index into
            ``targets``
        summary: counts and the filter, for the record
        seen_label: (m,) str, label id of the largest box of each sighting,
            None where the truth does not come from boxes
        seen_area: (m,) float64, area of that box as a share of the image's
    """

    targets: tuple[str, ...]
    presence: np.ndarray
    seen_frame: np.ndarray
    seen_instance: np.ndarray
    instance_class: np.ndarray
    summary: dict[str, Any]
    seen_label: np.ndarray | None = None
    seen_area: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.presence)

    @property
    def any_target(self) -> np.ndarray:
        """(f,) bool, whether a frame holds any target."""
        return np.asarray(self.presence.any(axis=1))


def target_names(targets: Sequence[str] | None = None) -> tuple[str, ...]:
    """Returns the target classes in one spelling, each once.

    Args:
        targets (None): class names; None = ``TARGET_CLASSES``
    """
    names = TARGET_CLASSES if targets is None else targets
    return tuple(dict.fromkeys(class_name(name) for name in names))


def target_codes(boxes: ObjectTable, names: Sequence[str]) -> np.ndarray:
    """Returns which target each box is of, -1 for none.

    Args:
        boxes: with ``label`` and, if it has one, ``category``
        names: names as ``target_names`` spells them; each stands for a label
            or, where no label fits, for a nuScenes category such as
            "animal". The label "ignore" is no class.

    Returns:
        (n,) int64 indices into ``names``
    """
    code = {name: i for i, name in enumerate(names) if name != IGNORE}
    found = [code.get(class_name(label), -1) for label in boxes["label"]]
    for row, category in enumerate(boxes.columns.get("category", ())):
        if found[row] < 0 and isinstance(category, str):
            found[row] = code.get(class_name(category), -1)
    return _ints(found)


def frame_truth(
    frames: FrameTable,
    boxes: ObjectTable,
    targets: Sequence[str] | None = None,
    keep: TruthFilter | None = None,
) -> FrameTruth:
    """Finds the target objects of each keyframe.

    Args:
        frames: the keyframes in question, in any order
        boxes: ground truth boxes with ``sample_token``, ``label`` and any of
            the other names in ``COLUMNS``; boxes of other keyframes are
            left out
        targets (None): class or category names; None = ``TARGET_CLASSES``
        keep (None): which boxes count; None = ``TruthFilter()``

    Raises:
        RaremineError: if no frame holds a target
    """
    keep = keep or TruthFilter()
    names = target_names(targets)
    row_of = {t: row for row, t in enumerate(frames.sample_token.tolist())}
    row = _ints(row_of.get(t, -1) for t in boxes["sample_token"])
    kind = target_codes(boxes, names)
    of_target = (row >= 0) & (kind >= 0)
    counts = of_target & countable(boxes, keep)
    if not counts.any():
        seen = sorted({class_name(n) for n in boxes["label"][row >= 0]})
        raise RaremineError(
            f"None of the {len(frames)} frames holds a ground truth box of "
            f"{', '.join(names) or '(no target given)'} that counts "
            f"({int(of_target.sum())} were filtered out as too small, "
            f"occluded or without points; classes there: "
            f"{', '.join(seen) or 'none'}); choose other targets or a "
            "weaker filter."
        )
    row, kind = row[counts], kind[counts]
    presence = np.zeros((len(frames), len(names)), dtype=bool)
    presence[row, kind] = True

    boxes = boxes.take(counts)
    instances: dict[tuple[str, str, int], int] = {}
    tokens = boxes.columns.get("instance_token")
    of_box = np.empty(len(row), dtype=np.int64)
    for box, (at, of_class) in enumerate(
        zip(row.tolist(), kind.tolist(), strict=True)
    ):
        token = None if tokens is None else tokens[box]
        if not isinstance(token, str) or not token:
            token = f"box {boxes.label_id[box]}"
        key = (str(frames.scene[at]), token, of_class)
        of_box[box] = instances.setdefault(key, len(instances))
    area = _area(boxes)
    sightings, largest = _sightings(row, of_box, area)
    instance_class = _ints(of_class for *_, of_class in instances)
    return FrameTruth(
        targets=names,
        presence=presence,
        seen_frame=sightings[:, 0],
        seen_instance=sightings[:, 1],
        instance_class=instance_class,
        summary={
            "filter": asdict(keep),
            "boxes": int(of_target.sum()),
            "boxes_counted": int(counts.sum()),
            "frames": len(frames),
            "frames_with_target": int(presence.any(axis=1).sum()),
            "frames_by_class": dict(
                zip(names, presence.sum(axis=0).tolist(), strict=True)
            ),
            "scenes_by_class": {
                name: len(set(frames.scene[column].tolist()))
                for name, column in zip(names, presence.T, strict=True)
            },
            "instances_by_class": dict(
                zip(
                    names,
                    np.bincount(instance_class, minlength=len(names)).tolist(),
                    strict=True,
                )
            ),
        },
        seen_label=boxes.label_id[largest],
        seen_area=area[largest],
    )


def countable(boxes: ObjectTable, keep: TruthFilter) -> np.ndarray:
    """Returns which boxes pass the filter, (n,) bool."""
    passed = np.ones(len(boxes), dtype=bool)
    if "bounding_box" in boxes.columns:
        height = np.asarray(boxes["bounding_box"], dtype=np.float64)
        passed &= ~(height.reshape(len(boxes), -1)[:, 3] < keep.min_height)
    if "visibility" in boxes.columns:
        seen = np.array([visible_percent(v) for v in boxes["visibility"]])
        passed &= ~(seen < keep.min_visibility)
    points = np.full(len(boxes), np.nan)
    for name in ("num_lidar_pts", "num_radar_pts"):
        if name in boxes.columns:
            count = np.asarray(boxes[name], dtype=np.float64)
            # the loader writes -1 where the points were not counted
            count = np.where(count < 0, np.nan, count)
            points = np.where(
                np.isnan(points), count, points + np.nan_to_num(count)
            )
    passed &= ~(points < keep.min_points)
    return passed


def visible_percent(visibility: object) -> float:
    """Returns the lower end of a visibility bin in percent, NaN = unknown.

    Args:
        visibility: a nuScenes level ("v40-60") or token ("2")
    """
    text = visibility if isinstance(visibility, str) else ""
    level = _LEVEL.fullmatch(text)
    if level:
        return float(level[1])
    return _VISIBILITY_OF_TOKEN.get(text, np.nan)


def _area(boxes: ObjectTable) -> np.ndarray:
    if "bounding_box" not in boxes.columns:
        return np.zeros(len(boxes))
    sides = np.asarray(boxes["bounding_box"], dtype=np.float64)[:, 2:]
    return np.nan_to_num(sides.prod(axis=1))


def _sightings(
    row: np.ndarray, instance: np.ndarray, area: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns (m, 2) frames and instances, and (m,) their largest boxes."""
    order = np.lexsort((-area, instance, row))
    pairs = np.stack([row, instance], axis=1)[order]
    first = np.ones(len(pairs), dtype=bool)
    first[1:] = (pairs[1:] != pairs[:-1]).any(axis=1)
    return pairs[first], order[first]


def _ints(values: Any) -> np.ndarray:
    return np.array(list(values), dtype=np.int64)
