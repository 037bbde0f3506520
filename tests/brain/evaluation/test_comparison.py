"""Strategies side by side: pairs, overlaps, signals, what one misses."""

from __future__ import annotations

import numpy as np
import pytest

from raremine.brain.errors import RaremineError
from raremine.brain.evaluation.agreement import overlap, signal_correlation
from raremine.brain.evaluation.comparison import (
    compare,
    few_scenes,
    order_limit,
)
from raremine.brain.evaluation.differences import MOST
from raremine.brain.evaluation.outcomes import outcome, protocol
from raremine.brain.evaluation.report import MiningReport
from raremine.brain.objects import FrameTable
from raremine.brain.ranking import seeded_order
from raremine.brain.strategies import Strategy, by_column, choose
from tests.brain.evaluation.worlds import scene_world, truth_of


def frames_of(scene: np.ndarray, **columns: np.ndarray) -> FrameTable:
    n = len(scene)
    return FrameTable(
        np.array([f"t{i:04d}" for i in range(n)]),
        scene,
        np.full(n, "train"),
        np.arange(n),
        columns,
    )


@pytest.fixture(scope="module")
def report() -> MiningReport:
    truth, scene, score = scene_world(40, 10, 2)
    frames = frames_of(scene, good=score, bad=-score, embedding=_vectors(400))
    strategies = [by_column("good"), by_column("bad")]
    strategies += choose(frames, ["random", "oracle"])
    return compare(frames, truth, strategies, (0.1, 0.2), range(8))


def _vectors(n: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(n, 6))


def test_pairs_by_hand(report: MiningReport) -> None:
    found = report.compare("good", "bad")
    table = report.table
    areas = table[
        (table.metric == "frame_recall_area") & (table.target == "all")
    ].set_index("strategy")["mean"]
    assert found["difference"] == pytest.approx(
        areas["good"] - areas["bad"], abs=1e-5
    )
    assert found["low"] < found["difference"] < found["high"]
    assert found["better_scenes"] == found["better_seeds"] == 1
    assert found["std"] == 0
    turned = report.compare("bad", "good")
    assert turned["difference"] == -found["difference"]
    assert (turned["low"], turned["high"]) == (-found["high"], -found["low"])
    assert turned["better_scenes"] == 0
    at = report.compare("oracle", "random", "instance_recall", "a", 0.1)
    assert at["difference"] > 0 and at["std"] > 0
    with pytest.raises(RaremineError, match="'luck'.*was not compared"):
        report.compare("luck", "good")


def test_every_pair_at_every_budget(report: MiningReport) -> None:
    table = report.pair_table
    keys = ["a", "b", "budget", "target", "metric"]
    assert not table.duplicated(keys).any()
    # 6 pairs, 3 targets, 2 kinds of recall at 2 budgets and their areas
    assert len(table) == 6 * 3 * (2 * 2 + 2)
    assert table.low.le(table.high).all()


def test_a_strategy_against_itself_is_a_tie() -> None:
    truth, scene, score = scene_world(20, 8, 3)
    frames = frames_of(scene, good=score, same=score)
    report = compare(
        frames,
        truth,
        [by_column("good"), by_column("same")],
        (0.2,),
        range(3),
        resamples=50,
    )
    found = report.compare("good", "same")
    for name in ("difference", "low", "high", "std"):
        assert found[name] == 0
    assert found["better_scenes"] == found["better_seeds"] == 0.5


def test_pairing_over_scenes_is_narrower_than_two_intervals() -> None:
    """What makes both better or worse cancels out."""
    truth, scene, score = scene_world(40, 10, 5, rate=0.1)
    noise = np.random.default_rng(0).normal(size=len(score))
    frames = frames_of(scene, good=score, close=score + 0.2 * noise)
    report = compare(
        frames, truth, [by_column("good"), by_column("close")], (0.2,), (0,)
    )
    pair = report.compare("good", "close", "frame_recall")
    cells = [report.cell(s, "frame_recall") for s in ("good", "close")]
    widths = [c["high"] - c["low"] for c in cells if c]
    assert pair["high"] - pair["low"] < 0.7 * min(widths)


def test_seeds_that_give_the_same_order_are_measured_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from raremine.brain.evaluation import outcomes

    truth, scene, score = scene_world(20, 8, 3)
    rules = protocol(truth, scene, (0.2,), resamples=20)
    order = np.argsort(-score)
    drawn = [seeded_order(len(scene), s, "x") for s in range(3)]
    seeds = [order, drawn[0], order.copy(), drawn[1], order]
    one_by_one = [outcome("x", [o], rules, 0.2) for o in seeds]
    calls = []
    measure = outcomes.measure
    monkeypatch.setattr(
        outcomes, "measure", lambda *a: calls.append(1) or measure(*a)
    )
    together = outcome("x", seeds, rules, 0.2)
    assert len(calls) == 3
    for name in ("recall", "area", "precision", "divergence", "selected"):
        parts = np.concatenate([getattr(o, name) for o in one_by_one])
        np.testing.assert_array_equal(getattr(together, name), parts)
    for name in ("resampled_recall", "resampled_area"):
        parts = np.mean([getattr(o, name) for o in one_by_one], axis=0)
        np.testing.assert_allclose(getattr(together, name), parts)


def test_only_the_oracle_is_given_the_truth() -> None:
    truth, scene, _ = scene_world(20, 8, 3)
    given: list[tuple] = []

    def spy(frames: FrameTable, seed: int, *more: object) -> np.ndarray:
        given.append(more)
        return np.arange(len(frames))

    strategies = [
        Strategy("blind", spy),
        Strategy("seeing", spy, needs_truth=True),
    ]
    compare(frames_of(scene), truth, strategies, (0.2,), (0,), resamples=5)
    assert given == [(), (truth,)]


