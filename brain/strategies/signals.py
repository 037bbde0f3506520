"""Strategies that rank by one signal alone."""

from __future__ import annotations

import numpy as np

from raremine.brain.objects import FrameTable
from raremine.brain.strategies.orders import by_score
from raremine.brain.strategies.registry import DETECTOR_CLASS, strategy


@strategy("pareto", needs=("pareto_rank",))
def pareto(frames: FrameTable, seed: int) -> np.ndarray:
    """By the best Pareto front of a frame's objects (arXiv 2409.15486)."""
    return by_score(frames, frames["pareto_rank"], seed)


@strategy(DETECTOR_CLASS, needs=(DETECTOR_CLASS,))
def detector_class(frames: FrameTable, seed: int) -> np.ndarray:
    """By the surest detection of a target class: the detector alone."""
    return by_score(frames, frames[DETECTOR_CLASS], seed)
