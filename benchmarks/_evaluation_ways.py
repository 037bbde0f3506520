"""The whole evaluation, and two of its parts in the plain way, in a process.

python -m benchmarks._evaluation_ways PART COUNT SEEDS
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np

from benchmarks._evaluation_world import evaluated_world
from benchmarks._measure import tell
from raremine.brain.evaluation.comparison import compare
from raremine.brain.evaluation.curves import measure
from raremine.brain.evaluation.ground_truth import FrameTruth
from raremine.brain.evaluation.outcomes import protocol
from raremine.brain.evaluation.redundancy import Redundancy
from raremine.brain.evaluation.resampling import reached
from raremine.brain.ranking import seeded_order, share_count
from raremine.brain.strategies import EMBEDDING, choose

BUDGETS = (0.01, 0.05, 0.1, 0.15, 0.2, 0.3)

STRATEGIES = (
    *("random", "oracle", "default", "paper", "class_balanced"),
    *("random_and_default", "concept_group", "detector_class"),
    *("least_confidence", "isolation_forest", "knn", "vlmine", "pareto"),
    *("uniqueness", "core_set_fast"),
)

PLAIN_POOLS = 3
"""Pools that are put together, to time one."""


def whole(count: int, seeds: int) -> dict[str, Any]:
    """Evaluates everything, as ``evaluate_mining`` does with its table."""
    frames, truth = evaluated_world(count)
    # compiled, or loaded, before the clock starts
    small, few = evaluated_world(400)
    compare(small, few, choose(small, ["random"]), BUDGETS, (0,))
    stamps = [(time.perf_counter(), time.process_time())]
    start = stamps[0]

    def say(name: str) -> None:
        stamps.append((time.perf_counter(), time.process_time()))

    chosen = choose(frames, list(STRATEGIES))
    report = compare(frames, truth, chosen, BUDGETS, range(seeds), say=say)
    say("the rest")
    rows = [
        {
            "strategy": name,
            "CPU s": now[1] - before[1],
            "s": now[0] - before[0],
        }
        for name, before, now in zip(
            (*STRATEGIES, "pairs, overlap, signals"),
            stamps[:-1],
            stamps[1:],
            strict=True,
        )
    ]
    # the first one has waited for the neighbours of all frames
    rows[0]["strategy"] = f"neighbours of all frames, {STRATEGIES[0]}"
    return {
        "rows": rows,
        "whole_s": stamps[-1][0] - start[0],
        "whole_cpu_s": stamps[-1][1] - start[1],
        "table_rows": len(report.rows),
        "pair_rows": len(report.pair_table),
    }


def resampling(count: int, seeds: int) -> dict[str, Any]:
    """Seconds for a resampled pool: counted, and put together."""
    frames, truth = evaluated_world(count)
    order = seeded_order(count, 0, "benchmark")
    rules = protocol(truth, frames.scene, BUDGETS)
    reached(rules.finds, order, rules.weight[:, :2])
    start = time.process_time()
    found = reached(rules.finds, order, rules.weight)
    ours = (time.process_time() - start) / rules.weight.shape[1]
    start = time.process_time()
    plain = [
        _put_together(truth, frames.scene, order, rules.weight[:, pool])
        for pool in range(PLAIN_POOLS)
    ]
    theirs = (time.process_time() - start) / PLAIN_POOLS
    at = rules.at_budget
    gaps = [
        float(
            np.abs(
                found.finds[at, 0, pool] / rules.things[0, pool]
                - recall[
                    np.rint(rules.finds.shares[at] * (len(recall) - 1)).astype(
                        int
                    )
                ]
            ).max()
        )
        for pool, recall in enumerate(plain)
    ]
    return {"ours_s": ours, "plain_s": theirs, "largest_gap": max(gaps)}


def redundancy(count: int, seeds: int) -> dict[str, Any]:
    """Redundancy by neighbours, and by comparing all with all."""
    frames, _ = evaluated_world(count)
    vectors = frames[EMBEDDING]
    Redundancy(vectors[:200]).of(np.arange(200), [50])
    counts = [share_count(budget, count) for budget in BUDGETS]
    start = time.process_time()
    ours = Redundancy(vectors)
    setup = time.process_time() - start
    order = seeded_order(count, 0, "benchmark")
    start = time.process_time()
    by_neighbors = ours.of(order, counts)
    one = time.process_time() - start
    start = time.process_time()
    plain = [_compared(vectors[order[:k]]) for k in counts]
    all_pairs = time.process_time() - start
    return {
        "setup_s": setup,
        "ours_s": one,
        "plain_s": all_pairs,
        "largest_gap": float(np.abs(by_neighbors - plain).max()),
    }


def _put_together(
    truth: FrameTruth, scene: np.ndarray, order: np.ndarray, times: np.ndarray
) -> np.ndarray:
    """Makes a resampled pool and measures the order on it: frame recall."""
    _, code = np.unique(scene, return_inverse=True)
    copies = times[code].astype(np.int64)
    first = np.cumsum(copies) - copies
    rows = np.repeat(np.arange(len(scene)), copies)
    copy = np.arange(len(rows)) - first[rows]
    again = copies[truth.seen_frame]
    seen = np.repeat(np.arange(len(again)), again)
    which = np.arange(len(seen)) - np.repeat(np.cumsum(again) - again, again)
    most = int(copies.max())
    instance, number = np.unique(
        truth.seen_instance[seen] * most + which, return_inverse=True
    )
    pool = FrameTruth(
        truth.targets,
        truth.presence[rows],
        first[truth.seen_frame[seen]] + which,
        number,
        truth.instance_class[instance // most],
        {},
    )
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    new_scene = np.char.add(scene[rows], copy.astype(str))
    curves = measure(np.argsort(place[rows], kind="stable"), pool, new_scene)
    return curves.frame_recall["all"]


def _compared(vectors: np.ndarray) -> float:
    """Mean of each vector's largest cosine to any other one."""
    nearest = np.empty(len(vectors))
    for start in range(0, len(vectors), 1024):
        part = np.arange(start, min(start + 1024, len(vectors)))
        cosine = vectors[part] @ vectors.T
        cosine[np.arange(len(part)), part] = -np.inf
        nearest[part] = cosine.max(axis=1)
    return float(nearest.mean())


PARTS = {"whole": whole, "resampling": resampling, "redundancy": redundancy}


def main() -> None:
    """Does one part and tells what it took."""
    part, count, seeds = sys.argv[1:]
    tell(lambda: PARTS[part](int(count), int(seeds)))


if __name__ == "__main__":
    main()
