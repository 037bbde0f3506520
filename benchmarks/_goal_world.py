"""Mines one rendered world with both presets and says what that reaches."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks._measure import tell
from benchmarks._quality_worlds import world_config
from benchmarks._rendered_world import rendered_world

if TYPE_CHECKING:
    from raremine.brain.evaluation.ground_truth import FrameTruth

BUDGET = 0.2
BUDGETS = (0.05, 0.1, BUDGET, 0.3)
LIFT = 3.0
INSTANCES = 0.9

PAPER_FIELD = "objects_paper"


def mined_world(seed: int, scenes: int, keyframes: int) -> dict[str, Any]:
    """Renders a world, mines it twice and measures."""
    import raremine.brain as rmb

    config = world_config(seed, scenes, keyframes)
    name = f"raremine-bench-goal-{seed}"
    with rendered_world(config, name) as (dataset, models):
        rmb.mine(dataset, "default", **models, evaluate=False)
        rmb.mine(
            dataset, "paper", field=PAPER_FIELD, **models, evaluate=False
        )
        return measured(dataset)


def measured(dataset: Any) -> dict[str, Any]:
    """Measures a dataset that both presets have mined.

    Args:
        dataset: with the fields ``objects`` and ``objects_paper``

    Returns:
        by strategy the metrics at ``BUDGET`` and the areas up to the largest
        of ``BUDGETS``; ``lifts`` of both presets by class; ``found``,
        the share of target instances that any detection shows; and
        ``ceiling``, see ``best_coverage``
    """
    import raremine.brain as rmb
    from raremine.brain.columns import read_objects
    from raremine.brain.evaluation.ground_truth import COLUMNS, frame_truth
    from raremine.brain.frames import read_frames
    from raremine.brain.nuscenes.fields import GROUND_TRUTH
    from raremine.brain.pool import frame_pool

    report = rmb.evaluate_mining(
        dataset,
        ["default", "paper", "random", "oracle"],
        BUDGETS,
        also={"paper": PAPER_FIELD},
        resamples=0,
    )
    found: dict[str, dict[str, float]] = {}
    lifts: dict[str, dict[str, float]] = {"default": {}, "paper": {}}
    for row in report.rows:
        at_end = row["metric"].endswith("_area")
        if row["budget"] != (BUDGETS[-1] if at_end else BUDGET):
            continue
        if row["target"] == "all":
            found.setdefault(row["strategy"], {})[row["metric"]] = row["mean"]
        elif row["metric"] == "frame_lift" and row["strategy"] in lifts:
            lifts[row["strategy"]][row["target"]] = row["mean"]

    frames = read_frames(dataset)
    pool, _ = frame_pool(frames, None, to_train=False)
    frames = frames.take(pool)
    boxes = read_objects(dataset, GROUND_TRUTH, list(COLUMNS))
    truth = frame_truth(frames, boxes)
    return {
        "strategies": found,
        "lifts": lifts,
        "found": _detected(dataset, truth, boxes),
        "ceiling": best_coverage(truth, frames.scene),
    }


def _detected(dataset: Any, truth: FrameTruth, boxes: Any) -> float:
    """Returns the share of instances that a detection shows in some frame."""
    from benchmarks._quality_truth import shown
    from raremine.brain.columns import read_objects

    table = read_objects(dataset, names=["bounding_box"])
    rows = shown(
        table.sample_id,
        table["bounding_box"],
        boxes.sample_id,
        boxes["bounding_box"],
    )
    seen = set(boxes["instance_token"][rows[rows >= 0]].tolist())
    labels = truth.seen_label
    assert labels is not None
    of_label = dict(
        zip(boxes.label_id.tolist(), boxes["instance_token"], strict=True)
    )
    instances = {of_label[label] for label in labels.tolist()}
    return len(instances & seen) / len(instances)


def best_coverage(
    truth: FrameTruth,
    scene: np.ndarray,
    *,
    budget: float = BUDGET,
    lift: float = LIFT,
    instances: float = INSTANCES,
) -> float | None:
    """Returns the best scene coverage that leaves the other goals reached.

    A mixed integer programme: choose budget × f frames, so that each class
    has its lift and enough instances are seen, and as many scenes as
    possible are. It knows the ground truth, so no strategy can do better.

    Args:
        truth: the ground truth of the f frames
        scene: (f,) scene of each frame
        budget (0.2): share of the frames
        lift (3.0): least frame lift of every class there is
        instances (0.9): least instance recall

    Returns:
        covered scenes / scenes, None if the other goals exclude each other
    """
    from scipy.optimize import Bounds, LinearConstraint, milp

    from raremine.brain.ranking import share_count

    names, of_scene = np.unique(scene, return_inverse=True)
    frames, scenes = len(scene), len(names)
    things = len(truth.instance_class)
    size = frames + scenes + things
    count = share_count(budget, frames)
    rows, least = [], []

    def demand(row: np.ndarray, low: float) -> None:
        rows.append(row)
        least.append(low)

    chosen = np.zeros(size)
    chosen[:frames] = -1
    demand(chosen, -count)
    for number in range(scenes):
        row = np.zeros(size)
        row[:frames] = of_scene == number
        row[frames + number] = -1
        demand(row, 0)
    for number in range(things):
        row = np.zeros(size)
        row[truth.seen_frame[truth.seen_instance == number]] = 1
        row[frames + scenes + number] = -1
        demand(row, 0)
    row = np.zeros(size)
    row[frames + scenes :] = 1
    demand(row, instances * things)
    for holds in truth.presence.T:
        row = np.zeros(size)
        row[:frames] = holds
        demand(row, lift * count / frames * holds.sum())
    wanted = np.zeros(size)
    wanted[frames : frames + scenes] = -1
    solved = milp(
        wanted,
        constraints=LinearConstraint(np.array(rows), least, np.inf),
        integrality=np.ones(size),
        bounds=Bounds(0, 1),
    )
    return None if solved.x is None else float(-solved.fun / scenes)


def main() -> None:
    """``SEED SCENES KEYFRAMES`` or ``DATASET``: mines and tells."""
    if len(sys.argv) == 2:
        import fiftyone as fo

        name = sys.argv[1]
        tell(lambda: measured(fo.load_dataset(name)))
    else:
        seed, scenes, keyframes = map(int, sys.argv[1:4])
        tell(lambda: mined_world(seed, scenes, keyframes))


if __name__ == "__main__":
    main()
