"""Flags from scores, and one flag and one score from many."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from raremine.brain.errors import RaremineError

FUSIONS = ("union", "intersection", "majority", "mean_rank")


def threshold_by_share(scores: np.ndarray, share: float) -> float:
    """Returns the score above which ``share`` of the objects lie.

    Args:
        scores: (n,) finite scores
        share: between 0 and 1; .2 is scikit-learn's ``contamination=.2``

    Raises:
        RaremineError: if the share is not between 0 and 1
    """
    if not 0 < share < 1:
        raise RaremineError(
            f"A share of outliers of {share} is not between 0 and 1; pass "
            "such as 0.2 for one object in five."
        )
    if not len(scores):
        return float("inf")
    return float(np.percentile(scores, 100 * (1 - share)))


def rank_percentile(scores: np.ndarray) -> np.ndarray:
    """Returns each score's mid-rank as a share in (0, 1); ties share one.

    Args:
        scores: (n,) finite scores
    """
    from scipy.stats import rankdata

    return np.asarray((rankdata(scores) - 0.5) / max(len(scores), 1))


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
    if fusion not in FUSIONS:
        raise RaremineError(
            f"Unknown fusion '{fusion}'; choose one of {', '.join(FUSIONS)}."
        )
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
        scores: method → (n,) float
    """
    return np.asarray(
        np.mean([rank_percentile(s) for s in scores.values()], axis=0)
    )
