"""Limits of scores: shares, percentiles, Tukey's fence."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raremine.brain.errors import RaremineError
from raremine.brain.outliers.thresholds import (
    ThresholdRule,
    threshold_rules,
)

RULES = (
    ThresholdRule(),
    ThresholdRule("percentile"),
    ThresholdRule("iqr"),
    ThresholdRule("iqr", 0),
)


def test_known_answers() -> None:
    scores = np.array([1.0, 2, 3, 4, 100])
    assert ThresholdRule("share", 0.25).limit(scores) == 4
    assert ThresholdRule("percentile", 50).limit(scores) == 3
    # quartiles 2 and 4
    assert ThresholdRule("iqr", 1.5).limit(scores) == 7
    assert ThresholdRule("iqr", 3).limit(scores) == 10


@given(
    st.lists(st.integers(0, 6), max_size=60),
    st.floats(0.01, 0.99),
)
def test_ties_flag_fewer_never_more(values: list[int], share: float) -> None:
    scores = np.array(values, dtype=np.float64)
    n = len(scores)
    flagged = scores > ThresholdRule("share", share).limit(scores)
    most = 0 if not n else n - 1 - math.floor((n - 1) * (1 - share) + 1e-9)
    assert flagged.sum() <= max(most, 0)
    if flagged.any():
        assert scores[flagged].min() > scores[~flagged].max()


@pytest.mark.parametrize("rule", RULES)
def test_equal_scores_flag_nobody(rule: ThresholdRule) -> None:
    for n in (1, 2, 19):
        scores = np.full(n, 0.3)
        assert not (scores > rule.limit(scores)).any()


@pytest.mark.parametrize("rule", RULES)
def test_unscored_objects_do_not_count(rule: ThresholdRule) -> None:
    scores = np.random.default_rng(1).normal(size=40)
    with_gaps = np.concatenate([[np.nan], scores, [np.nan] * 9])
    assert rule.limit(with_gaps) == rule.limit(scores)
    assert rule.limit(np.full(3, np.nan)) == math.inf
    assert rule.limit(np.empty(0)) == math.inf


def test_each_method_has_its_own_rule() -> None:
    rules = threshold_rules(
        ["knn", "lof", "x"], 0.1, {"lof": ["iqr", 3], "x": ("percentile",)}
    )
    assert rules == {
        "knn": ThresholdRule("share", 0.1),
        "lof": ThresholdRule("iqr", 3.0),
        "x": ThresholdRule("percentile", 80.0),
    }


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (["magic", 1], "Unknown threshold 'magic'; choose one of share"),
        (["percentile", 100], "not between 0 and 100"),
        (["iqr", -1], "a number >= 0"),
        (["iqr", float("nan")], "a number >= 0"),
        (["share", 2], "not between 0 and 1"),
        (["iqr", 1, 2], "pass a kind and a number"),
        (["iqr", "1"], "pass a kind and a number"),
        ([], "Unknown threshold"),
    ],
)
def test_a_wrong_rule_is_told(rule: list[object], message: str) -> None:
    with pytest.raises(RaremineError, match=message):
        threshold_rules(["knn"], 0.2, {"knn": rule})


def test_a_rule_for_nothing_is_told() -> None:
    with pytest.raises(RaremineError, match="lof, which is not scored"):
        threshold_rules(["knn"], 0.2, {"lof": ["iqr"]})
