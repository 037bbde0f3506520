"""How fast keyframes get into FiftyOne, by each way there is."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from uuid import uuid4

import fiftyone as fo
import fiftyone.core.odm as foo

from raremine.brain.errors import RaremineError
from raremine.brain.nuscenes.garbage import collection_paused
from raremine.brain.nuscenes.records import Frame, Tables
from raremine.brain.nuscenes.sample_values import to_sample
from raremine.brain.nuscenes.samples import SampleMaker
from raremine.brain.nuscenes.scene3d import SceneResult
from raremine.brain.nuscenes.store import BATCH, create_dataset, slice_3d
from raremine.brain.nuscenes.writer import Group, GroupWriter


@dataclass(frozen=True)
class WritingRate:
    """What one way of writing reached.

    Attributes:
        way: "documents" (raremine's), "add_samples" (FiftyOne's), or "odm"
            (FiftyOne's objects and conversion, without reading back)
        samples: samples written
        boxes: mean number of labels a sample
        seconds: of wall time, values made and stored
        cpu_seconds: of this process
    """

    way: str
    samples: int
    boxes: float
    seconds: float
    cpu_seconds: float

    @property
    def samples_per_second(self) -> float:
        """Samples per second of wall time."""
        return self.samples / self.seconds


def writing_rates(
    tables: Tables, keyframes: int = 16 * BATCH, plain_keyframes: int = BATCH
) -> list[WritingRate]:
    """Writes the same keyframes in each way, one after the other.

    No media are needed. The first batch, in which documents are compared
    with FiftyOne's own, is not counted. The datasets are deleted.

    Args:
        tables: ``BATCH`` keyframes more than are measured
        keyframes (512): keyframes to write as documents
        plain_keyframes (32): keyframes to write in each of the slow ways

    Returns:
        the rates of "documents", "add_samples" and "odm"

    Raises:
        RaremineError: if there are too few keyframes
    """
    needed = BATCH + max(keyframes, plain_keyframes)
    if len(tables.frames) < needed:
        raise RaremineError(
            f"{needed} keyframes are needed to measure, but the tables of "
            f"{tables.dataroot} have {len(tables.frames)}; measure fewer."
        )
    rates = []
    for way, number in (
        ("documents", keyframes),
        ("add_samples", plain_keyframes),
        ("odm", plain_keyframes),
    ):
        with _dataset(tables) as dataset:
            write = _way(way, dataset)
            maker = SampleMaker(
                tables, slice_3d(tables), dict(dataset.camera_intrinsics)
            )
            first = BATCH if way == "documents" else 1
            write(maker.groups(_with_scenes(tables.frames[:first], maker)))
            samples = boxes = 0
            clock, cpu = time.perf_counter(), time.process_time()
            for start in range(first, first + number, BATCH):
                end = min(start + BATCH, first + number)
                batch = _with_scenes(tables.frames[start:end], maker)
                with collection_paused():
                    groups = maker.groups(batch)
                    write(groups)
                for values in itertools.chain.from_iterable(groups):
                    samples += 1
                    boxes += len(values.labels or ())
            rates.append(
                WritingRate(
                    *(way, samples, boxes / samples),
                    time.perf_counter() - clock,
                    time.process_time() - cpu,
                )
            )
    return rates


@contextmanager
def _dataset(tables: Tables) -> Iterator[fo.Dataset]:
    name = f"raremine-rates-{uuid4().hex[:8]}"
    dataset = create_dataset(name, tables, tables.annotations is not None)
    try:
        yield dataset
    finally:
        dataset.delete()


def _way(way: str, dataset: fo.Dataset) -> Callable[[Sequence[Group]], Any]:
    if way == "odm":
        return lambda groups: _insert_objects(dataset, groups)
    return GroupWriter(dataset, plain=way == "add_samples").write


def _insert_objects(dataset: fo.Dataset, groups: Sequence[Group]) -> None:
    now = datetime.now(timezone.utc).replace(tzinfo=None)
    documents = []
    for values in itertools.chain.from_iterable(groups):
        made = to_sample(values).to_mongo_dict()
        document = {k: v for k, v in made.items() if v is not None}
        document["_dataset_id"] = dataset._doc.id
        document["created_at"] = document["last_modified_at"] = now
        documents.append(document)
    foo.insert_documents(
        documents, dataset._sample_collection, ordered=True, progress=False
    )


def _with_scenes(
    frames: Sequence[Frame], maker: SampleMaker
) -> list[tuple[Frame, SceneResult | None]]:
    batch = []
    for frame in frames:
        scene = None
        if maker.channel_3d in frame.data:
            path = Path(f"/media/{frame.data[maker.channel_3d].token}.fo3d")
            scene = SceneResult(path, {}, {})
        batch.append((frame, scene))
    return batch
