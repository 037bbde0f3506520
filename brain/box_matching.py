"""Which box of another set, such as the annotated ones, an object shows.

Greedy and one to one, as COCO evaluates detections (Lin et al.: Microsoft
COCO, ECCV 2014; ``pycocotools``' ``evaluateImg``), but whatever the classes:
what an object is called is not judged here, only what it shows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MIN_IOU = 0.5
"""Overlap from which an object shows an annotated box."""

PAIRS_AT_ONCE = 1 << 21
"""Pairs of boxes compared together: bounds the memory."""


@dataclass(frozen=True)
class Matches:
    """What mined objects show.

    Attributes:
        box: (n,) int64 row of the annotated box that an object is matched
            to, -1 for none
        again: (n,) bool, whether it has none only because a surer object
            took each box that it overlaps: the same thing detected twice
    """

    box: np.ndarray
    again: np.ndarray


def match_boxes(
    image: np.ndarray,
    boxes: np.ndarray,
    confidence: np.ndarray,
    true_image: np.ndarray,
    true_boxes: np.ndarray,
    *,
    min_iou: float = MIN_IOU,
) -> Matches:
    """Matches objects to annotated boxes.

    In each image the surest object chooses first, the box that it overlaps
    most of those that are left and overlap enough.

    Args:
        image: (n,) image of each object
        boxes: (n, 4) left, top, width, height
        confidence: (n,) NaN counts as 0; the first of equal ones goes first
        true_image: (m,) image of each annotated box
        true_boxes: (m, 4) likewise
        min_iou (0.5): least intersection over union
    """
    n = len(image)
    found, other, overlap = overlapping_pairs(
        image, boxes, true_image, true_boxes, min_iou
    )
    sure = np.nan_to_num(np.asarray(confidence, dtype=np.float64))
    rank = np.empty(n, dtype=np.int64)
    rank[np.argsort(-sure, kind="stable")] = np.arange(n)
    order = np.lexsort((other, -overlap, rank[found]))
    box = np.full(n, -1, dtype=np.int64)
    free = np.ones(len(true_image), dtype=bool)
    for at, true in zip(
        found[order].tolist(), other[order].tolist(), strict=True
    ):
        if box[at] < 0 and free[true]:
            box[at] = true
            free[true] = False
    overlaps = np.zeros(n, dtype=bool)
    overlaps[found] = True
    return Matches(box, overlaps & (box < 0))


def overlapping_pairs(
    image: np.ndarray,
    boxes: np.ndarray,
    true_image: np.ndarray,
    true_boxes: np.ndarray,
    min_iou: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Finds all pairs of boxes on one image that overlap enough.

    Args:
        image: (n,) image of each object
        boxes: (n, 4) left, top, width, height
        true_image: (m,) image of each annotated box
        true_boxes: (m, 4) likewise
        min_iou: least intersection over union

    Returns:
        (p,) rows of objects, (p,) rows of annotated boxes, (p,) IoU
    """
    _, code = np.unique(
        np.concatenate([true_image, image]), return_inverse=True
    )
    true_code, code = code[: len(true_image)], code[len(true_image) :]
    by_image = np.argsort(true_code, kind="stable")
    sorted_code = true_code[by_image]
    first = np.asarray(np.searchsorted(sorted_code, code, "left"))
    count = np.searchsorted(sorted_code, code, "right") - first
    boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    true_boxes = np.asarray(true_boxes, dtype=np.float64).reshape(-1, 4)
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    ends = np.cumsum(count)
    start = 0
    while start < len(code):
        limit = (ends[start - 1] if start else 0) + PAIRS_AT_ONCE
        stop = max(int(np.searchsorted(ends, limit, "right")), start + 1)
        rows = np.repeat(np.arange(start, stop), count[start:stop])
        within = np.arange(len(rows)) - np.repeat(
            np.cumsum(count[start:stop]) - count[start:stop],
            count[start:stop],
        )
        others = by_image[first[rows] + within]
        overlap = iou(boxes[rows], true_boxes[others])
        enough = overlap >= min_iou
        parts.append((rows[enough], others[enough], overlap[enough]))
        start = stop
    if not parts:
        nothing = np.empty(0, dtype=np.int64)
        return nothing, nothing, np.empty(0)
    found, other, overlap = (
        np.concatenate(part) for part in zip(*parts, strict=True)
    )
    return found, other, overlap


def iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Returns the intersection over union of boxes, row by row.

    Args:
        a: (p, 4) left, top, width, height
        b: (p, 4) likewise, in the same unit

    Returns:
        (p,) float64, 0 where either box has no area or is not finite
    """
    low = np.maximum(a[:, :2], b[:, :2])
    high = np.minimum(a[:, :2] + a[:, 2:], b[:, :2] + b[:, 2:])
    shared = np.maximum(high - low, 0).prod(axis=1)
    union = a[:, 2:].prod(axis=1) + b[:, 2:].prod(axis=1) - shared
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.nan_to_num(np.where(shared > 0, shared / union, 0.0))
