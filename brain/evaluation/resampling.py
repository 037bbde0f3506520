"""What a strategy would reach on other scenes: a bootstrap over scenes.

Frames of a scene show the same street and the same objects, so they are not
independent and resampling frames would tell intervals far too narrow. Scenes
are what was drawn when the data was recorded; so scenes are drawn again, with
replacement, as many as there are (cluster bootstrap: Davison and Hinkley,
Bootstrap Methods and their Application, 1997, section 3.8; Field and Welsh,
JRSS B 2007). A scene that is drawn twice is there twice, with all its frames
and instances.

The order of the frames stays. A budget is a share of the frames of the
RESAMPLED pool, so the order is gone through until that share is full, which
may be earlier or later than in the pool itself. Recall, precision and lift
are then those of this pool, and random's expectation in it is what lift
compares with.

All strategies meet the same resampled pools. Differences between them are
therefore paired, and what makes all of them better or worse cancels out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from raremine.brain.evaluation.curves import (
    ALL,
    chance_to_be_reached,
    frame_classes,
    instance_classes,
)
from raremine.brain.evaluation.ground_truth import FrameTruth
from raremine.brain.evaluation.walking import walk

LEVEL = 0.95
"""Of the intervals: percentiles of the resampled values (Efron 1979)."""

FEWEST_SCENES = 20
"""Below, percentile intervals are known to be too narrow."""

POOLS_AT_ONCE = 128

FRAME, INSTANCE, SCENE = "frame", "instance", "scene"


@dataclass(frozen=True)
class Finds:
    """What can be found, frame by frame and scene by scene.

    Attributes:
        kinds: what is counted: ("frame", class), ("instance", class) and
            ("scene", "all"); a class is "all" or a target
        scene: (f,) int32 scene of each frame
        scene_frames: (s,) float64 frames of each scene
        total: (s, j) float64 things of each kind in each scene
        expected: (p, s, j) float64 how many of them a random selection of
            each share of the pool finds on average
        shares: (p,) float64 shares of the pool, whole frames each
        truth: of the frames
        scene_of_instance: (i,) int32 scene of each instance
    """

    kinds: tuple[tuple[str, str], ...]
    scene: np.ndarray
    scene_frames: np.ndarray
    total: np.ndarray
    expected: np.ndarray
    shares: np.ndarray
    truth: FrameTruth
    scene_of_instance: np.ndarray


@dataclass(frozen=True)
class Reached:
    """What one order reaches on each resampled pool.

    Attributes:
        finds: (p, j, r) float32 things found at each share
        area: (j, r) float64 things found, on average over all shares up to
            the last
    """

    finds: np.ndarray
    area: np.ndarray


def prepare(truth: FrameTruth, scene: np.ndarray, shares: np.ndarray) -> Finds:
    """Lists what can be found.

    Args:
        truth: of the f frames
        scene: (f,) scene name of each
        shares: (p,) ascending shares of the pool, whole frames each
    """
    _, code = np.unique(scene, return_inverse=True)
    code = code.astype(np.int32)
    scenes = int(code.max(initial=-1)) + 1
    f = len(code)
    frames_seen = np.bincount(
        truth.seen_instance, minlength=len(truth.instance_class)
    )
    scene_of_instance = np.zeros(len(truth.instance_class), dtype=np.int32)
    scene_of_instance[truth.seen_instance] = code[truth.seen_frame]
    counts = np.rint(np.asarray(shares) * f).astype(np.int64)
    chance = chance_to_be_reached(frames_seen, f, counts)
    scene_frames = np.bincount(code, minlength=scenes).astype(np.float64)

    kinds: list[tuple[str, str]] = []
    total: list[np.ndarray] = []
    expected: list[np.ndarray] = []
    for name, present in frame_classes(truth).items():
        kinds.append((FRAME, name))
        held = np.bincount(code[present], minlength=scenes)
        total.append(held)
        expected.append(np.asarray(shares)[:, None] * held)
    for name, members in instance_classes(truth).items():
        kinds.append((INSTANCE, name))
        where = scene_of_instance[members]
        total.append(np.bincount(where, minlength=scenes))
        expected.append(
            np.stack([np.bincount(where, c[members], scenes) for c in chance])
        )
    kinds.append((SCENE, ALL))
    total.append(np.ones(scenes))
    expected.append(
        chance_to_be_reached(scene_frames.astype(np.int64), f, counts)
    )
    return Finds(
        kinds=tuple(kinds),
        scene=code,
        scene_frames=scene_frames,
        total=np.stack(total, axis=-1).astype(np.float64),
        expected=np.stack(expected, axis=-1),
        shares=np.asarray(shares, dtype=np.float64),
        truth=truth,
        scene_of_instance=scene_of_instance,
    )


def draw_scenes(scenes: int, pools: int, seed: int = 0) -> np.ndarray:
    """Draws scenes with replacement, as many as there are, for each pool.

    From the raw output of a PCG64 generator, which NumPy guarantees for all
    versions and machines.

    Args:
        scenes: number of scenes
        pools: number of pools
        seed (0): of the draw

    Returns:
        (scenes, pools) float64, how often each scene is in each pool
    """
    raw = np.random.PCG64(np.random.SeedSequence([seed, scenes])).random_raw(
        scenes * pools
    )
    chosen = (np.asarray(raw, dtype=np.uint64) % np.uint64(scenes)).astype(
        np.int64
    )
    pool = np.repeat(np.arange(pools), scenes)
    drawn = np.bincount(chosen * pools + pool, minlength=scenes * pools)
    return drawn.reshape(scenes, pools).astype(np.float64)


def reached(finds: Finds, order: np.ndarray, weight: np.ndarray) -> Reached:
    """Finds what an order reaches on each resampled pool.

    Args:
        finds: what can be found
        order: (f,) permutation of the frames
        weight: (s, r) from ``draw_scenes``
    """
    start, kind = _finds_in_order(finds, order)
    shape = (len(finds.shares), len(finds.kinds), weight.shape[1])
    out = Reached(np.empty(shape, np.float32), np.empty(shape[1:]))
    for at in range(0, shape[-1], POOLS_AT_ONCE):
        part = slice(at, at + POOLS_AT_ONCE)
        out.finds[:, :, part], out.area[:, part] = walk(
            np.ascontiguousarray(weight[:, part]),
            finds.scene[order],
            start,
            kind,
            finds.shares,
            len(finds.kinds),
        )
    return out


def interval(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the interval that holds 95 % of resampled values.

    Args:
        values: (..., r), NaN where a pool has no such value, which leaves
            that pool out

    Returns:
        (...) lower and upper end, NaN where fewer than half of the pools
        have a value
    """
    pools = values.shape[-1]
    if not pools:
        nothing = np.full(values.shape[:-1], np.nan)
        return nothing, nothing
    # NaN goes to the end
    ranked = np.sort(values, axis=-1)
    known = np.isfinite(values).sum(axis=-1)
    low, high = (
        np.where(known >= pools / 2, _quantile(ranked, known, q), np.nan)
        for q in ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
    )
    return low, high


