"""Crops as data URLs, the form in which a server takes images."""

from __future__ import annotations

import base64
import io
import math
from typing import Any

import numpy as np

SMALLEST_SIDE = 28
"""Pixels; the Qwen2-VL family refuses images thinner than one patch pair."""

LONGEST_PER_SHORTEST = 100
"""Greatest ratio of sides kept; the Qwen2-VL family refuses 200."""

JPEG_QUALITY = 95

FORMATS = ("png", "jpeg")


def data_url(
    crop: np.ndarray, image_format: str = "png", max_pixels: int | None = None
) -> str:
    """Returns a crop as a data URL.

    Args:
        crop: (h, w, 3) uint8 RGB
        image_format ("png"): "png", which loses nothing, or "jpeg" of
            quality 95 without colour subsampling
        max_pixels (None): a larger crop is scaled down to this area

    Returns:
        ``data:image/…;base64,…``
    """
    from PIL import Image

    image = fit_size(Image.fromarray(crop), max_pixels)
    stream = io.BytesIO()
    if image_format == "png":
        image.save(stream, "PNG", compress_level=1)
    else:
        image.save(stream, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    text = base64.b64encode(stream.getvalue()).decode("ascii")
    return f"data:image/{image_format};base64,{text}"


def fit_size(image: Any, max_pixels: int | None = None) -> Any:
    """Returns a PIL image enlarged if too thin, shrunk if too large."""
    from PIL import Image

    width, height = image.size
    short = min(width, height)
    if short < SMALLEST_SIDE:
        longest = SMALLEST_SIDE * LONGEST_PER_SHORTEST
        scale = SMALLEST_SIDE / short
        width, height = (
            max(min(round(side * scale), longest), 1)
            for side in (width, height)
        )
    elif max_pixels and width * height > max_pixels:
        scale = math.sqrt(max_pixels / (width * height))
        width, height = (
            max(math.floor(side * scale), SMALLEST_SIDE)
            for side in (width, height)
        )
    if (width, height) == image.size:
        return image
    return image.resize((width, height), Image.Resampling.BICUBIC)
