"""AUROC and average precision of object scores."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from raremine.brain.evaluation.ground_truth import TruthFilter
from raremine.brain.evaluation.object_scores import (
    ObjectTruth,
    object_truth,
    ranking_quality,
    score_rows,
)
from raremine.brain.objects import ObjectTable, object_array


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([0.0, 0.5, 1.0, 2.0, -3.0, 7.25]), st.booleans()
        ),
        min_size=2,
        max_size=60,
    )
)
def test_as_scikit_learn(pairs: list[tuple[float, bool]]) -> None:
    score = np.array([p[0] for p in pairs])
    truth = np.array([p[1] for p in pairs])
    auroc, ap = ranking_quality(score, truth)
    if truth.any():
        assert ap == pytest.approx(average_precision_score(truth, score))
    if truth.any() and not truth.all():
        assert auroc == pytest.approx(roc_auc_score(truth, score))


def test_as_scikit_learn_on_many() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random(20_000) < 0.01
    score = rng.normal(size=20_000) + truth
    auroc, ap = ranking_quality(score, truth)
    assert auroc == pytest.approx(roc_auc_score(truth, score), rel=1e-12)
    assert ap == pytest.approx(
        average_precision_score(truth, score), rel=1e-12
    )


def test_one_kind_alone() -> None:
    auroc, ap = ranking_quality(np.arange(3.0), np.zeros(3, bool))
    assert np.isnan(auroc) and np.isnan(ap)
    auroc, ap = ranking_quality(np.arange(3.0), np.ones(3, bool))
    assert np.isnan(auroc) and ap == 1


def test_an_object_without_a_score_comes_last() -> None:
    score = np.array([np.nan, 0.1, np.nan, -5.0])
    truth = np.array([False, True, False, True])
    assert ranking_quality(score, truth) == (1.0, 1.0)


def table(rows: list[dict], **names: str) -> ObjectTable:
    columns = {
        name: object_array(row.get(name, default) for row in rows)
        for name, default in names.items()
    }
    columns["bounding_box"] = np.array(
        [[row["x"], 0.1, 0.08, 0.2] for row in rows], dtype=float
    )
    columns["confidence"] = np.array([row.get("conf", 0.5) for row in rows])
    return ObjectTable(
        np.array([f"id{i}" for i in range(len(rows))]),
        np.array(["image"] * len(rows)),
        columns,
    )


def truth_of_objects(
    objects: list[dict], boxes: list[dict], **options: float
) -> ObjectTruth:
    return object_truth(
        table(objects, label="thing"),
        table(boxes, label="car", category="", visibility="v80-100"),
        ("truck", "bicycle"),
        TruthFilter(),
        **options,
    )


def test_what_counts_for_and_against_a_score() -> None:
    found = truth_of_objects(
        [
            {"x": 0.0},  # shows the truck
            {"x": 0.0, "conf": 0.4},  # shows it again
            {"x": 0.1},  # shows the car
            {"x": 0.2},  # shows a rack of bicycles
            {"x": 0.3},  # shows a truck that nobody can see
            {"x": 0.5},  # shows nothing
        ],
        [
            {"x": 0.0, "label": "truck"},
            {"x": 0.1},
            {"x": 0.2, "label": "ignore", "category": "bicycle_rack"},
            {"x": 0.3, "label": "truck", "visibility": "v0-40"},
            {"x": 0.9, "label": "bicycle"},
        ],
        rare_share=0.3,
    )
    target, judged = found.positive["target"], found.judged["target"]
    assert target.tolist() == [True] + [False] * 5
    assert judged.tolist() == [True, False, True, False, False, True]
    # each category but the car's has one of four boxes that count
    assert found.summary["rare_categories"] == [
        *("bicycle", "bicycle_rack", "car", "truck")
    ]
    assert found.judged["rare"].tolist() == [
        True,
        False,
        True,
        True,
        False,
        True,
    ]
    assert found.positive["rare"].tolist() == [
        True,
        False,
        True,
        True,
        False,
        False,
    ]
    assert found.summary["matched"] == 3
    assert found.summary["unmatched"] == 1
    assert found.summary["detected_again"] == 1
    assert found.summary["box_left_out"] == 1
    assert found.summary["boxes"]["bicycle"] == 1
    assert found.summary["boxes_found"]["bicycle"] == 0
    assert found.summary["boxes_found"]["truck"] == 1


def test_rare_is_below_a_share_of_the_boxes_that_count() -> None:
    boxes = [{"x": 0.0, "category": "car"}] * 98
    boxes += [{"x": 0.1, "category": "animal", "label": "ignore"}]
    boxes += [{"x": 0.2, "label": "ignore"}]
    found = truth_of_objects([{"x": 0.1}], boxes, rare_share=0.011)
    # something of which nothing but "ignore" is known is of no category
    assert found.summary["rare_categories"] == ["animal"]
    assert found.positive["rare"].tolist() == [True]


def test_rows_among_all_and_among_what_is_real() -> None:
    objects = [{"x": 0.1 * i} for i in range(4)]
    boxes = [{"x": 0.0, "label": "truck"}, {"x": 0.1}, {"x": 0.2}]
    found = truth_of_objects(objects, boxes)
    # clutter has the highest score
    scores = {"s": np.array([3.0, 2.0, 1.0, 9.0]), "none": np.full(4, np.nan)}
    rows = {(r["truth"], r["among"]): r for r in score_rows(scores, found)}
    assert {r["score"] for r in rows.values()} == {"s"}
    assert rows["target", "all"]["auroc"] == pytest.approx(2 / 3)
    assert rows["target", "all"]["average_precision"] == pytest.approx(0.5)
    assert rows["target", "all"]["prevalence"] == 0.25
    assert rows["target", "matched"]["auroc"] == 1
    assert rows["target", "matched"]["objects"] == 3
    assert ("bicycle", "all") not in rows
