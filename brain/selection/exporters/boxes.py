"""The 2D boxes of an export: which classes, cut to the image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import fiftyone as fo
import fiftyone.core.fields as fof
import numpy as np

from raremine.brain.columns import Scope, read_objects, resolve
from raremine.brain.errors import MissingStageError, RaremineError
from raremine.brain.selection.exporters.job import ExportJob

NUSCENES_CLASSES = (
    "car",
    "truck",
    "trailer",
    "bus",
    "construction_vehicle",
    "bicycle",
    "motorcycle",
    "pedestrian",
    "traffic_cone",
    "barrier",
)
"""The classes of the detection task, in the order of mmdetection3d, which
models that were trained on nuImages have as well."""

IGNORE = "ignore"
"""Label of what was annotated and is outside the ten classes."""

MIN_SIDE = 1e-6
"""Share of the image below which a box has no area: six decimals, which YOLO
labels have, would make it zero."""

_VALUES = (
    fof.StringField,
    fof.BooleanField,
    fof.IntField,
    fof.FloatField,
    fof.ListField,
)


@dataclass(frozen=True)
class BoxChoice:
    """Which boxes to export.

    Attributes:
        field: the field of detections
        label: the attribute that is a box's class
        classes: classes in the order of their numbers
        attributes: further attributes to export
    """

    field: str
    label: str
    classes: tuple[str, ...]
    attributes: tuple[str, ...] = ()


class Box(NamedTuple):
    """A box of an image.

    Attributes:
        label: its class
        place: (x, y, width, height), relative to the image and inside of it
        confidence: the detector's, None for ground truth
        attributes: values of ``BoxChoice.attributes``
    """

    label: str
    place: list[float]
    confidence: float | None
    attributes: tuple[Any, ...]


@dataclass
class Tally:
    """What became of the boxes.

    Attributes:
        boxes: boxes written, by class
        images: images that have one, by class
        other: boxes left out, by the class that was not asked for; None =
            those without a class
        without_area: boxes that have no area within the image
        cut: boxes written that reached over the image's edge
    """

    boxes: Counter[str] = field(default_factory=Counter)
    images: Counter[str] = field(default_factory=Counter)
    other: Counter[str | None] = field(default_factory=Counter)
    without_area: int = 0
    cut: int = 0


def choose_boxes(
    dataset: fo.Dataset,
    field: str,
    label: str,
    classes: Sequence[str] | str | None,
    attributes: Sequence[str] | str | None = None,
) -> BoxChoice:
    """Checks what was asked for and finds the classes, if none was named.

    Without names, they are the ten of nuScenes if all labels are among
    them; otherwise every one that the whole dataset has, by name. Which
    frames are exported makes no difference.

    Raises:
        MissingStageError: if there are no such boxes
        RaremineError: if a class or an attribute does not exist
    """
    path = f"{field}.detections"
    if dataset.get_field(path) is None:
        have = sorted(
            dataset.get_field_schema(embedded_doc_type=fo.Detections)
        )
        raise MissingStageError(
            f"Dataset '{dataset.name}' has no boxes in field '{field}' (it "
            f"has {', '.join(have) or 'none'}); load or detect them first."
        )
    if not isinstance(dataset.get_field(f"{path}.{label}"), fof.StringField):
        raise MissingStageError(
            f"The boxes in '{field}' of dataset '{dataset.name}' have no "
            f"text '{label}' that could be their class; for concepts, run "
            "match_concepts first."
        )
    wanted = _names(classes)
    found = set(resolve(dataset, field).images.distinct(f"{path}.{label}"))
    if not wanted:
        known = found - {IGNORE}
        if label == "label" and known <= set(NUSCENES_CLASSES):
            wanted = NUSCENES_CLASSES
        else:
            wanted = tuple(sorted(known))
        if not known:
            raise MissingStageError(
                f"Field '{field}' of dataset '{dataset.name}' holds no box "
                f"with a {label}; load or detect them first."
            )
    unknown = sorted(set(wanted) - found - set(NUSCENES_CLASSES))
    if unknown:
        raise RaremineError(
            f"No box in '{field}' of dataset '{dataset.name}' has the "
            f"{label} '{unknown[0]}'; there are {', '.join(sorted(found))}."
        )
    if len(set(wanted)) < len(wanted):
        raise RaremineError(
            f"The classes {', '.join(wanted)} name one twice; name each once."
        )
    extra = _names(attributes)
    for name in extra:
        if not isinstance(dataset.get_field(f"{path}.{name}"), _VALUES):
            raise RaremineError(
                f"The boxes in '{field}' of dataset '{dataset.name}' have no "
                f"attribute '{name}' with numbers or text; leave it out."
            )
    return BoxChoice(field, label, wanted, extra)


def clip_boxes(boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cuts boxes to the image.

    Args:
        boxes: (n, 4) x, y, width and height, relative to the image

    Returns:
        (n, 4) what of them is in the image, and (n,) bool: whether that has
        an area. A box that lies within the image stays as it is, to the last
        bit; one that is not finite has none.
    """
    boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    near, far = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    low, high = np.clip(near, 0.0, 1.0), np.clip(far, 0.0, 1.0)
    inside = ((near >= 0.0) & (far <= 1.0)).all(axis=1)
    cut = np.concatenate([low, high - low], axis=1)
    cut = np.where(inside[:, None], boxes, cut)
    has_area = np.isfinite(boxes).all(axis=1)
    has_area &= (cut[:, 2:] >= MIN_SIDE).all(axis=1)
    return cut, has_area


