"""Strategies: orders, honesty, and how users add their own."""

from __future__ import annotations

import numpy as np
import pytest

from raremine.brain.errors import MissingStageError, RaremineError
from raremine.brain.evaluation.curves import measure
from raremine.brain.evaluation.ground_truth import FrameTruth
from raremine.brain.objects import FrameTable
from raremine.brain.strategies import (
    Strategy,
    available,
    by_score,
    choose,
    strategy,
)
from raremine.brain.strategies import registry as module
from tests.brain.evaluation.test_curves import truth_of
from tests.brain.selection.tables import frame_table

TARGETS = {3: ("truck",), 4: ("truck",), 5: ("truck",), 8: ("bicycle",)}


def mined_frames() -> FrameTable:
    n = 40
    score = np.full(n, np.nan)
    score[[3, 4, 5, 8]] = [0.9, 0.8, 0.7, 0.1]
    return frame_table(
        n,
        target=TARGETS,
        rare={10: ("animal",), 11: ("bus",)},
        target_score=score,
        rare_score=[np.nan] * n,
        mining_score=np.arange(n)[::-1] / n,
        pareto_rank=[-(i % 4) for i in range(n)],
        novelty=[np.nan if i % 2 else i for i in range(n)],
        detector_class=[1.0 if i == 20 else np.nan for i in range(n)],
        empty=[np.nan] * n,
    )


def some_truth(n: int = 40) -> FrameTruth:
    seen: list[list[int]] = [[] for _ in range(n)]
    seen[7], seen[9], seen[30] = [0, 1], [1], [2]
    return truth_of(seen, [0, 0, 1])


def test_all_orders_are_permutations_and_follow_the_seed() -> None:
    frames, truth = mined_frames(), some_truth()
    known = available(frames)
    assert set(known) == {
        "random",
        "oracle",
        "default",
        "class_balanced",
        "random_and_default",
        "concept_group",
        "pareto",
        "detector_class",
        "vlmine",
        "mining_score",
        "target_score",
    }
    for s in known.values():
        first = s.run(frames, 1, truth)
        assert sorted(first) == list(range(40))
        np.testing.assert_array_equal(first, s.run(frames, 1, truth))
    for name in ("random", "concept_group", "pareto", "vlmine"):
        runs = [known[name].run(frames, seed, truth) for seed in (1, 2)]
        assert (runs[0] != runs[1]).any()


def test_only_the_oracle_is_given_the_ground_truth() -> None:
    """Changing the truth changes no other order."""
    frames = mined_frames()
    other = truth_of([[0]] + [[] for _ in range(39)], [0])
    for name, s in available(frames).items():
        same = np.array_equal(
            s.run(frames, 3, some_truth()), s.run(frames, 3, other)
        )
        assert same == (name != "oracle") == (not s.needs_truth)
    assert [s.name for s in module._REGISTRY.values() if s.needs_truth] == [
        "oracle"
    ]


def test_default_is_fair_to_scenes_and_then_follows_the_score() -> None:
    frames = mined_frames()
    frames.columns["target_score"][[3, 4, 5, 8]] = [0.9, 0.89, 0.88, 0.87]
    order = available(frames)["default"].order(frames, 0)
    # 3 is of scene 0, where 0-3 are; 4 and 5 of scene 1, 8 of scene 2
    assert order[:4].tolist() == [3, 4, 8, 5]
    assert (np.diff(frames["mining_score"][order[4:]]) <= 0).all()


def test_the_mining_score_alone_knows_no_scenes() -> None:
    frames = mined_frames()
    order = available(frames)["mining_score"].order(frames, 0)
    assert (np.diff(frames["mining_score"][order]) <= 0).all()


def test_class_balanced_takes_turns_then_rare_then_the_rest() -> None:
    frames = mined_frames()
    order = available(frames)["class_balanced"].order(frames, 0).tolist()
    # bicycle (1 frame) goes before truck (3 frames), whatever the score
    assert order[:4] == [8, 3, 4, 5]
    assert set(order[4:6]) == {10, 11}
    assert order[6:9] == [0, 1, 2]


def test_half_random_half_mined_at_every_budget() -> None:
    frames = mined_frames()
    known = available(frames)
    mixed = known["random_and_default"].order(frames, 5).tolist()
    drawn = known["random"].order(frames, 5).tolist()
    mined = known["default"].order(frames, 5).tolist()
    for k in (2, 4, 8):
        assert set(drawn[: k // 2]) | set(mined[: k // 2]) <= set(mixed[:k])


def test_oracle_reaches_the_ceiling() -> None:
    frames, truth = mined_frames(), some_truth()
    order = available(frames)["oracle"].run(frames, 0, truth)
    # frame 7 shows both instances of 9, which adds nothing after it
    assert order[0] == 7 and order[1] == 30 and order[2] == 9
    curves = measure(order, truth, frames.scene)
    assert curves.instance_recall["all"][2] == 1
    assert curves.frame_recall["all"][3] == 1


def test_concept_group_and_detector_class() -> None:
    frames = mined_frames()
    known = available(frames)
    order = known["concept_group"].order(frames, 0).tolist()
    assert set(order[:4]) == set(TARGETS) and set(order[4:6]) == {10, 11}
    assert known["detector_class"].order(frames, 0)[0] == 20


def test_rows_without_a_score_come_last() -> None:
    frames = mined_frames()
    order = by_score(frames, frames["novelty"], 0).tolist()
    assert order[:3] == [38, 36, 34]
    assert all(row % 2 for row in order[20:])


def test_a_user_s_strategy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_REGISTRY", dict(module._REGISTRY))
    frames = mined_frames()

    @strategy("last_first", needs=("novelty",))
    def last_first(frames: FrameTable, seed: int) -> np.ndarray:
        return np.arange(len(frames))[::-1]

    assert "last_first" in available(frames)
    (mine,) = choose(frames, {"again": last_first})
    assert mine.run(frames, 0, some_truth())[0] == 39


def test_what_cannot_be_chosen() -> None:
    frames = mined_frames()
    assert [s.name for s in choose(frames, "pareto")] == ["pareto"]
    with pytest.raises(RaremineError, match="no strategy 'paretto'.*pareto"):
        choose(frames, ["paretto"])
    with pytest.raises(RaremineError, match="No strategy is given"):
        choose(frames, [])
    del frames.columns["pareto_rank"]
    with pytest.raises(MissingStageError, match="pareto_rank"):
        choose(frames, ["pareto"])


@pytest.mark.parametrize("order", [[0] * 40, [1, 2], list(range(1, 41))])
def test_a_strategy_that_returns_no_order(order: list[int]) -> None:
    broken = Strategy("broken", lambda frames, seed: np.array(order))
    with pytest.raises(RaremineError, match="'broken' must return every one"):
        broken.run(mined_frames(), 0, some_truth())
