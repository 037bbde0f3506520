"""Novelty from keyword frequencies, with numbers worked out by hand."""

from __future__ import annotations

from math import log

import numpy as np
import pytest

from raremine.brain.errors import RaremineError
from raremine.brain.novelty.frequency import (
    document_frequency,
    keyword_table,
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


SCENES = ["a", "a", "b", "b", "b"]
# of 2 scenes: car 2, red 2, parked 1, excavator 1


@pytest.mark.parametrize(
    ("pooling", "frequencies"),
    [("mean", [2, 1.5, 2, 1.5]), ("min", [2, 1, 2, 1])],
)
def test_scenes_are_counted(pooling: str, frequencies: list[float]) -> None:
    scores = novelty_scores(
        KEYWORDS, pooling=pooling, per="scene", scenes=SCENES
    )
    np.testing.assert_allclose(
        scores[:4], [-log(f / 2) for f in frequencies], atol=1e-12
    )
    assert np.isnan(scores[4])


def test_a_thing_seen_again_and_again_in_a_scene_is_one_sighting() -> None:
    # a crane parked through 40 keyframes, bikes in every scene
    keywords = [["crane"]] * 40 + [["bike"]] * 10
    scenes = ["0"] * 40 + [str(i) for i in range(10)]
    by_object = novelty_scores(keywords)
    assert by_object[0] < by_object[-1]
    by_scene = novelty_scores(keywords, per="scene", scenes=scenes)
    assert by_scene[0] == pytest.approx(-log(1 / 10))
    assert by_scene[-1] == 0


def test_a_word_must_be_seen_again_in_a_scene() -> None:
    # "ghost" twice, in a scene each; "crane" twice in one scene
    keywords = [["ghost"], ["crane"], ["crane"], ["ghost"]]
    scores = novelty_scores(
        keywords, scenes=["a", "a", "a", "b"], min_in_scene=2
    )
    assert np.isnan(scores).tolist() == [True, False, False, True]
    assert scores[1] == pytest.approx(-log(2 / 4))


def test_the_keyword_table() -> None:
    table = keyword_table(KEYWORDS, SCENES)
    assert table.words == ("car", "excavator", "parked", "red")
    assert table.count.tolist() == [4, 1, 1, 2]
    assert table.scenes.tolist() == [2, 1, 1, 2]
    assert table.in_scene.tolist() == [2, 1, 1, 1]
    assert (table.objects, table.all_scenes) == (4, 2)
    rows = np.split(table.rows, table.starts[1:-1])
    assert [r.tolist() for r in rows] == [[0, 1, 2, 3], [3], [1], [0, 2]]
    # one of each scene
    assert table.examples[:, :2].tolist() == [
        *([0, 2], [3, -1], [1, -1], [0, 2])
    ]
    empty = keyword_table([[], []])
    assert (empty.words, empty.objects) == ((), 0)
    assert empty.novelty().shape == (0,)


def test_the_order_of_objects_and_words_decides_nothing() -> None:
    rng = np.random.default_rng(0)
    words = np.array([f"w{i}" for i in range(30)])
    keywords = [list(rng.choice(words, 4)) for _ in range(200)]
    scenes = [f"s{i}" for i in rng.integers(0, 7, 200)]
    order = rng.permutation(200)
    scores = novelty_scores(keywords, per="scene", scenes=scenes)
    again = novelty_scores(
        [keywords[i][::-1] for i in order],
        per="scene",
        scenes=[scenes[i] for i in order],
    )
    np.testing.assert_allclose(again, scores[order])
