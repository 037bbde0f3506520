"""Novelty from keyword frequencies, with numbers worked out by hand."""

from __future__ import annotations

from math import log

import numpy as np
import pytest

from raremine.brain.errors import RaremineError
from raremine.brain.novelty.frequency import (
    document_frequency,
    novelty_scores,
)

KEYWORDS = [
    ["car", "red"],
    ["car", "parked", "car"],
    ["car", "red"],
    ["excavator", "car"],
    [],
]
# of 4 objects with keywords: car 4, red 2, parked 1, excavator 1


def test_an_object_counts_once_a_keyword() -> None:
    assert document_frequency(KEYWORDS) == {
        "car": 4,
        "red": 2,
        "parked": 1,
        "excavator": 1,
    }


@pytest.mark.parametrize(
    ("pooling", "min_count", "frequencies"),
    [
        ("mean", 1, [3, 2.5, 3, 2.5]),
        ("min", 1, [2, 1, 2, 1]),
        # parked and excavator were seen once: they do not count
        ("mean", 2, [3, 4, 3, 4]),
        ("min", 2, [2, 4, 2, 4]),
        ("min", 4, [4, 4, 4, 4]),
    ],
)
def test_known_answers(
    pooling: str, min_count: int, frequencies: list[float]
) -> None:
    scores = novelty_scores(KEYWORDS, pooling=pooling, min_count=min_count)
    expected = [-log(f / 4) for f in frequencies]
    np.testing.assert_allclose(scores[:4], expected, atol=1e-12)
    assert np.isnan(scores[4])
    assert not np.signbit(scores[:4]).any()


def test_without_a_keyword_that_counts_there_is_no_score() -> None:
    assert np.isnan(novelty_scores([["a"], ["b"]], min_count=2)).all()
    assert novelty_scores([]).shape == (0,)
    assert np.isnan(novelty_scores([[], []])).all()


def test_the_score_does_not_depend_on_the_size_of_the_data_set() -> None:
    np.testing.assert_allclose(
        novelty_scores(KEYWORDS * 7), np.tile(novelty_scores(KEYWORDS), 7)
    )


def test_an_unknown_pooling_is_told() -> None:
    with pytest.raises(RaremineError, match="'max'; choose mean, min"):
        novelty_scores(KEYWORDS, pooling="max")
