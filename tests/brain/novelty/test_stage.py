"""Novelty and Pareto fronts on a dataset."""

from __future__ import annotations

from math import log
from pathlib import Path

import fiftyone as fo
import numpy as np
import pytest

import raremine.brain as rmb
from raremine.brain.columns import read_objects, write_objects
from raremine.brain.errors import MissingStageError, RaremineError
from raremine.brain.novelty.pareto import pareto_fronts
from tests.brain.fakes import FakeDetector, painted_dataset, scatter

CAPTIONS = ["a red car", "a red car", "a dog", "no caption", "a red car"]
STATUS = ["ok", "ok", "ok", "refused", "ok"]


@pytest.fixture
def dataset(tmp_path: Path) -> fo.Dataset:
    dataset = painted_dataset(tmp_path, scatter(["car"] * 5, per_image=1))
    rmb.detect_objects(dataset, FakeDetector())
    return dataset


def write(dataset: fo.Dataset, **columns: object) -> None:
    write_objects(dataset, "objects", read_objects(dataset), columns)


def captioned(dataset: fo.Dataset) -> fo.Dataset:
    write(
        dataset,
        caption=CAPTIONS,
        caption_status=STATUS,
        caption_keywords=[["car"], [], ["Dogs"], ["ignored"], []],
    )
    return dataset


def column(dataset: fo.Dataset, name: str) -> np.ndarray:
    return read_objects(dataset, names=[name])[name]


def test_novelty_is_written_on_captioned_objects(dataset: fo.Dataset) -> None:
    summary = rmb.score_novelty(captioned(dataset))
    assert (summary["objects"], summary["keywords"]) == (4, 4)
    assert column(dataset, "keywords")[2] == ["dog"]
    assert sorted(column(dataset, "keywords")[1]) == ["car", "red", "red car"]
    np.testing.assert_allclose(
        column(dataset, "novelty"),
        [-log(3 / 4), -log(3 / 4), -log(1 / 4), np.nan, -log(3 / 4)],
    )
    results = dataset.load_brain_results("objects_novelty")
    assert results.table()["keyword"][0] == "dog"


def test_the_source_of_keywords_is_chosen(dataset: fo.Dataset) -> None:
    rmb.score_novelty(captioned(dataset), source="model")
    assert column(dataset, "keywords")[0] == ["car"]
    assert not column(dataset, "keywords")[1]
    rmb.score_novelty(dataset, source="rules")
    assert "red car" in column(dataset, "keywords")[0]
    with pytest.raises(RaremineError, match="'web'; choose both"):
        rmb.score_novelty(dataset, source="web")


def test_a_caption_that_is_gone_takes_its_novelty_along(
    dataset: fo.Dataset,
) -> None:
    rmb.score_novelty(captioned(dataset))
    write(dataset, caption_status=["refused", *STATUS[1:]])
    rmb.score_novelty(dataset)
    novelty = column(dataset, "novelty")
    assert np.isnan(novelty[[0, 3]]).all()
    np.testing.assert_allclose(novelty[2], -log(1 / 3))
    assert column(dataset, "keywords")[0] is None


def test_without_captions_it_is_told(dataset: fo.Dataset) -> None:
    with pytest.raises(MissingStageError, match="run caption_objects first"):
        rmb.score_novelty(dataset)


def test_fronts_are_those_of_the_signals(dataset: fo.Dataset) -> None:
    first = [1.0, 3.0, 2.0, np.nan, 2.0]
    second = [5.0, 1.0, 2.0, np.nan, 1.0]
    write(dataset, outlier_score=np.array(first), novelty=np.array(second))
    summary = rmb.rank_pareto(dataset)
    fronts = column(dataset, "pareto_front")
    assert fronts[[0, 1, 2, 4]].tolist() == [0, 0, 0, 1]
    assert np.isnan(fronts[3])
    assert (summary["objects"], summary["fronts"]) == (4, 2)
    assert summary["first_front"] == 3
    # a signal taken away takes the fronts along
    write(dataset, outlier_score=np.array([np.nan] * 5))
    write(dataset, novelty=np.array([np.nan, *second[1:]]))
    rmb.rank_pareto(dataset)
    assert np.isnan(column(dataset, "pareto_front")[[0, 3]]).all()


