"""Object results, aggregated over keyframes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from raremine.brain.columns import read_objects, write_objects
from raremine.brain.detection import detect
from raremine.brain.frames import (
    aggregate_frames,
    binary_entropy,
    object_evidence,
    percentile,
    read_frames,
    write_frame_summary,
)
from raremine.brain.objects import FrameTable, ObjectTable, object_array
from tests.brain.fakes import FakeDetector, painted_dataset, scatter


def frame_table(tokens: list[str]) -> FrameTable:
    n = len(tokens)
    return FrameTable(
        np.array(tokens, dtype=str),
        np.array(["scene-0001"] * n),
        np.array(["train"] * n),
        np.arange(n),
    )


def objects(tokens: list[str], **columns: list[object]) -> ObjectTable:
    n = len(tokens)
    made = {
        name: object_array(values)
        if any(isinstance(v, str) or v is None for v in values)
        else np.array(values, float)
        for name, values in columns.items()
    }
    return ObjectTable(
        np.array([f"l{i}" for i in range(n)], dtype=str),
        np.array(["s"] * n, dtype=str),
        {"sample_token": object_array(tokens), **made},
    )


def test_numbers_are_the_maximum_over_a_frame() -> None:
    frames = aggregate_frames(
        frame_table(["a", "b", "c"]),
        objects(
            ["b", "a", "b", "a"],
            outlier_score=[0.2, 0.4, 0.9, np.nan],
            confidence=[0.9, 0.5, 0.3, 0.8],
            pareto_front=[3.0, 1.0, 2.0, np.nan],
        ),
    )
    np.testing.assert_array_equal(frames["objects"], [2, 2, 0])
    np.testing.assert_array_equal(frames["outlier_score"], [0.4, 0.9, np.nan])
    np.testing.assert_allclose(frames["uncertainty"], [0.5, 0.7, np.nan])
    np.testing.assert_array_equal(frames["pareto_rank"], [-1, -2, np.nan])
    assert "knn" not in frames.columns
    np.testing.assert_allclose(
        frames["uncertainty_mean"], [(0.5 + 0.2) / 2, (0.1 + 0.7) / 2, np.nan]
    )
    # H(.5) = 1 bit, H(.8) = .7219, H(.9) = .4690, H(.3) = .8813
    np.testing.assert_allclose(frames["entropy"], [1, 0.88129, np.nan], 1e-4)
    np.testing.assert_allclose(
        frames["entropy_mean"], [0.86096, 0.67514, np.nan], 1e-4
    )


def test_the_pareto_order_goes_before_the_fronts() -> None:
    frames = aggregate_frames(
        frame_table(["a", "b", "c"]),
        objects(
            ["a", "b", "b", "c"],
            pareto_front=[0.0, 0.0, 1.0, np.nan],
            pareto_order=[1.0, 0.0, 2.0, np.nan],
        ),
    )
    # fronts alone could not tell a from b
    np.testing.assert_array_equal(frames["pareto_rank"], [-1, 0, np.nan])


def test_entropy_of_a_yes_or_no() -> None:
    got = binary_entropy(np.array([0.0, 1.0, 0.5, 0.25, np.nan, 1.2]))
    np.testing.assert_allclose(got, [0, 0, 1, 0.811278, np.nan, 0], 1e-6)


def test_the_most_wanted_object_decides_the_frame() -> None:
    frames = aggregate_frames(
        frame_table(["a", "b", "c", "d"]),
        objects(
            ["a", "a", "a", "b", "b", "c"],
            group=["common", "target", "rare", "rare", "common", "common"],
            concept=["car", "truck", "bus", "animal", None, "car"],
            concept_score=[0.9, 0.8, 0.7, 0.6, 0.5, 0.4],
            outlier_score=[0.1, 0.2, 0.3, 0.4, 0.5, 0.6],
        ),
    )
    assert frames["mining_group"].tolist() == [
        *("target", "rare", "common", "common")
    ]
    assert frames["target_concepts"].tolist() == [("truck",), (), (), ()]
    assert frames["rare_concepts"].tolist() == [("bus",), ("animal",), (), ()]
    # truck: .8 × percentile 1.5/6; animal: .6 × 3.5/6
    target, rare = 0.8 * 1.5 / 6, 0.6 * 3.5 / 6
    np.testing.assert_allclose(frames["target_score"][0], target)
    np.testing.assert_allclose(frames["rare_score"][1], rare)
    # common frames: the frame's own percentile, of .3, .5, .6
    np.testing.assert_allclose(
        frames["mining_score"],
        [2 + 0.999 * target, 1 + 0.999 * rare, 0.999 * 5 / 6, 0],
    )


def test_a_group_without_a_concept_names_nothing() -> None:
    frames = aggregate_frames(
        frame_table(["a"]),
        objects(["a", "a"], group=["target", "rare"], concept=[np.nan] * 2),
    )
    assert frames["mining_group"].tolist() == ["target"]
    assert frames["target_concepts"].tolist() == [()]


def test_target_frames_stand_before_rare_before_common() -> None:
    rng = np.random.default_rng(0)
    groups = rng.choice(["common", "rare", "target"], 60).tolist()
    tokens = [f"t{i:02d}" for i in range(60)]
    frames = aggregate_frames(
        frame_table(tokens),
        objects(
            tokens,
            group=groups,
            concept=["x"] * 60,
            concept_score=rng.random(60).tolist(),
            outlier_score=rng.random(60).tolist(),
        ),
    )
    level = {"common": 0, "rare": 1, "target": 2}
    floor = np.floor(frames["mining_score"]).astype(int)
    assert floor.tolist() == [level[g] for g in groups]


def test_objects_of_other_frames_count_nowhere() -> None:
    frames = aggregate_frames(
        frame_table(["a"]), objects(["z", "a"], outlier_score=[9.0, 1.0])
    )
    assert frames["objects"].tolist() == [1]
    assert frames["outlier_score"].tolist() == [1.0]


def test_no_objects_and_no_frames() -> None:
    frames = aggregate_frames(frame_table(["a"]), objects([]))
    assert frames["mining_group"].tolist() == ["common"]
    assert frames["mining_score"].tolist() == [0]
    empty = aggregate_frames(frame_table([]), objects([]))
    assert len(empty) == 0


def test_evidence_joins_concept_and_outlier_score() -> None:
    evidence = object_evidence(
        np.array([0.5, np.nan, 1.0, 1.5]), np.array([1.0, 2.0, np.nan, 3.0])
    )
    np.testing.assert_allclose(
        evidence,
        [0.5 / 6, 0.5 * 0.5, 0.5, 5 / 6],
    )


def test_percentiles_share_ties_and_keep_nan() -> None:
    got = percentile(np.array([3.0, np.nan, 1.0, 3.0]))
    np.testing.assert_allclose(got, [2 / 3, np.nan, 1 / 6, 2 / 3])
    assert np.isnan(percentile(np.array([np.nan]))).all()


@pytest.mark.parametrize("reverse", [False, True])
def test_frames_of_a_dataset(tmp_path: Path, reverse: bool) -> None:
    names = ["car", "dog", "truck", "bus", "car"]
    dataset = painted_dataset(
        tmp_path, scatter(names, per_image=1), reverse=reverse
    )
    detect(dataset, FakeDetector())
    table = read_objects(dataset, names=["label"])
    groups = {"truck": "target", "dog": "rare"}
    write_objects(
        dataset,
        "objects",
        table,
        {
            "group": [groups.get(n, "common") for n in table["label"]],
            "concept": list(table["label"]),
        },
    )
    dataset.group_slice = "CAM_BACK"
    frames = read_frames(dataset)
    assert frames.sample_token.tolist() == ["token000", "token001", "token002"]
    assert frames["objects"].tolist() == [2, 2, 1]
    assert frames["mining_group"].tolist() == ["rare", "target", "common"]
    assert frames.split.tolist() == ["train"] * 3
    write_frame_summary(dataset)
    for name in dataset.group_slices:
        view = dataset.select_group_slices(name).sort_by("sample_token")
        assert view.values("mining_group") == ["rare", "target", "common"]
        assert view.values("target_concepts") == [[], ["truck"], []]


def test_a_frame_is_scored_by_group_scores_where_there_are_any() -> None:
    frames = aggregate_frames(
        frame_table(["a", "b"]),
        objects(
            ["a", "b"],
            group=["common", "target"],
            concept=["car", "truck"],
            concept_score=[0.5, 0.4],
            target_score=[0.45, 0.8],
            outlier_score=[1.0, 2.0],
        ),
    )
    # an object that is no target for sure still tells its frame from others
    np.testing.assert_allclose(
        frames["target_score"], [0.45 * 0.25, 0.8 * 0.75]
    )
    assert frames["mining_group"].tolist() == ["common", "target"]


def test_a_field_mined_in_another_way_stands_beside(tmp_path: Path) -> None:
    dataset = painted_dataset(tmp_path, scatter(["car", "dog"], per_image=1))
    detect(dataset, FakeDetector())
    detect(dataset, FakeDetector(), field="objects_paper")
    for field, group in (("objects", "rare"), ("objects_paper", "target")):
        table = read_objects(dataset, field)
        write_objects(dataset, field, table, {"group": [group] * len(table)})
    frames = read_frames(dataset, also={"paper": "objects_paper"})
    assert frames["mining_group"].tolist() == ["rare"]
    assert frames["paper.mining_group"].tolist() == ["target"]
    own = set(read_frames(dataset).columns)
    assert set(frames.columns) == own | {f"paper.{name}" for name in own}


def test_a_frame_goes_by_what_its_scene_says_of_an_object() -> None:
    frames = aggregate_frames(
        frame_table(["a", "b"]),
        objects(
            ["a", "a", "b", "b"],
            group=["target"] * 3 + ["common"],
            concept=["truck", "bus", "truck", "car"],
            target_score=[0.9, 0.8, 0.7, 0.1],
            target_evidence=[0.5, np.nan, 0.6, 0.2],
            outlier_score=[1.0, 1.0, 1.0, 1.0],
        ),
    )
    assert frames["target_concepts"].tolist() == [("bus", "truck"), ("truck",)]
    # all are equally unusual: percentile 1/2. Without a scene, the own score
    bus, truck, other = 0.8 / 2, 0.5 / 2, 0.6 / 2
    (first, second) = frames["target_concept_scores"]
    np.testing.assert_allclose(first, (bus, truck))
    np.testing.assert_allclose(second, (other,))
    np.testing.assert_allclose(frames["target_score"], [bus, other])
