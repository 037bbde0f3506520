"""An exact search that holds one block: against all distances at once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest
from bson import ObjectId

from raremine.brain.id_set import IdSet
from raremine.brain.nearest_crops import Block, nearest

N, DIM = 97, 5
LABELS = [str(ObjectId()) for _ in range(N)]
SAMPLES = [str(ObjectId()) for _ in range(N)]
VECTORS = np.random.default_rng(0).normal(size=(N, DIM)).astype(np.float32)
QUERY = np.random.default_rng(1).normal(size=DIM)


def blocks(vectors: np.ndarray = VECTORS, rows: int = 10) -> Iterator[Block]:
    for start in range(0, N, rows):
        part = slice(start, start + rows)
        yield pa.array(LABELS[part]), pa.array(SAMPLES[part]), vectors[part]


def cosines(vectors: np.ndarray = VECTORS) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(QUERY)
    return np.asarray(vectors @ QUERY / lengths)


@pytest.mark.parametrize("rows", [1, 10, N])
@pytest.mark.parametrize("k", [1, 10, N + 5, None])
@pytest.mark.parametrize("farthest", [False, True])
def test_the_nearest_come_first_whatever_the_blocks(
    rows: int, k: int | None, farthest: bool
) -> None:
    sign = 1 if farthest else -1
    order = np.argsort(sign * cosines())[:k]
    labels, samples, distances = nearest(
        blocks(rows=rows), QUERY, k, farthest=farthest
    )
    assert labels.tolist() == [LABELS[i] for i in order]
    assert samples.tolist() == [SAMPLES[i] for i in order]
    np.testing.assert_allclose(distances, 1 - cosines()[order], atol=1e-6)


def test_only_what_is_shown_is_searched() -> None:
    shown = [3, 50, 51, 96]
    among = IdSet([LABELS[i] for i in shown])
    labels, _, _ = nearest(blocks(), QUERY, 3, among=among)
    best = sorted(shown, key=lambda i: -cosines()[i])[:3]
    assert labels.tolist() == [LABELS[i] for i in best]
    labels, _, _ = nearest(blocks(), QUERY, 3, among=IdSet())
    assert not len(labels)


def test_vectors_without_a_distance_are_never_found() -> None:
    vectors = VECTORS.copy()
    vectors[4], vectors[5] = np.nan, 0
    labels, _, _ = nearest(blocks(vectors), QUERY)
    assert set(LABELS) - set(labels) == {LABELS[4], LABELS[5]}


def test_equally_near_ones_are_ordered_by_their_ids() -> None:
    same = np.ones((N, DIM), np.float32)
    labels, _, _ = nearest(blocks(same), QUERY)
    assert labels.tolist() == sorted(LABELS)


def test_euclidean_distances() -> None:
    labels, _, distances = nearest(blocks(), QUERY, 4, metric="euclidean")
    exact = np.linalg.norm(VECTORS - QUERY, axis=1)
    order = np.argsort(exact)[:4]
    assert labels.tolist() == [LABELS[i] for i in order]
    np.testing.assert_allclose(distances, exact[order], rtol=1e-5)
