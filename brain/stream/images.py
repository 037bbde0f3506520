"""Decodes images ahead of the model: in threads, a bounded number at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

Item = TypeVar("Item")


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


def read_image(path: str) -> np.ndarray:
    """Reads an image file.

    The orientation in its EXIF data is applied, as browsers do; grey, palette
    and CMYK files become RGB, and 16-bit grey keeps its upper eight bits.

    Args:
        path: an image file

    Returns:
        (h, w, 3) uint8 RGB

    Raises:
        OSError: if the file is absent, truncated or no image
    """
    from PIL import Image, ImageOps

    with Image.open(path) as file:
        if file.mode.startswith("I;16") or file.mode == "I":
            # Pillow's own conversion clips at 255 instead of scaling
            grey = np.asarray(file, dtype=np.uint32) >> 8
            return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)
        image = ImageOps.exif_transpose(file).convert("RGB")
        return np.asarray(image)


def decode_ahead(
    source: Iterable[Item],
    path_of: Callable[[Item], str],
    workers: int = 2,
    ahead: int = 32,
) -> Iterator[Decoded[Item]]:
    """Yields decoded images in the order of the source.

    At most ``ahead`` images are in memory, so memory does not grow with the
    data set; a slow consumer stops the decoding. Leaving the iterator early,
    by an error or an interrupt, cancels what has not begun.

    Args:
        source: items, read lazily
        path_of: returns an item's image file
        workers (2): decoding threads
        ahead (32): most images decoded ahead of the consumer
    """
    pending: deque[tuple[Item, Future[np.ndarray]]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="decode")
    try:
        for item in source:
            pending.append((item, pool.submit(read_image, path_of(item))))
            if len(pending) >= ahead:
                yield _result(*pending.popleft())
        while pending:
            yield _result(*pending.popleft())
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _result(item: Item, future: Future[np.ndarray]) -> Decoded[Item]:
    try:
        return Decoded(item, future.result())
    except Exception as error:
        # Pillow raises OSError, ValueError, SyntaxError or struct.error on
        # broken files; whichever it is costs this image only
        return Decoded(item, None, f"{type(error).__name__}: {error}")
