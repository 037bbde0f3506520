"""Quotas and turns: how many frames hold a concept, and which come first."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from raremine.brain.errors import MissingStageError, RecipeError
from raremine.brain.objects import FrameTable
from raremine.brain.selection.rule import select
from tests.brain.selection.tables import frame_table


@pytest.fixture
def frames() -> FrameTable:
    """60 trucks, 15 bicycles, 5 trailers behind trucks, 20 without."""
    target = dict.fromkeys(range(60), ("truck",))
    target |= dict.fromkeys(range(60, 75), ("bicycle",))
    target |= dict.fromkeys(range(75, 80), ("trailer", "truck"))
    return frame_table(
        target=target,
        rare={90: ("animal",), 91: ("animal",)},
        target_score=[1 - i / 1000 if i < 80 else np.nan for i in range(100)],
        novelty=range(100),
    )


def held(frames: FrameTable, recipe: dict, seed: int = 0) -> Counter[str]:
    chosen = select(frames, recipe, seed)
    return Counter(c for pick in chosen.picks for c in pick.concepts)


def test_a_share_and_a_number_of_frames(frames: FrameTable) -> None:
    recipe = {
        "target": {
            "share": 0.2,
            "quotas": {"trailer": 0.03, "bicycle": 8},
            "balance": "rank",
        }
    }
    chosen = select(frames, recipe)
    assert chosen.shortages == ()
    assert held(frames, recipe) == {"trailer": 3, "bicycle": 8, "truck": 12}
    # the rarest first, then the rest by score: nine trucks
    assert chosen.tokens == [
        *("t075", "t076", "t077"),
        *(f"t{i:03d}" for i in range(60, 68)),
        *(f"t{i:03d}" for i in range(9)),
    ]
    assert chosen.picks[0].why.endswith("taken for the quota of trailer.")
    assert "taken for" not in chosen.picks[-1].why


def test_a_frame_counts_for_every_concept_that_it_holds(
    frames: FrameTable,
) -> None:
    recipe = {"target": {"share": 0.1, "quotas": {"trailer": 3, "truck": 5}}}
    chosen = select(frames, recipe)
    taken_for = [p.why.rpartition("taken for ")[2] for p in chosen.picks]
    assert taken_for == [
        *3 * ["the quota of trailer."],
        *2 * ["the quota of truck."],
        *("trailer.", "bicycle.", "truck.", "trailer.", "bicycle."),
    ]


def test_a_quota_that_is_not_met_is_a_shortage_of_its_own(
    frames: FrameTable,
) -> None:
    chosen = select(
        frames,
        {
            "target": {"share": 0.2, "quotas": {"trailer": 10, "tram": 1}},
            "exclude": ["t075"],
        },
    )
    assert chosen.counts == {"target": 20}
    tram, trailer = sorted(chosen.shortages, key=lambda s: s.asked)
    assert (trailer.concept, trailer.asked, trailer.taken) == (
        "trailer",
        10,
        4,
    )
    assert trailer.held_back == {"excluded": 1}
    assert trailer.reason == (
        "quota of trailer: asked 10, took 4: 5 of 100 frames hold trailer, "
        "of which 1 are excluded."
    )
    assert (tram.concept, tram.taken, tram.held_back) == ("tram", 0, {})
    assert "(the concepts here: bicycle, trailer, truck)" in tram.reason


def test_quotas_beyond_the_share_are_short(frames: FrameTable) -> None:
    recipe = {"target": {"share": 0.05, "quotas": {"truck": 20}}}
    chosen = select(frames, recipe)
    (short,) = chosen.shortages
    assert (short.taken, short.held_back) == (5, {"share": 60})
    assert "60 came after the 5 frames of the share" in short.reason


def test_top_up_does_not_fill_quotas(frames: FrameTable) -> None:
    recipe = {
        "target": {"share": 0.1, "quotas": {"trailer": 8}},
        "top_up": "random",
    }
    assert select(frames, recipe).counts == {"target": 10}


@pytest.mark.parametrize("component", ["random", "novelty"])
def test_any_component_can_have_quotas(
    frames: FrameTable, component: str
) -> None:
    quotas = {"trailer": 2, "animal": 2}
    recipe = {component: {"share": 0.1, "quotas": quotas}}
    chosen = select(frames, recipe)
    assert held(frames, recipe)["trailer"] >= 2
    assert held(frames, recipe)["animal"] == 2
    assert len(chosen) == 10
    assert chosen.shortages == ()


def test_any_component_can_take_turns(frames: FrameTable) -> None:
    recipe = {"novelty": {"share": 0.9, "balance": "round_robin"}}
    chosen = select(frames, recipe)
    turns = [p.why.partition("taken for ")[2] for p in chosen.picks]
    assert turns[:4] == ["animal.", "trailer.", "bicycle.", "truck."]
    # frames without a concept come last, by rank: nine of 18 are left
    assert [p.sample_token for p in chosen.picks[82:]] == [
        *("t099", "t098", "t097", "t096", "t095", "t094", "t093", "t092")
    ]


def test_turns_and_quotas_need_concepts() -> None:
    frames = frame_table(novelty=range(100))
    for name in ("target_concepts", "rare_concepts", "mining_group"):
        del frames.columns[name]
    for options in ({"quotas": {"truck": 1}}, {"balance": "round_robin"}):
        with pytest.raises(MissingStageError, match="run match_concepts"):
            select(frames, {"novelty": {"share": 0.1, **options}})
    assert len(select(frames, {"novelty": {"share": 0.1}})) == 10


def test_the_core_set_takes_no_turns() -> None:
    vectors = np.random.default_rng(0).normal(size=(20, 3))
    frames = frame_table(20, target={3: ("truck",)}, embedding=vectors)
    with pytest.raises(RecipeError, match="'core_set' cannot take turns"):
        select(frames, {"core_set": {"share": 0.2, "balance": "round_robin"}})
    recipe = {"core_set": {"share": 0.2, "quotas": {"truck": 1}}}
    chosen = select(frames, recipe)
    assert chosen.tokens[0] == "t003"
    assert len(chosen) == 4


def test_scenes_takes_what_a_scene_has_not_shown_yet() -> None:
    """Frames 0-9 are one scene, 10-19 the next."""
    score = [np.nan] * 100
    for row in (0, 1, 2, 10):
        score[row] = 0.9 - row / 1000
    frames = frame_table(
        target=dict.fromkeys((0, 1, 2, 10), ("truck",)), target_score=score
    )
    recipe = {"target": {"share": 0.03, "balance": "scenes"}}
    assert select(frames, recipe).tokens == ["t000", "t010", "t001"]
    rank = {"target": {"share": 0.03, "balance": "rank"}}
    assert select(frames, rank).tokens == ["t000", "t001", "t002"]
    # what another component has taken of a scene counts, too
    frames.columns["odd"] = np.where(np.arange(100) == 1, 1.0, np.nan)
    both = select(frames, {"odd": 0.01, **recipe})
    assert both.tokens == ["t001", "t010", "t000", "t002"]
    with pytest.raises(RecipeError, match="cannot have balance: scenes"):
        select(frames, {"random": {"share": 0.03, "balance": "scenes"}})
