"""The bootstrap over scenes: against pools that are really put together."""

from __future__ import annotations

import numpy as np
import pytest

from raremine.brain.evaluation.curves import ALL, area, measure
from raremine.brain.evaluation.ground_truth import FrameTruth
from raremine.brain.evaluation.outcomes import by_kind, outcome, protocol
from raremine.brain.evaluation.resampling import (
    draw_scenes,
    interval,
    prepare,
    reached,
)
from raremine.brain.evaluation.rows import summarise
from raremine.brain.ranking import seeded_order
from tests.brain.evaluation.worlds import scene_world, truth_of

SHARES = np.array([0.05, 0.1, 0.25, 0.5])


def put_together(
    truth: FrameTruth,
    scene: np.ndarray,
    order: np.ndarray,
    times: dict[str, int],
) -> tuple[FrameTruth, np.ndarray, np.ndarray]:
    """Makes the resampled pool: copies of scenes with their own instances."""
    seen: list[list[int]] = [[] for _ in range(len(truth))]
    for row, instance in zip(
        truth.seen_frame.tolist(), truth.seen_instance.tolist(), strict=True
    ):
        seen[row].append(instance)
    new_seen: list[list[int]] = []
    new_scene: list[str] = []
    new_class: list[int] = []
    number: dict[tuple[int, int], int] = {}
    copies: dict[int, list[int]] = {}
    for row in range(len(truth)):
        for copy in range(times[scene[row]]):
            mine = []
            for instance in seen[row]:
                key = (instance, copy)
                if key not in number:
                    number[key] = len(new_class)
                    new_class.append(int(truth.instance_class[instance]))
                mine.append(number[key])
            copies.setdefault(row, []).append(len(new_seen))
            new_seen.append(mine)
            new_scene.append(f"{scene[row]} {copy}")
    new_order = [i for row in order.tolist() for i in copies.get(row, ())]
    return (
        truth_of(new_seen, new_class),
        np.array(new_scene),
        np.array(new_order),
    )


@pytest.mark.parametrize("seed", range(3))
def test_it_is_what_the_resampled_pool_gives(seed: int) -> None:
    truth, scene, _ = scene_world(12, 7, seed)
    order = seeded_order(len(scene), seed, "test")
    rules = protocol(truth, scene, SHARES, resamples=4)
    at = [int(np.flatnonzero(rules.points == s)[0]) for s in SHARES]
    found = reached(rules.finds, order, rules.weight)
    names = np.unique(scene)
    for pool in range(4):
        times = dict(
            zip(names, rules.weight[:, pool].astype(int), strict=True)
        )
        new_truth, new_scene, new_order = put_together(
            truth, scene, order, times
        )
        whole = by_kind(measure(new_order, new_truth, new_scene), rules)
        recall = found.finds[:, :, pool] / rules.things[:, pool]
        for point in at:
            # a budget that ends inside of a frame has a part of its finds
            k = rules.finds.shares[point] * len(new_scene)
            low, part = int(k), k - int(k)
            expected = (1 - part) * whole[low] + part * whole[low + 1]
            np.testing.assert_allclose(recall[point], expected, atol=1e-5)
        k = rules.finds.shares[-1] * len(new_scene)
        if k == int(k):
            areas = [area(c, int(k)) for c in whole.T]
            np.testing.assert_allclose(
                found.area[:, pool] / rules.things[:, pool], areas, atol=1e-9
            )


def test_the_pool_itself_is_measured_the_same_way() -> None:
    truth, scene, score = scene_world(15, 9, 1)
    order = np.argsort(-score)
    rules = protocol(truth, scene, (0.1, 0.3), resamples=1)
    once = np.ones((15, 1))
    found = reached(rules.finds, order, once)
    things = rules.finds.total.sum(axis=0)
    whole = by_kind(measure(order, truth, scene), rules)
    np.testing.assert_allclose(
        found.finds[:, :, 0] / things, whole[rules.counts], atol=1e-6
    )
    largest = int(rules.counts[-1])
    np.testing.assert_allclose(
        found.area[:, 0] / things, [area(c, largest) for c in whole.T]
    )


def test_equal_scenes_leave_nothing_to_doubt() -> None:
    """Which scenes are drawn does not matter where all are the same."""
    frames, scenes = 8, 30
    seen: list[list[int]] = []
    for s in range(scenes):
        seen += [[s] if f in (1, 2) else [] for f in range(frames)]
    truth = truth_of(seen, [0] * scenes)
    scene = np.repeat([f"s{s}" for s in range(scenes)], frames)
    # the same frame of each scene, then the next one
    order = np.arange(len(scene)).reshape(scenes, frames).T.ravel()
    rules = protocol(truth, scene, (0.2, 0.5), resamples=50)
    rows, _ = summarise(outcome("x", [order], rules, 0.2), rules)
    for row in rows:
        if row["target"] == "b" or np.isnan(row["low"]):
            continue
        # a scene more often drawn is covered all the same
        assert row["low"] == pytest.approx(row["mean"], abs=1e-6), row
        assert row["high"] == pytest.approx(row["mean"], abs=1e-6), row


