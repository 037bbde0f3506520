"""Moves results from the engine to their store, and says how far it is."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from typing import Protocol

from raremine.brain.progress import Progress
from raremine.brain.stream.engine import ImageJob, ImageResult
from raremine.brain.stream.writer import ChunkWriter


class Running(Protocol):
    """An engine: ``Engine`` here, ``RayEngine`` on a cluster."""

    def run(
        self, jobs: Iterable[ImageJob]
    ) -> Generator[ImageResult, None, None]:
        """Yields one result a job."""
        ...


class Store(Protocol):
    """Where results go: ``ResultStore``, ``FrameStore``."""

    def write(self, results: Sequence[ImageResult]) -> None:
        """Writes some images' results."""
        ...


def stream_into(
    store: Store,
    results: Generator[ImageResult, None, None],
    chunk: int,
    bar: Progress,
    *,
    vectors: int | None = None,
    objects: bool = False,
) -> None:
    """Writes results in chunks while the engine goes on.

    Whichever way it ends - done, an error, an interrupt, a cancelled run -
    the engine's threads end and what was finished is written.

    Args:
        store: where the results go
        results: from an engine
        chunk: images in a chunk
        bar: counts images or objects; may raise, to cancel the run
        vectors (None): a chunk also ends with this many objects
        objects (False): whether the bar counts objects
    """

    def weight(result: ImageResult) -> float:
        found = len(result.boxes)
        return max(1 / chunk, found / vectors if vectors else 0.0)

    with (
        closing(results),
        ChunkWriter(store.write, 1 - 1e-9, weight) as writer,
    ):
        for result in results:
            writer.put(result)
            bar.add(len(result.job.labels or ()) if objects else 1)
