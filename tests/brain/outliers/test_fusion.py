"""Flags and one score from several."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import IsolationForest

from raremine.brain.errors import RaremineError
from raremine.brain.outliers.fusion import (
    FUSIONS,
    check_fusion,
    fuse_flags,
    fuse_ranks,
    fuse_scores,
    rank_among,
    rank_percentile,
)
from raremine.brain.outliers.thresholds import threshold_by_share

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
        ("fisher", [1, 0, 0, 0]),
    ],
)
def test_known_answers(fusion: str, expected: list[int]) -> None:
    score = fuse_scores(SCORES, fusion)
    limit = threshold_by_share(score, 0.25)
    fused = fuse_flags(FLAGS, score, fusion, limit)
    assert fused.tolist() == [bool(x) for x in expected]


def test_a_tie_of_two_methods_is_no_majority() -> None:
    two = {"a": np.array([True, True]), "b": np.array([True, False])}
    fused = fuse_flags(two, np.zeros(2), "majority", 0)
    assert fused.tolist() == [True, False]


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
    for fusion in FUSIONS:
        score = fuse_scores({"a": none, "b": none}, fusion)
        fused = fuse_flags(empty, score, fusion, 0.2)
        assert fused.shape == (0,)


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5])
def test_a_share_outside_zero_to_one_is_told(share: float) -> None:
    with pytest.raises(RaremineError, match="not between 0 and 1"):
        threshold_by_share(np.array([1.0]), share)


def test_an_unknown_fusion_is_told() -> None:
    with pytest.raises(RaremineError, match=r"'vote'; choose.*majority"):
        fuse_flags(FLAGS, np.zeros(4), "vote", 0.2)


def test_fisher_lets_one_high_rank_outweigh_a_middling_one() -> None:
    ranks = {"a": np.array([0.999, 0.8]), "b": np.array([0.5, 0.8])}
    mean = fuse_ranks(ranks, "mean_rank")
    fisher = fuse_ranks(ranks, "fisher", {})
    assert mean[0] < mean[1]
    assert fisher[0] > fisher[1]
    # one minus the geometric mean of .001 and .5, and of .2 and .2
    np.testing.assert_allclose(fisher, [1 - np.sqrt(0.0005), 0.8])


def test_fisher_orders_as_fisher_s_statistic_does() -> None:
    from scipy.stats import combine_pvalues

    rng = np.random.default_rng(3)
    ranks = {name: rng.uniform(0.01, 0.99, 50) for name in "abc"}
    p = 1 - np.array(list(ranks.values()))
    statistic = [combine_pvalues(p[:, i], "fisher")[0] for i in range(50)]
    order = np.argsort(statistic)
    assert np.argsort(fuse_ranks(ranks, "fisher", {})).tolist() == (
        order.tolist()
    )


def test_a_distance_weighs_three_times_unless_told() -> None:
    ranks = {"knn": np.array([0.9]), "class_rarity": np.array([0.3])}
    np.testing.assert_allclose(
        fuse_ranks(ranks, "fisher"), 1 - (0.1**3 * 0.7) ** 0.25
    )
    np.testing.assert_allclose(
        fuse_ranks(ranks, "fisher", {"class_rarity": 0}), 0.9
    )
    # of a single method the rank itself is left
    np.testing.assert_allclose(
        fuse_ranks({"knn": np.array([0.9])}, "fisher"), 0.9
    )


@pytest.mark.parametrize("fusion", ["fisher", "mean_rank"])
def test_what_one_method_could_not_score_has_no_score(fusion: str) -> None:
    scores = {"a": np.array([1.0, np.nan, 3.0]), "b": np.array([1.0, 2, 3])}
    fused = fuse_scores(scores, fusion)
    assert np.isnan(fused).tolist() == [False, True, False]
    assert fused[0] < fused[2]


@pytest.mark.parametrize(
    ("fusion", "weights", "message"),
    [
        ("union", {"a": 2.0}, "takes no weights"),
        ("fisher", {"a": -1.0}, "weight of -1.0 for 'a'"),
        ("fisher", {"a": float("inf")}, "not possible"),
        ("fisher", {"a": float("nan")}, "not possible"),
    ],
)
def test_weights_that_cannot_be_are_told(
    fusion: str, weights: dict[str, float], message: str
) -> None:
    with pytest.raises(RaremineError, match=message):
        check_fusion(fusion, weights)


def test_weights_that_are_all_zero_are_told() -> None:
    with pytest.raises(RaremineError, match="All weights are 0"):
        fuse_scores(SCORES, "fisher", dict.fromkeys(SCORES, 0.0))


@given(st.lists(st.floats(0, 100), min_size=1, max_size=60))
def test_ranks_in_a_reference_set_keep_the_order(values: list[float]) -> None:
    reference = np.array(values)
    asked = np.sort(np.concatenate([reference, np.linspace(0, 300, 40)]))
    ranks = rank_among(asked, reference)
    assert (ranks > 0).all()
    assert (ranks < 1).all()
    # also among those that are beyond all of the reference set
    different = np.diff(asked) > 1e-6
    assert (np.diff(ranks) >= 0).all()
    beyond = asked[:-1] >= reference.max()
    if reference.max() > 1e-3:
        assert (np.diff(ranks)[different & beyond] > 0).all()


def test_ranks_in_a_reference_set_by_hand() -> None:
    reference = np.array([1.0, 2.0, 2.0, 4.0])
    got = rank_among(np.array([0.0, 1, 2, 3, 4, 8, np.nan]), reference)
    np.testing.assert_allclose(
        got, [0.1, 0.2, 0.5, 0.7, 0.8, 0.95, np.nan]
    )
