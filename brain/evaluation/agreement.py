"""How far selections choose the same frames and signals the same order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from raremine.brain.evaluation.outcomes import Outcome
from raremine.brain.objects import FrameTable
from raremine.brain.ranking import numeric_columns


def overlap(outcomes: Sequence[Outcome], frames: int) -> np.ndarray:
    """Returns the Jaccard index of every two strategies' selections.

    Shared over all frames that either selects, at the marked budget. It is
    the mean over pairs of DIFFERENT seeds: with the same seed strategies
    draw ties alike, which would pass for agreement. So the diagonal says how
    much of a strategy's selection does not depend on luck.

    Args:
        outcomes: of s strategies
        frames: number of frames in the pool

    Returns:
        (s, s) float64 symmetric, 0 to 1; NaN where nothing is selected
    """
    taken = np.zeros(
        (len(outcomes), len(outcomes[0].selected), frames), dtype=np.float32
    )
    for number, outcome in enumerate(outcomes):
        np.put_along_axis(taken[number], outcome.selected, 1.0, axis=1)
    strategies, seeds, _ = taken.shape
    count = outcomes[0].selected.shape[1]
    flat = taken.reshape(strategies * seeds, frames)
    shared = (flat @ flat.T).reshape(strategies, seeds, strategies, seeds)
    if not count:
        return np.full((strategies, strategies), np.nan)
    jaccard = shared / (2 * count - shared)
    other = ~np.eye(seeds, dtype=bool) if seeds > 1 else np.ones((1, 1), bool)
    return np.asarray(
        jaccard.transpose(0, 2, 1, 3)[:, :, other].mean(axis=-1),
        dtype=np.float64,
    )


def signal_correlation(frames: FrameTable) -> tuple[list[str], np.ndarray]:
    """Returns Spearman's rank correlation of every two frame signals.

    Args:
        frames: the keyframes; their numeric columns are the signals, but for
            those of another field (``PREFIX.NAME``) and those that are the
            same for all frames

    Returns:
        tuple of k names and (k, k) float64; each pair over the frames that
        have both numbers, NaN where fewer than three do
    """
    import pandas as pd

    columns = {
        name: np.asarray(frames[name], dtype=np.float64)
        for name in numeric_columns(frames)
        if "." not in name
    }
    table = pd.DataFrame(
        {
            name: values
            for name, values in columns.items()
            if np.nanmin(values) < np.nanmax(values)
        }
    )
    matrix = table.corr(method="spearman", min_periods=3)
    return list(table.columns), matrix.to_numpy(dtype=np.float64)
