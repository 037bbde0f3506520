"""Crops, and batches of them across images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raremine.brain.stream.batches import ImageObjects, crop_batches
from raremine.brain.stream.crops import cut_crop
from tests.brain.fakes import CELL, center, color_of, paint, truncate

IMAGE = np.arange(100 * 200 * 3, dtype=np.uint32).astype(np.uint8)
IMAGE = IMAGE.reshape(100, 200, 3)


@pytest.mark.parametrize(
    ("box", "padding", "window"),
    [
        ([0.1, 0.2, 0.3, 0.4], 0.0, (20, 60, 20, 80)),
        # 10 % of 60 and of 40 pixels on each side
        ([0.1, 0.2, 0.3, 0.4], 0.1, (16, 64, 14, 86)),
        # the margin ends at the image
        ([0.0, 0.0, 0.5, 0.5], 0.1, (0, 55, 0, 110)),
        ([0.9, 0.9, 0.5, 0.5], 0.0, (90, 100, 180, 200)),
        # partial pixels are kept
        ([0.101, 0.2, 0.3, 0.4], 0.0, (20, 60, 20, 81)),
    ],
)
def test_known_crops(
    box: list[float], padding: float, window: tuple[int, int, int, int]
) -> None:
    top, bottom, left, right = window
    crop = cut_crop(IMAGE, box, padding)
    np.testing.assert_array_equal(crop, IMAGE[top:bottom, left:right])


@pytest.mark.parametrize(
    "box",
    [
        [0.5, 0.5, 0.0, 0.1],
        [0.5, 0.5, 0.1, -0.1],
        [1.0, 0.0, 0.5, 0.5],
        [-0.5, 0.0, 0.5, 0.5],
        [0.5, 0.5, 0.001, 0.5],
        [float("nan"), 0.5, 0.1, 0.1],
        [0.5, 0.5, float("inf"), 0.1],
    ],
)
def test_a_box_without_area_has_no_crop(box: list[float]) -> None:
    # padding must not make a crop out of nothing
    assert cut_crop(IMAGE, box, 0.5) is None


def test_a_crop_is_a_copy() -> None:
    image = IMAGE.copy()
    crop = cut_crop(image, [0, 0, 1, 1], 0)
    assert crop is not None
    crop[:] = 0
    np.testing.assert_array_equal(image, IMAGE)


@given(st.lists(st.floats(-0.5, 1.5), min_size=4, max_size=4), st.floats(0, 1))
def test_a_crop_lies_inside_the_image(
    box: list[float], padding: float
) -> None:
    crop = cut_crop(IMAGE, box, padding)
    if crop is not None:
        height, width = crop.shape[:2]
        assert 2 <= height <= 100
        assert 2 <= width <= 200


def work(tmp_path: Path, counts: list[int]) -> list[ImageObjects[int]]:
    out = []
    number = 0
    for image, count in enumerate(counts):
        colors = [color_of("car", number + i) for i in range(count)]
        path = paint(tmp_path / f"{image}.png", colors)
        boxes = [
            [((i % 6) * CELL + 8) / 240, (i // 6 * CELL + 8) / 160, 0.1, 0.15]
            for i in range(count)
        ]
        keys = list(range(number, number + count))
        out.append(
            ImageObjects(str(path), keys, np.array(boxes).reshape(-1, 4))
        )
        number += count
    return out


def test_batches_are_full_across_images(tmp_path: Path) -> None:
    source = work(tmp_path, [3, 0, 5, 1, 2])
    batches = list(
        crop_batches(source, 4, padding=0.0, on_failure=lambda *a: None)
    )
    assert [len(batch) for batch in batches] == [4, 4, 3]
    for key, crop in (item for batch in batches for item in batch):
        assert center(crop) == color_of("car", key)


def test_failures_name_their_key_and_shift_nobody(tmp_path: Path) -> None:
    source = work(tmp_path, [2, 3, 2])
    truncate(source[1].path)
    source[2].boxes[0] = [0.5, 0.5, 0, 0]
    failed: dict[int, tuple[str, str]] = {}
    batches = crop_batches(
        source,
        3,
        padding=0.0,
        on_failure=lambda key, path, why: failed.update({key: (path, why)}),
    )
    got = {key: center(crop) for batch in batches for key, crop in batch}
    assert got == {key: color_of("car", key) for key in (0, 1, 6)}
    assert set(failed) == {2, 3, 4, 5}
    assert all("truncated" in failed[key][1] for key in (2, 3, 4))
    assert failed[5] == (
        source[2].path,
        "box [0.5, 0.5, 0, 0] has no area in image",
    )
