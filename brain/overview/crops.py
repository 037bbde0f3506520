"""Thumbnails of a few objects, cut in memory."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import numpy as np

from raremine.brain.overview.rows import ObjectRow

LONGEST_SIDE = 112
"""Pixels: twice of what is shown, for sharp screens; about 3 KB each."""

PADDING = 0.15


def thumbnails(rows: Sequence[ObjectRow]) -> list[str]:
    """Cuts a thumbnail of each object.

    Args:
        rows: the objects

    Returns:
        a JPEG data URI each, "" where the image cannot be read
    """
    from raremine.brain.stream.crops import cut_crop
    from raremine.brain.stream.images import decode_ahead

    found = [""] * len(rows)
    of_image: dict[str, list[int]] = {}
    for at, row in enumerate(rows):
        of_image.setdefault(row.filepath, []).append(at)
    for decoded in decode_ahead(list(of_image), str):
        if decoded.image is None:
            continue
        for at in of_image[str(decoded.item)]:
            if len(rows[at].box) != 4:
                continue
            crop = cut_crop(decoded.image, rows[at].box, PADDING)
            if crop is not None:
                found[at] = _jpeg_uri(crop)
    return found


def _jpeg_uri(crop: np.ndarray) -> str:
    from PIL import Image

    image = Image.fromarray(crop)
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=80)
    encoded = base64.b64encode(stream.getvalue()).decode()
    return f"data:image/jpeg;base64,{encoded}"
