"""The engine: decode → detect → crop → embed, on a stream of images.

Each image is decoded once. Threads decode, make inputs ready and cut crops;
the models run in the caller's thread, in batches that reach across images.
Everything between two stages is bounded, so memory does not grow with the
data set, and results come in the order of the jobs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from raremine.brain.models.protocols import (
    Detector,
    Embedder,
    PreparingDetector,
    PreparingEmbedder,
)
from raremine.brain.stream.ahead import map_ahead
from raremine.brain.stream.crops import CropRule, Cut, cut
from raremine.brain.stream.images import decode

_Prepare = Callable[[np.ndarray], Any]


@dataclass(frozen=True, slots=True)
class ImageJob:
    """One image, and what is to be done with it.

    Attributes:
        key: the image's id
        path: its file
        labels: ids of the objects to embed; None = detect objects first
        boxes: (k, 4) their boxes, relative x, y, width, height
    """

    key: str
    path: str
    labels: Sequence[str] | None = None
    boxes: np.ndarray | None = None


@dataclass(slots=True)
class ImageResult:
    """What became of one image.

    Attributes:
        job: the job
        reason: why nothing could be done, None if it could
        boxes: (k, 4) float64 relative x, y, width, height of its objects,
            detected or given
        confidence: (k,) float32, detected objects only
        class_id: (k,) int64, detected objects only
        vectors: (k, d) float32, rows of NaN where there is none; None
            without an embedder
        cuts: what became of the objects' crops, without the pixels
    """

    job: ImageJob
    reason: str | None = None
    boxes: np.ndarray = field(default_factory=lambda: np.zeros((0, 4)))
    confidence: np.ndarray | None = None
    class_id: np.ndarray | None = None
    vectors: np.ndarray | None = None
    cuts: list[Cut] = field(default_factory=list)


@dataclass(slots=True)
class _Work:
    """An image on its way: its result so far and what is needed to go on."""

    result: ImageResult
    image: np.ndarray | None = None
    size: tuple[int, int] = (0, 0)
    ready: Any = None
    crops: list[tuple[int, Any]] = field(default_factory=list)
    open_crops: int = 0


class Engine:
    """Detects and embeds on streams of images.

    Args:
        detector (None): finds objects; None = all jobs bring their own
        embedder (None): maps their crops to vectors; None = no vectors
        rule: which objects have a crop, and how it is cut
        workers (2): threads for each of decoding and cutting
        ahead (None): most images decoded ahead of the models; None = two
            batches of the detector, and at least 16
        exact (True): decode at full size; False lets a detector alone have
            JPEGs decoded at a fraction, where that still is its input's size
    """

    def __init__(
        self,
        detector: Detector | None = None,
        embedder: Embedder | None = None,
        *,
        rule: CropRule = CropRule(),  # noqa: B008 - it is immutable
        workers: int = 2,
        ahead: int | None = None,
        exact: bool = True,
    ) -> None:
        self._detector = detector
        self._embedder = embedder
        self._rule = rule
        self._workers = max(workers, 1)
        batch = detector.batch_size if detector is not None else 8
        self._ahead = ahead or max(2 * batch, 16)
        self._at_least: int | None = None
        if embedder is None and not exact:
            self._at_least = getattr(detector, "input_size", None)
        self._ready_image: _Prepare = _as_it_is
        self._ready_crop: _Prepare = _as_it_is
        if isinstance(detector, PreparingDetector):
            self._ready_image = detector.prepare
            self._detect_call = _Guarded(detector.detect_prepared)
        elif detector is not None:
            self._detect_call = _Guarded(detector.detect)
        if isinstance(embedder, PreparingEmbedder):
            self._ready_crop = embedder.prepare
            self._embed_call = _Guarded(embedder.embed_prepared)
        elif embedder is not None:
            self._embed_call = _Guarded(embedder.embed_images)

    def run(
        self, jobs: Iterable[ImageJob]
    ) -> Generator[ImageResult, None, None]:
        """Yields one result a job, in their order.

        An image that cannot be read, and an object without a crop, cost
        themselves only. Close the generator, or exhaust it: that ends its
        threads.

        Args:
            jobs: images, read lazily

        Raises:
            Exception: what a model raises on every input
        """
        opened = map_ahead(
            self._open, jobs, workers=self._workers, ahead=self._ahead
        )
        with closing(opened), closing(self._detect(opened)) as detected:
            if self._embedder is None:
                for work in detected:
                    yield work.result
                return
            cropped = map_ahead(
                self._cut, detected, workers=self._workers, ahead=self._ahead
            )
            with closing(cropped):
                yield from self._embed(cropped)

    def _open(self, job: ImageJob) -> _Work:
        """Decodes an image and makes it ready for the detector."""
        work = _Work(ImageResult(job))
        opened = decode(job, job.path, self._at_least)
        if opened.image is None:
            work.result.reason = opened.reason or "unreadable"
            return work
        image = opened.image
        work.size = image.shape[1], image.shape[0]
        if job.labels is not None:
            work.result.boxes = np.asarray(job.boxes, float).reshape(-1, 4)
            work.image = image
            return self._cut(work)
        try:
            work.ready = self._ready_image(image)
        except Exception as error:
            work.result.reason = _worded(error)
            return work
        if self._embedder is not None:
            work.image = image
        return work

    def _detect(self, source: Iterable[_Work]) -> Generator[_Work, None, None]:
        """Detects in batches; images that need none go along in order."""
        waiting: list[_Work] = []
        todo: list[_Work] = []
        size = self._detector.batch_size if self._detector else 1
        for work in source:
            waiting.append(work)
            if work.ready is not None:
                todo.append(work)
            if len(todo) == size or (waiting and not todo):
                self._detect_batch(todo)
                yield from waiting
                waiting, todo = [], []
        self._detect_batch(todo)
        yield from waiting

    def _detect_batch(self, batch: Sequence[_Work]) -> None:
        if not batch:
            return
        found = self._detect_call([work.ready for work in batch])
        for work, boxes in zip(batch, found, strict=True):
            work.ready = None
            result = work.result
            if isinstance(boxes, str):
                result.reason = boxes
                work.image = None
                continue
            result.boxes = _relative(boxes.boxes, work.size)
            result.confidence = boxes.confidence
            result.class_id = boxes.class_id

    def _cut(self, work: _Work) -> _Work:
        """Cuts an image's crops, makes them ready and lets go of it."""
        image, work.image = work.image, None
        if image is None:
            return work
        for place, box in enumerate(work.result.boxes):
            one = cut(image, box, self._rule)
            if one.image is not None:
                try:
                    ready = self._ready_crop(one.image)
                except Exception as error:
                    one = Cut(None, "failed", _worded(error))
                else:
                    work.crops.append((place, ready))
                    one = Cut(None)
            work.result.cuts.append(one)
        work.open_crops = len(work.crops)
        return work

    def _embed(self, source: Iterable[_Work]) -> Iterator[ImageResult]:
        """Embeds in batches across images; yields each when it is whole."""
        assert self._embedder is not None
        size = self._embedder.batch_size
        waiting: deque[_Work] = deque()
        todo: list[tuple[_Work, int, Any]] = []
        for work in source:
            count = len(work.result.boxes)
            shape = count, self._embedder.dim
            work.result.vectors = np.full(shape, np.nan, np.float32)
            todo += [(work, place, ready) for place, ready in work.crops]
            work.crops = []
            waiting.append(work)
            while len(todo) >= size:
                self._embed_batch(todo[:size])
                del todo[:size]
            while waiting and not waiting[0].open_crops:
                yield waiting.popleft().result
        self._embed_batch(todo)
        for work in waiting:
            yield work.result

    def _embed_batch(self, batch: Sequence[tuple[_Work, int, Any]]) -> None:
        if not batch:
            return
        vectors = self._embed_call([ready for _, _, ready in batch])
        for (work, place, _), vector in zip(batch, vectors, strict=True):
            work.open_crops -= 1
            if isinstance(vector, str):
                work.result.cuts[place] = Cut(None, "failed", vector)
            elif not np.isfinite(vector).all():
                reason = "vector is not finite"
                work.result.cuts[place] = Cut(None, "failed", reason)
            else:
                assert work.result.vectors is not None
                work.result.vectors[place] = vector


