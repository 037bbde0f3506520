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
