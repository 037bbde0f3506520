"""Vectors in the order of the objects, in memory or on the disk."""

from __future__ import annotations

from pathlib import Path

import fiftyone as fo
import numpy as np
import pytest

from raremine.brain import crop_vectors
from raremine.brain.crop_index import CropIndexResults, create_index
from raremine.brain.crop_vectors import read_vectors

N = 20_000
"""More than two batches."""


def names(rows: np.ndarray) -> np.ndarray:
    return np.array([f"{row:024x}" for row in rows], dtype=str)


@pytest.fixture(scope="module")
def index() -> CropIndexResults:
    dataset = fo.Dataset()
    dataset.add_sample(
        fo.Sample("a.png", objects=fo.Detections(detections=[]))
    )
    index = create_index(dataset, "objects", "vec", embedder=None, params={})
    order = np.random.default_rng(0).permutation(N)
    for part in np.array_split(order, 3):
        vectors = np.column_stack([part, -part, part / 7]).astype(np.float32)
        index.append(vectors, ["0" * 24] * len(part), names(part))
    return index


@pytest.mark.parametrize("in_memory", [0, 1 << 20])
def test_vectors_follow_the_labels(
    index: CropIndexResults,
    monkeypatch: pytest.MonkeyPatch,
    in_memory: int,
) -> None:
    monkeypatch.setattr(crop_vectors, "IN_MEMORY", in_memory)
    asked = np.random.default_rng(1).permutation(2 * N)[:N]
    vectors, rows = read_vectors(index, names(asked))
    assert rows.tolist() == np.flatnonzero(asked < N).tolist()
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors[:, 0], asked[rows])
    np.testing.assert_array_equal(vectors[:, 1], -asked[rows])


def test_a_scratch_file_leaves_nothing_behind(
    index: CropIndexResults,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(crop_vectors, "IN_MEMORY", 0)
    monkeypatch.setenv("RAREMINE_HOME", str(tmp_path / "home"))
    vectors, _ = read_vectors(index, names(np.arange(N)))
    assert vectors[7].tolist() == [7, -7, 1]
    assert not list((tmp_path / "home").iterdir())


def test_nothing_asked_and_nothing_stored(index: CropIndexResults) -> None:
    vectors, rows = read_vectors(index, names(np.arange(N, N + 3)))
    assert vectors.shape[0] == 0
    assert rows.tolist() == []
    vectors, rows = read_vectors(index, names(np.arange(0)))
    assert len(vectors) == len(rows) == 0


def test_vectors_that_are_not_finite_make_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(crop_vectors, "ROWS_AT_ONCE", 3)
    vectors = np.arange(20, dtype=np.float32).reshape(10, 2)
    keep = np.array([0, 1, 1, 0, 0, 1, 1, 1, 0, 1], bool)
    expected = vectors[keep]
    np.testing.assert_array_equal(
        crop_vectors._compacted(vectors, keep), expected
    )
