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

from demo.phrases import BACKGROUND
from demo.train_data import CONTEXT, Crop, Picture, SceneObject, cut, shrunken
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
        common, own, other = _areas(box, thing.box)
        filled += common / own
        if not thing.usable:
            continue
        overlap = max(overlap, common / (own + other - common))
        if common / own >= fill and thing.visible_fraction >= CLEAR:
            best, fill = thing, common / own
    if best is None and filled < EMPTY:
        best = _empty(box, picture)
    return best, overlap


def _areas(
    a: Sequence[float], b: Sequence[float]
) -> tuple[float, float, float]:
    """Returns the areas of the intersection and of both boxes, in px²."""
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    own, other = ((v[2] - v[0]) * (v[3] - v[1]) for v in (a, b))
    return width * height, max(own, 1e-6), max(other, 1e-6)


def _empty(box: Sequence[float], picture: Picture) -> SceneObject:
    return SceneObject(
        f"background-{picture.path.parent.name}",
        BACKGROUND,
        BACKGROUND,
        "",
        False,
        (float(box[0]), float(box[1]), float(box[2]), float(box[3])),
        1.0,
        0.0,
        picture.night,
    )


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
