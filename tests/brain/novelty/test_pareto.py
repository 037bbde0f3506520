"""Pareto fronts against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raremine.brain.errors import RaremineError
from raremine.brain.novelty.pareto import pareto_fronts, pareto_order


def brute_force(signals: np.ndarray) -> np.ndarray:
    values = np.where(np.isnan(signals), -np.inf, signals)
    fronts = np.full(len(values), -1)
    front = 0
    while (fronts < 0).any():
        left = np.flatnonzero(fronts < 0)
        rest = values[left]
        beaten = [
            bool(((rest >= row).all(axis=1) & (rest > row).any(axis=1)).any())
            for row in rest
        ]
        fronts[left[~np.array(beaten)]] = front
        front += 1
    return fronts


# few different numbers, so that ties and equal rows are common
NUMBER = st.one_of(
    st.sampled_from([0.0, 1.0, 2.0, float("nan"), -0.0, float("inf")]),
    st.floats(-3, 3),
)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_fronts_are_those_of_brute_force(data: st.DataObject) -> None:
    width = data.draw(st.integers(1, 4))
    rows = data.draw(
        st.lists(st.lists(NUMBER, min_size=width, max_size=width), max_size=25)
    )
    signals = np.array(rows, dtype=float).reshape(-1, width)
    assert pareto_fronts(signals).tolist() == brute_force(signals).tolist()


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_fronts_of_many_objects(width: int) -> None:
    rng = np.random.default_rng(width)
    signals = np.round(rng.normal(size=(300, width)), 1)
    fronts = pareto_fronts(signals)
    assert fronts.tolist() == brute_force(signals).tolist()


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


def test_no_object_and_no_signal() -> None:
    assert pareto_fronts(np.empty((0, 2))).shape == (0,)
    assert pareto_fronts(np.empty((0, 2))).dtype == np.int64
    with pytest.raises(RaremineError, match="at least one signal"):
        pareto_fronts(np.empty((3, 0)))
    with pytest.raises(RaremineError, match=r"got shape \(3,\)"):
        pareto_fronts(np.zeros(3))