class _Guarded:
    """Calls a model; an input that it cannot take costs itself only.

    A model that fails on a batch gets its inputs one by one. One that has
    never worked, or fails on everything again and again, is broken: its
    error is raised.
    """

    _PATIENCE = 3

    def __init__(self, call: Callable[[Sequence[Any]], Iterable[Any]]) -> None:
        self._call = call
        self._worked = False
        self._lost = 0

    def __call__(self, inputs: Sequence[Any]) -> list[Any]:
        """Returns one output an input, a text in place of one that failed."""
        try:
            outputs = list(self._call(inputs))
        except Exception as error:
            outputs = self._one_by_one(inputs, error)
        else:
            self._worked, self._lost = True, 0
        return outputs

    def _one_by_one(
        self, inputs: Sequence[Any], error: Exception
    ) -> list[Any]:
        outputs: list[Any] = []
        if len(inputs) == 1:
            outputs = [_worded(error)]
        else:
            for one in inputs:
                try:
                    outputs.extend(self._call([one]))
                except Exception as own:
                    outputs.append(_worded(own))
        if not all(isinstance(output, str) for output in outputs):
            self._worked, self._lost = True, 0
            return outputs
        self._lost += 1
        if not self._worked or self._lost >= self._PATIENCE:
            raise error
        return outputs


def _as_it_is(image: np.ndarray) -> np.ndarray:
    return image


def _worded(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _relative(boxes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Returns x1, y1, x2, y2 in pixels as relative x, y, width, height."""
    width, height = size
    scale = np.array([width, height, width, height], dtype=np.float64)
    corners = np.clip(boxes.astype(np.float64).reshape(-1, 4) / scale, 0, 1)
    sides = np.maximum(corners[:, 2:] - corners[:, :2], 0)
    return np.concatenate([corners[:, :2], sides], axis=1)
