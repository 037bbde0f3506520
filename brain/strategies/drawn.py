"""Strategies that draw: the baseline that any mining has to beat."""

from __future__ import annotations

import numpy as np

from raremine.brain.objects import FrameTable
from raremine.brain.ranking import seeded_order
from raremine.brain.strategies.registry import strategy

RANDOM = "random"


@strategy(RANDOM)
def drawn(frames: FrameTable, seed: int) -> np.ndarray:
    """Every order is as likely as any other."""
    return seeded_order(len(frames), seed, RANDOM)
