"""Small pictures of a few objects, cut in memory, for reports and panels."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import numpy as np

PADDING = 0.15
"""Margin around a box: a little of the street helps to see what it is."""

QUALITY = 85


def crop_pictures(
    boxes: Sequence[tuple[str, Sequence[float]]], longest_side: int
) -> list[str]:
    """Cuts objects from their images; each image is read once.

    Args:
        boxes: path of the image and (left, top, width, height) in [0, 1] of
            each object
        longest_side: px of a picture; larger crops are scaled down

    Returns:
        a JPEG data URI each, "" where the image cannot be read or the box
        holds nothing
    """
    from raremine.brain.stream.crops import cut_crop
    from raremine.brain.stream.images import decode_ahead

    found = [""] * len(boxes)
    of_image: dict[str, list[int]] = {}
    for at, (path, box) in enumerate(boxes):
        if len(box) == 4:
            of_image.setdefault(path, []).append(at)
    for decoded in decode_ahead(list(of_image), str):
        if decoded.image is None:
            continue
        for at in of_image[str(decoded.item)]:
            crop = cut_crop(decoded.image, boxes[at][1], PADDING)
            if crop is not None:
                found[at] = jpeg_uri(crop, longest_side)
    return found


def jpeg_uri(crop: np.ndarray, longest_side: int) -> str:
    """Returns a crop as a JPEG data URI, scaled down if it is large.

    Args:
        crop: (h, w, 3) uint8 RGB
        longest_side: px
    """
    from PIL import Image

    image = Image.fromarray(crop)
    image.thumbnail((longest_side, longest_side))
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=QUALITY)
    encoded = base64.b64encode(stream.getvalue()).decode()
    return f"data:image/jpeg;base64,{encoded}"
