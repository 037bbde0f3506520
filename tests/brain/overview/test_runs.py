"""What the runs hold: keywords, selections, evaluations; and what is next."""

from __future__ import annotations

from typing import Any

import fiftyone as fo
import numpy as np
import pytest

from raremine.brain.novelty.run import (
    KeywordNoveltyConfig,
    KeywordNoveltyResults,
    pack_ids,
)
from raremine.brain.overview import runs
from raremine.brain.overview.fields import (
    latest_run,
    mined_fields,
    read_field,
)
from raremine.brain.overview.steps import advice, first_step
from raremine.brain.overview.views import open_objects
from raremine.brain.runs import record_run
from tests.brain.overview.mined import add_selection, values


def _record_keywords(dataset: fo.Dataset) -> None:
    words = ["animal", "dog", "only 0", "only 5", "red", "truck"]
    count = np.array([2, 2, 1, 1, 5, 5])
    record_run(
        dataset,
        "objects_novelty",
        "novelty",
        field="objects",
        arrays={
            "label_ids": pack_ids(values(dataset, "id")),
            "keywords": np.frombuffer("\n".join(words).encode(), np.uint8),
            "count": count,
            "scenes": np.array([1, 2, 1, 1, 5, 5]),
            "novelty": -np.log(count / 7),
            "starts": np.zeros(7, np.int64),
            "rows": np.zeros(0, np.int32),
            "examples": np.full((6, 3), -1),
        },
        config_cls=KeywordNoveltyConfig,
        results_cls=KeywordNoveltyResults,
    )


def test_keywords_of_several_objects_come_before_slips(
    dataset: fo.Dataset,
) -> None:
    assert runs.top_keywords(dataset, "objects") is None
    _record_keywords(dataset)
    found = runs.top_keywords(dataset, "objects") or []
    # of two equals, the one of more scenes is the less likely slip
    assert [k.word for k in found] == [
        *("dog", "animal", "red", "truck"),
        *("only 0", "only 5"),
    ]
    for keyword in found:
        view = open_objects(dataset, "objects", keyword.conditions).view
        assert len(view) == keyword.objects
    assert runs.top_keywords(dataset, "another_field") is None


def test_selections_newest_of_the_field_last(dataset: fo.Dataset) -> None:
    assert runs.selection_names(dataset, "objects") == []
    add_selection(dataset, "first")
    add_selection(dataset, "second")
    assert runs.selection_names(dataset, "objects") == ["first", "second"]
    summary = runs.summarise_selection(dataset, "first")
    assert summary.frames == 4
    assert summary.pool == 10
    assert summary.parts == {"target": 2, "random": 2}
    assert summary.shortages[0].reason == "target found 2 of 3 keyframes"


def _record_evaluation(dataset: fo.Dataset, key: str, field: str) -> None:
    names = ["default", "random", "oracle", "a", "b", "c", "d", "e"]
    area = [0.5, 0.1, 0.9, 0.4, 0.3, 0.2, 0.15, 0.12]
    rows: list[dict[str, Any]] = [
        {
            "strategy": name,
            "budget": 0.2,
            "target": "all",
            "metric": "frame_recall_area",
            "mean": value,
            "std": 0.0,
        }
        for name, value in zip(names, area, strict=True)
    ]
    curves = [
        {
            "strategy": name,
            "target": "all",
            "metric": "frame_recall",
            "budget": [0.0, 0.2],
            "mean": [0.0, value],
            "low": [0.0, value],
            "high": [0.0, value],
        }
        for name, value in zip(names, area, strict=True)
    ]
    report = {
        "table": rows,
        "curves": curves,
        "meta": {
            "budgets": [0.2],
            "field": field,
            "gt_field": "ground_truth",
            "targets": ["truck"],
        },
        "differences": {"default": {"random": ["0" * 24]}},
    }
    record_run(dataset, key, "evaluation", field=field, results=report)


def test_the_evaluation_shows_ours_and_the_best_others(
    dataset: fo.Dataset,
) -> None:
    assert runs.read_evaluation(dataset) is None
    _record_evaluation(dataset, "one", "objects")
    found = runs.read_evaluation(dataset)
    assert found is not None
    names = [curve.strategy for curve in found.curves]
    assert len(names) == runs.MOST_CURVES
    assert names == ["oracle", "default", "a", "b", "c", "random"]
    assert found.areas["default"] == 0.5
    assert found.found["default"] == {"random": ["0" * 24]}


def test_an_evaluation_of_the_field_goes_before_a_later_one(
    dataset: fo.Dataset,
) -> None:
    _record_evaluation(dataset, "one", "objects")
    _record_evaluation(dataset, "two", "other")
    for field, key in (("objects", "one"), ("other", "two"), ("x", "two")):
        found = runs.read_evaluation(dataset, field)
        assert found is not None
        assert found.brain_key == key
    assert latest_run(dataset, "evaluation", "x") is None


def test_fields_of_our_runs_are_the_mined_ones(dataset: fo.Dataset) -> None:
    assert mined_fields(dataset) == ["objects"]
    _record_evaluation(dataset, "one", "objects")
    assert mined_fields(dataset) == ["objects"]
    dataset.add_sample_field(
        "a_paper",
        fo.EmbeddedDocumentField,
        embedded_doc_type=fo.Detections,
    )
    record_run(dataset, "r", "outliers", field="a_paper")
    record_run(dataset, "s", "outliers", field="objects")
    assert mined_fields(dataset) == ["objects", "a_paper"]


def test_bookkeeping_is_no_score(dataset: fo.Dataset) -> None:
    field = read_field(dataset, "objects")
    assert field.scores[:2] == ("outlier_score", "novelty")
    assert not {"pareto_order", "crop_index", "index"} & set(field.scores)


@pytest.mark.parametrize(
    ("missing", "stage", "operator"),
    [
        ((), None, None),
        (("pareto_front",), "pareto", "rank_pareto"),
        (("novelty", "keywords"), "novelty", "score_novelty"),
        (("novelty", "caption_status"), "novelty", "caption_objects"),
        (("group",), "concepts", "match_concepts"),
        # vectors are missing too
        (("outlier_score",), "outliers", "embed_objects"),
    ],
)
def test_the_next_step(
    dataset: fo.Dataset,
    missing: tuple[str, ...],
    stage: str | None,
    operator: str | None,
) -> None:
    for name in missing:
        dataset.delete_sample_field(f"objects.detections.{name}")
    found = advice(dataset, read_field(dataset, "objects"))
    if stage is None:
        assert found == {}
    else:
        assert {k: a.operator for k, a in found.items()} == {stage: operator}
        assert found[stage].label in found[stage].text


def test_another_field_is_named_in_the_forms(dataset: fo.Dataset) -> None:
    field = read_field(dataset, "objects")
    other = type(field)("other", frozenset(), ())
    found = advice(dataset, other)
    assert all(a.params["field"] == "other" for a in found.values())
    assert first_step(dataset).operator == "mine"
