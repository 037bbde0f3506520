"""What the crop of a detected object really shows, by the annotations."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

MIN_IOU = 0.5
"""Overlap from which a detection shows an annotated object."""

CLUTTER = ""
"""Class of a detection that shows no annotated object."""

RARE_SHARES = (0.01, 0.02)
"""Shares of a world's annotated boxes below which a category is rare."""


def iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Returns the intersection over union of each pair of boxes.

    Args:
        a: (n, 4) left, top, width, height
        b: (m, 4) likewise, in the same unit

    Returns:
        (n, m) float64 in 0-1, 0 where both boxes are empty
    """
    import torch
    from torchvision.ops import box_convert, box_iou

    corners = (
        box_convert(torch.from_numpy(boxes.astype(np.float64)), "xywh", "xyxy")
        for boxes in (a, b)
    )
    # both empty: 0 / 0
    return np.nan_to_num(box_iou(*corners).numpy())


def shown(
    image: np.ndarray,
    boxes: np.ndarray,
    true_image: np.ndarray,
    true_boxes: np.ndarray,
    *,
    min_iou: float = MIN_IOU,
) -> np.ndarray:
    """Finds the annotated box that each detection shows.

    It is the one that overlaps the detection most. Two detections may show
    the same object: where a detector is unsure of a class it often finds an
    object twice, and both crops show it, so neither is a mistake of a score
    that puts it first.

    Args:
        image: (n,) image of each detection
        boxes: (n, 4) left, top, width, height
        true_image: (m,) image of each annotated box
        true_boxes: (m, 4) likewise
        min_iou (0.5): least intersection over union

    Returns:
        (n,) int64 row of the annotated box, -1 for none
    """
    found = np.full(len(image), -1, dtype=np.int64)
    for rows, true_rows in _by_image(image, true_image):
        overlap = iou(boxes[rows], true_boxes[true_rows])
        best = overlap.argmax(axis=1)
        enough = overlap[np.arange(len(rows)), best] >= min_iou
        found[rows[enough]] = true_rows[best[enough]]
    return found


def rare_names(names: np.ndarray, share: float) -> set[str]:
    """Returns the names that make up less than a share of all.

    Args:
        names: (m,) category of each annotated box of a world
        share: in 0-1
    """
    found, counts = np.unique(names.astype(str), return_counts=True)
    return set(found[counts < share * len(names)].tolist())


def _by_image(
    image: np.ndarray, true_image: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields rows of detections and of boxes of each image that has both."""
    own = _rows_by_name(image)
    true = _rows_by_name(true_image)
    for name in sorted(own.keys() & true.keys()):
        yield own[name], true[name]


def _rows_by_name(names: np.ndarray) -> dict[str, np.ndarray]:
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(names.tolist()):
        rows.setdefault(str(name), []).append(row)
    return {name: np.array(own) for name, own in rows.items()}
