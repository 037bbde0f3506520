"""Frame embeddings: one vector a keyframe, from crops or whole images.

Vectors come from a similarity index batch by batch and are added up where
they belong, so that a million crops cost the memory of the frames alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import fiftyone as fo
import numpy as np

from raremine.brain.columns import all_slices, has_objects, resolve
from raremine.brain.crop_index import CropIndexResults
from raremine.brain.crop_vectors import check_stored
from raremine.brain.errors import MissingStageError, RaremineError
from raremine.brain.id_set import label_ids
from raremine.brain.objects import FrameTable

ROWS_AT_ONCE = 8192
"""Vectors added up together."""


def read_frame_vectors(
    dataset: fo.Dataset, frames: FrameTable, brain_key: str
) -> np.ndarray:
    """Reads one vector a keyframe from a similarity index.

    An index of object crops gives the mean direction of all crops on all
    cameras of the frame; one of whole images that of all cameras. Each crop,
    or image, counts the same, whatever the length of its vector; what is no
    longer in the dataset does not count.

    Args:
        dataset: the dataset
        frames: the keyframes in question, in any order
        brain_key: of an index that ``embed_objects`` or ``embed_frames``
            made, or any similarity index of FiftyOne whose embeddings can be
            read (its own are read all at once)

    Returns:
        (f, d) float32 vectors of length one in the order of ``frames``, rows
        of NaN where a frame has no vector, or its vectors cancel out

    Raises:
        MissingStageError: if there is no such index, or its vectors did not
            come along with a dataset that was imported
        RaremineError: if the key belongs to something else, or somebody
            changes the index meanwhile
    """
    dataset = dataset._root_dataset
    index = _open(dataset, brain_key)
    row_of = {token: row for row, token in enumerate(frames.sample_token)}
    has_tokens = dataset.get_field("sample_token") is not None
    ids, tokens = all_slices(dataset).values(
        ["id", "sample_token" if has_tokens else "id"]
    )
    row_of_sample = {
        sample_id: row_of.get(token, -1)
        for sample_id, token in zip(ids, tokens, strict=True)
    }
    means = MeanDirections(len(frames))
    for samples, vectors in _batches(dataset, index):
        rows = np.array([row_of_sample.get(s, -1) for s in samples], np.int64)
        means.add(rows, vectors)
    return means.vectors()


class MeanDirections:
    """Adds directions up by row.

    Args:
        count: rows
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._sums: np.ndarray | None = None

    def add(self, rows: np.ndarray, vectors: np.ndarray) -> None:
        """Adds vectors, each with the same weight, to their rows.

        Args:
            rows: (b,) row of each vector, -1 = it belongs nowhere
            vectors: (b, d) float; zero or not finite ones count nowhere

        Raises:
            RaremineError: if ``d`` is not that of the vectors before
        """
        if self._sums is None:
            self._sums = np.zeros((self._count, vectors.shape[1]))
        if vectors.shape[1] != self._sums.shape[1]:
            raise RaremineError(
                f"Vectors of {self._sums.shape[1]} and of {vectors.shape[1]} "
                "numbers lie in one index; embed everything with one model."
            )
        for start in range(0, len(rows), ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            self._add(rows[part], np.asarray(vectors[part], np.float64))

    def _add(self, rows: np.ndarray, vectors: np.ndarray) -> None:
        from scipy.sparse import csr_matrix

        assert self._sums is not None
        with np.errstate(over="ignore", invalid="ignore"):
            length = np.linalg.norm(vectors, axis=1)
        use = (rows >= 0) & np.isfinite(length) & (length > 0)
        rows, units = rows[use], vectors[use] / length[use, None]
        places, own = np.unique(rows, return_inverse=True)
        ones = csr_matrix(
            (np.ones(len(own)), (own, np.arange(len(own)))),
            shape=(len(places), len(own)),
        )
        self._sums[places] += ones @ units

    def vectors(self) -> np.ndarray:
        """Returns the (n, d) float32 mean directions, NaN where there is none.

        ``d`` is 0 if nothing was added.
        """
        if self._sums is None:
            return np.empty((self._count, 0), dtype=np.float32)
        length = np.linalg.norm(self._sums, axis=1, keepdims=True)
        # what rounding leaves of vectors that cancel out is no direction
        length[length < 1e-9] = np.nan
        return np.asarray(self._sums / length, dtype=np.float32)


def _open(dataset: fo.Dataset, brain_key: str) -> Any:
    from fiftyone.brain.similarity import SimilarityIndex

    if not dataset.has_brain_run(brain_key):
        raise MissingStageError(
            f"Dataset '{dataset.name}' has no embeddings under brain key "
            f"'{brain_key}'; run embed_objects or embed_frames first."
        )
    index = dataset.load_brain_results(brain_key)
    if not isinstance(index, SimilarityIndex):
        kind = dataset.get_brain_info(brain_key).config.type
        raise RaremineError(
            f"Brain key '{brain_key}' of dataset '{dataset.name}' belongs to "
            f"a '{kind}' run, which holds no embeddings; name that of "
            "embed_objects or embed_frames."
        )
    if isinstance(index, CropIndexResults):
        check_stored(dataset, index)
    return index


def _batches(
    dataset: fo.Dataset, index: Any
) -> Iterator[tuple[list[str], np.ndarray]]:
    """Yields sample ids and (b, d) vectors of what the dataset still has."""
    from bson import ObjectId

    field = index.config.patches_field
    existing = None
    if field is not None:
        scope = resolve(dataset, field)
        if not has_objects(scope, field):
            return
        existing = label_ids(scope.images, field)
    for labels, samples, vectors in _stored(index):
        if existing is None:
            yield samples, vectors
            continue
        here = existing.has([ObjectId(label) for label in labels])
        kept = [s for s, keep in zip(samples, here, strict=True) if keep]
        yield kept, vectors[here]


def _stored(index: Any) -> Iterator[tuple[list[str], list[str], np.ndarray]]:
    """Yields label ids (sample ids of images), sample ids and vectors."""
    if isinstance(index, CropIndexResults):
        for labels, samples, vectors in index.located_batches():
            yield labels.to_pylist(), samples.to_pylist(), vectors
        return
    vectors, samples, labels = index.get_embeddings()
    own = samples if labels is None else labels
    if len(vectors):
        yield list(own), list(samples), np.asarray(vectors)
