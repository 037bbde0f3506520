"""Recall against budget: known answers and the exact random average."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raremine.brain.evaluation.curves import area, expected_random, measure
from raremine.brain.evaluation.ground_truth import FrameTruth
from raremine.brain.ranking import seeded_order
from tests.brain.evaluation.worlds import truth_of


@st.composite
def truths(draw: st.DrawFn, most: int) -> tuple[FrameTruth, np.ndarray]:
    f = draw(st.integers(1, most))
    kinds = draw(st.lists(st.integers(0, 1), min_size=1, max_size=4))
    seen = [set() for _ in range(f)]
    for instance in range(len(kinds)):
        for row in draw(st.sets(st.integers(0, f - 1), min_size=1)):
            seen[row].add(instance)
    scene = np.array(
        draw(st.lists(st.sampled_from("xyz"), min_size=f, max_size=f))
    )
    return truth_of([sorted(s) for s in seen], kinds), scene


def test_known_answer() -> None:
    truth = truth_of([[0], [], [0, 1], [1, 2]], [0, 0, 1])
    scene = np.array(["x", "x", "x", "y"])
    curves = measure(np.array([1, 2, 3, 0]), truth, scene)
    third = 1 / 3
    expected = {
        "all": [0, 0, third, 2 * third, 1],
        "a": [0, 0, third, 2 * third, 1],
        "b": [0, 0, 0, 1, 1],
    }
    for name, values in expected.items():
        np.testing.assert_allclose(curves.frame_recall[name], values)
    np.testing.assert_allclose(
        curves.instance_recall["all"], [0, 0, 2 * third, 1, 1]
    )
    np.testing.assert_allclose(curves.instance_recall["a"], [0, 0, 1, 1, 1])
    np.testing.assert_allclose(
        curves.precision["all"], [1, 0, 0.5, 2 * third, 0.75]
    )
    np.testing.assert_allclose(curves.scene_coverage, [0, 0.5, 0.5, 1, 1])


@settings(max_examples=25, deadline=None)
@given(truths(5))
def test_random_average_is_exact(case: tuple[FrameTruth, np.ndarray]) -> None:
    """It equals the mean over every possible order."""
    truth, scene = case
    orders = [np.array(p) for p in permutations(range(len(truth)))]
    runs = [measure(order, truth, scene) for order in orders]
    expected = expected_random(truth, scene)
    for name in ("frame_recall", "instance_recall", "precision"):
        for target, curve in getattr(expected, name).items():
            mean = np.mean([getattr(r, name)[target] for r in runs], axis=0)
            np.testing.assert_allclose(mean, curve, atol=1e-12)
    mean = np.mean([r.scene_coverage for r in runs], axis=0)
    np.testing.assert_allclose(mean, expected.scene_coverage, atol=1e-12)


@settings(max_examples=50, deadline=None)
@given(truths(30), st.integers(0, 1000))
def test_curves_rise_to_one(
    case: tuple[FrameTruth, np.ndarray], seed: int
) -> None:
    truth, scene = case
    order = seeded_order(len(truth), seed, "test")
    curves = measure(order, truth, scene)
    rising = [
        *curves.frame_recall.values(),
        *curves.instance_recall.values(),
        curves.scene_coverage,
    ]
    for curve in rising:
        if np.isnan(curve).all():
            continue
        assert curve[0] == 0 and curve[-1] == pytest.approx(1)
        assert (np.diff(curve) >= 0).all()


def test_a_class_without_ground_truth_has_no_recall() -> None:
    truth = truth_of([[0], []], [0])
    scene = np.array(["x", "y"])
    assert np.isnan(
        measure(np.array([0, 1]), truth, scene).frame_recall["b"]
    ).all()
    assert np.isnan(expected_random(truth, scene).instance_recall["b"]).all()


def test_area() -> None:
    diagonal = np.linspace(0, 1, 11)
    assert area(diagonal, 10) == pytest.approx(0.5)
    assert area(diagonal, 2) == pytest.approx(0.1)
    assert area(np.ones(11), 7) == pytest.approx(1)
    assert area(diagonal, 0) == 0
