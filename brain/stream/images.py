"""Decodes images ahead of the model: in threads, a bounded number at once."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np

from raremine.brain.stream.ahead import map_ahead

Item = TypeVar("Item")

_JPEG = b"\xff\xd8"
_EXIF = b"Exif\0\0"
"""What may say that the camera was turned; Pillow reads that."""

_ORIENTATION = 0x0112
"""EXIF tag: how the camera was held; 1 = upright."""

_HEAD = 1 << 17
"""Bytes in which it stands: the first segments, of 64 KB at most."""


@dataclass(frozen=True)
class Decoded(Generic[Item]):
    """One item with its image, or with the reason why it has none.

    Attributes:
        item: what the source yielded
        image: (h, w, 3) uint8 RGB, None if unreadable
        reason: why it is unreadable, None if it was read
    """

    item: Item
    image: np.ndarray | None
    reason: str | None = None


def read_image(path: str, at_least: int | None = None) -> np.ndarray:
    """Reads an image file.

    The orientation in its EXIF data is applied, as browsers do; grey, palette
    and CMYK files become RGB, and 16-bit grey keeps its upper eight bits.

    Args:
        path: an image file
        at_least (None): pixels that the long side must have; a JPEG that has
            twice as many or more may then be decoded at a half, a quarter or
            an eighth of its size, in a fraction of the time. None = full size

    Returns:
        (h, w, 3) uint8 RGB

    Raises:
        OSError: if the file is absent, truncated or no image
    """
    content = Path(path).read_bytes()
    if content[:2] == _JPEG:
        pixels = _read_jpeg(content, at_least)
        if pixels is not None:
            return pixels
    from PIL import Image, ImageOps

    with Image.open(io.BytesIO(content)) as file:
        if file.mode.startswith("I;16") or file.mode == "I":
            # Pillow's own conversion clips at 255 instead of scaling
            grey = np.asarray(file, dtype=np.uint32) >> 8
            return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)
        image = ImageOps.exif_transpose(file).convert("RGB")
        return np.asarray(image)


def _read_jpeg(content: bytes, at_least: int | None) -> np.ndarray | None:
    """Reads an ordinary JPEG in half of Pillow's time.

    Returns:
        the pixels, the same as Pillow's; None if Pillow shall judge the
        file: it is no colour picture, may be turned, or is damaged
    """
    import simplejpeg

    if _EXIF in content[:_HEAD] and not _is_upright(content):
        return None
    try:
        height, width, colors, _ = simplejpeg.decode_jpeg_header(content)
        if colors not in ("YCbCr", "RGB"):
            return None
        wanted = {}
        if at_least is not None and max(height, width) >= 2 * at_least:
            # the long side decides; the other one follows
            side = "min_width" if width >= height else "min_height"
            wanted = {side: at_least}
        return np.asarray(simplejpeg.decode_jpeg(content, "RGB", **wanted))
    except ValueError:
        return None


def _is_upright(content: bytes) -> bool:
    from PIL import Image

    with Image.open(io.BytesIO(content)) as file:
        return bool(file.getexif().get(_ORIENTATION, 1) == 1)


def decode(
    item: Item, path: str, at_least: int | None = None
) -> Decoded[Item]:
    """Reads an item's image; a file that cannot be read has a reason.

    Args:
        item: what is handed on
        path: its image file
        at_least (None): see ``read_image``
    """
    try:
        return Decoded(item, read_image(path, at_least))
    except Exception as error:
        # Pillow raises OSError, ValueError, SyntaxError or struct.error on
        # broken files; whichever it is costs this image only
        return Decoded(item, None, f"{type(error).__name__}: {error}")


def decode_ahead(
    source: Iterable[Item],
    path_of: Callable[[Item], str],
    workers: int = 2,
    ahead: int = 32,
) -> Iterator[Decoded[Item]]:
    """Yields decoded images in the order of the source.

    At most ``ahead`` images are in memory, see ``map_ahead``.

    Args:
        source: items, read lazily
        path_of: returns an item's image file
        workers (2): decoding threads
        ahead (32): most images decoded ahead of the consumer
    """
    with closing(
        map_ahead(
            lambda item: decode(item, path_of(item)),
            source,
            workers=workers,
            ahead=ahead,
        )
    ) as decoded:
        yield from decoded
