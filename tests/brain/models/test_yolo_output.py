"""Suppression of a batch is Ultralytics' own on every image's full output."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from raremine.brain.models.yolo_input import PreparedImage
from raremine.brain.models.yolo_output import detections

SETTINGS: dict[str, Any] = {
    "conf": 0.25,
    "iou": 0.45,
    "max_det": 50,
    "classes": None,
    "end2end": False,
}


def _images(count: int) -> list[PreparedImage]:
    """As if twice as large images had been scaled down."""
    pixels = np.zeros((96, 160, 3), np.uint8)
    return [PreparedImage(pixels, 192, 320)] * count


def _output(sure: list[int], classes: int = 3, anchors: int = 40) -> Any:
    """Raw output with so many anchors of an image above the limit."""
    import torch

    torch.manual_seed(len(sure))
    output = torch.rand(len(sure), 4 + classes, anchors) * 0.2
    output[:, 0] = torch.rand(len(sure), anchors) * 160
    output[:, 1] = torch.rand(len(sure), anchors) * 96
    output[:, 2:4] = 10 + 40 * torch.rand(len(sure), 2, anchors)
    for row, count in enumerate(sure):
        at = torch.randperm(anchors)[:count]
        kind = torch.randint(classes, (count,))
        output[row, 4 + kind, at] = 0.3 + 0.6 * torch.rand(count)
    return output


@pytest.mark.parametrize(
    "sure", [[0], [0, 0], [6], [6, 6], [5, 6, 3], [7], [1, 40, 0, 12]]
)
@pytest.mark.parametrize("settings", [{}, {"classes": [2]}, {"max_det": 2}])
def test_each_image_gets_its_own_boxes(
    sure: list[int], settings: dict[str, Any]
) -> None:
    from ultralytics.utils.nms import non_max_suppression

    output = _output(sure)
    settings = {**SETTINGS, **settings}
    found = detections(output.clone(), _images(len(sure)), **settings)
    own = non_max_suppression(
        output,
        settings["conf"],
        settings["iou"],
        settings["classes"],
        max_det=settings["max_det"],
    )
    for ours, theirs in zip(found, own, strict=True):
        limits = np.array([320, 192, 320, 192], np.float32)
        boxes = np.clip(theirs[:, :4].numpy() * 2, 0, limits)
        np.testing.assert_allclose(ours.boxes, boxes, atol=1e-4)
        np.testing.assert_array_equal(ours.confidence, theirs[:, 4].numpy())
        np.testing.assert_array_equal(ours.class_id, theirs[:, 5].numpy())


def test_a_known_answer() -> None:
    import torch

    output = torch.zeros(1, 6, 8400)
    # a box, the same a little aside, the same of another class, one far away
    for anchor, (x, kind, score) in enumerate(
        [(40, 0, 0.8), (42, 0, 0.9), (40, 1, 0.7), (150, 0, 0.5)]
    ):
        output[0, :4, anchor] = torch.tensor([x, 48, 20, 10])
        output[0, 4 + kind, anchor] = score
    (found,) = detections([output, {}], _images(1), **SETTINGS)
    np.testing.assert_allclose(found.confidence, [0.9, 0.7, 0.5])
    assert found.class_id.tolist() == [0, 1, 0]
    np.testing.assert_allclose(
        found.boxes,
        [[64, 86, 104, 106], [60, 86, 100, 106], [280, 86, 320, 106]],
    )


def test_rows_past_the_images_are_no_images() -> None:
    output = _output([3, 3, 9, 9])
    settings = {**SETTINGS, "iou": 1.0}
    found = detections(output, _images(2), **settings)
    assert [len(boxes.boxes) for boxes in found] == [3, 3]


@pytest.mark.parametrize("end2end", [True, False])
def test_what_a_model_has_suppressed_itself_stays(end2end: bool) -> None:
    import torch

    output = torch.zeros(2, 300, 6)
    output[0, 0] = torch.tensor([10, 10, 50, 50, 0.9, 2])
    output[0, 1] = torch.tensor([11, 10, 50, 50, 0.8, 2])
    settings = {**SETTINGS, "end2end": end2end}
    first, second = detections(output, _images(2), **settings)
    np.testing.assert_allclose(
        first.boxes, [[20, 20, 100, 100], [22, 20, 100, 100]]
    )
    assert first.class_id.tolist() == [2, 2]
    assert second.boxes.shape == (0, 4)


def test_a_slow_machine_loses_no_boxes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Ultralytics' clock stands in for a machine that stalls
    from ultralytics.utils import nms

    clock = iter(range(0, 10**6, 1000))
    monkeypatch.setattr(nms.time, "time", lambda: float(next(clock)))
    found = detections(_output([4, 4, 4]), _images(3), **SETTINGS)
    assert all(len(boxes.boxes) for boxes in found)
