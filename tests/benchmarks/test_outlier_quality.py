"""What the quality benchmark calls rare, and how it measures finding it."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import _quality_measures as measures
from benchmarks import _quality_scores as quality_scores
from benchmarks import _quality_truth as quality_truth
from benchmarks import outlier_quality
from benchmarks._quality_worlds import WorldObjects

A = [0.0, 0.0, 0.2, 0.2]
A_SHIFTED = [0.05, 0.0, 0.2, 0.2]
"""Overlaps A by 3 of 5 parts."""
FAR = [0.7, 0.7, 0.1, 0.1]


def objects(**columns: np.ndarray) -> WorldObjects:
    n = 4
    default = {
        "vectors": np.eye(n, dtype=np.float32),
        "label": np.full(n, "car"),
        "confidence": np.ones(n),
        "image": np.full(n, "i"),
        "scene": np.full(n, "s"),
        "box": np.array([A] * n),
        "truth": np.full(n, "car"),
        "category": np.full(n, "vehicle.car"),
        "instance": np.full(n, "x"),
        "paired_truth": np.full(n, "car"),
        "uniqueness": np.zeros(n),
        "true_category": np.full(n, "vehicle.car"),
        "true_class": np.full(n, "car"),
    }
    return WorldObjects(**{**default, **columns})


def world(
    truth: list[int], matched: list[int] | None = None, **scores: list[float]
) -> measures.World:
    positive = np.array(truth, dtype=bool)
    return measures.World(
        seed=1,
        truths=dict.fromkeys(measures.TRUTHS, positive),
        matched=np.ones(len(truth), bool)
        if matched is None
        else np.array(matched, bool),
        scores={k: np.array(v, float) for k, v in scores.items()},
    )


def test_iou_of_known_boxes() -> None:
    found = quality_truth.iou(
        np.array([A, [0.0, 0.0, 0.0, 0.0]]), np.array([A, A_SHIFTED, FAR])
    )
    assert found[0] == pytest.approx([1.0, 0.6, 0.0])
    assert found[1] == pytest.approx([0.0, 0.0, 0.0])


def test_two_detections_may_show_one_object() -> None:
    image = np.array(["p", "p", "p"])
    boxes = np.array([A_SHIFTED, A, FAR])
    found = quality_truth.shown(
        image, boxes, np.array(["p", "p"]), np.array([FAR, A])
    )
    assert found.tolist() == [1, 1, 0]


def test_boxes_of_other_images_match_nothing() -> None:
    found = quality_truth.shown(
        np.array(["p", "q"]),
        np.array([A, A]),
        np.array(["r", "q"]),
        np.array([A, A]),
    )
    assert found.tolist() == [-1, 1]


def test_too_little_overlap_is_clutter() -> None:
    found = quality_truth.shown(
        np.array(["p"]),
        np.array([A]),
        np.array(["p"]),
        np.array([A_SHIFTED]),
        min_iou=0.61,
    )
    assert found.tolist() == [-1]


def test_rare_is_below_the_share_and_not_at_it() -> None:
    names = np.array(["a"] * 97 + ["b"] * 2 + ["c"])
    assert quality_truth.rare_names(names, 0.02) == {"c"}
    assert quality_truth.rare_names(names, 0.01) == set()


def test_clutter_is_never_rare() -> None:
    told = objects(
        truth=np.array(["", "truck", "car", "trailer"]),
        category=np.array(["", "animal", "vehicle.car", "animal"]),
        true_category=np.array(["vehicle.car"] * 199 + ["animal"]),
    )
    truths = measures.truths_of(told)
    assert truths["target"].tolist() == [False, True, False, True]
    assert truths["category below 1%"].tolist() == [False, True, False, True]


def test_neighbours_of_the_same_scene_do_not_count() -> None:
    turned = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    found = quality_scores.other_scenes(
        turned.astype(np.float32), np.array(["s", "s", "t", "t"]), 2
    )
    assert found[0] == pytest.approx(np.sqrt([0.8, 2.0]), abs=1e-3)
    assert found[2] == pytest.approx(np.sqrt([2.0, 2.0]), abs=1e-3)


def test_too_few_objects_elsewhere_are_told() -> None:
    with pytest.raises(ValueError, match="more scenes"):
        quality_scores.other_scenes(
            np.eye(3, dtype=np.float32), np.array(["s", "s", "t"]), 2
        )


def test_fusions_agree_with_hand_made_numbers() -> None:
    ranks = np.array([[0.5, 0.9], [0.5, 0.1]])
    weights = np.array([3.0, 1.0])
    assert quality_scores.mean_rank(ranks, weights) == pytest.approx(
        [0.5, 0.7]
    )
    assert quality_scores.fisher(ranks, weights) == pytest.approx(
        [4 * np.log(2), 3 * np.log(10) - np.log(0.9)]
    )


def test_every_fused_part_is_scored() -> None:
    rng = np.random.default_rng(0)
    n = 420
    told = objects(
        vectors=rng.normal(size=(n, 8)).astype(np.float32),
        label=rng.choice(["car", "bus"], n),
        scene=np.repeat(["s", "t"], n // 2),
        uniqueness=rng.random(n),
    )
    scores = quality_scores.world_scores(told, maps=False)
    assert all(len(s) == n for s in scores.values())
    for fusion in quality_scores.FUSIONS:
        assert np.isfinite(fusion.fuse(scores)).all()
    for parts in quality_scores.FLAG_SETS:
        union = quality_scores.flags_of(scores, parts, "union")
        both = quality_scores.flags_of(scores, parts, "intersection")
        assert union[both].all()
        assert union.sum() > both.sum()


def test_scores_are_measured_with_and_without_clutter() -> None:
    one = world([0, 0, 1, 0], [1, 1, 1, 0], x=[1.0, 2.0, 3.0, 4.0])
    random, row = measures.score_rows([one], measures.TARGET, ["x"])
    assert random["AP"] == 0.25
    assert random["AP, no clutter"] == pytest.approx(1 / 3)
    assert row["AUROC"] == pytest.approx(2 / 3)
    assert row["AP"] == 0.5
    assert row["AUROC, no clutter"] == row["AP, no clutter"] == 1.0


def test_the_worst_world_is_not_averaged_away() -> None:
    worlds = [
        world([0, 0, 1], x=[1.0, 2.0, 3.0]),
        world([0, 0, 1], x=[3.0, 2.0, 1.0]),
    ]
    row = measures.score_rows(worlds, measures.TARGET, ["x"])[1]
    assert (row["AUROC"], row["AUROC min"]) == (0.5, 0.0)


def test_a_fusion_is_held_against_the_best_part_of_each_world() -> None:
    worst = measures.worst_difference([0.8, 0.7], [[0.9, 0.1], [0.2, 0.5]])
    assert worst == pytest.approx(-0.1)


def test_the_top_fifth_is_a_fifth() -> None:
    truth = np.array([True] * 2 + [False] * 8)
    assert measures.top_recall(truth, np.arange(10.0)) == 0.0
    assert measures.top_recall(truth, -np.arange(10.0)) == 1.0
    assert measures.top_recall(truth, np.ones(10)) == 0.0


def test_a_world_without_anything_rare_has_no_number() -> None:
    nothing = np.zeros(3, dtype=bool)
    assert np.isnan(measures.auroc(nothing, np.arange(3.0)))
    assert np.isnan(measures.average_precision(nothing, np.arange(3.0)))


def test_seeds_that_models_learned_from_are_refused() -> None:
    assert outlier_quality._seed("999") == 999
    with pytest.raises(Exception, match="1000"):
        outlier_quality._seed("1000")


def test_worlds_come_back_as_they_were_written(tmp_path) -> None:
    told = objects()
    told.save(tmp_path / "w.npz")
    read = WorldObjects.load(tmp_path / "w.npz")
    assert read.vectors.dtype == np.float32
    assert read.label.tolist() == told.label.tolist()
    assert [p.name for p in tmp_path.iterdir()] == ["w.npz"]
