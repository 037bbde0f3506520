"""Cuts object crops from a decoded image, in memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

SMALLEST_SIDE = 2
"""Pixels; a crop thinner than this shows nothing."""

ROUNDING = 1e-6
"""Pixels; relative boxes that end on a pixel's border miss it by less."""


def cut_crop(
    image: np.ndarray, box: Sequence[float], padding: float = 0.05
) -> np.ndarray | None:
    """Cuts one object from an image.

    Args:
        image: (h, w, 3) uint8
        box: relative x, y, width, height in [0, 1], as FiftyOne stores it
        padding (0.05): margin on each side, as a share of the box's side

    Returns:
        (h', w', 3) uint8 copy, or None if the box (before padding) has no
        area inside the image or is not finite
    """
    height, width = image.shape[:2]
    x, y, w, h = (float(value) for value in box)
    if not np.isfinite([x, y, w, h]).all() or w <= 0 or h <= 0:
        return None
    inside = (
        min(x + w, 1) * width - max(x, 0) * width,
        min(y + h, 1) * height - max(y, 0) * height,
    )
    if min(inside) < SMALLEST_SIDE:
        return None
    left = int(np.floor(max((x - padding * w) * width + ROUNDING, 0)))
    top = int(np.floor(max((y - padding * h) * height + ROUNDING, 0)))
    right = int(np.ceil(min((x + w + padding * w) * width - ROUNDING, width)))
    bottom = int(
        np.ceil(min((y + h + padding * h) * height - ROUNDING, height))
    )
    return image[top:bottom, left:right].copy()