def test_a_minus_turns_a_signal_around(dataset: fo.Dataset) -> None:
    write(dataset, doubt=np.array([1.0, 2.0, 3.0, 4.0, 5.0]))
    rmb.rank_pareto(dataset, ["-doubt"])
    assert column(dataset, "pareto_front").tolist() == [0, 1, 2, 3, 4]
    rmb.rank_pareto(dataset, ["-doubt", "confidence"])
    values = read_objects(dataset, names=["doubt", "confidence"])
    expected = pareto_fronts(
        np.column_stack([-values["doubt"], values["confidence"]])
    )
    assert column(dataset, "pareto_front").tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("signals", "error", "message"),
    [
        ([], RaremineError, "at least one signal"),
        (["magic"], MissingStageError, "have no 'magic'"),
        (["label"], RaremineError, "'label' holds no numbers"),
    ],
)
def test_a_signal_that_cannot_be_ranked_is_told(
    dataset: fo.Dataset,
    signals: list[str],
    error: type[Exception],
    message: str,
) -> None:
    with pytest.raises(error, match=message):
        rmb.rank_pareto(dataset, signals)


def test_deleting_the_run_deletes_the_fronts(
    dataset: fo.Dataset,
) -> None:
    write(dataset, doubt=np.array([1.0, 2.0, 3.0, 4.0, 5.0]))
    rmb.rank_pareto(dataset, ["doubt"])
    dataset.delete_brain_run("objects_pareto")
    assert dataset.get_field("objects.detections.pareto_front") is None


def scenes(dataset: fo.Dataset, names: list[str]) -> None:
    ids = [str(i) for i in read_objects(dataset).sample_id]
    dataset.add_sample_field("scene_name", fo.StringField)
    dataset.set_values(
        "scene_name", dict(zip(ids, names, strict=True)), key_field="id"
    )


def test_sightings_of_a_scene_count_once(dataset: fo.Dataset) -> None:
    dataset.delete_sample_field("scene_name")
    with pytest.raises(RaremineError, match="no field 'scene_name'"):
        rmb.score_novelty(captioned(dataset), per="scene")
    with pytest.raises(RaremineError, match="no field 'scene_name'"):
        rmb.score_novelty(dataset, min_in_scene=2)
    scenes(dataset, ["a", "a", "b", "b", "c"])
    rmb.score_novelty(dataset, per="scene", pooling="min", ngrams=1)
    # car and red in scenes a and c, the dog in b, of three scenes
    np.testing.assert_allclose(
        column(dataset, "novelty"),
        [-log(2 / 3), -log(2 / 3), -log(1 / 3), np.nan, -log(2 / 3)],
    )
    rmb.score_novelty(dataset, min_in_scene=2)
    assert np.isnan(column(dataset, "novelty")[2])
    assert column(dataset, "keywords")[2] == ["dog"]


def test_the_stop_list_is_the_users(dataset: fo.Dataset) -> None:
    rmb.score_novelty(
        captioned(dataset), stop_words=["Reds"], keep_words=["a"], ngrams=1
    )
    assert column(dataset, "keywords")[1] == ["car"]
    params = dataset.get_brain_info("objects_novelty").config.params
    assert (params["stop_words"], params["ngrams"]) == (["Reds"], 1)
    with pytest.raises(RaremineError, match="ngrams must be 1 or more"):
        rmb.score_novelty(dataset, ngrams=0)


def test_keywords_are_filtered_in_the_sidebar(dataset: fo.Dataset) -> None:
    rmb.score_novelty(captioned(dataset))
    schema = dataset.get_field_schema(flat=True)
    ftype = schema["objects.detections.keywords"]
    assert isinstance(ftype, fo.ListField)
    assert isinstance(ftype.field, fo.StringField)
    assert isinstance(schema["objects.detections.novelty"], fo.FloatField)
    images = dataset.select_group_slices(media_type="image")
    view = images.filter_labels(
        "objects", fo.ViewField("keywords").contains("dog")
    )
    assert view.count("objects.detections") == 1
    counts = images.count_values("objects.detections.keywords")
    assert (counts["car"], counts["dog"]) == (3, 1)


def frame_score(dataset: fo.Dataset, name: str, scores: list[object]) -> None:
    ids = [str(i) for i in read_objects(dataset).sample_id]
    dataset.add_sample_field(name, fo.FloatField)
    dataset.set_values(
        name, dict(zip(ids, scores, strict=True)), key_field="id"
    )


