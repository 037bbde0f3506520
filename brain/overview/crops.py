"""Thumbnails of a few objects."""

from __future__ import annotations

from collections.abc import Sequence

from raremine.brain.crop_pictures import crop_pictures
from raremine.brain.overview.rows import ObjectRow

LONGEST_SIDE = 112
"""Pixels: twice of what is shown, for sharp screens; about 3 KB each."""


def thumbnails(rows: Sequence[ObjectRow]) -> list[str]:
    """Cuts a thumbnail of each object.

    Args:
        rows: the objects

    Returns:
        a JPEG data URI each, "" where the image cannot be read
    """
    return crop_pictures([(r.filepath, r.box) for r in rows], LONGEST_SIDE)