def test_lift_of_random_is_one_in_every_pool() -> None:
    """On average over seeds, whatever the scenes that are drawn."""
    truth, scene, _ = scene_world(30, 10, 3)
    orders = [seeded_order(len(scene), seed, "r") for seed in range(300)]
    rules = protocol(truth, scene, (0.2,), resamples=30)
    many = outcome("random", orders, rules, 0.2)
    at = rules.at_budget[0]
    lift = many.resampled_recall[at] * rules.things / rules.expected[0]
    kinds = [j for j, kind in enumerate(rules.finds.kinds) if kind[1] == ALL]
    assert np.abs(lift[kinds] - 1).max() < 0.06


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    """Drawn from a large town of scenes, and measured on 40 of them."""
    scenes, frames, tries = 40, 6, 150
    truth, scene, score = scene_world(1500, frames, 11)
    whole = protocol(truth, scene, (0.2,), resamples=0)
    order = np.argsort(-score)
    everything = measure(order, truth, scene)
    right = everything.frame_recall[ALL][whole.counts[-1]]
    names = np.unique(scene)
    rng = np.random.default_rng(5)
    hits = 0
    for _ in range(tries):
        here = np.flatnonzero(np.isin(scene, rng.choice(names, scenes)))
        part = _taken(truth, here)
        rules = protocol(part, scene[here], (0.2,), resamples=200)
        ranked = np.argsort(-score[here])
        rows, _ = summarise(outcome("x", [ranked], rules, 0.2), rules)
        (row,) = (
            r
            for r in rows
            if r["metric"] == "frame_recall" and r["target"] == ALL
        )
        hits += row["low"] <= right <= row["high"]
    # 95 % are promised; percentiles of 40 clusters give a little less
    assert 0.86 <= hits / tries <= 0.99


def _taken(truth: FrameTruth, rows: np.ndarray) -> FrameTruth:
    place = np.full(len(truth), -1)
    place[rows] = np.arange(len(rows))
    keep = place[truth.seen_frame] >= 0
    shown, instance = np.unique(truth.seen_instance[keep], return_inverse=True)
    return FrameTruth(
        truth.targets,
        truth.presence[rows],
        place[truth.seen_frame[keep]],
        instance,
        truth.instance_class[shown],
        {},
    )


def test_frames_of_a_scene_are_no_independent_frames() -> None:
    """Few full scenes: the interval is much wider than one over frames."""
    seen: list[list[int]] = []
    for s in range(50):
        seen += [
            [20 * (s // 10) + f] if s % 10 == 0 else [] for f in range(20)
        ]
    truth = truth_of(seen, [0] * 100)
    scene = np.repeat([f"s{s:02d}" for s in range(50)], 20)
    order = seeded_order(len(scene), 2, "test")

    def width(groups: np.ndarray) -> float:
        rules = protocol(truth, groups, (0.2,), resamples=300)
        rows, _ = summarise(outcome("x", [order], rules, 0.2), rules)
        (row,) = (
            r
            for r in rows
            if r["metric"] == "precision" and r["target"] == ALL
        )
        return row["high"] - row["low"]

    each = np.array([f"f{i}" for i in range(len(scene))])
    assert width(scene) > 2 * width(each)


def test_scenes_are_drawn_with_replacement_and_repeatably() -> None:
    weight = draw_scenes(40, 500, 3)
    assert weight.shape == (40, 500)
    assert (weight.sum(axis=0) == 40).all()
    assert weight.mean() == 1
    # a scene is missing from a pool with probability (1 - 1/40)^40
    assert (weight == 0).mean() == pytest.approx(0.363, abs=0.01)
    np.testing.assert_array_equal(weight, draw_scenes(40, 500, 3))
    assert (weight != draw_scenes(40, 500, 4)).any()


def test_a_class_of_one_scene_has_no_interval() -> None:
    truth = truth_of([[0], [1], [2], [3], [], []], [0, 1, 0, 1])
    scene = np.array(["x", "y", "z", "y", "z", "x"])
    rules = protocol(truth, scene, (0.5,), resamples=20)
    rows, curves = summarise(outcome("x", [np.arange(6)], rules, 0.5), rules)
    for row in [*rows, *curves]:
        if row["metric"].endswith(("recall", "lift", "area", "precision")):
            known = np.isfinite(row["high"]).all()
            assert known == (row["target"] != "b"), row


def test_interval_leaves_out_pools_without_a_value() -> None:
    values = np.array([[1.0, 2, 3, np.nan], [np.nan, np.nan, np.nan, 1]])
    low, high = interval(values)
    assert low[0] == pytest.approx(1.05) and high[0] == pytest.approx(2.95)
    assert np.isnan(low[1]) and np.isnan(high[1])
    assert np.isnan(interval(np.empty((3, 0)))[0]).all()


def test_a_budget_of_no_frame_finds_nothing() -> None:
    truth, scene, score = scene_world(4, 2, 0, rate=2.0)
    rules = protocol(truth, scene, (0.01,), resamples=5)
    found = outcome("x", [np.argsort(-score)], rules, 0.01)
    assert (found.recall == 0).all()
    assert (found.resampled_recall[rules.at_budget] == 0).all()
    assert (found.area == 0).all() and (found.resampled_area == 0).all()


def test_expected_finds_of_random_by_scene() -> None:
    truth = truth_of([[0], [0], [], [1]], [0, 1])
    scene = np.array(["x", "x", "y", "y"])
    finds = prepare(truth, scene, np.array([0.5]))
    expected = dict(zip(finds.kinds, finds.expected[0].T, strict=True))
    # two of four frames: one of two is among them with 1 - 1/6
    assert expected["instance", "a"] == pytest.approx([5 / 6, 0])
    assert expected["instance", "b"] == pytest.approx([0, 0.5])
    assert expected["frame", "all"] == pytest.approx([1, 0.5])
    assert expected["scene", "all"] == pytest.approx([5 / 6, 5 / 6])
