"""The LanceDB index: a FiftyOne similarity run keyed by label id."""

from __future__ import annotations

import shutil
import subprocess
import sys
import uuid
from pathlib import Path

import fiftyone as fo
import numpy as np
import pytest

import raremine.brain as rmb
from raremine.brain.columns import read_objects
from raremine.brain.crop_index import (
    CropIndexResults,
    create_index,
    delete_vectors,
    open_index,
)
from raremine.brain.crop_vectors import vectors_of
from raremine.brain.errors import MissingStageError, RaremineError
from tests.brain.fakes import (
    FakeDetector,
    FakeEmbedder,
    painted_dataset,
    scatter,
)

NAMES = ["car", "car", "truck", "dog", "car", "truck"]


@pytest.fixture
def dataset(tmp_path: Path) -> fo.Dataset:
    dataset = painted_dataset(tmp_path, scatter(NAMES, per_image=2))
    rmb.detect_objects(dataset, FakeDetector())
    return dataset


def make(dataset: fo.Dataset, **kwargs: object) -> CropIndexResults:
    options = {"embedder": None, "params": {"a": 1}}
    return create_index(dataset, "objects", "vec", **{**options, **kwargs})


def fill(index: CropIndexResults, ids: list[str], start: float = 0.0) -> None:
    vectors = start + np.arange(2 * len(ids), dtype=np.float32)
    index.add_to_index(
        vectors.reshape(-1, 2), ["0" * 24] * len(ids), label_ids=ids
    )


def test_vectors_are_appended_updated_and_removed(dataset: fo.Dataset) -> None:
    index = make(dataset)
    fill(index, ["a", "b"])
    fill(index, ["b", "c"], start=10)
    ids, vectors = index.label_vectors()
    assert dict(zip(ids.tolist(), vectors.tolist(), strict=True)) == {
        "a": [0, 1],
        "b": [10, 11],
        "c": [12, 13],
    }
    index.add_to_index(
        np.zeros((1, 2)), ["0" * 24], label_ids=["a"], overwrite=False
    )
    index.remove_from_index(label_ids=["b", "not there"])
    ids, vectors = index.label_vectors()
    order = np.argsort(ids)
    assert ids[order].tolist() == ["a", "c"]
    assert vectors[order].tolist() == [[0, 1], [12, 13]]
    index.remove_from_index(label_ids=["a", "c"])
    assert index.stored_ids() == set()
    assert len(index.label_vectors()[0]) == 0


def test_an_object_without_a_vector_has_no_row(dataset: fo.Dataset) -> None:
    table = read_objects(dataset)
    index = make(dataset)
    fill(index, [str(table.label_id[3]), str(table.label_id[1])])
    vectors, rows = vectors_of(dataset, "vec", table)
    assert rows.tolist() == [1, 3]
    assert vectors.tolist() == [[2, 3], [0, 1]]


