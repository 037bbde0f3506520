"""Decoding: any image file in its right orientation and colours."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from raremine.brain.stream import images as stream
from raremine.brain.stream.images import decode_ahead, read_image


def two_halves(width: int = 60, height: int = 40) -> np.ndarray:
    """Red on the left, blue on the right."""
    image = np.zeros((height, width, 3), np.uint8)
    image[:, : width // 2] = (250, 10, 10)
    image[:, width // 2 :] = (10, 10, 250)
    return image


def test_rgb_is_read_as_it_is(tmp_path: Path) -> None:
    Image.fromarray(two_halves()).save(tmp_path / "a.png")
    np.testing.assert_array_equal(
        read_image(str(tmp_path / "a.png")), two_halves()
    )


def test_the_exif_orientation_is_applied(tmp_path: Path) -> None:
    image = Image.fromarray(two_halves())
    exif = image.getexif()
    exif[0x0112] = 6  # the camera was turned: show it turned clockwise
    image.save(tmp_path / "a.jpg", exif=exif, quality=95)
    read = read_image(str(tmp_path / "a.jpg"))
    assert read.shape == (60, 40, 3)
    # what was left is on top
    np.testing.assert_allclose(read[10, 20], [250, 10, 10], atol=12)
    np.testing.assert_allclose(read[50, 20], [10, 10, 250], atol=12)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "1"])
def test_other_modes_become_rgb(tmp_path: Path, mode: str) -> None:
    source = Image.fromarray(two_halves()).convert(mode)
    source.save(tmp_path / "a.png")
    read = read_image(str(tmp_path / "a.png"))
    assert (read.shape, read.dtype) == ((40, 60, 3), np.uint8)
    np.testing.assert_array_equal(read, np.asarray(source.convert("RGB")))


def test_cmyk_becomes_rgb(tmp_path: Path) -> None:
    Image.fromarray(two_halves()).convert("CMYK").save(
        tmp_path / "a.jpg", quality=95
    )
    read = read_image(str(tmp_path / "a.jpg"))
    np.testing.assert_allclose(read[20, 10], [250, 10, 10], atol=20)
    np.testing.assert_allclose(read[20, 50], [10, 10, 250], atol=20)


def test_sixteen_bits_keep_their_upper_eight(tmp_path: Path) -> None:
    grey = np.linspace(0, 65535, 40 * 60).astype(np.uint16).reshape(40, 60)
    for name in ("a.png", "a.tif"):
        Image.fromarray(grey).save(tmp_path / name)
        read = read_image(str(tmp_path / name))
        expected = np.repeat((grey >> 8).astype(np.uint8)[..., None], 3, 2)
        np.testing.assert_array_equal(read, expected)


def test_a_file_that_is_no_image_is_an_error_with_a_reason(
    tmp_path: Path,
) -> None:
    good = tmp_path / "good.png"
    Image.fromarray(two_halves()).save(good)
    whole = good.read_bytes()
    contents = {
        "truncated.png": whole[: len(whole) // 2],
        "header.png": whole[:20],
        "empty.png": b"",
        "text.jpg": b"no image at all",
    }
    for name, data in contents.items():
        (tmp_path / name).write_bytes(data)
    paths = [str(tmp_path / name) for name in (*contents, "absent.png")]
    paths.insert(2, str(good))
    decoded = list(decode_ahead(paths, lambda path: path))
    assert [d.item for d in decoded] == paths
    for one in decoded:
        if one.item == str(good):
            np.testing.assert_array_equal(one.image, two_halves())
            assert one.reason is None
        else:
            assert one.image is None
            assert one.reason


def test_order_is_kept_whichever_is_decoded_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def slow_when_even(path: str, at_least: None) -> np.ndarray:
        time.sleep(0.02 * (1 - int(path) % 2))
        return np.full((1, 1, 3), int(path), np.uint8)

    monkeypatch.setattr(stream, "read_image", slow_when_even)
    paths = [str(n) for n in range(12)]
    got = decode_ahead(paths, lambda path: path, workers=4)
    assert [int(d.image[0, 0, 0]) for d in got] == list(range(12))


def test_no_more_is_decoded_than_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pulled = []
    decoded = []
    lock = threading.Lock()

    def source() -> Iterator[str]:
        for n in range(1000):
            pulled.append(n)
            yield str(n)

    def read(path: str) -> np.ndarray:
        with lock:
            decoded.append(path)
        return np.zeros((1, 1, 3), np.uint8)

    monkeypatch.setattr(stream, "read_image", read)
    items = decode_ahead(source(), lambda path: path, ahead=5)
    for _ in range(3):
        next(items)
    assert len(pulled) <= 3 + 5
    # leaving early cancels the rest
    items.close()
    assert len(decoded) <= len(pulled) <= 3 + 5


def textured(width: int, height: int) -> np.ndarray:
    noise = np.random.default_rng(3).integers(0, 255, (9, 16, 3), np.uint8)
    return np.asarray(Image.fromarray(noise).resize((width, height)))


@pytest.mark.parametrize("size", [(320, 180), (333, 517), (17, 5), (1, 1)])
@pytest.mark.parametrize("options", [{}, {"progressive": True}])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_jpegs_are_read_as_pillow_reads_them(
    tmp_path: Path, size: tuple[int, int], options: Any, subsampling: int
) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(textured(*size)).save(
        path, quality=90, subsampling=subsampling, **options
    )
    with Image.open(path) as file:
        np.testing.assert_array_equal(read_image(str(path)), np.asarray(file))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_jpegs_are_turned_as_their_exif_data_say(
    tmp_path: Path, orientation: int
) -> None:
    from PIL import ImageOps

    path = tmp_path / "a.jpg"
    image = Image.fromarray(textured(64, 48))
    exif = image.getexif()
    exif[0x0112] = orientation
    image.save(path, exif=exif)
    with Image.open(path) as file:
        expected = np.asarray(ImageOps.exif_transpose(file))
    np.testing.assert_array_equal(read_image(str(path)), expected)


def test_a_grey_jpeg_becomes_rgb(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(textured(64, 48)).convert("L").save(path)
    with Image.open(path) as file:
        expected = np.asarray(file.convert("RGB"))
    np.testing.assert_array_equal(read_image(str(path)), expected)


@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
def test_a_truncated_jpeg_is_an_error(tmp_path: Path, share: float) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(textured(320, 180)).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(OSError, match="truncated"):
        read_image(str(path))


@pytest.mark.parametrize(
    ("size", "at_least", "long_side"),
    [
        ((1600, 900), 1600, {1600}),
        ((1600, 900), 801, {1600}),
        ((1600, 900), 800, {800}),
        ((1600, 900), 400, {400}),
        ((900, 1600), 640, {800, 1000}),
        ((1600, 900), 10, {200}),
    ],
)
def test_a_large_jpeg_may_be_decoded_small(
    tmp_path: Path, size: tuple[int, int], at_least: int, long_side: set[int]
) -> None:
    path = str(tmp_path / "a.jpg")
    Image.fromarray(textured(*size)).save(path, quality=95)
    small = read_image(path, at_least)
    assert max(small.shape[:2]) in long_side
    assert (small.shape[0] > small.shape[1]) == (size[1] > size[0])
    # the same picture, only smaller
    whole = Image.fromarray(read_image(path))
    shape = (small.shape[1], small.shape[0])
    expected = np.asarray(whole.resize(shape, Image.Resampling.BOX))
    difference = small.astype(float) - expected
    assert np.abs(difference).mean() < 3
