"""The brain run of outlier scoring, on clones, exports, other processes."""

from __future__ import annotations

import subprocess
import sys
import uuid
from pathlib import Path

import fiftyone as fo
import fiftyone.core.odm as foo
import numpy as np
import pytest

import raremine.brain as rmb
from raremine.brain.columns import read_objects
from raremine.brain.crop_index import open_index
from raremine.brain.errors import RaremineError
from raremine.brain.outliers.run import (
    OutlierScoring,
    OutlierScoringConfig,
    OutlierScoringResults,
)
from tests.brain.fakes import (
    FakeDetector,
    FakeEmbedder,
    painted_dataset,
    scatter,
)

NAMES = ["car"] * 12 + ["person"] * 5 + ["dog", "truck"]
ROOT = "objects.detections"


@pytest.fixture
def dataset(tmp_path: Path) -> fo.Dataset:
    dataset = painted_dataset(tmp_path, scatter(NAMES))
    rmb.detect_objects(dataset, FakeDetector())
    rmb.embed_objects(dataset, FakeEmbedder())
    return dataset


def scored(dataset: fo.Dataset, key: str = "run", **kwargs: object) -> None:
    options = {"methods": ["knn", "lof"], "brain_key": key}
    rmb.score_outliers(dataset, **{**options, **kwargs})


def check(dataset: fo.Dataset, key: str = "run") -> None:
    """Checks the run against what stands on the objects."""
    results = dataset.load_brain_results(key)
    assert isinstance(results, OutlierScoringResults)
    assert isinstance(results.config, OutlierScoringConfig)
    assert isinstance(results.config.build(), OutlierScoring)
    names = ["knn", "lof", "outlier_score", "outlier", "outlier_by"]
    table = read_objects(dataset, names=names)
    assert results.label_ids.tolist() == table.label_id.tolist()
    assert results.methods == ("knn", "lof")
    for name in names[:3]:
        np.testing.assert_array_equal(results.scores(name), table[name])
    assert results.outlier.tolist() == table["outlier"].tolist()
    by_knn = ["knn" in by for by in table["outlier_by"]]
    assert results.flags("knn").tolist() == by_knn
    assert 0 < sum(by_knn) < len(NAMES)


def test_the_run_holds_what_stands_on_the_objects(dataset: fo.Dataset) -> None:
    scored(dataset)
    check(dataset)
    with pytest.raises(RaremineError, match="no scores of 'tsne_knn'"):
        dataset.load_brain_results("run").scores("tsne_knn")


def test_scores_are_stored_in_few_bytes(dataset: fo.Dataset) -> None:
    scored(dataset)
    results = dataset.load_brain_results("run")
    document = results.serialize()
    assert not any(
        isinstance(value, list)
        for value in (*document.values(), *document["arrays"].values())
    )
    rng = np.random.default_rng(0)
    n = 100_000
    results.arrays = {
        "label_ids": rng.integers(0, 256, (n, 12), dtype=np.uint8),
        "knn": rng.normal(size=n),
    }
    text = results.serialize()["arrays"]
    # 20 bytes of an object, a third more as text
    assert sum(map(len, text.values())) < n * 20 * 1.4


def test_a_clone_and_an_import_have_the_run(
    dataset: fo.Dataset, tmp_path: Path
) -> None:
    scored(dataset)
    clone = dataset.clone()
    dataset.export(
        export_dir=str(tmp_path / "export"),
        dataset_type=fo.types.FiftyOneDataset,
        export_media=False,
    )
    imported = fo.Dataset.from_dir(
        str(tmp_path / "export"), fo.types.FiftyOneDataset
    )
    for one in (clone, imported):
        assert one.list_brain_runs(type="raremine_outliers") == ["run"]
        check(one)
    clone.delete_brain_run("run")
    assert clone.get_field(f"{ROOT}.knn") is None
    for one in (dataset, imported):
        check(one)


def test_another_process_has_the_run(
    dataset: fo.Dataset, tmp_path: Path
) -> None:
    scored(dataset)
    dataset.name = f"fresh-{uuid.uuid4().hex[:8]}"
    dataset.persistent = True
    script = f"""
import fiftyone as fo
dataset = fo.load_dataset({dataset.name!r})
assert dataset.list_brain_runs(type="raremine_outliers") == ["run"]
assert dataset.get_brain_info("run").config.params["methods"] == ["knn", "lof"]
results = dataset.load_brain_results("run")
assert len(results.label_ids) == len(results.scores("knn")) == {len(NAMES)}
folder, kind = {str(tmp_path / "export")!r}, fo.types.FiftyOneDataset
dataset.export(export_dir=folder, dataset_type=kind, export_media=False)
for other in (dataset.clone(), fo.Dataset.from_dir(folder, kind)):
    copied = other.load_brain_results("run")
    assert type(copied).__name__ == "OutlierScoringResults"
    assert (copied.scores("knn") == results.scores("knn")).all()
    other.delete_brain_run("run")
    assert other.get_field("{ROOT}.knn") is None
assert dataset.get_field("{ROOT}.knn") is not None
dataset.rename_brain_run("run", "renamed")
assert dataset.load_brain_results("renamed").scores("lof").max() > 1
dataset.delete_brain_run("renamed")
assert dataset.get_field("{ROOT}.knn") is None
assert dataset.get_field("{ROOT}.outlier_status") is None
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    dataset.delete()


def test_deleting_a_run_leaves_what_another_run_made(
    dataset: fo.Dataset,
) -> None:
    scored(dataset, "first", methods=["knn", "isolation_forest"])
    scored(dataset, "run")
    dataset.delete_brain_run("first")
    assert dataset.get_field(f"{ROOT}.isolation_forest") is None
    check(dataset)
    dataset.delete_brain_run("run")
    assert dataset.get_field(f"{ROOT}.knn") is None
    assert dataset.get_field(f"{ROOT}.outlier") is None


def test_a_run_that_fails_leaves_no_key(
    dataset: fo.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object, **kwargs: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(OutlierScoringResults, "serialize", broken)
    with pytest.raises(OSError, match="disk full"):
        scored(dataset)
    assert not dataset.has_brain_run("run")
    left = {"key": "run", "_dataset_id": dataset._doc.id}
    assert foo.get_db_conn().runs.count_documents(left) == 0
    monkeypatch.undo()
    scored(dataset)
    check(dataset)


def test_every_object_says_why_it_has_no_score(dataset: fo.Dataset) -> None:
    scored(dataset)
    table = read_objects(dataset)
    index = open_index(dataset, "objects_clip")
    index.add_to_index(
        np.full((1, index.label_vectors()[1].shape[1]), np.inf),
        table.sample_id[4:5],
        table.label_id[4:5],
    )
    index.remove_from_index(label_ids=[str(table.label_id[7])])
    scored(dataset)
    got = read_objects(
        dataset, names=["outlier_status", "knn", "outlier", "outlier_by"]
    )
    expected = ["ok"] * len(NAMES)
    expected[4], expected[7] = "not_finite", "no_vector"
    assert got["outlier_status"].tolist() == expected
    # an earlier run's score would be a lie now
    unscored = [s != "ok" for s in expected]
    assert np.isnan(got["knn"]).tolist() == unscored
    assert [value is None for value in got["outlier"]] == unscored
    assert [value is None for value in got["outlier_by"]] == unscored
    assert len(dataset.load_brain_results("run").label_ids) == 17
