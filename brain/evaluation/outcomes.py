"""What a strategy reaches: for each seed, and on resampled scenes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from raremine.brain.evaluation.balance import class_divergence
from raremine.brain.evaluation.curves import ALL, Curves, area, measure
from raremine.brain.evaluation.ground_truth import FrameTruth
from raremine.brain.evaluation.redundancy import Redundancy
from raremine.brain.evaluation.resampling import (
    FRAME,
    INSTANCE,
    SCENE,
    Finds,
    draw_scenes,
    prepare,
    reached,
)
from raremine.brain.ranking import share_count

DRAWN_POINTS = 40
"""Points of a curve that is kept to be drawn, from 0 to the largest budget."""

FEWEST_HOLDING = 2
"""Scenes that must hold a kind of thing for an interval."""


@dataclass(frozen=True)
class Protocol:
    """What all strategies are measured by.

    Attributes:
        truth: the ground truth of the f frames
        scene: (f,) scene name of each frame
        budgets: (b,) ascending shares of the frames
        points: (p,) ascending shares to draw, the budgets among them
        counts: (p,) frames of each point
        at_budget: (b,) places of the budgets among the points
        finds: what can be found at these points
        weight: (s, r) how often each scene is in each of r resampled pools
        redundancy: what compares frames, None without embeddings
    """

    truth: FrameTruth
    scene: np.ndarray
    budgets: np.ndarray
    points: np.ndarray
    counts: np.ndarray
    at_budget: np.ndarray
    finds: Finds
    weight: np.ndarray
    redundancy: Redundancy | None

    @property
    def things(self) -> np.ndarray:
        """(j, r) how many things of each kind each resampled pool holds."""
        return np.asarray(self.finds.total.T @ self.weight)

    @property
    def frames(self) -> np.ndarray:
        """(r,) frames of each resampled pool."""
        return np.asarray(self.finds.scene_frames @ self.weight)

    @property
    def expected(self) -> np.ndarray:
        """(b, j, r) what random frames find in each pool on average."""
        expected = self.finds.expected[self.at_budget]
        return np.einsum("bsj,sr->bjr", expected, self.weight, optimize=True)


@dataclass(frozen=True)
class Outcome:
    """What one strategy reaches.

    Attributes:
        name: the strategy's
        recall: (n, p, j) share of the things of each kind that each of n
            seeds finds at each point; NaN where there are none
        precision: (n, b, 1 + c) share of the selected frames that hold any
            target, and each of c classes
        area: (n, j) mean recall over all budgets up to the largest
        divergence: (n, b) see ``class_divergence``
        redundancy: (n, b) see ``Redundancy``
        resampled_recall: (p, j, r) mean recall over the seeds, on each
            resampled pool; NaN where a pool, or all scenes but one, hold
            no such thing
        resampled_area: (j, r) likewise
        selected: (n, k) rows that each seed selects at the marked budget
    """

    name: str
    recall: np.ndarray
    precision: np.ndarray
    area: np.ndarray
    divergence: np.ndarray
    redundancy: np.ndarray
    resampled_recall: np.ndarray
    resampled_area: np.ndarray
    selected: np.ndarray


def protocol(
    truth: FrameTruth,
    scene: np.ndarray,
    budgets: Sequence[float],
    *,
    embedding: np.ndarray | None = None,
    resamples: int = 1000,
) -> Protocol:
    """Sets up what all strategies are measured by.

    Args:
        truth: the ground truth of the f frames
        scene: (f,) scene name of each frame
        budgets: shares of the frames
        embedding (None): (f, d) frame embeddings
        resamples (1000): resampled pools
    """
    f = len(truth)
    chosen = np.unique(np.asarray(budgets, dtype=np.float64))
    drawn = np.linspace(0, chosen[-1], DRAWN_POINTS + 1)
    points = np.unique(np.concatenate([chosen, drawn]))
    counts = np.array([share_count(point, f) for point in points])
    finds = prepare(truth, scene, counts / max(f, 1))
    scenes = len(finds.scene_frames)
    return Protocol(
        truth=truth,
        scene=scene,
        budgets=chosen,
        points=points,
        counts=counts,
        at_budget=np.searchsorted(points, chosen),
        finds=finds,
        # one scene tells nothing about others
        weight=draw_scenes(scenes, resamples if scenes > 1 else 0),
        redundancy=None if embedding is None else Redundancy(embedding),
    )


def outcome(
    name: str,
    orders: Sequence[np.ndarray],
    rules: Protocol,
    mark: float,
) -> Outcome:
    """Measures the orders of a strategy, one for each seed.

    Seeds that give the same order, as all do where nothing is drawn, are
    measured once.

    Args:
        name: the strategy's
        orders: (f,) permutation for each seed
        rules: what to measure by
        mark: the budget whose selections are kept
    """
    distinct: dict[bytes, int] = {}
    which = [distinct.setdefault(o.tobytes(), len(distinct)) for o in orders]
    first = [which.index(number) for number in range(len(distinct))]
    share = np.bincount(which) / len(which)
    measured = [_measured(orders[at], rules) for at in first]
    recall, precision, areas, divergence, redundancy = (
        np.stack(parts)[which] for parts in zip(*measured, strict=True)
    )
    pools = rules.weight.shape[1]
    kinds = len(rules.finds.kinds)
    resampled = np.zeros((len(rules.points), kinds, pools))
    resampled_area = np.zeros((kinds, pools))
    for at, part in zip(first, share, strict=True):
        found = reached(rules.finds, orders[at], rules.weight)
        resampled += part * found.finds
        resampled_area += part * found.area
    with np.errstate(invalid="ignore", divide="ignore"):
        resampled /= rules.things
        resampled_area /= rules.things
    # what one scene alone holds says nothing about other scenes
    alone = (rules.finds.total > 0).sum(axis=0) < FEWEST_HOLDING
    resampled[:, alone] = np.nan
    resampled_area[alone] = np.nan
    count = share_count(mark, len(rules.truth))
    return Outcome(
        name=name,
        recall=recall,
        precision=precision,
        area=areas,
        divergence=divergence,
        redundancy=redundancy,
        resampled_recall=resampled,
        resampled_area=resampled_area,
        selected=np.stack([order[:count] for order in orders]),
    )


def by_kind(curves: Curves, rules: Protocol) -> np.ndarray:
    """Returns curves as one (f + 1, j) array, in the order of the kinds."""
    parts = {
        FRAME: curves.frame_recall,
        INSTANCE: curves.instance_recall,
        SCENE: {ALL: curves.scene_coverage},
    }
    return np.stack(
        [parts[what][name] for what, name in rules.finds.kinds], axis=1
    )


def _measured(order: np.ndarray, rules: Protocol) -> tuple[np.ndarray, ...]:
    """Measures one order: recall, precision, area, divergence, redundancy."""
    curves = measure(order, rules.truth, rules.scene)
    whole = by_kind(curves, rules)
    counts = rules.counts[rules.at_budget]
    recall = whole[rules.counts]
    largest = int(counts[-1])
    classes = _classes(rules)
    things = rules.finds.total.sum(axis=0)[classes]
    return (
        recall,
        np.stack([curve[counts] for curve in curves.precision.values()], 1),
        np.array([area(curve, largest) for curve in whole.T]),
        class_divergence(whole[counts][:, classes] * things),
        np.full(len(counts), np.nan)
        if rules.redundancy is None
        else rules.redundancy.of(order, counts.tolist()),
    )


def _classes(rules: Protocol) -> np.ndarray:
    """Returns the kinds that count instances of a class in the pool."""
    held = rules.finds.total.sum(axis=0)
    return np.array(
        [
            j
            for j, (what, name) in enumerate(rules.finds.kinds)
            if what == INSTANCE and name != ALL and held[j]
        ],
        dtype=np.int64,
    )
