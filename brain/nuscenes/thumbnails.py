"""Bird's-eye images of clouds, for the App's grid.

The projection is that of ``fiftyone.utils.utils3d.
compute_orthographic_projection_images`` along z, with the same metadata, so
the App draws cuboids over the image in their places. The field of view is
the same for every keyframe, which makes the tiles of a drive comparable.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from raremine.brain.nuscenes.pcd import write_whole

SIZE = 400
"""Width and height in pixels: sharp on a tile of 200 px on dense screens."""

MIN_BOUND = (-50.0, -50.0, -10.0)
MAX_BOUND = (50.0, 50.0, 30.0)
"""What is shown of the world frame, in metres: about what is annotated."""

_BACKGROUND = (13, 15, 20)
_COLORS = np.array(
    [
        [-1.0, 38, 52, 92],
        [0.0, 52, 82, 140],
        [0.35, 40, 150, 190],
        [1.0, 70, 205, 160],
        [2.0, 245, 215, 70],
        [3.5, 250, 130, 50],
        [6.0, 235, 70, 90],
        [12.0, 200, 110, 220],
    ]
)
"""Height in metres and red, green, blue: the road dim, what stands on it
bright, most of the scale where vehicles and people are."""

_STEPS = 255
_STAMP = "raremine"


class HeightMap:
    """The highest point over each pixel, of all clouds that were added.

    Args:
        spread (2): width and height in pixels that a point covers, to the
            right and above, so that little of a cloud is lost where the
            image is shown smaller
    """

    def __init__(self, spread: int = 2) -> None:
        self._spread = spread
        self._levels = np.zeros(SIZE * SIZE, dtype=np.uint8)

    def add(self, points: np.ndarray) -> None:
        """Adds a cloud.

        Args:
            points: (n, 3 or more), x, y, z first, in the world frame
        """
        # in double precision, as a point on a pixel's edge must not slip
        x, y = np.ascontiguousarray(points[:, :2].T, dtype=np.float64)
        z = points[:, 2]
        (x1, y1, z1), (x2, y2, z2) = MIN_BOUND, MAX_BOUND
        seen = (x >= x1) & (x <= x2) & (y >= y1) & (y <= y2)
        seen &= (z >= z1) & (z <= z2)
        column = ((x[seen] - x1) * ((SIZE - 1) / (x2 - x1))).astype(np.intp)
        # image rows run down, y runs up
        row = ((y[seen] - y1) * ((SIZE - 1) / (y2 - y1))).astype(np.intp)
        low, high = _COLORS[0, 0], _COLORS[-1, 0]
        level = (z[seen] - low) * ((_STEPS - 1) / (high - low))
        index = 1 + np.clip(level, 0, _STEPS - 1).astype(np.uint8)
        np.maximum.at(self._levels, (SIZE - 1 - row) * SIZE + column, index)

    def image(self) -> np.ndarray:
        """Returns (SIZE, SIZE) uint8 colour indices, 0 = nothing there."""
        image = self._levels.reshape(SIZE, SIZE).copy()
        for _ in range(self._spread - 1):
            np.maximum(image[:, 1:], image[:, :-1], out=image[:, 1:])
            np.maximum(image[:-1], image[1:], out=image[:-1])
        return image


def write_thumbnail(path: Path, heights: HeightMap, stamp: str) -> None:
    """Writes a ``.png``, whole or not at all.

    Args:
        path: the file; its folder is made
        heights: what it shows
        stamp: what it was made from, see ``is_thumbnail``
    """
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    image = Image.fromarray(heights.image(), "P")
    image.putpalette(_palette())
    info = PngInfo()
    info.add_text(_STAMP, stamp)
    buffer = io.BytesIO()
    # strong compression would take longer than all the rest
    image.save(buffer, "PNG", pnginfo=info, compress_level=1)
    write_whole(path, buffer.getbuffer())


def is_thumbnail(path: Path, stamp: str) -> bool:
    """Whether a file is a complete thumbnail with this stamp."""
    try:
        content = path.read_bytes()
    except OSError:
        return False
    text = f"{_STAMP}\0{stamp}".encode("ascii")
    chunk = len(text).to_bytes(4, "big") + b"tEXt" + text
    return chunk in content and content[-8:-4] == b"IEND"


def thumbnail_metadata(path: Path) -> dict[str, Any]:
    """Returns the values of FiftyOne's ``OrthographicProjectionMetadata``."""
    return {
        "filepath": str(path),
        "min_bound": list(MIN_BOUND),
        "max_bound": list(MAX_BOUND),
        "normal": [0.0, 0.0, 1.0],
        "width": SIZE,
        "height": SIZE,
    }


def _palette() -> bytes:
    heights = np.linspace(_COLORS[0, 0], _COLORS[-1, 0], _STEPS)
    colors = [np.interp(heights, _COLORS[:, 0], c) for c in _COLORS.T[1:]]
    table = np.stack(colors, axis=1).round().astype(np.uint8)
    return bytes(_BACKGROUND) + table.tobytes()
