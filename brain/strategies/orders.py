"""What strategies are made of: by score, by group, one behind the other."""

from __future__ import annotations

import numpy as np

from raremine.brain.objects import FrameTable
from raremine.brain.ranking import (
    class_frequency,
    discounted_order,
    order_by_score,
    round_robin,
    scene_worth,
    seeded_order,
)


def by_score(frames: FrameTable, scores: np.ndarray, seed: int) -> np.ndarray:
    """Orders rows by score; ties and rows without one as the seed draws."""
    tie_rank = np.empty(len(frames), dtype=np.int64)
    tie_rank[seeded_order(len(frames), seed, "ties")] = np.arange(len(frames))
    return order_by_score(np.asarray(scores, dtype=np.float64), tie_rank)


def by_scene(
    frames: FrameTable, group: str, scores: np.ndarray, seed: int
) -> np.ndarray:
    """Orders all frames by score, a group's frames fair to every scene.

    The same order from which the split rule takes ``target`` and ``rare``
    with ``balance: scenes``.

    Args:
        frames: the keyframes
        group: those that hold this group's concepts come first
        scores: (f,) order of the others, and of equal ones
        seed: decides between ties
    """
    order = by_score(frames, scores, seed)
    concepts = frames[f"{group}_concepts"]
    first = np.array([row for row in order if len(concepts[row])], np.int64)
    worth = scene_worth(frames, group, concepts, first)
    fair = first[discounted_order(worth, np.arange(len(first)))]
    return joined(fair, order)


def by_group(frames: FrameTable, group: str, seed: int) -> np.ndarray:
    """Orders the frames that hold a group's objects, fair to each concept.

    The same order from which the split rule takes ``target`` and ``rare``.
    """
    concepts = frames[f"{group}_concepts"].copy()
    for row in np.flatnonzero(frames["mining_group"] == group):
        concepts[row] = tuple(concepts[row]) or ("",)
    nothing = np.full(len(frames), np.nan)
    scores = frames.columns.get(f"{group}_score", nothing)
    order = by_score(frames, scores, seed)
    turns = round_robin(order, concepts, class_frequency(concepts))
    return np.array([row for row, _ in turns], dtype=np.int64)


def joined(*parts: np.ndarray) -> np.ndarray:
    """Puts orders one behind the other; a row counts where it comes first."""
    rows = np.concatenate(parts)
    _, first = np.unique(rows, return_index=True)
    return np.asarray(rows[np.sort(first)])
