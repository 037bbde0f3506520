"""The vectors of chosen objects, in their order, without holding them all.

Vectors come from the index batch by batch. A few fit into memory; many lie
in a nameless scratch file and are read through a memory map, so that the
operating system decides which of them are in memory.
"""

from __future__ import annotations

import tempfile

import fiftyone as fo
import numpy as np

from raremine.brain.crop_index import CropIndexResults, open_index
from raremine.brain.errors import MissingStageError, RaremineError
from raremine.brain.home import raremine_home
from raremine.brain.neighbors.finite import ROWS_AT_ONCE, finite_rows
from raremine.brain.objects import ObjectTable

IN_MEMORY = 256 << 20
"""Bytes of vectors up to which they stay in memory."""

FRAME_EMBEDDING = "frame_embedding"
"""Sample fields of whole images' embeddings begin so: ..._status, _reason."""

SCORABLE = "ok"
NO_VECTOR = "no_vector"
NOT_FINITE = "not_finite"


def vectors_of(
    dataset: fo.Dataset, brain_key: str, table: ObjectTable
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the vectors of a table's objects.

    Args:
        dataset: the root dataset
        brain_key: the embeddings' brain key
        table: objects in any order

    Returns:
        tuple of (m, d) float32 vectors, a memory map if they are many, and
        the (m,) ascending rows of ``table`` they belong to; an object
        without a vector has no row

    Raises:
        MissingStageError: if there is no such index, or its vectors did not
            come along with a data set that was imported
    """
    index = open_index(dataset, brain_key)
    check_stored(dataset, index)
    return read_vectors(index, table.label_id)


def check_stored(dataset: fo.Dataset, index: CropIndexResults) -> None:
    """Checks that vectors which the dataset speaks of are there.

    Raises:
        MissingStageError: if they did not come along with a data set that
            was imported
    """
    if index.is_stored:
        return
    field = index.config.patches_field
    path = f"{field}.detections.embedding_status"
    stage = "embed_objects"
    if field is None:
        path, stage = f"{FRAME_EMBEDDING}_status", "embed_frames"
    if dataset._sample_collection.find_one({path: "ok"}, {"_id": 1}):
        raise MissingStageError(
            f"The vectors of '{index.key}' are not in "
            f"{index.config.index_dir}: they do not travel with an "
            f"exported dataset. Copy the folder "
            f"'{index.config.table_name}.lance' there from the machine "
            f"that made them, or run {stage} again."
        )


def finite_vectors_of(
    dataset: fo.Dataset, brain_key: str, table: ObjectTable
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the vectors that can be compared, and what became of the rest.

    Args:
        dataset: the root dataset
        brain_key: the embeddings' brain key
        table: (n) objects in any order

    Returns:
        tuple of (m, d) float32 finite vectors, a memory map if they are
        many, the (m,) ascending rows of ``table`` they belong to, and the
        (n,) status of each object: ``SCORABLE``, ``NO_VECTOR`` or
        ``NOT_FINITE``

    Raises:
        MissingStageError: as :func:`vectors_of`
    """
    vectors, rows = vectors_of(dataset, brain_key, table)
    status = np.full(len(table), NO_VECTOR, dtype=object)
    finite = finite_rows(vectors)
    status[rows] = np.where(finite, SCORABLE, NOT_FINITE)
    if not finite.all():
        vectors, rows = _compacted(vectors, finite), rows[finite]
    return vectors, rows, status


def read_vectors(
    index: CropIndexResults, label_ids: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the vectors of labels, in the labels' order.

    Args:
        index: the vectors' index
        label_ids: (n,) str

    Returns:
        tuple of (m, d) float32 vectors and the (m,) ascending places in
        ``label_ids`` they belong to

    Raises:
        RaremineError: if somebody changes the index meanwhile
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    batches = list(index.id_batches())
    if not batches:
        return np.empty((0, 0), np.float32), np.empty(0, np.int64)
    ids = pa.concat_arrays(batches)
    # one look-up for all: Arrow would build its table anew for each batch
    labels = pa.array(label_ids.tolist(), ids.type)
    found = pc.call_function(
        "index_in", [ids], pc.SetLookupOptions(value_set=labels)
    )
    at = found.fill_null(-1).to_numpy()
    stored = np.zeros(len(label_ids), dtype=bool)
    stored[at[at >= 0]] = True
    rows = np.flatnonzero(stored)
    place = np.cumsum(stored) - 1
    vectors: np.ndarray | None = None
    start = 0
    for names, block in index.vector_batches():
        if not names.equals(ids[start : start + len(names)]):
            raise RaremineError(
                f"Index '{index.key}' was changed while it was read; wait "
                "until the other job has ended and try again."
            )
        here = at[start : start + len(names)]
        start += len(names)
        if vectors is None:
            vectors = _room(len(rows), block.shape[1])
        vectors[place[here[here >= 0]]] = block[here >= 0]
    if vectors is None:
        vectors = np.empty((0, 0), np.float32)
    return vectors, rows


def _compacted(vectors: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """Moves the rows to keep to the front, in place, and returns them."""
    places = np.flatnonzero(keep)
    for start in range(0, len(places), ROWS_AT_ONCE):
        part = places[start : start + ROWS_AT_ONCE]
        # a row never moves back, so none is overwritten before it moves
        vectors[start : start + len(part)] = vectors[part]
    return vectors[: len(places)]


def _room(count: int, dimensions: int) -> np.ndarray:
    """Returns room for vectors, on the disk if they are many."""
    shape = (count, dimensions)
    if count * dimensions * 4 <= IN_MEMORY:
        return np.empty(shape, np.float32)
    # not the system's temporary folder, which may itself lie in memory
    raremine_home().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=raremine_home()) as scratch:
        # the map keeps the file, which has no name, until it is dropped
        mapped = np.memmap(scratch, np.float32, "w+", shape=shape)
    return mapped.view(np.ndarray)
