"""Recall against budget: pure functions on an order and the truth.

All curves have f + 1 values: the value at k is what the first k of the f
frames of an order reach.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from raremine.brain.evaluation.ground_truth import FrameTruth

ALL = "all"


@dataclass(frozen=True)
class Curves:
    """What each prefix of an order reaches.

    Attributes:
        frame_recall: share of the frames with a target that are taken, by
            class and "all"; each (f + 1,), NaN where the class is absent
        instance_recall: share of the target instances seen in a taken frame
        precision: share of the taken frames that hold a target
        scene_coverage: (f + 1,) share of the scenes with a taken frame
    """

    frame_recall: Mapping[str, np.ndarray]
    instance_recall: Mapping[str, np.ndarray]
    precision: Mapping[str, np.ndarray]
    scene_coverage: np.ndarray


def measure(order: np.ndarray, truth: FrameTruth, scene: np.ndarray) -> Curves:
    """Measures an order of frames.

    Args:
        order: (f,) permutation of the rows, the most wanted first
        truth: the truth of the f frames
        scene: (f,) scene name of each row
    """
    position = np.empty(len(order), dtype=np.int64)
    position[order] = np.arange(len(order))
    taken = np.arange(len(order) + 1)

    frame_recall, precision = {}, {}
    for name, present in frame_classes(truth).items():
        hits = np.concatenate([[0], np.cumsum(present[order])])
        frame_recall[name] = _share(hits, int(present.sum()))
        # nothing taken is nothing wrong, as usual for precision at recall 0
        precision[name] = np.where(taken, hits / np.maximum(taken, 1), 1.0)

    first = np.full(len(truth.instance_class), len(order), dtype=np.int64)
    np.minimum.at(first, truth.seen_instance, position[truth.seen_frame])
    instance_recall = {
        name: _reached(first[members], len(order))
        for name, members in instance_classes(truth).items()
    }
    _, code = np.unique(scene, return_inverse=True)
    first_of_scene = np.full(code.max(initial=-1) + 1, len(order))
    np.minimum.at(first_of_scene, code, position)
    return Curves(
        frame_recall,
        instance_recall,
        precision,
        _reached(first_of_scene, len(order)),
    )


def expected_random(truth: FrameTruth, scene: np.ndarray) -> Curves:
    """Returns what a uniformly random order reaches on average, exactly.

    A frame is among the first k of f with probability k / f; something seen
    in m frames is reached with probability 1 - C(f - m, k) / C(f, k).
    """
    f = len(truth)
    taken = np.arange(f + 1)
    frame_recall, precision = {}, {}
    for name, present in frame_classes(truth).items():
        count = int(present.sum())
        frame_recall[name] = _share(taken * count / max(f, 1), count)
        precision[name] = np.where(taken, count / max(f, 1), 1.0)
    frames_seen = np.bincount(
        truth.seen_instance, minlength=len(truth.instance_class)
    )
    instance_recall = {
        name: _expected_reached(frames_seen[members], f)
        for name, members in instance_classes(truth).items()
    }
    _, scene_frames = np.unique(scene, return_counts=True)
    return Curves(
        frame_recall,
        instance_recall,
        precision,
        _expected_reached(scene_frames, f),
    )


def chance_to_be_reached(
    frames_seen: np.ndarray, f: int, taken: np.ndarray
) -> np.ndarray:
    """Returns the chance that random frames show a thing at least once.

    1 - C(f - m, k) / C(f, k), the hypergeometric chance of not none.

    Args:
        frames_seen: (i,) number m of frames that show each thing
        f: frames of the pool
        taken: (p,) numbers k of frames that are taken

    Returns:
        (p, i) float64
    """
    from scipy.special import gammaln

    k = np.asarray(taken, dtype=np.float64)[:, None]
    distinct, which = np.unique(frames_seen, return_inverse=True)
    m = distinct[None, :].astype(np.float64)
    rest = f - m - k
    # C(f - m, k) / C(f, k) = (f - m)! (f - k)! / (f! (f - m - k)!)
    log = (
        gammaln(f - m + 1)
        + gammaln(f - k + 1)
        - gammaln(f + 1)
        - gammaln(np.maximum(rest, 0) + 1)
    )
    missed = np.where(rest >= 0, np.exp(np.minimum(log, 0)), 0.0)
    return np.asarray((1 - missed)[:, which])


def area(curve: np.ndarray, count: int) -> float:
    """Returns the mean of a curve over all budgets from 0 to ``count``.

    It is the area under the curve up to that budget by the trapezoid rule,
    scaled so that a curve that is 1 everywhere has area 1.
    """
    if count < 1:
        return float(curve[0])
    part = curve[: count + 1]
    return float((part[1:] + part[:-1]).sum() / 2 / count)


def frame_classes(truth: FrameTruth) -> dict[str, np.ndarray]:
    """Returns the (f,) bool presence of "all" and of each class."""
    columns = dict(zip(truth.targets, truth.presence.T, strict=True))
    return {ALL: truth.any_target, **columns}


def instance_classes(truth: FrameTruth) -> dict[str, np.ndarray]:
    """Returns the (i,) bool membership in "all" and in each class."""
    code = truth.instance_class
    return {
        ALL: np.ones(len(code), dtype=bool),
        **{name: code == i for i, name in enumerate(truth.targets)},
    }


def _share(hits: np.ndarray, total: int) -> np.ndarray:
    if not total:
        return np.full(len(hits), np.nan)
    return np.asarray(hits / total)


def _reached(first: np.ndarray, f: int) -> np.ndarray:
    """Share of things whose first position is among the first k."""
    at = np.bincount(first[first < f] + 1, minlength=f + 1)
    return _share(np.cumsum(at), len(first))


def _expected_reached(frames_seen: np.ndarray, f: int) -> np.ndarray:
    """Mean over things seen in m of f frames of their chance to be seen."""
    if not len(frames_seen):
        return np.full(f + 1, np.nan)
    counts, things = np.unique(frames_seen, return_counts=True)
    chance = chance_to_be_reached(counts, f, np.arange(f + 1))
    return np.asarray(chance @ things / len(frames_seen))
