"""Outlier scoring on a dataset."""

from __future__ import annotations

from pathlib import Path

import fiftyone as fo
import numpy as np
import pytest

import raremine.brain as rmb
from raremine.brain.columns import read_objects
from raremine.brain.crop_index import open_index
from raremine.brain.crop_vectors import vectors_of
from raremine.brain.errors import MissingStageError, RaremineError
from raremine.brain.outliers import stage
from raremine.brain.outliers.fusion import fuse_scores
from raremine.brain.outliers.isolation_forest import isolation_forest_scores
from raremine.brain.outliers.knn import knn_scores
from raremine.brain.outliers.model_file import load_model, save_model
from raremine.brain.outliers.thresholds import threshold_by_share
from raremine.brain.runs import load_results
from tests.brain.fakes import (
    FakeDetector,
    FakeEmbedder,
    color_of,
    painted_dataset,
    scatter,
    truncate,
    values,
)

NAMES = ["car"] * 12 + ["person"] * 5 + ["dog", "truck"]
ALL = sorted(stage.SCORERS)


def embedded(folder: Path, names: list[str], **kwargs: object) -> fo.Dataset:
    dataset = painted_dataset(folder, scatter(names), **kwargs)
    rmb.detect_objects(dataset, FakeDetector())
    rmb.embed_objects(dataset, FakeEmbedder())
    return dataset


@pytest.fixture
def dataset(tmp_path: Path) -> fo.Dataset:
    return embedded(tmp_path, NAMES)


def columns(dataset: fo.Dataset, *names: str) -> dict[str, np.ndarray]:
    return read_objects(dataset, names=names).columns


def test_scores_flags_and_their_reasons_agree(dataset: fo.Dataset) -> None:
    summary = rmb.score_outliers(
        dataset, methods=["isolation_forest", "knn"], fusion="union"
    )
    got = columns(
        dataset,
        *("isolation_forest", "knn", "outlier", "outlier_by", "outlier_score"),
    )
    table = read_objects(dataset)
    vectors, rows = vectors_of(dataset, "objects_clip", table)
    assert rows.tolist() == list(range(len(NAMES)))
    np.testing.assert_allclose(
        got["isolation_forest"], isolation_forest_scores(vectors)
    )
    limits = load_results(dataset, "objects_outliers")["thresholds"]
    for row in range(len(NAMES)):
        by = [
            name
            for name in ("isolation_forest", "knn")
            if got[name][row] > limits[name]
        ]
        assert got["outlier_by"][row] == by
        assert got["outlier"][row] is bool(by)
    assert summary["by_knn"] == 4  # a fifth of 19
    assert summary["outliers"] == int(np.sum(got["outlier"] == True))  # noqa: E712
    assert ((got["outlier_score"] > 0) & (got["outlier_score"] < 1)).all()


def test_the_default_flags_the_top_share_of_the_fused_score(
    dataset: fo.Dataset,
) -> None:
    names = ("knn", "class_rarity", "outlier", "outlier_score")
    rmb.score_outliers(dataset, share=0.3)
    got = columns(dataset, *names)
    expected = fuse_scores({n: got[n] for n in names[:2]}, "fisher")
    np.testing.assert_allclose(got["outlier_score"], expected)
    limit = threshold_by_share(expected, 0.3)
    assert got["outlier"].tolist() == (expected > limit).tolist()
    params = dataset.get_brain_info("objects_outliers").config.params
    assert (params["fusion"], params["k"]) == ("fisher", 100)


def test_weights_change_the_fused_score(dataset: fo.Dataset) -> None:
    rmb.score_outliers(dataset)
    before = columns(dataset, "outlier_score")["outlier_score"]
    summary = rmb.score_outliers(dataset, weights={"class_rarity": 5})
    assert summary["objects"] == len(NAMES)
    after = columns(dataset, "outlier_score")["outlier_score"]
    assert not np.allclose(before, after)
    again = rmb.score_outliers(dataset, weights={"class_rarity": 5})
    assert again["objects"] == 0
    with pytest.raises(RaremineError, match="lof, which is not scored"):
        rmb.score_outliers(dataset, weights={"lof": 2})


