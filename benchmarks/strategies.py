"""Strategies at the size of trainval: the core-set's gap, and seconds.

    python3 run.py bench strategies [--json FILE] [--quick]

Frames, signals and embeddings are made up: 850 scenes of 40 frames whose
vectors stay close to each other, or hardly do. Nothing else should run on
the machine meanwhile.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._measure import machine, table, write_json
from raremine.brain.evaluation.curves import measure
from raremine.brain.evaluation.ground_truth import FrameTruth
from raremine.brain.objects import FrameTable, object_array
from raremine.brain.ranking import share_count
from raremine.brain.strategies import EMBEDDING, available
from raremine.brain.strategies.k_center import (
    covering_radius,
    k_center,
    on_grid,
    usable_rows,
)

FRAMES, QUICK_FRAMES = 34_149, 6_000
DIMENSIONS = 512
BUDGETS = (0.01, 0.03, 0.05, 0.1, 0.2, 0.3)
SEEDS, QUICK_SEEDS = 20, 3
TARGETS = ("construction vehicle", "bicycle", "motorcycle", "trailer", "truck")

NOISE = {"scenes apart": 0.35, "scenes blurred": 1.2}
"""How much a frame differs from its scene, by the name of the world."""

PLAIN_PICKS = 200
"""Choices of the plain loop that are timed; each takes the same time."""

SIGNALS = (
    *("uncertainty", "uncertainty_mean", "entropy", "entropy_mean"),
    *("isolation_forest", "lof", "knn", "novelty", "pareto_rank"),
    *("detector_class", "mining_score"),
)


class Clock:
    """Seconds of the wall clock and of all cores, of a ``with`` block."""

    wall = cpu = 0.0

    def __enter__(self) -> Clock:
        self._start = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *error: object) -> None:
        self.wall = time.perf_counter() - self._start[0]
        self.cpu = time.process_time() - self._start[1]


def frame_vectors(count: int, noise: float) -> np.ndarray:
    """Makes unit vectors of frames: a kind of place, a scene, a walk."""
    rng = np.random.default_rng(0)
    scenes = -(-count // 40)
    kinds = rng.normal(size=(30, DIMENSIONS))
    place = 0.8 * (
        kinds[rng.integers(30, size=scenes)]
        + rng.normal(size=(scenes, DIMENSIONS))
    )
    basis = rng.normal(size=(64, DIMENSIONS))
    out = np.empty((scenes * 40, DIMENSIONS), dtype=np.float32)
    for scene in range(scenes):
        walk = np.cumsum(rng.normal(0, 0.02, (40, 64)), axis=0) @ basis
        noises = rng.normal(0, noise, (40, DIMENSIONS))
        out[scene * 40 : scene * 40 + 40] = place[scene] + walk + noises
    out = out[:count] + rng.normal(size=DIMENSIONS).astype(np.float32)
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    return out


def core_set(world: str, count: int) -> list[dict[str, Any]]:
    """Covers one world exactly and fast; returns a row a budget."""
    vectors = frame_vectors(count, NOISE[world])
    rows = []
    for budget in BUDGETS:
        k = share_count(budget, count)
        seconds, radius = {}, {}
        for way in ("exact", "fast"):
            with Clock() as clock:
                order = k_center(vectors, k, exact=way == "exact")
            seconds[way] = clock
            radius[way] = covering_radius(vectors, order)
        drawn = np.random.default_rng(0).permutation(count)[:k]
        rows.append(
            {
                "world": world,
                "frames": count,
                "centers": k,
                "plain loop CPU s": plain_pick_seconds(vectors) * k,
                "exact CPU s": seconds["exact"].cpu,
                "fast CPU s": seconds["fast"].cpu,
                "exact s": seconds["exact"].wall,
                "fast s": seconds["fast"].wall,
                "radius, exact": round(radius["exact"], 3),
                "fast / exact": round(radius["fast"] / radius["exact"], 3),
                "random / exact": round(
                    covering_radius(vectors, drawn) / radius["exact"], 3
                ),
            }
        )
    return rows


def plain_pick_seconds(vectors: np.ndarray) -> float:
    """Returns the CPU seconds of one choice of the plain greedy loop."""
    points = on_grid(vectors[usable_rows(vectors)])
    squares = np.einsum("ij,ij->i", points, points)
    gap = np.full(len(points), np.inf, dtype=np.float32)
    row = 0
    with Clock() as clock:
        for _ in range(PLAIN_PICKS):
            distances = squares + squares[row] - 2 * (points @ points[row])
            np.minimum(gap, distances, out=gap)
            row = int(gap.argmax())
    return clock.cpu / PLAIN_PICKS


def mined_frames(count: int) -> tuple[FrameTable, FrameTruth]:
    """Makes a keyframe table with all columns, and its ground truth."""
    rng = np.random.default_rng(1)
    columns: dict[str, np.ndarray] = {
        name: rng.normal(size=count) for name in SIGNALS
    }
    target = rng.random(count) < 0.3
    columns["mining_group"] = np.where(target, "target", "common")
    columns["mining_group"] = columns["mining_group"].astype(object)
    columns["target_concepts"] = object_array(
        (TARGETS[i % 5],) if t else () for i, t in enumerate(target)
    )
    columns["rare_concepts"] = object_array(() for _ in range(count))
    for name in [*columns]:
        columns[f"paper.{name}"] = columns[name]
    columns[EMBEDDING] = frame_vectors(count, NOISE["scenes apart"])
    frames = FrameTable(
        np.array([f"{i:032x}" for i in range(count)]),
        np.array([f"scene-{i // 40:04d}" for i in range(count)]),
        np.array(["train"] * count),
        np.arange(count, dtype=np.int64) * 500_000,
        columns,
    )
    presence = rng.random((count, 5)) < 0.1
    seen_frame, kind = np.nonzero(presence)
    instance = (seen_frame // 10) * 5 + kind
    truth = FrameTruth(
        targets=TARGETS,
        presence=presence,
        seen_frame=seen_frame,
        seen_instance=instance,
        instance_class=np.arange(instance.max() + 1) % 5,
        summary={},
    )
    return frames, truth


def evaluation(count: int, seeds: int) -> list[dict[str, Any]]:
    """Orders and measures by every strategy and seed; a row a strategy."""
    frames, truth = mined_frames(count)
    limit = share_count(max(BUDGETS), count)
    rows = []
    for name, strategy in available(frames).items():
        print(f"  {name} ...", flush=True)
        with Clock() as ordering:
            orders = [
                strategy.run(frames, seed, truth, limit=limit)
                for seed in range(seeds)
            ]
        with Clock() as measuring:
            for order in orders:
                measure(order, truth, frames.scene)
        rows.append(
            {
                "strategy": name,
                "frames": count,
                "seeds": seeds,
                "ordering CPU s": ordering.cpu,
                "measuring CPU s": measuring.cpu,
                "both s": ordering.wall + measuring.wall,
            }
        )
    return rows


def main() -> None:
    """Measures both and prints the tables."""
    parser = argparse.ArgumentParser(
        prog="run.py bench strategies", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--quick", action="store_true", help="small sizes")
    options = parser.parse_args()
    count = QUICK_FRAMES if options.quick else FRAMES
    seeds = QUICK_SEEDS if options.quick else SEEDS
    gaps = [row for world in NOISE for row in core_set(world, count)]
    orders = evaluation(count, seeds)
    total = sum(row["both s"] for row in orders)
    here = machine("numpy", "scipy")
    print(f"\n{table(gaps)}\n\n{table(orders)}")
    print(f"\n{len(orders)} strategies, {seeds} seeds: {total:.0f} s")
    print(f"\n{', '.join(f'{k} {v}' for k, v in here.items())}")
    write_json(
        options.json, {"core_set": gaps, "orders": orders, "machine": here}
    )


if __name__ == "__main__":
    main()
