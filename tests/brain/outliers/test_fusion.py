"""Flags and one score from several."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import IsolationForest

from raremine.brain.errors import RaremineError
from raremine.brain.outliers.fusion import (
    fuse_flags,
    fuse_scores,
    rank_percentile,
    threshold_by_share,
)

FLAGS = {
    "a": np.array([1, 1, 1, 0], bool),
    "b": np.array([1, 1, 0, 0], bool),
    "c": np.array([1, 0, 0, 0], bool),
}
SCORES = {
    "a": np.array([4.0, 3.0, 2.0, 1.0]),
    "b": np.array([400.0, 300.0, 100.0, 200.0]),
    "c": np.array([0.4, 0.1, 0.2, 0.3]),
}


@pytest.mark.parametrize(
    ("fusion", "expected"),
    [
        ("union", [1, 1, 1, 0]),
        ("intersection", [1, 0, 0, 0]),
        ("majority", [1, 1, 0, 0]),
        # mean ranks 4, 7/3, 5/3, 2: a quarter of four is the first
        ("mean_rank", [1, 0, 0, 0]),
    ],
)
def test_known_answers(fusion: str, expected: list[int]) -> None:
    fused = fuse_flags(FLAGS, SCORES, fusion, share=0.25)
    assert fused.tolist() == [bool(x) for x in expected]


def test_a_tie_of_two_methods_is_no_majority() -> None:
    two = {"a": np.array([True, True]), "b": np.array([True, False])}
    assert fuse_flags(two, {}, "majority", 0.2).tolist() == [True, False]


def test_the_mean_of_ranks_knows_no_scale() -> None:
    fused = fuse_scores(SCORES)
    np.testing.assert_allclose(
        fused, (np.array([4, 7 / 3, 5 / 3, 2]) - 0.5) / 4
    )
    stretched = {**SCORES, "a": np.exp(SCORES["a"])}
    np.testing.assert_allclose(fuse_scores(stretched), fused)


def test_equal_scores_share_a_rank() -> None:
    np.testing.assert_allclose(
        rank_percentile(np.array([5.0, 1.0, 5.0])), [2 / 3, 1 / 6, 2 / 3]
    )


@given(st.integers(2, 300))
def test_a_share_of_a_fifth_flags_a_fifth(n: int) -> None:
    scores = np.random.default_rng(n).permutation(n).astype(float)
    flagged = scores > threshold_by_share(scores, 0.2)
    # position (n - 1) · 0.8 of the sorted scores lies below them
    assert flagged.sum() == n - 1 - int(np.floor((n - 1) * 0.8 + 1e-9))
    assert set(scores[flagged]) == set(range(n - int(flagged.sum()), n))


def test_the_share_is_scikit_learn_s_contamination() -> None:
    vectors = np.random.default_rng(0).normal(size=(137, 4))
    forest = IsolationForest(contamination=0.2, random_state=42).fit(vectors)
    scores = -forest.score_samples(vectors)
    np.testing.assert_array_equal(
        scores > threshold_by_share(scores, 0.2),
        forest.predict(vectors) == -1,
    )


def test_no_objects_flag_nothing() -> None:
    none = np.empty(0)
    assert threshold_by_share(none, 0.2) == float("inf")
    empty = {"a": none.astype(bool), "b": none.astype(bool)}
    for fusion in ("union", "intersection", "majority", "mean_rank"):
        fused = fuse_flags(empty, {"a": none, "b": none}, fusion, 0.2)
        assert fused.shape == (0,)


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5])
def test_a_share_outside_zero_to_one_is_told(share: float) -> None:
    with pytest.raises(RaremineError, match="not between 0 and 1"):
        threshold_by_share(np.array([1.0]), share)


def test_an_unknown_fusion_is_told() -> None:
    with pytest.raises(RaremineError, match=r"'vote'; choose.*majority"):
        fuse_flags(FLAGS, SCORES, "vote", 0.2)
