"""Pareto fronts against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raremine.brain.errors import RaremineError
from raremine.brain.novelty.pareto import pareto_fronts, pareto_order


def brute_force(signals: np.ndarray) -> np.ndarray:
    # no value is below every value, minus infinity too
    value = np.where(np.isnan(signals), 0.0, signals)
    known = ~np.isnan(signals)
    fronts = np.full(len(signals), -1)
    front = 0
    while (fronts < 0).any():
        left = np.flatnonzero(fronts < 0)
        v, k = value[left], known[left]
        beaten = []
        for own_v, own_k in zip(v, k, strict=True):
            above = (k & ~own_k) | (k & own_k & (v > own_v))
            below = (~k & own_k) | (k & own_k & (v < own_v))
            beaten.append(bool((~below.any(axis=1) & above.any(axis=1)).any()))
        fronts[left[~np.array(beaten)]] = front
        front += 1
    return fronts


# few different numbers, so that ties and equal rows are common
NUMBER = st.one_of(
    st.sampled_from(
        [0.0, 1.0, 2.0, float("nan"), -0.0, float("inf"), -float("inf")]
    ),
    st.floats(-3, 3),
)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_fronts_are_those_of_brute_force(data: st.DataObject) -> None:
    width = data.draw(st.integers(1, 5))
    rows = data.draw(
        st.lists(st.lists(NUMBER, min_size=width, max_size=width), max_size=25)
    )
    signals = np.array(rows, dtype=float).reshape(-1, width)
    assert pareto_fronts(signals).tolist() == brute_force(signals).tolist()


def made(kind: str, n: int, width: int) -> np.ndarray:
    rng = np.random.default_rng(width)
    values = rng.normal(size=(n, width))
    if kind == "tied":
        return np.round(values)
    if kind == "one front":
        values = np.exp(values)
        return values / values.sum(axis=1, keepdims=True)
    if kind == "correlated":
        return 0.2 * values + rng.normal(size=(n, 1))
    if kind == "chain":
        return np.repeat(rng.permutation(n)[:, None], width, 1).astype(float)
    if kind == "holes":
        return np.where(rng.random((n, width)) < 0.3, np.nan, values)
    return values


@pytest.mark.parametrize("width", [1, 2, 3, 4, 6])
@pytest.mark.parametrize(
    "kind", ["random", "tied", "one front", "correlated", "chain", "holes"]
)
def test_fronts_of_many_objects(kind: str, width: int) -> None:
    # enough for blocks of blocks, and no power of two
    signals = made(kind, 300, width)
    fronts = pareto_fronts(signals)
    assert fronts.tolist() == brute_force(signals).tolist()


@pytest.mark.parametrize("width", [2, 3, 4])
def test_a_front_is_one_behind_what_beats_it(width: int) -> None:
    signals = np.round(made("random", 20_000, width), 2)
    fronts = pareto_fronts(signals)
    rng = np.random.default_rng(0)
    for row in rng.choice(len(signals), 60, replace=False):
        no_worse = (signals >= signals[row]).all(axis=1)
        beats = no_worse & (signals > signals[row]).any(axis=1)
        assert fronts[row] == (fronts[beats].max() + 1 if beats.any() else 0)


def test_an_object_without_a_value_wins_by_its_other_signals() -> None:
    nan, low = float("nan"), -float("inf")
    signals = np.array([[1, 9], [nan, 10], [low, 10], [nan, 8], [nan, 8]])
    assert pareto_fronts(signals).tolist() == [0, 1, 0, 2, 2]
    assert pareto_order(signals).tolist() == [2, 0, 1, 3, 4]


def test_a_known_answer() -> None:
    signals = np.array([[3, 1], [1, 3], [2, 2], [2, 1], [1, 1], [3, 1]])
    assert pareto_fronts(signals).tolist() == [0, 0, 0, 1, 2, 0]


def test_the_row_order_decides_nothing() -> None:
    rng = np.random.default_rng(1)
    signals = rng.integers(0, 6, (80, 3)).astype(float)
    order = rng.permutation(80)
    assert (
        pareto_fronts(signals[order]).tolist()
        == pareto_fronts(signals)[order].tolist()
    )


def test_inside_a_front_the_mean_of_ranks_orders() -> None:
    # fronts: rows 0, 1 and 3 in front 0, row 2 behind them
    signals = np.array([[9.0, 1.0], [5.0, 5.0], [4.0, 4.0], [1.0, 6.0]])
    # ranks: (4, 1), (3, 3), (2, 2), (1, 4): row 1 first, then ties in order
    assert pareto_order(signals).tolist() == [1, 0, 3, 2]


def test_the_order_does_not_depend_on_units() -> None:
    signals = np.random.default_rng(3).normal(size=(200, 3))
    order = pareto_order(signals)
    assert order.tolist() == pareto_order(np.exp(signals) * 7).tolist()
    assert np.diff(pareto_fronts(signals)[order]).min() == 0


def test_no_object_and_no_signal() -> None:
    assert pareto_fronts(np.empty((0, 2))).shape == (0,)
    assert pareto_fronts(np.empty((0, 2))).dtype == np.int64
    with pytest.raises(RaremineError, match="at least one signal"):
        pareto_fronts(np.empty((3, 0)))
    with pytest.raises(RaremineError, match=r"got shape \(3,\)"):
        pareto_fronts(np.zeros(3))
