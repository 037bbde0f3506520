"""The split rule: shares, leakage, fairness, determinism: known answers."""

from __future__ import annotations

import dataclasses
from collections import Counter

import numpy as np
import pytest

from raremine.brain import pool as pool_module
from raremine.brain.errors import (
    MissingStageError,
    RaremineError,
    RecipeError,
)
from raremine.brain.objects import FrameTable
from raremine.brain.pool import SplitLeakageError, frame_pool, guard_pool
from raremine.brain.selection import rule
from raremine.brain.selection.rule import select
from tests.brain.selection.tables import frame_table


def test_ten_and_ten_percent_of_100_is_20() -> None:
    every_other = dict.fromkeys(range(0, 100, 2), ("truck",))
    frames = frame_table(100, target=every_other)
    chosen = select(frames, {"random": 0.1, "target": 0.1})
    assert len(chosen) == 20
    assert chosen.counts == {"random": 10, "target": 10}
    assert chosen.shortages == ()


@pytest.mark.parametrize(
    ("share", "n", "asked"),
    [(0.1, 15, 2), (0.1, 14, 1), (0.29, 50, 15), (0.145, 100, 15), (1, 7, 7)],
)
def test_rounds_half_up(share: float, n: int, asked: int) -> None:
    # 0.29 * 50 and 0.145 * 100 are just below the half in binary
    assert len(select(frame_table(n), {"random": share})) == asked


def test_known_draw() -> None:
    """Pins the draw itself: it must never change between versions."""
    chosen = select(frame_table(20), {"random": 0.25}, seed=7)
    assert chosen.tokens == KNOWN_DRAW


KNOWN_DRAW = ["t012", "t005", "t000", "t003", "t004"]


def test_seeds_differ_and_the_random_share_ignores_the_rest() -> None:
    frames = frame_table(
        target=dict.fromkeys(range(30), ("truck",)), novelty=range(100)
    )
    base = select(frames, {"random": 0.1}, seed=3).tokens
    assert base != select(frames, {"random": 0.1}, seed=4).tokens
    mixed = select(
        frames, {"target": 0.1, "novelty": 0.2, "random": 0.1}, seed=3
    )
    assert mixed.tokens[:10] == base
    assert [p.component for p in mixed.picks[10:30:10]] == [
        "target",
        "novelty",
    ]


def test_random_draws_every_frame_equally_often() -> None:
    frames = frame_table(10)
    counts = Counter(
        token
        for seed in range(2000)
        for token in select(frames, {"random": 0.3}, seed).tokens
    )
    # binomial(2000, .3): mean 600, standard deviation 20.5
    assert all(abs(c - 600) < 100 for c in counts.values())
    assert len(counts) == 10


def test_evaluation_frames_are_never_chosen() -> None:
    """The published scripts filtered val together with train."""
    split = ["train"] * 10 + ["val"] * 10 + ["test"] * 10
    frames = frame_table(30, split=split, novelty=range(30))
    chosen = select(frames, {"novelty": 1.0})
    assert chosen.pool_size == 10
    assert {p.split for p in chosen.picks} == {"train"}
    with pytest.raises(RecipeError, match="for evaluation"):
        select(frames, {"novelty": 0.5, "pool": ["train", "val"]})


def test_the_guard_holds_when_the_pool_is_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    frames = frame_table(10, split=["train"] * 5 + ["val"] * 5)

    def broken(table: FrameTable, splits: object) -> tuple:
        return np.ones(len(table), dtype=bool), []

    monkeypatch.setattr(rule, "frame_pool", broken)
    with pytest.raises(SplitLeakageError, match="t00[5-9] of split 'val'"):
        select(frames, {"random": 1.0})
    with pytest.raises(SplitLeakageError, match="t000"):
        guard_pool(frames, [0], np.zeros(10, dtype=bool))


def test_pool_of_a_data_set_without_splits() -> None:
    chosen = select(frame_table(10, split=""), {"random": 0.5})
    assert chosen.pool_size == 10
    assert "No frame has a split" in chosen.notes[0]


def test_pool_with_frames_without_split_and_custom_names() -> None:
    frames = frame_table(10, split=["mine"] * 4 + [""] * 6)
    with pytest.raises(RecipeError, match="splits: mine"):
        select(frames, {"random": 0.5})
    assert select(frames, {"random": 0.5, "pool": "mine"}).pool_size == 4
    with pytest.raises(RecipeError, match="yours"):
        select(frames, {"random": 0.5, "pool": ["mine", "yours"]})
    frames = frame_table(10, split=["mini_train"] * 4 + [""] * 6)
    chosen = select(frames, {"random": 0.5})
    assert chosen.pool_size == 4
    assert "6 of 10 frames have no split" in chosen.notes[0]


def test_only_evaluation_splits_is_an_error() -> None:
    with pytest.raises(RecipeError, match="No frame is in a train split"):
        select(frame_table(10, split="val"), {"random": 0.5})
    assert set(pool_module.TRAIN_SPLITS).isdisjoint(
        pool_module.EVALUATION_SPLITS
    )


def test_no_frames_and_twice_the_same_token() -> None:
    with pytest.raises(RecipeError, match="no keyframes"):
        select(frame_table(0), {"random": 0.5})
    frames = frame_table(10)
    with pytest.raises(RaremineError, match="t003 has more than one row"):
        frame_pool(frames.take(np.array([1, 3, 3])))


