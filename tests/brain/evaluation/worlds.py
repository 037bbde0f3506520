"""Frames and ground truth made by hand or by chance, without a dataset."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from raremine.brain.evaluation.ground_truth import FrameTruth


def truth_of(
    seen: Sequence[Sequence[int]],
    instance_class: Sequence[int],
    targets: Sequence[str] = ("a", "b"),
) -> FrameTruth:
    """Truth from the instances that each frame shows."""
    presence = np.zeros((len(seen), len(targets)), dtype=bool)
    pairs = []
    for row, instances in enumerate(seen):
        for instance in instances:
            presence[row, instance_class[instance]] = True
            pairs.append((row, instance))
    table = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return FrameTruth(
        tuple(targets),
        presence,
        table[:, 0],
        table[:, 1],
        np.array(instance_class, dtype=np.int64),
        {},
        seen_label=np.array([f"box-{r}-{i}" for r, i in pairs], dtype=str),
        seen_area=np.arange(1, len(pairs) + 1, dtype=float),
    )


def scene_world(
    scenes: int, frames: int, seed: int, rate: float = 0.3
) -> tuple[FrameTruth, np.ndarray, np.ndarray]:
    """Scenes that differ much: some full of targets, most without.

    Returns:
        the truth, the scene of each frame, and a score that knows something
    """
    rng = np.random.default_rng(seed)
    seen: list[list[int]] = []
    kinds: list[int] = []
    scene = np.repeat([f"scene-{s:03d}" for s in range(scenes)], frames)
    for _ in range(scenes):
        held = []
        for _ in range(rng.poisson(3 * rng.gamma(rate, 1 / rate))):
            held.append(len(kinds))
            kinds.append(int(rng.random() < 0.3))
        for _ in range(frames):
            seen.append([i for i in held if rng.random() < 0.4])
    # an instance that no frame shows does not exist
    shown = sorted({i for row in seen for i in row})
    number = {i: n for n, i in enumerate(shown)}
    seen = [[number[i] for i in row] for row in seen]
    truth = truth_of(seen, [kinds[i] for i in shown])
    hit = truth.any_target
    score = rng.normal(size=len(scene)) + 1.5 * hit
    return truth, scene, score
