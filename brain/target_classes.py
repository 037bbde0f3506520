"""The classes worth mining by default, and what a detector says of them."""

from __future__ import annotations

import re
from collections.abc import Sequence

import fiftyone as fo
import numpy as np

from raremine.brain.columns import read_objects
from raremine.brain.objects import FrameTable, ObjectTable

TARGET_CLASSES = (
    "construction vehicle",
    "bicycle",
    "motorcycle",
    "trailer",
    "truck",
)
"""The target concepts of the published method, by their concept names."""


def class_name(label: object) -> str:
    """Brings class and concept names to one spelling.

    "construction_vehicle", "Construction Vehicle" and "construction-vehicle"
    are the same class. Names are then compared as a whole, never by parts.
    """
    return " ".join(re.split(r"[\s_-]+", str(label or "").strip().lower()))


def read_detector_class(
    dataset: fo.Dataset,
    field: str,
    frames: FrameTable,
    targets: Sequence[str] = TARGET_CLASSES,
) -> np.ndarray:
    """Reads what the detector alone says about targets.

    Args:
        dataset: the root dataset
        field: the mined detections
        frames: the keyframes
        targets (TARGET_CLASSES): class names

    Returns:
        as ``detector_class_column``
    """
    objects = read_objects(dataset, field, ["label", "confidence"])
    return detector_class_column(frames, objects, targets)


def detector_class_column(
    frames: FrameTable, objects: ObjectTable, targets: Sequence[str]
) -> np.ndarray:
    """Returns each frame's surest detection of a target class.

    What a detector alone would mine, without embeddings and concepts.

    Args:
        frames: the keyframes
        objects: mined objects with ``sample_token``, ``label`` and
            ``confidence`` (NaN counts as 0)
        targets: class names

    Returns:
        (f,) float64, NaN where the detector names no target
    """
    row_of = {t: row for row, t in enumerate(frames.sample_token.tolist())}
    row = np.array(
        [row_of.get(t, -1) for t in objects["sample_token"]], dtype=np.int64
    )
    named = np.array(
        [class_name(label) in targets for label in objects["label"]], bool
    )
    sure = np.nan_to_num(np.asarray(objects["confidence"], dtype=np.float64))
    rows = named & (row >= 0)
    out = np.full(len(frames), -1.0)
    np.maximum.at(out, row[rows], sure[rows])
    return np.where(out < 0, np.nan, out)
