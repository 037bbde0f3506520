"""What the benchmark of the goal calls possible, and what reached."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks._goal_world import best_coverage
from benchmarks.mining_goal import class_lifts, goals
from tests.brain.evaluation.test_curves import truth_of

NAN = float("nan")


def test_scenes_left_over_by_the_other_goals() -> None:
    """Ten frames in five scenes; one truck fills the first two scenes."""
    scene = np.repeat(list("abcde"), 2)
    truth = truth_of([[0], [0], [1], [1], [], [], [], [], [], []], [0, 0])
    # two frames: both instances, each in a scene of its own
    assert best_coverage(truth, scene, lift=2.5) == pytest.approx(2 / 5)
    # three of four target frames leave one frame for another scene
    found = best_coverage(truth, scene, budget=0.4, lift=1.8)
    assert found == pytest.approx(3 / 5)
    # all four target frames do not fit into two
    assert best_coverage(truth, scene, lift=5) is None


def told(**changes: Any) -> dict[str, Any]:
    own = {
        "instance_recall": 0.95,
        "frame_lift": 3.5,
        "scene_coverage": 0.65,
        "frame_recall_area": 0.5,
        "instance_recall_area": 0.6,
    }
    paper = {**own, "frame_recall_area": 0.4, "instance_recall_area": 0.5}
    random = {**own, "scene_coverage": 0.7}
    return {
        "strategies": {
            "default": {**own, **changes.pop("own", {})},
            "paper": paper,
            "random": random,
        },
        "lifts": {
            "default": {"truck": 3.2, "bicycle": 4.0, "trailer": NAN},
            "paper": {"truck": 1.2, "bicycle": 3.0, "trailer": NAN},
        },
        "found": 1.0,
        "ceiling": 0.65,
        **changes,
    }


def test_a_goal_counts_only_where_it_is_met() -> None:
    row = goals("w", told())
    assert row["goal"] == "instances, lift, scenes, beats paper"
    assert row["possible"]
    assert row["lowest"] == "truck 3.2"
    few = goals("w", told(own={"scene_coverage": 0.62}))
    assert "scenes" not in few["goal"]
    worse = goals("w", told(own={"instance_recall_area": 0.4}))
    assert "beats paper" not in worse["goal"]
    low = goals("w", told(lifts={"default": {"truck": 2.9, "bicycle": 5}}))
    assert "lift" not in low["goal"]
    assert not goals("w", told(ceiling=None))["possible"]
    assert not goals("w", told(found=0.5))["possible"]


def test_a_class_is_averaged_over_the_worlds_that_have_it() -> None:
    other = {
        "default": {"truck": 0.0, "bicycle": NAN, "trailer": 5.0},
        "paper": {"truck": 2.0, "bicycle": NAN, "trailer": 1.0},
    }
    rows = class_lifts({"a": told(), "b": told(lifts=other)})
    assert {row.pop("class"): row for row in rows} == {
        "truck": {
            "worlds": 2,
            "lift": pytest.approx(1.6),
            "paper's": pytest.approx(1.6),
            "lowest": 0.0,
        },
        "bicycle": {"worlds": 1, "lift": 4.0, "paper's": 3.0, "lowest": 4.0},
        "trailer": {"worlds": 1, "lift": 5.0, "paper's": 1.0, "lowest": 5.0},
    }