def test_orders_go_a_little_beyond_the_largest_budget() -> None:
    limits = []

    def order(
        frames: FrameTable, seed: int, *, chosen: np.ndarray, limit: int
    ) -> np.ndarray:
        limits.append(limit)
        return np.arange(limit)

    truth, scene, _ = scene_world(20, 10, 3)
    asked = Strategy("asked", order, conditional=True)
    compare(frames_of(scene), truth, [asked], (0.1,), (0,), resamples=5)
    assert limits == [25]
    assert order_limit(100, 0.9) == 100


def test_overlap_by_hand() -> None:
    truth, scene, _ = scene_world(10, 10, 3)
    rules = protocol(truth, scene, (0.2,), resamples=0)
    order = np.arange(100)
    a = outcome("a", [order, order], rules, 0.2)
    # half of b's 20 frames are among a's
    b = outcome("b", [np.roll(order, -10), np.roll(order, -10)], rules, 0.2)
    c = outcome("c", [order[::-1], np.roll(order, 10)], rules, 0.2)
    found = overlap([a, b, c], 100)
    assert found[0].tolist() == pytest.approx([1, 10 / 30, 0.5 * 10 / 30])
    np.testing.assert_allclose(found, found.T)
    # its two seeds share the ten frames at both ends
    assert found[2, 2] == pytest.approx(10 / 30)


def test_overlap_of_random_with_itself_is_not_one() -> None:
    truth, scene, _ = scene_world(30, 10, 3)
    rules = protocol(truth, scene, (0.2,), resamples=0)
    orders = [seeded_order(300, s, "x") for s in range(10)]
    found = overlap([outcome("random", orders, rules, 0.2)], 300)
    # p / (2 - p) for a share p
    assert found[0, 0] == pytest.approx(0.2 / 1.8, abs=0.02)


def test_signal_correlation() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=200)
    half = np.where(np.arange(200) < 100, x, np.nan)
    few = np.full(200, np.nan)
    few[:2] = 1, 2
    frames = frames_of(
        np.full(200, "s"),
        x=x,
        cube=x**3,
        down=-half,
        few=few,
        flat=np.ones(200),
        other=rng.normal(size=200),
    )
    frames.columns["paper.x"] = x
    names, matrix = signal_correlation(frames)
    assert names == ["cube", "down", "few", "other", "x"]
    cell = {
        (a, b): matrix[i, j]
        for i, a in enumerate(names)
        for j, b in enumerate(names)
    }
    assert cell["x", "cube"] == pytest.approx(1)
    assert cell["x", "down"] == pytest.approx(-1)
    assert abs(cell["x", "other"]) < 0.2
    assert np.isnan(cell["few", "x"])


def test_what_one_found_and_another_missed() -> None:
    # frames 0 to 3 show a, a and b, b, and nothing new
    truth = truth_of([[0], [1, 2], [3, 4], [0], []], [0, 0, 1, 1, 0])
    frames = frames_of(
        np.array(["x", "x", "y", "y", "y"]),
        first=np.array([5.0, 4, 3, 2, 1]),
        last=np.array([1.0, 2, 3, 4, 5]),
    )
    report = compare(
        frames,
        truth,
        [by_column("first"), by_column("last")],
        (0.4,),
        (0,),
        resamples=5,
    )
    # "first" selects frames 0 and 1, "last" 4 and 3, which shows object 0;
    # the rarer class goes first, then the larger box
    assert report.differences == {
        "first": {"last": ["box-1-2", "box-1-1"]},
        "last": {"first": []},
    }


def test_examples_come_from_many_scenes() -> None:
    n = 60
    truth = truth_of([[i] for i in range(n)], [0] * n)
    scene = np.array([f"s{i // 10}" for i in range(n)])
    score = np.arange(n, dtype=float)
    frames = frames_of(scene, all_of_them=score, none=-score)
    strategies = [
        Strategy("up", lambda f, s: np.arange(n)[::-1]),
        Strategy("down", lambda f, s: np.arange(n)),
    ]
    report = compare(frames, truth, strategies, (0.5,), (0,), resamples=5)
    kept = report.differences["up"]["down"]
    assert len(kept) == MOST
    rows = [int(box.split("-")[1]) for box in kept]
    # the largest of each of the three scenes, then the others
    assert rows[:3] == [59, 49, 39]
    assert rows[3:] == list(range(58, 49, -1))


def test_few_scenes_are_told(report: MiningReport) -> None:
    assert report.meta["notes"] == []
    assert "12 scenes" in few_scenes(12, {})[0]
    (note,) = few_scenes(50, {"a": 3, "b": 20, "none": 0})
    assert "a (3)" in note and "b" not in note and "none" not in note
    truth, scene, score = scene_world(1, 30, 1, rate=3.0)
    frames = frames_of(scene, good=score)
    alone = compare(frames, truth, [by_column("good")], (0.2,), (0,))
    assert "one scene" in alone.meta["notes"][0]
    assert alone.table.low.isna().all()


def test_redundancy_needs_embeddings(report: MiningReport) -> None:
    cell = report.cell("random", "redundancy")
    assert cell is not None and 0 < cell["mean"] < 1 and cell["std"] > 0
    truth, scene, score = scene_world(20, 8, 3)
    without = compare(
        frames_of(scene, good=score),
        truth,
        [by_column("good")],
        (0.2,),
        (0,),
        resamples=5,
    )
    cell = without.cell("good", "redundancy")
    assert cell is not None and np.isnan(cell["mean"])
