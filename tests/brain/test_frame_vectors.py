"""Frame vectors: the mean direction of a frame's crops or images."""

from __future__ import annotations

from pathlib import Path

import fiftyone as fo
import fiftyone.brain as fob
import numpy as np
import pytest

import raremine.brain as rmb
from raremine.brain import crop_index, embed_frames, frame_vectors
from raremine.brain.columns import read_objects
from raremine.brain.crop_index import open_index
from raremine.brain.errors import MissingStageError, RaremineError
from raremine.brain.frame_vectors import MeanDirections, read_frame_vectors
from raremine.brain.frames import read_frames
from tests.brain.fakes import (
    FakeDetector,
    FakeEmbedder,
    painted_dataset,
    scatter,
)

NAMES = ["car", "person", "truck", "dog", "bus", "bench", "bicycle", "car"]


@pytest.fixture
def dataset(tmp_path: Path) -> fo.Dataset:
    """Four frames; the last has nothing on its images."""
    frames = [*scatter(NAMES, per_image=2), {}, {}]
    dataset = painted_dataset(tmp_path, frames)
    rmb.detect_and_embed(dataset, FakeDetector(), FakeEmbedder())
    return dataset


def of_objects(dataset: fo.Dataset, tokens: list[str]) -> np.ndarray:
    """The long way: every object of a frame by its id."""
    ids, vectors = open_index(dataset, "objects_clip").label_vectors()
    vector = dict(zip(ids.tolist(), vectors.astype(float), strict=True))
    table = read_objects(dataset)
    rows = []
    for token in tokens:
        own = [
            vector[i] / np.linalg.norm(vector[i])
            for i, t in zip(table.label_id, table["sample_token"], strict=True)
            if t == token and i in vector
        ]
        mean = (
            np.mean(own, axis=0) if own else np.full(FakeEmbedder.dim, np.nan)
        )
        rows.append(mean / np.linalg.norm(mean))
    return np.array(rows)


@pytest.mark.parametrize("rows_at_once", [2, 8192])
def test_the_mean_of_all_crops_of_all_cameras(
    dataset: fo.Dataset, monkeypatch: pytest.MonkeyPatch, rows_at_once: int
) -> None:
    monkeypatch.setattr(frame_vectors, "ROWS_AT_ONCE", rows_at_once)
    monkeypatch.setattr(crop_index, "ROWS_AT_ONCE", rows_at_once)
    dataset.group_slice = "CAM_BACK"
    frames = read_frames(dataset)
    vectors = read_frame_vectors(dataset, frames, "objects_clip")
    assert vectors.dtype == np.float32
    expected = of_objects(dataset, frames.sample_token.tolist())
    np.testing.assert_allclose(vectors, expected, atol=1e-6)
    assert np.isnan(vectors[2:]).all() and np.isfinite(vectors[:2]).all()
    # any rows in any order; the others' vectors go nowhere
    some = frames.take(np.array([3, 1]))
    got = read_frame_vectors(dataset, some, "objects_clip")
    np.testing.assert_array_equal(got, vectors[[3, 1]])


def test_lengths_do_not_matter(dataset: fo.Dataset) -> None:
    frames = read_frames(dataset)
    rmb.embed_objects(
        dataset, FakeEmbedder(), brain_key="raw", normalize=False
    )
    np.testing.assert_allclose(
        read_frame_vectors(dataset, frames, "raw"),
        read_frame_vectors(dataset, frames, "objects_clip"),
        atol=1e-6,
    )


def test_deleted_objects_do_not_count(dataset: fo.Dataset) -> None:
    view = dataset.select_group_slices(media_type="image")
    one = view.match({"sample_token": "token000"}).first()
    one["objects"].detections = one["objects"].detections[1:]
    one.save()
    frames = read_frames(dataset)
    vectors = read_frame_vectors(dataset, frames, "objects_clip")
    expected = of_objects(dataset, frames.sample_token.tolist())
    np.testing.assert_allclose(vectors, expected, atol=1e-6)


def test_whole_images_mean_over_the_cameras(dataset: fo.Dataset) -> None:
    embedder = FakeEmbedder()
    embedder.vector = lambda color: np.eye(  # type: ignore[method-assign]
        FakeEmbedder.dim
    )[color[2] % FakeEmbedder.dim]
    embed_frames(dataset, embedder)
    frames = read_frames(dataset)
    vectors = read_frame_vectors(dataset, frames, "frames_clip")
    ids, stored = open_index(dataset, "frames_clip").label_vectors()
    token_of = dict(
        zip(
            *dataset.select_group_slices(media_type="image").values(
                ["id", "sample_token"]
            ),
            strict=True,
        )
    )
    for row, token in enumerate(frames.sample_token):
        mean = stored[[token_of[i] == token for i in ids]].mean(axis=0)
        np.testing.assert_allclose(
            vectors[row], mean / np.linalg.norm(mean), atol=1e-6
        )


def test_an_index_that_fiftyone_made(dataset: fo.Dataset) -> None:
    view = dataset.select_group_slices(media_type="image")
    rng = np.random.default_rng(0)
    own = rng.normal(size=(len(view), 5))
    fob.compute_similarity(
        view, embeddings=own, brain_key="theirs", backend="sklearn"
    )
    frames = read_frames(dataset)
    vectors = read_frame_vectors(dataset, frames, "theirs")
    tokens = np.array(view.values("sample_token"))
    units = own / np.linalg.norm(own, axis=1, keepdims=True)
    for row, token in enumerate(frames.sample_token):
        mean = units[tokens == token].mean(axis=0)
        np.testing.assert_allclose(
            vectors[row], mean / np.linalg.norm(mean), atol=1e-6
        )


def test_what_cannot_be_read(dataset: fo.Dataset) -> None:
    frames = read_frames(dataset)
    with pytest.raises(MissingStageError, match="'none'; run embed_objects"):
        read_frame_vectors(dataset, frames, "none")
    rmb.score_outliers(dataset, embeddings="objects_clip")
    with pytest.raises(RaremineError, match="'raremine_outliers' run"):
        read_frame_vectors(dataset, frames, "objects_outliers")
    index = open_index(dataset, "objects_clip")
    index.config.table_name = "gone"
    index.save_config()
    dataset.clear_cache()
    with pytest.raises(MissingStageError, match="do not travel"):
        read_frame_vectors(dataset, frames, "objects_clip")


def test_mean_directions() -> None:
    means = MeanDirections(4)
    assert means.vectors().shape == (4, 0)
    means.add(
        np.array([0, 0, 1, 1, 2, -1, 2]),
        np.array(
            [[3, 0], [0, 0.1], [1, 0], [-1, 0], [np.nan, 1], [1, 1], [0, 0]]
        ),
    )
    half = np.sqrt(0.5)
    nothing = [np.nan, np.nan]
    np.testing.assert_allclose(
        means.vectors(), [[half, half], nothing, nothing, nothing], rtol=1e-6
    )
    means.add(np.array([3]), np.array([[0.0, -7.0]]))
    np.testing.assert_allclose(means.vectors()[3], [0, -1])
    with pytest.raises(RaremineError, match="of 2 and of 3 numbers"):
        means.add(np.array([0]), np.ones((1, 3)))
