"""Limits of the whole selection: what they refuse, and what they say."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from raremine.brain.errors import MissingStageError, RecipeError
from raremine.brain.selection.rule import select
from tests.brain.selection.tables import frame_table


def test_the_gap_is_kept_between_components_too() -> None:
    """Half a second apart; a gap of a second allows every other frame."""
    frames = frame_table(20, scenes=1, novelty=range(20))
    chosen = select(frames, {"novelty": 0.5, "min_gap_seconds": 1.0})
    assert chosen.tokens == [f"t{i:03d}" for i in range(19, 0, -2)]
    more = select(
        frames, {"random": 0.1, "novelty": 0.9, "min_gap_seconds": 1.0}, 3
    )
    rows = sorted(int(t[1:]) for t in more.tokens)
    assert min(np.diff(rows)) >= 2
    (short,) = more.shortages
    assert short.held_back == {
        "already_chosen": 2,
        "min_gap_seconds": 18 - short.taken,
    }
    assert "less than 1.0 s from a chosen frame of their" in short.reason


def test_the_gap_is_one_scene_s() -> None:
    frames = frame_table(20, scenes=20, novelty=range(20))
    assert len(select(frames, {"novelty": 1.0, "min_gap_seconds": 60})) == 20


def test_a_gap_of_exactly_the_distance_is_no_gap_too_small() -> None:
    """0.3 s is a little less than 300,000 microseconds in binary."""
    frames = frame_table(2, scenes=1, novelty=[1, 2])
    frames = dataclasses.replace(frames, timestamp=np.array([7, 300_007]))
    recipe = {"novelty": 1.0, "min_gap_seconds": 0.3}
    assert len(select(frames, recipe)) == 2
    frames = dataclasses.replace(frames, timestamp=np.array([7, 300_006]))
    assert len(select(frames, recipe)) == 1


def test_near_duplicates_of_any_chosen_frame_are_left_out() -> None:
    angles = np.deg2rad([0, 5, 30, 35, 60, 61])
    frames = frame_table(
        6,
        novelty=[6, 5, 4, 3, 2, 1],
        embedding=np.stack([np.cos(angles), np.sin(angles)], axis=1),
    )
    chosen = select(frames, {"novelty": 1.0, "max_similarity": 0.99})
    assert chosen.tokens == ["t000", "t002", "t004"]
    (short,) = chosen.shortages
    assert short.held_back == {"max_similarity": 3}
    assert "near duplicates of a chosen frame (cosine above 0.99)" in (
        short.reason
    )


def test_frames_without_an_embedding_resemble_none() -> None:
    vectors = np.array([[1, 0], [1, 0], [np.nan] * 2, [np.nan] * 2, [0, 0]])
    frames = frame_table(5, novelty=[5, 4, 3, 2, 1], embedding=vectors)
    chosen = select(frames, {"novelty": 1.0, "max_similarity": 0.9})
    assert chosen.tokens == ["t000", "t002", "t003", "t004"]
    assert "3 of 5 frames have no embedding" in chosen.notes[0]


def test_limits_need_what_they_limit() -> None:
    frames = frame_table(10, novelty=range(10))
    with pytest.raises(MissingStageError, match="embed_objects"):
        select(frames, {"random": 0.5, "max_similarity": 0.9})
    empty = frame_table(3, embedding=np.full((3, 2), np.nan))
    with pytest.raises(MissingStageError, match="no frame of the pool has"):
        select(empty, {"random": 0.5, "max_similarity": 0.9})
    timeless = dataclasses.replace(frames, timestamp=np.zeros(10, np.int64))
    with pytest.raises(RecipeError, match="No frame has a timestamp"):
        select(timeless, {"random": 0.5, "min_gap_seconds": 1})
    scenes = frames.scene.copy()
    scenes[:4] = ""
    homeless = dataclasses.replace(frames, scene=scenes)
    for limit in ({"min_gap_seconds": 1}, {"max_frames_per_scene": 1}):
        with pytest.raises(RecipeError, match="4 of 10 frames have no scene"):
            select(homeless, {"random": 0.5, **limit})
    assert len(select(homeless, {"random": 0.5})) == 5


def test_top_up_keeps_the_limits_too() -> None:
    frames = frame_table(40, scenes=4, target={0: ("truck",)})
    chosen = select(
        frames,
        {"target": 0.5, "top_up": "random", "max_frames_per_scene": 3},
    )
    assert chosen.counts == {"target": 1, "top_up": 11}
    assert [s.component for s in chosen.shortages] == ["target", "top_up"]
    assert chosen.shortages[1].held_back == {
        "already_chosen": 1,
        "max_frames_per_scene": 28,
    }


def test_the_random_share_is_the_same_whatever_limits_hold_later() -> None:
    frames = frame_table(100, novelty=range(100))
    plain = select(frames, {"random": 0.1}, 5).tokens
    capped = select(
        frames, {"random": 0.1, "novelty": 0.2, "max_frames_per_scene": 4}, 5
    )
    assert capped.tokens[:10] == plain
