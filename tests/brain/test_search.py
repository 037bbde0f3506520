"""Searching by text: over all cameras, with what made the vectors."""

from __future__ import annotations

from pathlib import Path

import fiftyone as fo
import pytest

import raremine.brain as rmb
from raremine.brain import crop_index
from raremine.brain.crop_index import open_index
from raremine.brain.errors import MissingStageError, RaremineError
from raremine.brain.index_queries import TextEncoder
from tests.brain.fakes import (
    FakeDetector,
    FakeEmbedder,
    painted_dataset,
    scatter,
)

NAMES = ["car", "truck", "bus", "car", "dog", "truck", "car", "person"]


@pytest.fixture
def dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> fo.Dataset:
    """Embedded objects on two cameras and a 3D slice."""
    made = painted_dataset(tmp_path, scatter(NAMES, per_image=2))
    embedder = FakeEmbedder()
    embedder.loader = {"model": "fake"}  # type: ignore[attr-defined]
    rmb.detect_and_embed(made, FakeDetector(), embedder)
    monkeypatch.setattr(
        crop_index.CropIndexResults,
        "get_model",
        lambda self: TextEncoder(FakeEmbedder()),
    )
    return made


def labels(view: fo.PatchesView) -> list[str]:
    return [str(label) for label in view.values("objects.label")]


def test_all_cameras_are_searched_whatever_slice_is_active(
    dataset: fo.Dataset,
) -> None:
    dataset.group_slice = "CAM_BACK"
    found = rmb.search_objects(dataset, "a car on the road", k=3)
    assert labels(found) == ["car"] * 3
    cameras = {Path(path).parent.name for path in found.values("filepath")}
    assert cameras == {"CAM_FRONT", "CAM_BACK"}
    assert len(rmb.search_objects(dataset, "a truck")) == len(NAMES)


def test_a_view_is_searched_only_where_it_shows(dataset: fo.Dataset) -> None:
    back = dataset.select_group_slices("CAM_BACK")
    found = rmb.search_objects(back, "a truck", k=3)
    assert {Path(p).parent.name for p in found.values("filepath")} == {
        "CAM_BACK"
    }
    cars = back.to_patches("objects").match(
        fo.ViewField("objects.label") == "car"
    )
    assert set(labels(rmb.search_objects(cars, "a truck"))) == {"car"}


def test_the_result_can_be_kept(dataset: fo.Dataset) -> None:
    found = rmb.search_objects(dataset, "a dog", k=1, name="Dogs")
    assert dataset.load_saved_view("Dogs").values("id") == found.values("id")
    assert labels(found) == ["dog"]


def test_what_cannot_be_searched_is_said(
    dataset: fo.Dataset, tmp_path: Path
) -> None:
    for query, options, text in (
        (" ", {}, "Say what to look for"),
        ("a dog", {"k": 0}, "k=0"),
        ("a dog", {"embeddings": "none"}, "run embed_objects first"),
        ("a dog", {"field": "ground_truth"}, "run detect_objects first"),
    ):
        with pytest.raises(RaremineError, match=text):
            rmb.search_objects(dataset, query, **options)
    dataset.add_sample_field(
        "others", fo.EmbeddedDocumentField, embedded_doc_type=fo.Detections
    )
    with pytest.raises(RaremineError, match="not of 'others'"):
        rmb.search_objects(dataset, "a dog", field="others")
    bare = painted_dataset(tmp_path, [{}])
    with pytest.raises(MissingStageError):
        rmb.search_objects(bare, "a dog")


def test_vectors_that_stayed_elsewhere_are_missed(
    dataset: fo.Dataset,
) -> None:
    index = open_index(dataset, "objects_clip")
    index._db.drop_table(index.config.table_name)
    index._table = None
    with pytest.raises(MissingStageError, match="do not travel"):
        rmb.search_objects(dataset, "a truck")


def test_vectors_of_an_unknown_model_take_no_text(tmp_path: Path) -> None:
    made = painted_dataset(tmp_path, scatter(NAMES, per_image=2))
    rmb.detect_and_embed(made, FakeDetector(), FakeEmbedder())
    with pytest.raises(RaremineError, match="cannot be loaded again"):
        rmb.search_objects(made, "a truck")
