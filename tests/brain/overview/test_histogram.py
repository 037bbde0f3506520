"""Bins, thresholds and the views behind them agree to the object."""

from __future__ import annotations

import math

import fiftyone as fo
import numpy as np
import pytest

from raremine.brain.overview import histogram
from raremine.brain.overview.fields import read_field
from raremine.brain.overview.histogram import (
    beyond_conditions,
    bin_conditions,
    count_grid,
    make_axis,
)
from raremine.brain.overview.pipelines import count
from tests.brain.overview.mined import values

SCORES = ("outlier_score", "novelty")


def _numbers(dataset: fo.Dataset, name: str) -> np.ndarray:
    found = [math.nan if v is None else v for v in values(dataset, name)]
    return np.array(found)


def test_edges_are_exact_even_for_scores_that_lie_on_them() -> None:
    rng = np.random.default_rng(0)
    for low, high in ((0, 1), (-3, 2), (1.1, 1.2), (1e5, 1e5 + 1), (0, 1e-6)):
        axis = make_axis("s", rng.uniform(low, high, 500))
        for number in range(1, axis.bins):
            edge = axis.edges[number]
            for value in (
                edge,
                np.nextafter(edge, -np.inf),
                np.nextafter(edge, np.inf),
                axis.low + number * axis.step,
            ):
                # as MongoDB works it out
                bin_ = math.floor((value - axis.low) / axis.step)
                assert (value >= edge) == (bin_ >= number)


def test_steps_are_round_numbers() -> None:
    rng = np.random.default_rng(1)
    for high in (1e-3, 0.7, 1, 42, 9e4):
        step = make_axis("s", rng.uniform(0, high, 1000)).step
        mantissa = step / 10 ** math.floor(math.log10(step) + 1e-9)
        assert min(abs(mantissa - m) for m in (1, 2, 5)) < 1e-6


def test_a_far_outlier_does_not_squeeze_the_others_into_one_bin() -> None:
    scores = np.r_[np.linspace(0, 1, 1999), 1e9]
    axis = make_axis("lof", scores)
    assert axis.low + axis.bins * axis.step < 3
    assert axis.bins > 30


@pytest.mark.parametrize("scores", [[], [math.nan], [0.5], [0.5] * 9])
def test_scores_without_any_spread_still_have_a_bin(
    scores: list[float],
) -> None:
    axis = make_axis("s", np.array(scores))
    assert axis.bins >= 1
    assert len(axis.edges) == axis.bins


def test_the_histogram_counts_what_is_there(dataset: fo.Dataset) -> None:
    field = read_field(dataset, "objects")
    grid = count_grid(dataset, field, SCORES)
    for at, name in enumerate(SCORES):
        numbers = _numbers(dataset, name)
        assert grid.scored(at) == np.isfinite(numbers).sum()
        axis = grid.axes[at]
        place = np.floor((numbers - axis.low) / axis.step)
        place = np.clip(place, 0, axis.bins - 1)
        for number in range(axis.bins):
            expected = (place == number).sum()
            drawn = sum(h[number] for h in grid.histogram(at).values())
            assert drawn == expected


def test_every_bin_and_threshold_opens_what_it_counts(
    dataset: fo.Dataset,
) -> None:
    grid = count_grid(dataset, read_field(dataset, "objects"), SCORES)
    for at in (0, 1):
        axis = grid.axes[at]
        by_bin = grid.totals(at)
        for number in range(axis.bins):
            inside = bin_conditions(axis, number)
            assert count(dataset, "objects", inside)[0] == by_bin[number]
            cuts: list[int | None] = [None, None]
            cuts[at] = number
            beyond = beyond_conditions(axis, number)
            assert count(dataset, "objects", beyond)[0] == grid.beyond(*cuts)


def test_both_thresholds_together(dataset: fo.Dataset) -> None:
    grid = count_grid(dataset, read_field(dataset, "objects"), SCORES)
    score, novelty = (_numbers(dataset, name) for name in SCORES)
    a, b = grid.axes
    for i in range(0, a.bins, 7):
        for j in range(0, b.bins, 7):
            expected = (score >= a.edges[i]) & (novelty >= b.edges[j])
            both = grid.beyond(i, j)
            rules = (*beyond_conditions(a, i), *beyond_conditions(b, j))
            if i and j:
                assert both == expected.sum()
            assert both == count(dataset, "objects", rules)[0]


def test_groups_are_told_apart(dataset: fo.Dataset) -> None:
    grid = count_grid(dataset, read_field(dataset, "objects"), SCORES[:1])
    by_group = {g: int(h.sum()) for g, h in grid.histogram(0).items()}
    assert by_group == {"target": 5, "rare": 2, "common": 20}


def test_a_sampled_range_still_counts_every_object(
    dataset: fo.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(histogram, "SAMPLED_IMAGES", 4)
    grid = count_grid(dataset, read_field(dataset, "objects"), SCORES)
    assert grid.scored(0) == 27
    assert grid.scored(1) == 7
