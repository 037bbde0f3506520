"""The map: FiftyOne's own visualization run over the crops of all slices."""

from __future__ import annotations

from pathlib import Path

import fiftyone as fo
import fiftyone.brain as fob
import numpy as np
import pytest
from fiftyone import ViewField as F

import raremine.brain as rmb
from raremine.brain.columns import read_objects
from raremine.brain.crop_vectors import vectors_of
from raremine.brain.errors import MissingStageError, RaremineError
from raremine.brain.maps import stage as embedding_map
from tests.brain.fakes import (
    FakeDetector,
    FakeEmbedder,
    painted_dataset,
    scatter,
    truncate,
)

NAMES = ["car", "person", "truck", "dog", "bus", "bench", "bicycle", "car"]


def embedded(folder: Path, names: list[str], **kwargs: object) -> fo.Dataset:
    dataset = painted_dataset(folder, scatter(names, per_image=2), **kwargs)
    rmb.detect_objects(dataset, FakeDetector())
    rmb.embed_objects(dataset, FakeEmbedder())
    return dataset


def points(dataset: fo.Dataset) -> dict[str, np.ndarray]:
    results = dataset.load_brain_results("objects_map")
    return dict(zip(results.label_ids, results.points, strict=True))


def test_each_object_of_each_camera_gets_its_own_point(
    tmp_path: Path,
) -> None:
    dataset = embedded(tmp_path, NAMES)
    summary = rmb.map_objects(dataset, method="pca")
    assert summary["objects"] == len(NAMES)
    table = read_objects(dataset)
    vectors, rows = vectors_of(dataset, "objects_clip", table)
    expected = embedding_map._points(vectors, "pca", 51)
    got = points(dataset)
    assert len(got) == len(NAMES)
    for label_id, point in zip(table.label_id[rows], expected, strict=True):
        np.testing.assert_allclose(got[label_id], point, atol=1e-6)
    config = dataset.get_brain_info("objects_map").config
    assert config.type == "visualization"


def test_an_object_without_a_vector_shifts_no_point(tmp_path: Path) -> None:
    dataset = painted_dataset(tmp_path, scatter(NAMES, per_image=2))
    rmb.detect_objects(dataset, FakeDetector())
    truncate(tmp_path / "CAM_BACK/000.png")
    rmb.embed_objects(dataset, FakeEmbedder())
    rmb.map_objects(dataset, method="pca")
    table = read_objects(dataset)
    vectors, rows = vectors_of(dataset, "objects_clip", table)
    expected = embedding_map._points(vectors, "pca", 51)
    got = points(dataset)
    assert len(got) == len(NAMES) - 2
    for label_id, point in zip(table.label_id[rows], expected, strict=True):
        np.testing.assert_allclose(got[label_id], point, atol=1e-6)


def test_a_second_run_is_skipped_until_something_changes(
    tmp_path: Path,
) -> None:
    dataset = embedded(tmp_path, NAMES)
    rmb.map_objects(dataset, method="pca")
    again = rmb.map_objects(dataset, method="pca")
    assert (again["objects"], again["skipped"]) == (0, len(NAMES))
    assert rmb.map_objects(dataset, method="tsne")["objects"] == len(NAMES)
    one = dataset.select_group_slices("CAM_BACK")
    summary = rmb.map_objects(one, method="tsne")
    assert summary["objects"] == len(read_objects(one))
    assert points(dataset).keys() == set(read_objects(one).label_id)
    patches = dataset.select_group_slices(media_type="image").to_patches(
        "objects"
    )
    cars = patches.match(F("objects.label") == "car")
    assert rmb.map_objects(cars, method="pca")["objects"] == 2


@pytest.mark.parametrize("method", ["umap", "tsne", "pca"])
@pytest.mark.parametrize("n", [0, 1, 2, 3, 5, 6, 19])
def test_any_number_of_points(method: str, n: int) -> None:
    vectors = np.random.default_rng(0).normal(size=(n, 5)).astype(np.float32)
    got = embedding_map._points(vectors, method, seed=3)
    assert got.shape == (n, 2)
    assert np.isfinite(got).all()


@pytest.mark.parametrize("method", ["umap", "tsne"])
def test_the_seed_decides_the_layout(method: str) -> None:
    vectors = np.random.default_rng(0).normal(size=(20, 5))
    first = embedding_map._points(vectors, method, seed=3)
    np.testing.assert_array_equal(
        first, embedding_map._points(vectors, method, seed=3)
    )


def test_identical_vectors_and_one_dimension() -> None:
    for method in ("umap", "tsne", "pca"):
        same = np.ones((8, 4), np.float32)
        assert np.isfinite(embedding_map._points(same, method, 1)).all()
    line = np.arange(4.0)[:, None]
    assert embedding_map._points(line, "pca", 1)[:, 1].tolist() == [0] * 4


def test_few_objects_on_a_dataset(tmp_path: Path) -> None:
    for n in (0, 1, 2):
        dataset = embedded(tmp_path / str(n), NAMES[:n])
        assert rmb.map_objects(dataset)["objects"] == n
        assert dataset.has_brain_run("objects_map") == (n > 0)


def test_a_map_that_fails_leaves_no_dead_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = embedded(tmp_path, NAMES[:3])
    original = fob.compute_visualization

    def broken(*args: object, **kwargs: object) -> None:
        original(*args, **kwargs)
        raise OSError("disk full")

    monkeypatch.setattr(fob, "compute_visualization", broken)
    with pytest.raises(OSError, match="disk full"):
        rmb.map_objects(dataset, method="pca")
    assert not dataset.has_brain_run("objects_map")


def test_mistakes_are_told(tmp_path: Path) -> None:
    dataset = embedded(tmp_path, NAMES[:2])
    with pytest.raises(RaremineError, match="'som'; choose umap"):
        rmb.map_objects(dataset, method="som")
    with pytest.raises(MissingStageError, match="run embed_objects first"):
        rmb.map_objects(dataset, embeddings="absent")
    with pytest.raises(RaremineError, match="belongs to a 'similarity'"):
        rmb.map_objects(dataset, brain_key="objects_clip")
    assert dataset.has_brain_run("objects_clip")
