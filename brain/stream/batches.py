"""Fills batches of crops ACROSS images, so that the model is kept busy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from raremine.brain.columns import Scope
from raremine.brain.objects import ObjectTable
from raremine.brain.stream.crops import cut_crop
from raremine.brain.stream.images import decode_ahead

Key = TypeVar("Key")


@dataclass(frozen=True)
class ImageObjects(Generic[Key]):
    """The objects to cut from one image.

    Attributes:
        path: the image file
        keys: one key an object, such as its row
        boxes: (k, 4) relative x, y, width, height
    """

    path: str
    keys: Sequence[Key]
    boxes: np.ndarray


def image_objects(
    scope: Scope, table: ObjectTable
) -> Iterator[ImageObjects[int]]:
    """Groups a table's rows by image, in the order of the files.

    Args:
        scope: where the images are
        table: objects with ``bounding_box``

    Yields:
        the rows and boxes of one image after the other
    """
    ids, paths = scope.images.values(["id", "filepath"])
    path_of = dict(zip(ids, paths, strict=True))
    rows_of: dict[str, list[int]] = {}
    for row, sample_id in enumerate(table.sample_id):
        rows_of.setdefault(str(sample_id), []).append(row)
    boxes = table["bounding_box"]
    for sample_id in sorted(rows_of, key=lambda i: path_of[i]):
        rows = rows_of[sample_id]
        yield ImageObjects(path_of[sample_id], rows, boxes[rows])


def crop_batches(
    source: Iterable[ImageObjects[Key]],
    size: int,
    *,
    padding: float,
    on_failure: Callable[[Key, str, str], None],
    workers: int = 2,
) -> Iterator[list[tuple[Key, np.ndarray]]]:
    """Yields batches of (key, crop), each image decoded once.

    Args:
        source: images with their objects, read lazily
        size: crops in a batch; only the last may hold fewer
        padding: margin of a crop on each side, as a share of the box's side
        on_failure: called with key, image path and reason for an object that
            has no crop; the others are unaffected
        workers (2): decoding threads
    """
    batch: list[tuple[Key, np.ndarray]] = []
    for decoded in decode_ahead(source, lambda i: i.path, workers=workers):
        work = decoded.item
        for key, box in zip(work.keys, work.boxes, strict=True):
            if decoded.image is None:
                on_failure(key, work.path, decoded.reason or "unreadable")
                continue
            crop = cut_crop(decoded.image, box, padding)
            if crop is None:
                on_failure(
                    key, work.path, f"box {_shown(box)} has no area in image"
                )
                continue
            batch.append((key, crop))
            if len(batch) == size:
                yield batch
                batch = []
    if batch:
        yield batch


def _shown(box: Sequence[float]) -> str:
    return "[" + ", ".join(f"{value:.4g}" for value in box) + "]"
