"""Embeds whole camera images into a similarity index keyed by sample id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import fiftyone as fo
import fiftyone.core.fields as fof
import fiftyone.core.patches as fop
import numpy as np
from bson import ObjectId
from pymongo import UpdateOne

from raremine.brain.columns import Scope, resolve
from raremine.brain.crop_index import CropIndexResults, create_index
from raremine.brain.crop_vectors import FRAME_EMBEDDING
from raremine.brain.errors import RaremineError
from raremine.brain.id_set import IdSet
from raremine.brain.models.protocols import Embedder
from raremine.brain.progress import Progress, ProgressArgument
from raremine.brain.stream.crops import CropRule
from raremine.brain.stream.engine import Engine, ImageJob, ImageResult
from raremine.brain.stream.filled_index import check_dtype, reopen_index
from raremine.brain.stream.running import Running, stream_into
from raremine.brain.stream.source import Images, images_of
from raremine.brain.summary import StageSummary

IMAGES = 512
"""Images written in one go: the most that a kill can lose."""

WHOLE = CropRule(padding=0.0)
"""How an image is cut: not at all."""

_STATUS = f"{FRAME_EMBEDDING}_status"
_REASON = f"{FRAME_EMBEDDING}_reason"


def embed_images(
    samples: Any,
    embedder: Embedder,
    *,
    brain_key: str = "frames_clip",
    normalize: bool = True,
    dtype: str = "float32",
    loader: Mapping[str, Any] | None = None,
    index_dir: str | None = None,
    overwrite: bool = False,
    engine: Running | None = None,
    progress: ProgressArgument = None,
) -> dict[str, Any]:
    """Embeds every camera image that has no vector yet.

    See :func:`raremine.brain.embed_frames`.
    """
    summary = StageSummary("embed_frames")
    if isinstance(samples, fop.PatchesView):
        raise RaremineError(
            "embed_frames embeds whole images, and this view shows patches; "
            "pass the dataset or a view of its images."
        )
    check_dtype(dtype)
    scope = resolve(samples)
    images = images_of(scope.images)
    asked = _ids(images)
    index = _prepare(
        scope,
        embedder,
        brain_key=brain_key,
        asked=asked,
        normalize=normalize,
        dtype=dtype,
        loader=loader,
        index_dir=index_dir,
        overwrite=overwrite,
    )
    done = index.stored_set()
    store = FrameStore(scope.dataset, index, normalize, summary)
    engine = engine or Engine(embedder=embedder, rule=WHOLE)
    jobs = _images_to_embed(images, done, store)
    with Progress(len(asked - done), "Embedding images", progress) as bar:
        stream_into(store, engine.run(jobs), IMAGES, bar)
    index.reload()
    summary.count(
        images=store.vectors,
        skipped=len(asked & done),
        dim=int(embedder.dim),
    )
    return summary.to_dict()


class FrameStore:
    """Where whole images' vectors go: the index first, then the status.

    Args:
        dataset: the root dataset
        index: where vectors go
        normalize: whether to store vectors of length one
        summary: counts what failed
    """

    def __init__(
        self,
        dataset: fo.Dataset,
        index: CropIndexResults,
        normalize: bool,
        summary: StageSummary,
    ) -> None:
        self._dataset = dataset
        self._index = index
        self._normalize = normalize
        self._summary = summary
        self.vectors = 0

    def write(self, results: Sequence[ImageResult]) -> None:
        """Writes some images' results."""
        reasons = [_reason(result) for result in results]
        done = [
            result
            for result, reason in zip(results, reasons, strict=True)
            if reason is None
        ]
        if done:
            vectors = [r.vectors for r in done if r.vectors is not None]
            block = np.concatenate(vectors)
            if self._normalize:
                length = np.linalg.norm(block, axis=1, keepdims=True)
                block = block / np.where(length, length, 1)
            ids = [result.job.key for result in done]
            self._index.append(block, ids, ids)
            self.vectors += len(ids)
        for result, reason in zip(results, reasons, strict=True):
            if reason is not None:
                self._summary.fail(result.job.path, reason)
        self.say([result.job.key for result in results], reasons)

    def say(
        self, sample_ids: Sequence[str], reasons: Sequence[str | None]
    ) -> None:
        """Notes on images that they have a vector, or why not."""
        updates = [
            UpdateOne(
                {"_id": ObjectId(sample_id)},
                {
                    "$set": {
                        _STATUS: "ok" if reason is None else "failed",
                        _REASON: reason,
                    }
                },
            )
            for sample_id, reason in zip(sample_ids, reasons, strict=True)
        ]
        self._dataset._bulk_write(updates, ids=list(sample_ids))


def _reason(result: ImageResult) -> str | None:
    if result.reason is not None:
        return result.reason
    (cut,) = result.cuts
    return None if cut.status == "ok" else cut.reason or cut.status


def _ids(images: Images) -> IdSet:
    return IdSet(one.tobytes().hex() for one in images.ids)


def _images_to_embed(
    images: Images, done: IdSet, store: FrameStore
) -> Iterator[ImageJob]:
    """Yields a job for each image without a vector: itself, as one crop.

    One that has a vector and does not say so, as an interrupted run leaves
    it, is noted on the way.
    """
    box = np.array([[0.0, 0.0, 1.0, 1.0]])
    for document in images.documents("filepath", _STATUS):
        key = str(document["_id"])
        if not done.has([document["_id"]])[0]:
            yield ImageJob(key, document["filepath"], [key], box)
        elif document.get(_STATUS) != "ok":
            store.say([key], [None])


def _prepare(
    scope: Scope,
    embedder: Embedder,
    *,
    brain_key: str,
    asked: IdSet,
    normalize: bool,
    dtype: str,
    loader: Mapping[str, Any] | None,
    index_dir: str | None,
    overwrite: bool,
) -> CropIndexResults:
    """Opens or makes the index, without the vectors that are to be redone."""
    dataset = scope.dataset
    params = {
        "embedder": embedder.identity(),
        "normalize": normalize,
        "dtype": dtype,
    }
    index = reopen_index(
        dataset,
        brain_key,
        params,
        patches_field=None,
        loader=loader,
        overwrite=overwrite,
        everything=lambda: _ids(images_of(resolve(dataset).images)),
        asked=lambda: asked,
        forget=lambda: None,
    )
    if index is None:
        index = create_index(
            dataset,
            None,
            brain_key,
            embedder=loader,
            params=params,
            index_dir=index_dir,
            dtype=dtype,
        )
    for name in (_STATUS, _REASON):
        if dataset.get_field(name) is None:
            dataset.add_sample_field(name, fof.StringField)
    return index
