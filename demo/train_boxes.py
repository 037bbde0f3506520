"""Crops of what the demo's detector takes for objects and are none.

Annotated boxes never show a model what a detector is wrong about: two cars
in one box called a truck, a bus shelter, the corner of a house. Mining sees
little else among its rarest candidates, so embedder and captioner learn from
the detector's own mistakes, on pictures it has not learnt from, each with
the name it gave them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from demo.train_data import (
    CONTEXT,
    Crop,
    Picture,
    SceneObject,
    areas,
    background_at,
    cut,
    shrunken,
)
from demo.weights_folder import DETECTOR_IMAGE_SIZE

CONFIDENCE = 0.1
"""Lowest confidence of a box, as mining takes them."""
FOUND = 0.5
"""IoU from which a box shows an object as annotated: no mistake."""
SHOWN = 0.35
"""Share of a mistaken box that an object must fill to be what it shows."""
CLEAR = 0.6
"""Least visible share of an object that a mistaken box can show."""
EMPTY = 0.15
"""Share of a box that objects may fill when it still shows none."""


def shown(
    box: Sequence[float], picture: Picture
) -> tuple[SceneObject | None, float]:
    """Tells what a box on a picture shows.

    Args:
        box: (x1, y1, x2, y2) in px
        picture: the picture the box lies on

    Returns:
        the object that fills most of the box, a piece of background if
        objects fill next to nothing of it, or None where neither can be
        said; and the largest IoU with an object that can be learnt
    """
    best, fill, overlap, filled = None, SHOWN, 0.0, 0.0
    for thing in picture.objects:
        common, own, other = areas(box, thing.box)
        filled += common / own
        if not thing.usable:
            continue
        overlap = max(overlap, common / (own + other - common))
        if common / own >= fill and thing.visible_fraction >= CLEAR:
            best, fill = thing, common / own
    if best is None and filled < EMPTY:
        best = background_at(picture, (box[0], box[1], box[2], box[3]))
    return best, overlap


def mistaken_crops(
    pictures: Sequence[Picture], weights: Path, *, batch: int = 16
) -> Iterator[Crop]:
    """Cuts the boxes that the detector puts where no object is as it says.

    Args:
        pictures: cached pictures
        weights: the detector's weights file
        batch (16): pictures detected at a time

    Returns:
        an iterator of crops, with what they really show in ``thing`` and
        the detector's name for it in ``hint``; boxes of which nothing can
        be said are left out
    """
    from ultralytics import YOLO

    model = YOLO(str(weights))
    for first in range(0, len(pictures), batch):
        part = pictures[first : first + batch]
        images = [picture.read() for picture in part]
        results: Any = model.predict(
            # Ultralytics takes arrays as BGR
            [np.ascontiguousarray(image[:, :, ::-1]) for image in images],
            imgsz=DETECTOR_IMAGE_SIZE,
            conf=CONFIDENCE,
            device="cpu",
            verbose=False,
        )
        for picture, image, result in zip(part, images, results, strict=True):
            boxes: NDArray[np.float32] = result.boxes.xyxy.numpy()
            names = [result.names[int(k)] for k in result.boxes.cls]
            for box, name in zip(boxes.tolist(), names, strict=True):
                thing, overlap = shown(box, picture)
                if thing is None or overlap >= FOUND:
                    continue
                pixels, moved = cut(image, box, CONTEXT)
                yield shrunken(Crop(pixels, moved, thing, name))
