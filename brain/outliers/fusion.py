"""One flag and one score from those of many methods."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from raremine.brain.errors import RaremineError
from raremine.brain.outliers.thresholds import threshold_by_share

FUSIONS = ("union", "intersection", "majority", "mean_rank")


def check_fusion(fusion: str) -> None:
    """Checks the name of a fusion, before any work.

    Raises:
        RaremineError: if it is not one of ``FUSIONS``
    """
    if fusion not in FUSIONS:
        raise RaremineError(
            f"Unknown fusion '{fusion}'; choose one of {', '.join(FUSIONS)}."
        )


def rank_percentile(scores: np.ndarray) -> np.ndarray:
    """Returns each score's mid-rank as a share in (0, 1); ties share one.

    Args:
        scores: (n,) scores; NaN has no rank, stays NaN and counts nowhere
    """
    from scipy.stats import rankdata

    ranks = np.full(len(scores), np.nan)
    known = ~np.isnan(scores)
    count = max(int(known.sum()), 1)
    ranks[known] = (rankdata(scores[known]) - 0.5) / count
    return ranks


def fuse_flags(
    flags: Mapping[str, np.ndarray],
    scores: Mapping[str, np.ndarray],
    fusion: str,
    share: float,
) -> np.ndarray:
    """Joins the methods' flags into one.

    Args:
        flags: method → (n,) bool
        scores: method → (n,) float
        fusion: "union", "intersection", "majority" (more than half of the
            methods) or "mean_rank" (the top ``share`` of the mean rank)
        share: used by "mean_rank"

    Returns:
        (n,) bool

    Raises:
        RaremineError: if the fusion is not one of these
    """
    check_fusion(fusion)
    if fusion == "mean_rank":
        fused = fuse_scores(scores)
        return fused > threshold_by_share(fused, share)
    votes = np.sum(list(flags.values()), axis=0)
    need = {
        "union": 1,
        "intersection": len(flags),
        "majority": len(flags) // 2 + 1,
    }[fusion]
    return np.asarray(votes >= need)


def fuse_scores(scores: Mapping[str, np.ndarray]) -> np.ndarray:
    """Returns the mean of the methods' rank percentiles, in (0, 1).

    Ranks, because the methods' scales have nothing in common.

    Args:
        scores: method → (n,) float; an object that any method could not
            score (NaN) gets NaN
    """
    return np.asarray(
        np.mean([rank_percentile(s) for s in scores.values()], axis=0)
    )
