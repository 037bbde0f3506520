"""Crops on their way into a model, held against Pillow and torchvision."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from raremine.brain.models.crop_resampling import (
    CropResampling,
    resample_crop,
    resample_crops,
)

SIZES = [
    (1, 1),
    (2, 300),
    (300, 2),
    (10, 4000),
    (4000, 10),
    (224, 224),
    (1600, 900),
    (900, 1600),
    (37, 61),
    (700, 260),
]

SIDES = st.one_of(st.integers(1, 40), st.integers(1, 400))

HOWS = st.builds(
    lambda resize, size, longest, interpolation, fill: CropResampling(
        (size[0], size[0]) if resize == "edge" else size,
        resize,
        (size[0], size[0]) if resize == "edge" else size,
        longest if resize == "ratio" else 0.0,
        interpolation,
        fill if longest and resize == "ratio" else 0,
    ),
    st.sampled_from(["edge", "ratio", "exact"]),
    st.tuples(st.integers(1, 70), st.integers(1, 70)),
    st.sampled_from([0.0, 1.0]),
    st.sampled_from(["bilinear", "bicubic"]),
    st.sampled_from([0, 7, 255]),
)


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    crop = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    # black and white make the filters overshoot
    crop[rng.random((height, width)) < 0.3] = 255
    crop[rng.random((height, width)) < 0.3] = 0
    return crop


def reference(crop: np.ndarray, how: CropResampling) -> np.ndarray | None:
    """What open_clip's and torchvision's parts make; None = they raise."""
    from open_clip.transform import CenterCropOrPad, ResizeKeepRatio
    from torchvision.transforms import CenterCrop, InterpolationMode, Resize

    mode = InterpolationMode(how.interpolation)
    parts: list[Any] = [CenterCrop(how.size)]
    if how.resize == "edge":
        parts.insert(0, Resize(how.target[0], mode))
    elif how.resize == "exact":
        parts = [Resize(how.target, mode)]
    else:
        parts.insert(0, ResizeKeepRatio(how.target, how.longest, mode))
    if how.longest:
        parts[-1] = CenterCropOrPad(how.size, how.fill)
    image = Image.fromarray(crop)
    try:
        for part in parts:
            image = part(image)
    except ValueError:
        return None
    return np.asarray(image)


def batched(crops: list[np.ndarray], how: CropResampling) -> np.ndarray:
    return resample_crops(crops, how).permute(0, 2, 3, 1).numpy()


@settings(max_examples=300, deadline=None)
@given(SIDES, SIDES, HOWS, st.integers(0, 9))
def test_every_level_is_pillow_s(
    height: int, width: int, how: CropResampling, seed: int
) -> None:
    crop = noise(height, width, seed)
    expected = reference(crop, how)
    alone = resample_crop(crop, how)
    assert alone.shape == (*how.size, 3)
    assert alone.dtype == np.uint8
    np.testing.assert_array_equal(batched([crop], how)[0], alone)
    if expected is not None:
        np.testing.assert_array_equal(alone, expected)


@pytest.mark.parametrize("resize", ["edge", "ratio", "exact"])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_extreme_crops_too(resize: Any, interpolation: Any) -> None:
    how = CropResampling(
        (64, 64), resize, (64, 64), interpolation=interpolation
    )
    crops = [noise(*size, seed=n) for n, size in enumerate(SIZES)]
    together = batched(crops, how)
    for crop, levels in zip(crops, together, strict=True):
        expected = reference(crop, how)
        assert expected is not None
        np.testing.assert_array_equal(resample_crop(crop, how), expected)
        np.testing.assert_array_equal(levels, expected)


def test_a_thin_crop_never_becomes_a_long_image(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    largest = [0]
    resize = Image.Image.resize

    def watched(self: Image.Image, size: Any, *rest: Any) -> Image.Image:
        largest.append(size[0] * size[1])
        return resize(self, size, *rest)

    monkeypatch.setattr(Image.Image, "resize", watched)
    how = CropResampling((224, 224), "edge", (224, 224))
    for size in SIZES:
        resample_crop(noise(*size), how)
    assert max(largest) < 1 << 20


def test_the_order_of_pillow_s_passes_is_followed() -> None:
    """A tall crop shrinks vertically first in Pillow 13: levels differ."""
    how = CropResampling((50, 50), "exact", (50, 50))
    for size in [(200, 60), (140, 95), (141, 95), (139, 95), (60, 200)]:
        crop = noise(*size)
        np.testing.assert_array_equal(
            batched([crop], how)[0], reference(crop, how)
        )


def test_each_crop_of_a_batch_keeps_its_place() -> None:
    rng = np.random.default_rng(3)
    sizes = [tuple(rng.integers(1, 200, 2)) for _ in range(60)]
    crops = [noise(*size, seed=n) for n, size in enumerate(sizes)]
    how = CropResampling((32, 40), "ratio", (32, 40), 1.0, fill=9)
    together = batched(crops, how)
    for crop, levels in zip(crops, together, strict=True):
        np.testing.assert_array_equal(levels, resample_crop(crop, how))
    one_by_one = resample_crops(crops, how, memory=1)
    np.testing.assert_array_equal(
        one_by_one.permute(0, 2, 3, 1).numpy(), together
    )
    assert resample_crops([], how).shape == (0, 3, 32, 40)


def test_what_fits_nowhere_still_keeps_a_pixel() -> None:
    """open_clip's own transform raises: no pixel of the short side stays."""
    how = CropResampling((64, 64), "ratio", (64, 64), 1.0, fill=5)
    crop = np.full((1, 300, 3), 200, np.uint8)
    assert reference(crop, how) is None
    levels = resample_crop(crop, how)
    assert (levels == 200).all(2).any(1).sum() == 1
    assert (levels == 5).all(2).any(1).sum() == 63


def test_parts_of_an_image_are_taken_without_a_copy() -> None:
    image = noise(120, 150)
    how = CropResampling((32, 32), "edge", (32, 32))
    part = image[10:90, 20:70]
    expected = resample_crop(part.copy(), how)
    np.testing.assert_array_equal(resample_crop(part, how), expected)
    np.testing.assert_array_equal(batched([part], how)[0], expected)


def test_threads_do_not_disturb_each_other() -> None:
    how = CropResampling((64, 64), "edge", (64, 64))
    crops = [noise(20 + n % 7 * 40, 30 + n % 5 * 90, n) for n in range(60)]
    crops += [noise(2, 300), noise(300, 2)] * 5
    expected = [resample_crop(crop, how) for crop in crops]
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda crop: resample_crop(crop, how), crops))
    np.testing.assert_array_equal(got, expected)
