"""The engine: order, batches, bounds, and what one bad input costs."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from raremine.brain.models.protocols import DetectedBoxes
from raremine.brain.stream import engine as stream_engine
from raremine.brain.stream.crops import CropRule, cut
from raremine.brain.stream.engine import Engine, ImageJob
from tests.brain.fakes import (
    CELL,
    COLUMNS,
    ROWS,
    FakeDetector,
    FakeEmbedder,
    Killed,
    color_of,
    paint,
    truncate,
)


class ReadyDetector(FakeDetector):
    """Has its images made ready elsewhere; notes where and how many."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.threads: set[str] = set()
        self.batches: list[int] = []

    def prepare(self, image: np.ndarray) -> DetectedBoxes:
        self.threads.add(threading.current_thread().name)
        return self._boxes(image)

    def detect_prepared(
        self, prepared: Sequence[DetectedBoxes]
    ) -> list[DetectedBoxes]:
        self.batches.append(len(prepared))
        return list(prepared)


class ReadyEmbedder(FakeEmbedder):
    """Has its crops made ready elsewhere; notes where and how many."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.threads: set[str] = set()
        self.batches: list[int] = []

    def prepare(self, crop: np.ndarray) -> np.ndarray:
        self.threads.add(threading.current_thread().name)
        return crop

    def embed_prepared(self, prepared: Sequence[np.ndarray]) -> np.ndarray:
        self.batches.append(len(prepared))
        return self.embed_images(prepared)


@pytest.fixture
def jobs(tmp_path: Path) -> list[ImageJob]:
    """Nine images of none to three objects."""
    made, number = [], 0
    for index in range(9):
        colors = []
        for _ in range(index % 4):
            colors.append(color_of("car", number))
            number += 1
        path = paint(tmp_path / f"{index}.png", colors)
        made.append(ImageJob(f"image-{index}", str(path)))
    return made


def expected(job: ImageJob) -> list[np.ndarray]:
    index = int(job.key.rpartition("-")[2])
    first = sum(i % 4 for i in range(index))
    return [
        FakeEmbedder().vector(color_of("car", first + k))
        for k in range(index % 4)
    ]


def given(job: ImageJob) -> ImageJob:
    """The same job with its boxes known beforehand."""
    count = int(job.key.rpartition("-")[2]) % 4
    boxes = [
        [
            (k * CELL + 8) / (COLUMNS * CELL),
            8 / (ROWS * CELL),
            (CELL - 16) / (COLUMNS * CELL),
            (CELL - 16) / (ROWS * CELL),
        ]
        for k in range(count)
    ]
    labels = [f"{job.key}-{k}" for k in range(count)]
    return ImageJob(job.key, job.path, labels, np.array(boxes).reshape(-1, 4))


@pytest.mark.parametrize("images", [1, 2, 4, 100])
@pytest.mark.parametrize("crops", [1, 3, 100])
@pytest.mark.parametrize("mixed", [False, True])
def test_results_are_those_of_their_jobs_in_their_order(
    jobs: list[ImageJob], images: int, crops: int, mixed: bool
) -> None:
    if mixed:
        jobs = [given(j) if n % 2 else j for n, j in enumerate(jobs)]
    engine = Engine(
        ReadyDetector(batch_size=images), ReadyEmbedder(batch_size=crops)
    )
    results = list(engine.run(jobs))
    assert [result.job for result in results] == jobs
    for result in results:
        wanted = expected(result.job)
        assert result.vectors is not None
        assert len(result.vectors) == len(wanted) == len(result.cuts)
        assert {one.status for one in result.cuts} <= {"ok"}
        for vector, right in zip(result.vectors, wanted, strict=True):
            np.testing.assert_allclose(vector, right, rtol=1e-6)
        assert (result.class_id is None) == (result.job.labels is not None)


def test_batches_reach_across_images(jobs: list[ImageJob]) -> None:
    detector = ReadyDetector(batch_size=4)
    embedder = ReadyEmbedder(batch_size=5)
    list(Engine(detector, embedder).run(jobs))
    assert detector.batches == [4, 4, 1]
    assert embedder.batches == [5, 5, 2]
    # made ready where the models do not wait for it
    assert "MainThread" not in detector.threads | embedder.threads


def test_models_that_prepare_nothing_work_as_well(
    jobs: list[ImageJob],
) -> None:
    results = list(Engine(FakeDetector(), FakeEmbedder()).run(jobs))
    for result in results:
        assert result.vectors is not None
        np.testing.assert_allclose(
            result.vectors.reshape(-1, FakeEmbedder.dim),
            np.reshape(expected(result.job), (-1, FakeEmbedder.dim)),
            rtol=1e-6,
        )


@pytest.mark.parametrize("broken", range(4))
def test_one_broken_file_of_four_costs_itself_only(
    jobs: list[ImageJob], broken: int
) -> None:
    some = jobs[1:5]
    truncate(some[broken].path)
    engine = Engine(FakeDetector(batch_size=4), FakeEmbedder(batch_size=2))
    for number, result in enumerate(engine.run(some)):
        if number == broken:
            assert result.reason is not None
            assert "truncated" in result.reason
            assert len(result.boxes) == 0
        else:
            assert result.reason is None
            assert result.vectors is not None
            np.testing.assert_allclose(
                result.vectors.reshape(-1, FakeEmbedder.dim),
                np.reshape(expected(result.job), (-1, FakeEmbedder.dim)),
                rtol=1e-6,
            )


def test_an_input_that_a_model_cannot_take_costs_itself_only(
    jobs: list[ImageJob],
) -> None:
    class Picky(FakeEmbedder):
        def embed_images(self, crops: Sequence[np.ndarray]) -> np.ndarray:
            if any(
                int(crop[crop.shape[0] // 2, 0, 2]) == 34 for crop in crops
            ):
                raise ValueError("I do not take number 4")
            return super().embed_images(crops)

    class Blind(FakeDetector):
        def detect(self, images: Sequence[np.ndarray]) -> list[DetectedBoxes]:
            found = super().detect(images)
            if any(len(boxes.boxes) == 3 for boxes in found):
                raise ValueError("too many")
            return found

    embedder = Picky(batch_size=4)
    padless = CropRule(padding=0)
    results = list(Engine(None, embedder, rule=padless).run(map(given, jobs)))
    failed = [
        (result.job.key, place, one.reason)
        for result in results
        for place, one in enumerate(result.cuts)
        if one.status == "failed"
    ]
    assert failed == [("image-3", 1, "ValueError: I do not take number 4")]
    results = list(Engine(Blind(batch_size=4)).run(jobs))
    reasons = [r.reason for r in results if r.reason]
    assert reasons == ["ValueError: too many"] * 2
    assert [len(r.boxes) for r in results] == [0, 1, 2, 0, 0, 1, 2, 0, 0]


def test_a_model_that_never_works_ends_the_run(jobs: list[ImageJob]) -> None:
    class Broken(FakeDetector):
        def detect(self, images: Sequence[np.ndarray]) -> list[DetectedBoxes]:
            raise RuntimeError("no kernel for this device")

    with pytest.raises(RuntimeError, match="no kernel"):
        list(Engine(Broken()).run(jobs))


def test_a_model_that_breaks_down_ends_the_run(tmp_path: Path) -> None:
    class Tired(FakeDetector):
        def detect(self, images: Sequence[np.ndarray]) -> list[DetectedBoxes]:
            found = super().detect(images)
            if self.images > 4:
                raise RuntimeError("out of memory")
            return found

    path = str(paint(tmp_path / "a.png", [color_of("car", 0)]))
    jobs = [ImageJob(str(number), path) for number in range(100)]
    done = []
    with pytest.raises(RuntimeError, match="out of memory"):
        for result in Engine(Tired(batch_size=2)).run(jobs):
            done.append(result)
    assert 4 <= len(done) < 20


def test_what_is_wrong_with_a_crop_is_said(tmp_path: Path) -> None:
    path = str(paint(tmp_path / "a.png", [color_of("car", 3)]))
    good = given(ImageJob("image-1", path))
    assert good.boxes is not None
    boxes = np.array(
        [
            [0.5, 0.5, 0.0, 0.1],
            [np.nan, 0.5, 0.1, 0.1],
            good.boxes[0],
            [1.2, 0.5, 0.1, 0.1],
            [0.5, 0.5, 1 / (COLUMNS * CELL), 0.5],
        ]
    )
    job = ImageJob("a", path, list("abcde"), boxes)
    (result,) = Engine(None, FakeEmbedder()).run([job])
    assert [one.status for one in result.cuts] == [
        *("failed", "failed", "ok", "failed", "skipped"),
    ]
    assert result.vectors is not None
    known = np.isfinite(result.vectors).all(axis=1)
    assert known.tolist() == [False, False, True, False, False]
    np.testing.assert_allclose(
        result.vectors[2], FakeEmbedder().vector(color_of("car", 3)), rtol=1e-6
    )
    assert result.cuts[4].reason == "1 x 80 pixels are less than min_size=2"


def test_one_pixel_is_a_crop_where_the_rule_says_so() -> None:
    image = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    one = cut(image, [0.2, 0.25, 0.2, 0.25], CropRule(0.0, 1))
    assert one.image is not None
    np.testing.assert_array_equal(one.image, image[1:2, 1:2])


@pytest.mark.parametrize("fused", [False, True])
def test_no_more_is_read_than_the_models_can_use(
    tmp_path: Path, fused: bool
) -> None:
    path = str(paint(tmp_path / "a.png", [color_of("car", 0)]))
    pulled = 0

    def source() -> Iterator[ImageJob]:
        nonlocal pulled
        for number in range(10_000):
            pulled += 1
            yield ImageJob(str(number), path)

    embedder = FakeEmbedder(batch_size=4) if fused else None
    engine = Engine(FakeDetector(batch_size=4), embedder, ahead=16)
    results = engine.run(source())
    for _ in range(50):
        next(results)
    # what is decoded, what is cut, and a batch of each model
    assert pulled <= 50 + 2 * 16 + 2 * 4
    results.close()
    before = pulled
    assert pulled == before


def test_an_interrupt_in_a_model_ends_the_threads(
    jobs: list[ImageJob],
) -> None:
    with pytest.raises(Killed):
        list(Engine(FakeDetector(), FakeEmbedder(kill_after=3)).run(jobs))
    for thread in threading.enumerate():
        if thread.name.startswith("ahead"):
            thread.join(60)
            assert not thread.is_alive()


def test_large_jpegs_are_decoded_small_for_a_detector_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Sized(FakeDetector):
        input_size = 320

        def detect(self, images: Sequence[np.ndarray]) -> list[DetectedBoxes]:
            sizes.extend(image.shape[:2] for image in images)
            height, width = images[0].shape[:2]
            box = [width / 4, height / 4, width / 2, height / 2]
            return [
                DetectedBoxes(
                    np.array([box], np.float32),
                    np.ones(1, np.float32),
                    np.zeros(1, np.int64),
                )
                for _ in images
            ]

    sizes: list[tuple[int, ...]] = []
    noise = np.random.default_rng(0).integers(0, 255, (9, 16, 3), np.uint8)
    image = Image.fromarray(noise).resize((1600, 900))
    paths = [tmp_path / name for name in ("a.jpg", "b.png", "small.jpg")]
    for path in paths[:2]:
        image.save(path)
    image.resize((600, 338)).save(paths[2])
    jobs = [ImageJob(path.name, str(path)) for path in paths]
    results = list(Engine(Sized(batch_size=1), exact=False).run(jobs))
    assert max(sizes[0]) in range(320, 800)
    assert sizes[1:] == [(900, 1600), (338, 600)]
    for result in results:
        np.testing.assert_allclose(
            result.boxes, [[0.25, 0.25, 0.25, 0.25]], atol=1e-6
        )
    sizes.clear()
    list(Engine(Sized(batch_size=1)).run(jobs[:1]))
    # crops need every pixel
    both = Engine(Sized(batch_size=1), FakeEmbedder(), exact=False)
    monkeypatch.setattr(FakeEmbedder, "embed_images", _zeros)
    list(both.run(jobs[:1]))
    assert sizes == [(900, 1600)] * 2


def _zeros(self: Any, crops: Sequence[np.ndarray]) -> np.ndarray:
    return np.zeros((len(crops), FakeEmbedder.dim), np.float32)


def test_each_image_is_decoded_once(
    jobs: list[ImageJob], monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    decode = stream_engine.decode

    def counting(item: Any, path: str, *rest: Any) -> Any:
        read.append(path)
        return decode(item, path, *rest)

    monkeypatch.setattr(stream_engine, "decode", counting)
    list(Engine(FakeDetector(), FakeEmbedder()).run(jobs))
    assert sorted(read) == sorted(job.path for job in jobs)
