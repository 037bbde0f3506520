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
from raremine.brain.crop_index import open_index
from raremine.brain.crop_vectors import vectors_of
from raremine.brain.errors import MissingStageError, RaremineError
from raremine.brain.maps import stage
from raremine.brain.maps.pca import pca_map
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
    expected = pca_map(vectors)
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
    expected = pca_map(vectors)
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


def test_few_objects_on_a_dataset(tmp_path: Path) -> None:
    for n in (0, 1, 2, 5):
        dataset = embedded(tmp_path / str(n), NAMES[:n])
        for method in ("umap", "tsne", "pca"):
            summary = rmb.map_objects(dataset, method=method)
            assert summary["objects"] == n
            assert dataset.has_brain_run("objects_map") == (n > 0)
            assert dataset.list_brain_runs(type="visualization") == (
                ["objects_map"] if n else []
            )


def test_the_graph_is_asked_for_once_and_as_wide_as_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = embedded(tmp_path, NAMES)
    asked = []
    original = stage.stored_graph

    def spy(vectors: np.ndarray, k: int, **options: object) -> object:
        asked.append((k, options))
        return original(vectors, k, **options)

    monkeypatch.setattr(stage, "stored_graph", spy)
    monkeypatch.setattr("raremine.brain.maps.tsne.neighbor_graph", None)
    monkeypatch.setattr("raremine.brain.maps.umap.neighbor_graph", None)
    rmb.map_objects(dataset, method="umap", k=4, exact=True, seed=1)
    rmb.map_objects(dataset, method="tsne", perplexity=2, seed=2)
    rmb.map_objects(dataset, method="pca")
    assert asked == [(3, {"exact": True}), (6, {"exact": None})]


@pytest.mark.parametrize("method", ["umap", "tsne", "pca"])
def test_an_object_whose_vector_is_not_finite_gets_no_point(
    tmp_path: Path, method: str
) -> None:
    dataset = embedded(tmp_path, NAMES)
    table = read_objects(dataset)
    vectors, _ = vectors_of(dataset, "objects_clip", table)
    vectors[3, 1] = np.inf
    index = open_index(dataset, "objects_clip")
    index.add_to_index(vectors, table.sample_id, table.label_id)
    summary = rmb.map_objects(dataset, method=method)
    assert (summary["objects"], summary["not_finite"]) == (7, 1)
    got = points(dataset)
    assert set(got) == set(table.label_id) - {table.label_id[3]}
    assert np.isfinite(list(got.values())).all()
    # the view that the run keeps names the one left out, not all others
    view = dataset.load_brain_view("objects_map")
    assert any(isinstance(s, fo.ExcludeLabels) for s in view._stages)


def grown(folder: Path, method: str) -> tuple[fo.Dataset, fo.Dataset]:
    """Returns a dataset whose last image is new, and a view without it."""
    dataset = embedded(folder, NAMES)
    images = dataset.select_group_slices(media_type="image")
    new = images.values("id")[-1]
    rmb.map_objects(images.exclude([new]), method=method)
    return dataset, images.exclude([new])


@pytest.mark.parametrize("method", ["umap", "tsne", "pca"])
def test_new_objects_are_placed_and_the_others_stay(
    tmp_path: Path, method: str
) -> None:
    dataset, before = grown(tmp_path, method)
    first = points(dataset)
    assert 0 < len(first) < len(NAMES)
    summary = rmb.map_objects(dataset, onto="objects_map")
    new = len(NAMES) - len(first)
    assert summary["method"] == method
    assert (summary["placed"], summary["skipped"]) == (new, len(first))
    after = points(dataset)
    assert set(after) == set(read_objects(dataset).label_id)
    for label_id, point in first.items():
        np.testing.assert_array_equal(after[label_id], point)
    layout = dataset.get_brain_info("objects_map").config.layout
    assert (layout["method"], layout["placed"]) == (method, new)
    again = rmb.map_objects(dataset, onto="objects_map")
    assert (again["placed"], again["skipped"]) == (0, len(NAMES))
    # asked for some objects, it loses none of the others
    rmb.map_objects(before, onto="objects_map", brain_key="copy")
    copy = dataset.load_brain_results("copy")
    np.testing.assert_array_equal(
        [after[i] for i in copy.label_ids], copy.points
    )
    assert len(copy.label_ids) == len(NAMES)


def test_a_map_of_other_vectors_takes_nobody(tmp_path: Path) -> None:
    dataset, _ = grown(tmp_path, "pca")
    with pytest.raises(MissingStageError, match="no map.*'absent'"):
        rmb.map_objects(dataset, onto="absent")
    with pytest.raises(RaremineError, match="made by pca.*leave method"):
        rmb.map_objects(dataset, onto="objects_map", method="tsne")
    rmb.embed_objects(dataset, FakeEmbedder(), brain_key="other")
    with pytest.raises(RaremineError, match="made of the vectors 'objects_cl"):
        rmb.map_objects(dataset, embeddings="other", onto="objects_map")
    index = open_index(dataset, "objects_clip")
    ids, vectors = index.label_vectors()
    table = read_objects(dataset)
    at = {label_id: row for row, label_id in enumerate(ids)}
    order = [at[i] for i in table.label_id]
    index.add_to_index(2 * vectors[order], table.sample_id, table.label_id)
    before = points(dataset)
    with pytest.raises(RaremineError, match="made anew"):
        rmb.map_objects(dataset, onto="objects_map")
    after = points(dataset)
    assert all((after[i] == point).all() for i, point in before.items())
    index.config.params["padding"] = 0.3
    index.save_config()
    with pytest.raises(RaremineError, match="made anew"):
        rmb.map_objects(dataset, onto="objects_map")


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
    assert not dataset.list_brain_runs(type="visualization")
    monkeypatch.setattr(fob, "compute_visualization", original)
    rmb.map_objects(dataset, method="pca")
    before = points(dataset)
    monkeypatch.setattr(fob, "compute_visualization", broken)
    with pytest.raises(OSError, match="disk full"):
        rmb.map_objects(dataset, method="tsne")
    # the earlier map is there as it was
    assert dataset.list_brain_runs(type="visualization") == ["objects_map"]
    after = points(dataset)
    assert all((after[i] == point).all() for i, point in before.items())


def test_mistakes_are_told(tmp_path: Path) -> None:
    dataset = embedded(tmp_path, NAMES[:2])
    with pytest.raises(RaremineError, match="'som'; choose umap"):
        rmb.map_objects(dataset, method="som")
    with pytest.raises(RaremineError, match="k=5 is a setting of method 'u"):
        rmb.map_objects(dataset, method="tsne", k=5)
    with pytest.raises(RaremineError, match="perplexity=0.5 is not possible"):
        rmb.map_objects(dataset, method="tsne", perplexity=0.5)
    with pytest.raises(MissingStageError, match="run embed_objects first"):
        rmb.map_objects(dataset, embeddings="absent")
    with pytest.raises(RaremineError, match="belongs to a 'similarity'"):
        rmb.map_objects(dataset, brain_key="objects_clip")
    assert dataset.has_brain_run("objects_clip")