def _quantile(ranked: np.ndarray, known: np.ndarray, q: float) -> np.ndarray:
    """Interpolates between the sorted values, as NumPy's default does."""
    at = q * np.maximum(known - 1, 0)
    below = np.floor(at).astype(np.int64)
    above = np.minimum(below + 1, np.maximum(known - 1, 0))
    low, high = (
        np.take_along_axis(ranked, place[..., None], axis=-1)[..., 0]
        for place in (below, above)
    )
    return np.asarray(low + (at - below) * (high - low))


def _finds_in_order(
    finds: Finds, order: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns where each frame's finds start, and of what kind they are.

    An instance and a scene are found by the first frame that shows them.
    """
    truth, f = finds.truth, len(order)
    position = np.empty(f, dtype=np.int64)
    position[order] = np.arange(f)
    code = {kind: j for j, kind in enumerate(finds.kinds)}
    at: list[np.ndarray] = []
    kind: list[np.ndarray] = []

    def add(where: np.ndarray, what: str, name: str) -> None:
        at.append(where)
        kind.append(np.full(len(where), code[what, name], dtype=np.int32))

    for name, present in frame_classes(truth).items():
        add(position[present], FRAME, name)
    first = np.full(len(truth.instance_class), f, dtype=np.int64)
    np.minimum.at(first, truth.seen_instance, position[truth.seen_frame])
    for name, members in instance_classes(truth).items():
        where = first[members]
        add(where[where < f], INSTANCE, name)
    first_of_scene = np.full(len(finds.scene_frames), f, dtype=np.int64)
    np.minimum.at(first_of_scene, finds.scene, position)
    add(first_of_scene, SCENE, ALL)
    where = np.concatenate(at)
    by_place = np.argsort(where, kind="stable")
    start = np.searchsorted(where[by_place], np.arange(f + 1))
    return start.astype(np.int64), np.concatenate(kind)[by_place]
