"""The letterbox is Ultralytics' own, and batches are what was prepared."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from raremine.brain.errors import ModelError
from raremine.brain.models.yolo_input import (
    BatchMemory,
    InputRules,
    PreparedImage,
    input_rules,
    letterbox,
)

SIZES = [
    *((900, 1600), (1601, 899), (333, 517), (64, 48), (1, 1), (1, 3000)),
    *((3000, 1), (640, 640), (384, 640), (641, 639), (37, 1280)),
]


def _image(height: int, width: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize("rectangle", [True, False])
@pytest.mark.parametrize("size", [(640, 640), (384, 640), (96, 96)])
def test_pixels_are_those_of_ultralytics(
    size: tuple[int, int], rectangle: bool
) -> None:
    from ultralytics.data.augment import LetterBox

    theirs = LetterBox(size, auto=rectangle, stride=32)
    random = np.random.default_rng(1)
    shapes = [*SIZES, *(tuple(random.integers(1, 900, 2)) for _ in range(60))]
    for height, width in shapes:
        image = _image(height, width)
        ours = letterbox(image, InputRules(*size, rectangle=rectangle))
        expected = theirs(image=image)
        np.testing.assert_array_equal(ours.pixels, expected)
        assert (ours.height, ours.width) == (height, width)
        assert ours.pixels.flags.c_contiguous


@pytest.mark.parametrize("shape", [(96, 96), (50, 70)])
def test_what_is_prepared_holds_no_image(shape: tuple[int, int]) -> None:
    image = _image(*shape)
    prepared = letterbox(image, InputRules(96, 96, rectangle=True))
    before = prepared.pixels.copy()
    image[:] = 0
    np.testing.assert_array_equal(prepared.pixels, before)
    assert prepared.pixels.base is None
    with pytest.raises(ValueError, match="read-only"):
        prepared.pixels[0] = 0


def test_views_of_an_image_are_taken() -> None:
    image = _image(120, 200)
    view = image[10:110:2, ::-1]
    rules = InputRules(96, 96, rectangle=True)
    np.testing.assert_array_equal(
        letterbox(view, rules).pixels,
        letterbox(np.ascontiguousarray(view), rules).pixels,
    )


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((8, 8), np.uint8),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((8, 8, 3), np.float32),
        np.zeros((0, 8, 3), np.uint8),
    ],
)
def test_what_is_no_rgb_image_is_told(image: np.ndarray) -> None:
    with pytest.raises(ModelError, match="image"):
        letterbox(image, InputRules(96, 96, rectangle=True))


@pytest.mark.parametrize("channels_last", [True, False])
def test_a_batch_is_its_images_and_nothing_of_the_last_one(
    channels_last: bool,
) -> None:
    import torch

    memory = BatchMemory(torch.device("cpu"), False, channels_last)
    for seed, (height, width, count, rows) in enumerate(
        [(64, 96, 3, 3), (32, 32, 2, 4), (96, 96, 1, 1), (64, 96, 1, 3)]
    ):
        images = [
            PreparedImage(_image(height, width, 10 * seed + i), 1, 1)
            for i in range(count)
        ]
        batch = memory.batch(images, rows)
        assert batch.shape == (rows, 3, height, width)
        expected = np.stack([image.pixels for image in images])
        expected = expected.transpose(0, 3, 1, 2).astype(np.float32)
        np.testing.assert_array_equal(
            batch[:count].numpy(), expected / np.float32(255)
        )
        assert not batch[count:].any()


def _backend(format: str, **known: Any) -> Any:
    return SimpleNamespace(
        **{"format": format, "stride": 32, "batch": 1, **known}
    )


def _session(*shape: Any) -> Any:
    inputs = [SimpleNamespace(shape=list(shape))]
    return SimpleNamespace(get_inputs=lambda: inputs)


@pytest.mark.parametrize(
    ("backend", "expected"),
    [
        (_backend("pt"), InputRules(1024, 1024, True)),
        (
            _backend("pt", stride=64, imgsz=1000),
            InputRules(1024, 1024, True, 64),
        ),
        (
            _backend(
                "onnx",
                imgsz=[384, 640],
                session=_session(4, 3, 384, 640),
            ),
            InputRules(384, 640, False, 32, 4, True),
        ),
        (
            _backend(
                "onnx",
                dynamic=True,
                imgsz=[640, 640],
                session=_session("batch", 3, "height", "width"),
            ),
            InputRules(1024, 1024, True),
        ),
        (  # an export of others: no metadata
            _backend("onnx", session=_session(2, 3, 320, 320)),
            InputRules(320, 320, False, 32, 2, True),
        ),
        (
            _backend("onnx", dynamic=True, session=_session("n", 3, 320, 416)),
            InputRules(320, 416, False),
        ),
        (
            _backend("engine", imgsz=[640, 640], batch=8),
            InputRules(640, 640, False, 32, 8, True),
        ),
        (
            _backend("engine", dynamic=True, imgsz=[640, 640], batch=8),
            InputRules(1024, 1024, True, 32, 8, False),
        ),
    ],
)
def test_exports_decide_their_input(
    backend: Any, expected: InputRules
) -> None:
    assert input_rules(backend, 1000) == expected