@pytest.mark.parametrize("n", [0, 1, 2, 5, 19])
def test_any_number_of_objects(tmp_path: Path, n: int) -> None:
    dataset = embedded(tmp_path, NAMES[:n])
    summary = rmb.score_outliers(dataset, methods=ALL)
    assert summary["objects"] == n
    got = columns(dataset, *ALL, "outlier_score", "outlier")
    for name in (*ALL, "outlier_score"):
        assert np.isfinite(got[name]).all()
        # the columns exist even when nobody fills them
        assert dataset.get_field(f"objects.detections.{name}") is not None
    assert dataset.get_field("objects.detections.outlier_by") is not None


def test_ids_and_insertion_order_decide_nothing(tmp_path: Path) -> None:
    # the same images under other random ids, added the other way round
    names = ("outlier_score", "outlier", *ALL)
    got = []
    for reverse in (False, True):
        dataset = embedded(tmp_path, NAMES, reverse=reverse)
        rmb.score_outliers(dataset, methods=ALL)
        got.append(values(dataset, *names))
    assert len(got[0]) == len(NAMES)
    assert got[0] == got[1]


def test_a_second_run_scores_nothing_and_a_change_scores_again(
    dataset: fo.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    original = stage.SCORERS["knn"]
    monkeypatch.setitem(
        stage.SCORERS, "knn", lambda *a: calls.append(1) or original(*a)
    )
    first = rmb.score_outliers(dataset)
    again = rmb.score_outliers(dataset)
    assert (len(calls), again["objects"], again["skipped"]) == (1, 0, 19)
    # what stands there is told again
    for name in ("outliers", "by_knn"):
        assert again[name] == first[name] > 0
    rmb.score_outliers(dataset, k=3)
    rmb.score_outliers(dataset, k=3, overwrite=True)
    assert len(calls) == 3
    sample = dataset.first()
    sample["objects"].detections.pop()
    sample.save()
    rmb.score_outliers(dataset, k=3)
    assert len(calls) == 4


def test_an_object_without_a_vector_has_no_score(tmp_path: Path) -> None:
    dataset = painted_dataset(tmp_path, scatter(NAMES))
    rmb.detect_objects(dataset, FakeDetector())
    truncate(tmp_path / "CAM_BACK/001.png")
    rmb.embed_objects(dataset, FakeEmbedder())
    summary = rmb.score_outliers(dataset)
    assert (summary["objects"], summary["without_vector"]) == (16, 3)
    unscored = [
        Path(path).match("CAM_BACK/001.png")
        for (path, _), score in values(dataset, "knn")
        if score is None
    ]
    assert unscored == [True] * 3


def test_a_broken_vector_is_counted_and_changes_no_other(
    dataset: fo.Dataset,
) -> None:
    table = read_objects(dataset)
    index = open_index(dataset, "objects_clip")
    vectors, _ = vectors_of(dataset, "objects_clip", table)
    index.add_to_index(
        np.full((1, vectors.shape[1]), np.inf, np.float32),
        table.sample_id[4:5],
        table.label_id[4:5],
    )
    summary = rmb.score_outliers(dataset, methods=["knn", "lof"])
    assert (summary["objects"], summary["unscored"]) == (len(NAMES) - 1, 1)
    got = columns(dataset, "knn", "outlier", "outlier_score")
    assert np.flatnonzero(np.isnan(got["knn"])).tolist() == [4]
    assert got["outlier"][4] is None
    np.testing.assert_allclose(
        np.delete(got["knn"], 4), knn_scores(np.delete(vectors, 4, axis=0))
    )


def test_each_method_may_have_its_own_threshold(dataset: fo.Dataset) -> None:
    rules = {"knn": ("iqr", 0.5)}
    stage.score(dataset, thresholds=rules)
    knn = columns(dataset, "knn")["knn"]
    low, high = np.percentile(knn, [25, 75])
    limits = load_results(dataset, "objects_outliers")["thresholds"]
    assert limits["knn"] == pytest.approx(high + 0.5 * (high - low))
    assert stage.score(dataset, thresholds=rules)["objects"] == 0
    assert stage.score(dataset)["objects"] == len(NAMES)
    with pytest.raises(RaremineError, match="lof, which is not scored"):
        stage.score(dataset, thresholds={"lof": ("iqr",)})


def test_new_objects_are_scored_against_a_reference_set(
    dataset: fo.Dataset, tmp_path: Path
) -> None:
    path = tmp_path / "front.npz"
    front = dataset.select_group_slices("CAM_FRONT")
    fitted = stage.fit_reference(
        front, path, methods=["knn", "class_rarity"], k=3, share=0.3
    )
    vectors, _ = vectors_of(dataset, "objects_clip", read_objects(front))
    assert fitted["objects"] == len(vectors) > 3
    summary = stage.score(dataset, model=path, methods=["lof"])
    assert summary["objects"] == len(NAMES)
    got = columns(
        dataset, "label", "knn", "outlier_by", "outlier", "outlier_score"
    )
    everything, _ = vectors_of(dataset, "objects_clip", read_objects(dataset))
    model = load_model(path)
    expected = model.score(everything, got["label"])["knn"]
    np.testing.assert_array_equal(got["knn"], expected)
    np.testing.assert_array_equal(model.vectors, vectors)
    assert model.limits["knn"] == threshold_by_share(
        knn_scores(vectors, k=3), 0.3
    )
    for row, by in enumerate(got["outlier_by"]):
        assert ("knn" in by) == (expected[row] > model.limits["knn"])
    scores = model.score(everything, got["label"])
    fused, limit = model.fuse(scores, "fisher", 0.2)
    np.testing.assert_allclose(got["outlier_score"], fused)
    assert got["outlier"].tolist() == (fused > limit).tolist()
    assert stage.score(dataset, model=path)["objects"] == 0
    # another model is another run
    stage.fit_reference(front, path, methods=["knn"], k=2)
    assert stage.score(dataset, model=path)["objects"] == len(NAMES)


def test_a_model_of_another_embedder_is_told(
    dataset: fo.Dataset, tmp_path: Path
) -> None:
    path = tmp_path / "model.npz"
    stage.fit_reference(dataset, path)
    model = load_model(path)
    model.origin["embedded_by"] = {"model": "another"}
    save_model(model, path)
    with pytest.raises(RaremineError, match="those of the model by.*another"):
        stage.score(dataset, model=path)
    with pytest.raises(RaremineError, match="no outlier model at"):
        stage.score(dataset, model=tmp_path / "absent.npz")
    assert dataset.get_field("objects.detections.knn") is None


def test_patches_and_slices_score_their_own(dataset: fo.Dataset) -> None:
    one = dataset.select_group_slices("CAM_BACK")
    summary = rmb.score_outliers(one, brain_key="back_outliers")
    assert summary["objects"] == len(read_objects(one))
    scored = [path for (path, _), s in values(dataset, "knn") if s is not None]
    assert len(scored) == summary["objects"]
    assert all("CAM_BACK" in path for path in scored)


def test_deleting_the_run_deletes_its_fields(dataset: fo.Dataset) -> None:
    rmb.score_outliers(dataset, methods=["lof", "knn"])
    rmb.score_outliers(dataset, methods=["knn"])
    dataset.delete_brain_run("objects_outliers")
    schema = dataset.get_field_schema(flat=True)
    left = {"lof", "knn", "outlier", "outlier_by", "outlier_score"} & {
        path.rpartition(".")[2] for path in schema
    }
    assert not left
    assert len(read_objects(dataset)) == len(NAMES)


def test_the_odd_ones_are_flagged(tmp_path: Path) -> None:
    # forty cars that differ in shade only, and a dog
    names = ["car"] * 40
    frames = scatter(names)
    frames[3]["CAM_BACK"] = [*frames[3]["CAM_BACK"], color_of("dog", 900)]
    dataset = painted_dataset(tmp_path, frames)
    rmb.detect_objects(dataset, FakeDetector())
    rmb.embed_objects(dataset, FakeEmbedder())
    rmb.score_outliers(dataset)
    got = columns(dataset, "label", "outlier_score", "outlier_by")
    dog = list(got["label"]).index("dog")
    assert got["outlier_by"][dog] == ["knn", "class_rarity"]
    assert np.argmax(got["outlier_score"]) == dog


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"methods": ["knn", "magic"]}, RaremineError, "magic.*choose from"),
        ({"methods": []}, RaremineError, "none given"),
        ({"fusion": "vote"}, RaremineError, "Unknown fusion 'vote'"),
        ({"share": 20}, RaremineError, "not between 0 and 1"),
        ({"embeddings": "x"}, MissingStageError, "run embed_objects first"),
        ({"brain_key": "objects_clip"}, RaremineError, "belongs to a"),
    ],
)
def test_a_mistake_is_told_and_writes_nothing(
    dataset: fo.Dataset,
    kwargs: dict[str, object],
    error: type[Exception],
    message: str,
) -> None:
    with pytest.raises(error, match=message):
        rmb.score_outliers(dataset, **kwargs)
    assert dataset.get_field("objects.detections.outlier") is None
    assert not dataset.has_brain_run("objects_outliers")