def test_shortage_names_the_reasons() -> None:
    frames = frame_table(
        20,
        scenes=2,
        target=dict.fromkeys((0, 1, 2, 3, 4, 10, 11), ("truck",)),
    )
    chosen = select(
        frames,
        {"target": 0.5, "exclude": ["t000"], "max_frames_per_scene": 2},
    )
    (short,) = chosen.shortages
    assert (short.asked, short.taken) == (10, 4)
    assert short.reason == (
        "asked 10, took 4: 7 of 20 frames hold target objects, of which 1 "
        "are excluded, 2 are over max_frames_per_scene = 2."
    )
    after = select(frames, {"random": 0.5, "target": 0.5}, seed=1)
    already = sum(p.concepts != () for p in after.picks[:10])
    assert f"{already} were already chosen" in after.shortages[0].reason


def test_top_up_is_random_marked_and_recorded() -> None:
    frames = frame_table(20, target={3: ("truck",)})
    recipe = {"target": 0.25, "top_up": "random"}
    chosen = select(frames, recipe, seed=5)
    assert chosen.counts == {"target": 1, "top_up": 4}
    assert chosen.recipe["top_up"] == "random"
    assert "4 frames drawn at random" in chosen.notes[0]
    assert chosen.shortages[0].component == "target"
    assert chosen.tokens != select(frames, recipe, seed=6).tokens


def test_every_concept_gets_its_quota() -> None:
    """Ranked by score alone, the common concept would take it all."""
    target = dict.fromkeys(range(60), ("truck",))
    target |= dict.fromkeys(range(60, 75), ("bicycle",))
    target |= dict.fromkeys(range(75, 80), ("trailer", "truck"))
    score = [1 - i / 1000 if i < 80 else np.nan for i in range(100)]
    frames = frame_table(target=target, target_score=score)
    fair = select(frames, {"target": 0.15}).table()
    per_concept = Counter(c for cs in fair.concepts for c in cs)
    assert per_concept == {"trailer": 5, "bicycle": 5, "truck": 5 + 5}
    assert fair.why[0].endswith("taken for trailer.")
    assert list(fair.concepts[:3]) == [
        ("trailer", "truck"),
        ("bicycle",),
        ("truck",),
    ]
    plain = select(frames, {"target": 0.15, "balance": "rank"})
    assert plain.tokens == [f"t{i:03d}" for i in range(15)]


def test_the_best_scores_are_taken_first() -> None:
    frames = frame_table(10, novelty=[0, 9, 1, 8, np.nan, 7, 3, 3, 3, 2])
    chosen = select(frames, {"novelty": 0.3})
    assert chosen.tokens == ["t001", "t003", "t005"]
    assert [p.score for p in chosen.picks] == [9, 8, 7]
    assert chosen.picks[1].why == "novelty 8 is number 2 of 9 frames."
    everything = select(frames, {"novelty": 1.0})
    assert "t004" not in everything.tokens
    assert "9 of 10 frames have a novelty" in everything.shortages[0].reason


def test_ties_do_not_prefer_the_first_scenes() -> None:
    frames = frame_table(100, scenes=10, novelty=np.ones(100))
    chosen = select(frames, {"novelty": 0.2})
    assert len({p.scene for p in chosen.picks}) >= 6


def test_rare_component_and_unnamed_objects() -> None:
    frames = frame_table(
        20, target={0: ("truck",), 1: ()}, rare={0: ("animal",), 5: ("bus",)}
    )
    chosen = select(frames, {"target": 0.5, "rare": 0.5})
    components = {p.sample_token: p.component for p in chosen.picks}
    assert components == {"t000": "target", "t001": "target", "t005": "rare"}
    assert "(unnamed)" in chosen.picks[0].why + chosen.picks[1].why


def test_excluded_frames_change_no_other_random_pick() -> None:
    frames = frame_table()
    before = select(frames, {"random": 0.2}).tokens
    after = select(frames, {"random": 0.2, "exclude": before[3:4]}).tokens
    assert after[:19] == before[:3] + before[4:]
    assert before[3] not in after


def test_unknown_token_to_exclude() -> None:
    """JPEG stems in place of sample tokens matched nothing, silently."""
    stem = "n015-2018-07-24-11-22-45+0800__CAM_FRONT__1532402927612460"
    with pytest.raises(RecipeError, match="1 of the 2 tokens.*CAM_FRONT"):
        select(frame_table(), {"random": 0.1, "exclude": ["t001", stem]})


@pytest.mark.parametrize("seed", [-1, 1.5, True, "0"])
def test_bad_seed(seed: object) -> None:
    with pytest.raises(RecipeError, match="seed"):
        select(frame_table(), {"random": 0.1}, seed)


def test_component_without_its_column() -> None:
    frames = frame_table(novelty=range(100))
    with pytest.raises(MissingStageError, match=r"'blur'.*\(novelty\)"):
        select(frames, {"blur": 0.1})
    with pytest.raises(MissingStageError, match="No frame has a 'knn'"):
        select(frames, {"column:knn": 0.1})
    with pytest.raises(RecipeError, match="holds no numbers"):
        select(frames, {"mining_group": 0.1})
    with pytest.raises(MissingStageError, match="No frame has a value"):
        select(frame_table(knn=[np.nan] * 100), {"knn": 0.1})
    bare = dataclasses.replace(frames, columns={})
    with pytest.raises(MissingStageError, match="match_concepts"):
        select(bare, {"target": 0.1})
