"""A mined data set of any size, made up: frames, scores, ground truth."""

from __future__ import annotations

import numpy as np

from benchmarks.strategies import NOISE, TARGETS, frame_vectors
from raremine.brain.evaluation.ground_truth import FrameTruth
from raremine.brain.objects import FrameTable, object_array
from raremine.brain.strategies import EMBEDDING

SCENE = 40
"""Keyframes of a scene, as in nuScenes."""

PER_SCENE = (0.1, 0.25, 0.25, 1.0, 3.0)
"""Instances of each target class in a scene, on average: trucks are common,
construction vehicles are not."""

SEEN = 12
"""Keyframes that show an instance, on average."""

SIGNALS = (
    *("uncertainty", "uncertainty_mean", "entropy", "entropy_mean"),
    *("isolation_forest", "lof", "knn", "novelty", "pareto_rank"),
    *("detector_class", "outlier_score", "target_score", "rare_score"),
)
"""Frame columns: a little higher where there is a target."""


def evaluated_world(count: int) -> tuple[FrameTable, FrameTruth]:
    """Makes keyframes with all that strategies rank by, and their truth.

    Args:
        count: keyframes
    """
    rng = np.random.default_rng(2)
    truth = _truth(count, rng)
    hit = truth.any_target
    sure = hit & (rng.random(count) < 0.6) | (rng.random(count) < 0.05)
    columns: dict[str, np.ndarray] = {
        name: rng.normal(size=count) + 0.7 * hit for name in SIGNALS
    }
    # frames in which the detector names no target
    columns["detector_class"][~sure] = np.nan
    columns["mining_score"] = 2.0 * sure + rng.random(count)
    columns["mining_group"] = object_array(
        "target" if one else "common" for one in sure
    )
    kind = rng.integers(len(TARGETS), size=count)
    columns["target_concepts"] = object_array(
        (TARGETS[k],) if one else ()
        for k, one in zip(kind.tolist(), sure, strict=True)
    )
    columns["rare_concepts"] = object_array(() for _ in range(count))
    for name in ("mining_score", "mining_group"):
        columns[f"paper.{name}"] = np.roll(columns[name], 1)
    for name in ("target_concepts", "rare_concepts"):
        columns[f"paper.{name}"] = columns[name]
    columns[EMBEDDING] = frame_vectors(count, NOISE["scenes apart"])
    frames = FrameTable(
        np.array([f"{i:032x}" for i in range(count)]),
        np.array([f"scene-{i // SCENE:04d}" for i in range(count)]),
        np.array(["train"] * count),
        np.arange(count, dtype=np.int64) * 500_000,
        columns,
    )
    return frames, truth


def _truth(count: int, rng: np.random.Generator) -> FrameTruth:
    """Instances that are seen in a run of their scene's keyframes."""
    frame: list[int] = []
    instance: list[int] = []
    kinds: list[int] = []
    for first in range(0, count, SCENE):
        frames = min(SCENE, count - first)
        for kind, rate in enumerate(PER_SCENE):
            for _ in range(rng.poisson(rate)):
                seen = min(1 + rng.geometric(1 / SEEN), frames)
                start = first + rng.integers(0, frames - seen + 1)
                frame += range(start, start + seen)
                instance += [len(kinds)] * seen
                kinds.append(kind)
    seen_frame = np.array(frame, dtype=np.int64)
    seen_instance = np.array(instance, dtype=np.int64)
    instance_class = np.array(kinds, dtype=np.int64)
    presence = np.zeros((count, len(TARGETS)), dtype=bool)
    presence[seen_frame, instance_class[seen_instance]] = True
    return FrameTruth(
        targets=TARGETS,
        presence=presence,
        seen_frame=seen_frame,
        seen_instance=seen_instance,
        instance_class=instance_class,
        summary={},
        seen_label=np.array([f"box {i}" for i in range(len(frame))]),
        seen_area=rng.random(len(frame)),
    )
