"""From a YOLO model's raw output to boxes on the images, a batch at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from raremine.brain.models.protocols import DetectedBoxes
from raremine.brain.models.yolo_input import PreparedImage

LEAST_COLUMNS = 7
"""Ultralytics takes an output with six columns for one that needs no
non-maximum suppression, and six candidates would look like that."""


def detections(
    output: Any,
    images: Sequence[PreparedImage],
    *,
    conf: float,
    iou: float,
    max_det: int,
    classes: Sequence[int] | None,
    end2end: bool,
) -> list[DetectedBoxes]:
    """Suppresses overlapping boxes and puts the rest on the images.

    Args:
        output: of the model, (n, 4 + classes, anchors), or (n, k, 6) where
            the model has suppressed them itself; rows past the images are
            ignored
        images: what went in, all of one input shape
        conf: smallest confidence
        iou: IoU threshold of the non-maximum suppression
        max_det: most boxes on an image
        classes: ids of the only classes to keep, None = all
        end2end: whether the model has suppressed overlapping boxes itself

    Returns:
        one ``DetectedBoxes`` an image, most confident first
    """
    from ultralytics.utils.nms import non_max_suppression

    if isinstance(output, (list, tuple)):
        output = output[0]
    output = output[: len(images)]
    final = end2end or output.shape[-1] == 6
    rows = non_max_suppression(
        output.cpu() if final else _candidates(output, conf),
        conf,
        iou,
        classes,
        max_det=max_det,
        end2end=end2end,
        # past its time Ultralytics leaves the rest of a batch without boxes
        max_time_img=math.inf,
    )
    return [
        _on_image(of_image, image)
        for of_image, image in zip(rows, images, strict=True)
    ]


def _candidates(output: Any, conf: float) -> Any:
    """Brings the anchors above the limit to the CPU, in their order.

    Suppression asks the device several times an image; what is left above
    the limit is so little that one copy of a whole batch is cheaper.

    Returns:
        (n, 4 + classes, m) tensor on the CPU, padded with zeros
    """
    import torch

    image, anchor = (output[:, 4:].amax(1) > conf).nonzero(as_tuple=True)
    found = output[image, :, anchor].cpu()
    counts = torch.bincount(image.cpu(), minlength=len(output)).tolist()
    padded = found.new_zeros(
        (len(output), found.shape[1], max(*counts, LEAST_COLUMNS))
    )
    start = 0
    for row, count in enumerate(counts):
        padded[row, :, :count] = found[start : start + count].T
        start += count
    return padded


def _on_image(rows: Any, image: PreparedImage) -> DetectedBoxes:
    from ultralytics.utils.ops import scale_boxes

    height, width, _ = image.pixels.shape
    # in place
    scale_boxes((height, width), rows[:, :4], (image.height, image.width))
    return DetectedBoxes(
        rows[:, :4].numpy().astype(np.float32),
        rows[:, 4].numpy().astype(np.float32),
        rows[:, 5].numpy().astype(np.int64),
    )