def test_a_field_of_the_image_is_a_signal(dataset: fo.Dataset) -> None:
    frame_score(dataset, "blur", [3.0, 1.0, None, 2.0, 3.0])
    rmb.rank_pareto(dataset, ["blur"])
    fronts = column(dataset, "pareto_front")
    assert fronts[[0, 1, 3, 4]].tolist() == [0, 2, 1, 0]
    assert np.isnan(fronts[2])
    rmb.rank_pareto(dataset, ["-frame:blur"])
    assert column(dataset, "pareto_front")[[0, 1, 3, 4]].tolist() == [
        *(2, 0, 1, 2)
    ]
    # of two of that name the object's wins, unless the image's is asked for
    write(dataset, blur=np.array([1.0, 2.0, 3.0, 4.0, 5.0]))
    rmb.rank_pareto(dataset, ["blur"])
    assert column(dataset, "pareto_front").tolist() == [4, 3, 2, 1, 0]
    rmb.rank_pareto(dataset, ["frame:blur", "object:blur"])
    assert column(dataset, "pareto_front").tolist() == [1, 2, 2, 1, 0]
    params = dataset.get_brain_info("objects_pareto").config.params
    assert params["read_as"] == ["frame:blur", "object:blur"]


def test_missing_values_come_last_either_way_or_are_left_out(
    dataset: fo.Dataset,
) -> None:
    write(
        dataset,
        doubt=np.array([1.0, np.nan, 3.0, np.nan, 2.0]),
        other=np.array([1.0, 9.0, 1.0, 0.0, 1.0]),
    )
    for signal, expected in (
        ("doubt", [2, 0, 0, 3, 1]),
        ("-doubt", [0, 0, 2, 3, 1]),
    ):
        rmb.rank_pareto(dataset, [signal, "other"])
        assert column(dataset, "pareto_front").tolist() == expected
    summary = rmb.rank_pareto(dataset, ["doubt", "other"], missing="skip")
    assert (summary["objects"], summary["without_signal"]) == (3, 2)
    got = column(dataset, "pareto_front")
    np.testing.assert_array_equal(got, [2, np.nan, 0, np.nan, 1])
    with pytest.raises(RaremineError, match="'first' with missing values"):
        rmb.rank_pareto(dataset, ["doubt"], missing="first")


def test_the_order_fills_a_budget(dataset: fo.Dataset) -> None:
    first = np.array([9.0, 5.0, 4.0, 1.0, np.nan])
    second = np.array([1.0, 5.0, 4.0, 6.0, np.nan])
    write(dataset, outlier_score=first, novelty=second)
    rmb.rank_pareto(dataset)
    order = column(dataset, "pareto_order")
    # front 0 is rows 0, 1, 3 with mean ranks 2.5, 3, 2.5
    np.testing.assert_array_equal(order, [1, 0, 3, 2, np.nan])
    results = dataset.load_brain_results("objects_pareto")
    ids = read_objects(dataset).label_id
    assert results.label_ids.tolist() == ids[[1, 0, 3, 2]].tolist()
    assert results.fronts.tolist() == [0, 0, 0, 1]


@pytest.mark.parametrize(
    ("signals", "error", "message"),
    [
        (["doubt", "-doubt"], RaremineError, "'doubt' is named twice"),
        (["object:blur"], MissingStageError, "have no 'blur'"),
        (["frame:doubt"], MissingStageError, "have no 'doubt'"),
        (["frame:objects.detections.doubt"], RaremineError, "no numbers"),
        (["frame:filepath"], RaremineError, "'filepath' holds no numbers"),
        (["frame:"], MissingStageError, "have no ''"),
        (["-"], MissingStageError, "have no ''"),
        ("doubt", RaremineError, "got the text 'doubt'"),
    ],
)
def test_a_signal_is_where_it_is_said_to_be(
    dataset: fo.Dataset,
    signals: list[str],
    error: type[Exception],
    message: str,
) -> None:
    write(dataset, doubt=np.array([1.0, 2.0, 3.0, 4.0, 5.0]))
    frame_score(dataset, "blur", [1.0, 2.0, 3.0, 4.0, 5.0])
    with pytest.raises(error, match=message):
        rmb.rank_pareto(dataset, signals)
    assert dataset.get_field("objects.detections.pareto_front") is None
