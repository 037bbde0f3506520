"""Cuts object crops from a decoded image, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SMALLEST_SIDE = 2
"""Pixels; a crop thinner than this shows nothing."""

ROUNDING = 1e-6
"""Pixels; relative boxes that end on a pixel's border miss it by less."""


@dataclass(frozen=True)
class CropRule:
    """Which objects have a crop, and how it is cut.

    Attributes:
        padding: margin on each side, as a share of the box's side
        min_size: shortest side, in pixels of the image and before padding,
            of a box that is worth a crop
    """

    padding: float = 0.05
    min_size: float = SMALLEST_SIDE


@dataclass(frozen=True, slots=True)
class Cut:
    """What became of one object's crop.

    Attributes:
        image: (h, w, 3) uint8, None if there is none
        status: "ok", "skipped" (the rule leaves it out) or "failed"
        reason: why there is none, None if there is one
    """

    image: np.ndarray | None
    status: str = "ok"
    reason: str | None = None


def cut(image: np.ndarray, box: Sequence[float], rule: CropRule) -> Cut:
    """Cuts one object from an image, or says why not.

    Args:
        image: (h, w, 3) uint8
        box: relative x, y, width, height in [0, 1], as FiftyOne stores it
        rule: how
    """
    width, height = _inside(image, box)
    if not min(width, height) > 0:  # also where the box is not finite
        shown = ", ".join(f"{value:.4g}" for value in box)
        return Cut(None, "failed", f"box [{shown}] has no area in image")
    if min(width, height) < rule.min_size - ROUNDING:
        return Cut(
            None,
            "skipped",
            f"{width:.3g} x {height:.3g} pixels are less than "
            f"min_size={rule.min_size:g}",
        )
    return Cut(_padded(image, box, rule.padding))


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
    return cut(image, box, CropRule(padding)).image


def _inside(image: np.ndarray, box: Sequence[float]) -> tuple[float, float]:
    """Returns width and height of a box inside of an image, in pixels."""
    height, width = image.shape[:2]
    x, y, w, h = (float(value) for value in box)
    if not np.isfinite([x, y, w, h]).all() or w <= 0 or h <= 0:
        return 0.0, 0.0
    return (
        min(x + w, 1) * width - max(x, 0) * width,
        min(y + h, 1) * height - max(y, 0) * height,
    )


def _padded(
    image: np.ndarray, box: Sequence[float], padding: float
) -> np.ndarray:
    height, width = image.shape[:2]
    x, y, w, h = (float(value) for value in box)
    left = int(np.floor(max((x - padding * w) * width + ROUNDING, 0)))
    top = int(np.floor(max((y - padding * h) * height + ROUNDING, 0)))
    right = int(np.ceil(min((x + w + padding * w) * width - ROUNDING, width)))
    bottom = int(
        np.ceil(min((y + h + padding * h) * height - ROUNDING, height))
    )
    return image[top:bottom, left:right].copy()