def test_the_folder_is_stored_with_the_run(
    dataset: fo.Dataset, tmp_path: Path
) -> None:
    folder = tmp_path / "vectors"
    index = make(dataset, index_dir=str(folder))
    fill(index, ["a"])
    assert list(folder.glob("*.lance"))
    dataset.name = f"index-{uuid.uuid4().hex[:8]}"
    dataset.persistent = True
    script = f"""
import os
os.environ["RAREMINE_HOME"] = "/nowhere"
import fiftyone as fo
dataset = fo.load_dataset({dataset.name!r})
index = dataset.load_brain_results("vec")
assert index.stored_ids() == {{"a"}}, index.stored_ids()
assert index.total_index_size == 1
dataset.delete_brain_run("vec")
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    # the vectors went with the run
    assert not list(folder.glob("*.lance"))
    dataset.delete()


def test_a_renamed_index_keeps_its_vectors_to_itself(
    dataset: fo.Dataset,
) -> None:
    fill(make(dataset), ["a"])
    dataset.rename_brain_run("vec", "old")
    fresh = make(dataset, params={"a": 2})
    assert fresh.stored_ids() == set()
    fill(fresh, ["b"])
    assert open_index(dataset, "old").stored_ids() == {"a"}
    dataset.delete_brain_run("vec")
    assert open_index(dataset, "old").stored_ids() == {"a"}


def test_a_folder_holds_any_number_of_indexes(
    dataset: fo.Dataset, tmp_path: Path
) -> None:
    # LanceDB lists ten tables of a folder and is silent about the rest
    keys = [f"vec{number:02d}" for number in range(13)]
    for key in keys:
        index = create_index(
            dataset,
            "objects",
            key,
            embedder=None,
            params={},
            index_dir=str(tmp_path / "vectors"),
        )
        fill(index, [key])
    for key in reversed(keys):
        # as another process opens it: from what is stored with the run
        config = dataset.get_brain_info(key).config
        again = config.build().initialize(dataset, key)
        assert again.stored_ids() == {key}
        again.cleanup()
    assert not list((tmp_path / "vectors").glob("*.lance"))


def test_a_query_of_a_view_leaves_nothing_behind(
    dataset: fo.Dataset, tmp_path: Path
) -> None:
    folder = tmp_path / "vectors"
    rmb.embed_objects(dataset, FakeEmbedder(), index_dir=str(folder))
    one = dataset.select_group_slices("CAM_BACK").to_patches("objects")
    query = str(one.first()["objects"].id)
    near = one.sort_by_similarity(query, k=2, brain_key="objects_clip")
    assert near.first()["objects"].id == query
    dataset.delete_brain_run("objects_clip")
    assert not list(folder.glob("*.lance"))


def test_similar_objects_come_from_all_cameras(dataset: fo.Dataset) -> None:
    rmb.embed_objects(dataset, FakeEmbedder())
    table = read_objects(dataset, names=["label"])
    query = str(table.label_id[list(table["label"]).index("truck")])
    patches = dataset.select_group_slices(media_type="image").to_patches(
        "objects"
    )
    near = patches.sort_by_similarity(query, k=2, brain_key="objects_clip")
    assert near.values("objects.label") == ["truck", "truck"]
    assert len(set(near.values("filepath"))) == 2


def test_an_embedder_that_cannot_be_reloaded_takes_no_text(
    dataset: fo.Dataset,
) -> None:
    rmb.embed_objects(dataset, FakeEmbedder())
    index = open_index(dataset, "objects_clip")
    assert not index.supports_prompts
    with pytest.raises(RaremineError, match="takes no text queries"):
        index.get_model()


def test_no_index_is_told(dataset: fo.Dataset) -> None:
    for key in ("absent", "objects_detect"):
        with pytest.raises(MissingStageError, match="run embed_objects first"):
            open_index(dataset, key)


def test_a_clone_and_its_original_do_not_touch_each_other(
    dataset: fo.Dataset, tmp_path: Path
) -> None:
    folder = tmp_path / "vectors"
    rmb.embed_objects(dataset, FakeEmbedder(), index_dir=str(folder))
    before = open_index(dataset, "objects_clip").stored_ids()
    clones = [dataset.clone() for _ in range(3)]
    gone = sorted(before)[:2]

    changed = open_index(clones[0], "objects_clip")
    assert changed.stored_ids() == before
    changed.remove_from_index(label_ids=gone)
    open_index(clones[1], "objects_clip").clear()
    clones[2].delete_brain_run("objects_clip")

    assert changed.stored_ids() == before - set(gone)
    # another process would read it so
    config = clones[0].get_brain_info("objects_clip").config
    again = config.build().initialize(clones[0], "objects_clip")
    assert again.stored_ids() == before - set(gone)
    assert open_index(clones[1], "objects_clip").stored_ids() == set()
    assert open_index(dataset, "objects_clip").stored_ids() == before
    vectors, rows = vectors_of(dataset, "objects_clip", read_objects(dataset))
    assert len(vectors) == len(rows) == len(before)

    for one in (dataset, *clones[:2]):
        one.delete_brain_run("objects_clip")
    assert not list(folder.glob("*.lance"))


def test_a_renamed_index_keeps_its_vectors(
    dataset: fo.Dataset, tmp_path: Path
) -> None:
    folder = tmp_path / "vectors"
    rmb.embed_objects(dataset, FakeEmbedder(), index_dir=str(folder))
    before = open_index(dataset, "objects_clip").stored_ids()
    dataset.rename_brain_run("objects_clip", "crops")
    index = open_index(dataset, "crops")
    index.remove_from_index(label_ids=[min(before)])
    assert index.stored_ids() == before - {min(before)}
    assert len(list(folder.glob("*.lance"))) == 1
    dataset.delete_brain_run("crops")
    assert not list(folder.glob("*.lance"))


def test_vectors_left_on_another_machine_are_told(
    dataset: fo.Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    away = tmp_path / "away" / "vectors"
    rmb.embed_objects(dataset, FakeEmbedder(), index_dir=str(away))
    dataset.export(
        export_dir=str(tmp_path / "export"),
        dataset_type=fo.types.FiftyOneDataset,
        export_media=False,
    )
    here = fo.Dataset.from_dir(
        str(tmp_path / "export"), fo.types.FiftyOneDataset
    )
    rows = vectors_of(here, "objects_clip", read_objects(here))[1]
    assert len(rows) == len(NAMES)

    shutil.rmtree(tmp_path / "away")
    # a folder that cannot be made there either
    (tmp_path / "away").write_text("in the way")
    monkeypatch.setenv("RAREMINE_HOME", str(tmp_path / "home"))
    here.clear_cache()
    again = fo.load_dataset(here.name)
    with pytest.raises(MissingStageError, match="do not travel with"):
        vectors_of(again, "objects_clip", read_objects(again))
    summary = rmb.embed_objects(again, FakeEmbedder())
    assert summary["objects"] == len(NAMES)
    rows = vectors_of(again, "objects_clip", read_objects(again))[1]
    assert len(rows) == len(NAMES)


def test_vectors_of_a_dataset_that_goes_are_deleted(
    dataset: fo.Dataset, tmp_path: Path
) -> None:
    folder = tmp_path / "vectors"
    fill(make(dataset, index_dir=str(folder)), ["a"])
    dataset.clone(persistent=False)
    delete_vectors(dataset)
    # the clone names the same table
    assert len(list(folder.glob("*.lance"))) == 1


def test_only_a_dataset_s_own_vectors_are_deleted(
    dataset: fo.Dataset, tmp_path: Path
) -> None:
    folder = tmp_path / "vectors"
    other = dataset.clone()
    fill(make(dataset, index_dir=str(folder)), ["a"])
    fill(make(other, index_dir=str(folder)), ["b"])
    delete_vectors(dataset)
    assert open_index(other, "vec").stored_ids() == {"b"}
    assert len(list(folder.glob("*.lance"))) == 1
    # a folder of another machine is neither needed nor made
    other.delete_brain_run("vec")
    index = make(other, index_dir=str(tmp_path / "gone"))
    shutil.rmtree(tmp_path / "gone", ignore_errors=True)
    delete_vectors(other)
    assert not (tmp_path / "gone").exists()
    assert index.config.index_dir == str(tmp_path / "gone")