def read_boxes(
    job: ExportJob,
    choice: BoxChoice,
    sample_ids: Sequence[str],
    tally: Tally,
) -> list[list[Box]]:
    """Reads the boxes of some images.

    Args:
        job: the export
        choice: which boxes
        sample_ids: the images, not too many at a time
        tally: is added to

    Returns:
        the boxes of each image, in the order in which they are stored
    """
    dataset = job.dataset
    images = resolve(dataset, choice.field).images.select(list(sample_ids))
    table = read_objects(
        Scope(dataset, images),
        choice.field,
        ["bounding_box", choice.label, "confidence", *choice.attributes],
    )
    classes = frozenset(choice.classes)
    whole = {
        name
        for name in choice.attributes
        if isinstance(
            dataset.get_field(f"{choice.field}.detections.{name}"),
            fof.IntField,
        )
    }
    boxes, has_area = clip_boxes(table["bounding_box"])
    labels = table[choice.label].tolist()
    wanted = np.array([name in classes for name in labels], dtype=bool)
    tally.other.update(labels[row] for row in np.flatnonzero(~wanted))
    tally.without_area += int((wanted & ~has_area).sum())
    kept = wanted & has_area
    moved = np.abs(boxes - table["bounding_box"]).max(axis=1, initial=0)
    tally.cut += int((kept & (moved > MIN_SIDE)).sum())
    of_image: dict[str, list[Box]] = {i: [] for i in sample_ids}
    for row in np.flatnonzero(kept):
        of_image[str(table.sample_id[row])].append(
            Box(
                labels[row],
                boxes[row].tolist(),
                _number(table["confidence"][row]),
                tuple(
                    _value(table[name][row], name in whole)
                    for name in choice.attributes
                ),
            )
        )
    for found in of_image.values():
        tally.boxes.update(box.label for box in found)
        tally.images.update({box.label for box in found})
    return list(of_image.values())


def box_sizes(
    job: ExportJob, choice: BoxChoice, sample_ids: Iterable[str]
) -> tuple[int, int]:
    """Asks the database how much there is to write.

    Args:
        job: the export
        choice: which boxes
        sample_ids: the images

    Returns:
        number of boxes of any class, and bytes of the attributes' values in
        the database
    """
    images = resolve(job.dataset, choice.field).images
    boxes = {"$ifNull": [f"${choice.field}.detections", []]}
    values = {name: f"$$this.{name}" for name in choice.attributes}
    rows = images.select(list(sample_ids))._aggregate(
        post_pipeline=[
            {
                "$group": {
                    "_id": None,
                    "boxes": {"$sum": {"$size": boxes}},
                    "bytes": {
                        "$sum": {
                            "$sum": {
                                "$map": {
                                    "input": boxes,
                                    "in": {"$bsonSize": values},
                                }
                            }
                        }
                    },
                }
            }
        ]
    )
    for row in rows:
        return int(row["boxes"]), int(row["bytes"])
    return 0, 0


def _names(names: Sequence[str] | str | None) -> tuple[str, ...]:
    if names is None:
        return ()
    return (names,) if isinstance(names, str) else tuple(names)


def _number(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None


def _value(value: Any, whole: bool) -> Any:
    """A plain value for JSON, which has no NaN; whole numbers stay whole."""
    if isinstance(value, (list, tuple)):
        return [_value(v, False) for v in value]
    if isinstance(value, (float, np.floating)):
        if not np.isfinite(value):
            return None
        return int(value) if whole else float(value)
    return value.item() if isinstance(value, np.generic) else value
