"""One flag and one score from those of many methods."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from raremine.brain.errors import RaremineError

FUSIONS = ("fisher", "mean_rank", "union", "intersection", "majority")
BY_SCORE = ("fisher", "mean_rank")
"""Fusions that flag by the fused score, not by the methods' flags."""

WEIGHTS = {"knn": 3.0}
"""Weights of "fisher" unless others are given; of all other methods 1.

Chosen on five rendered worlds and confirmed on five that were not looked at
before (``bench outlier_quality``): with it ``knn`` and ``class_rarity``
together are not worse than either of them in any of the ten. A class has a
few ranks only, and the detector may be wrong about it; the distance orders
the objects within a class.
"""


def check_fusion(
    fusion: str, weights: Mapping[str, float] | None = None
) -> None:
    """Checks a fusion and its weights, before any work.

    Raises:
        RaremineError: if it is not one of ``FUSIONS``, takes no weights, or
            a weight is negative
    """
    if fusion not in FUSIONS:
        raise RaremineError(
            f"Unknown fusion '{fusion}'; choose one of {', '.join(FUSIONS)}."
        )
    if weights and fusion not in BY_SCORE:
        raise RaremineError(
            f"Fusion '{fusion}' counts flags and takes no weights; choose "
            f"{' or '.join(BY_SCORE)}."
        )
    for name, weight in (weights or {}).items():
        if not 0 <= weight < float("inf"):
            raise RaremineError(
                f"A weight of {weight} for '{name}' is not possible; pass a "
                "number >= 0."
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


def rank_among(scores: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Returns the rank that each score would have in a reference set.

    Args:
        scores: (m,) scores >= 0; NaN stays NaN
        reference: (n,) scores of the reference set, n >= 1

    Returns:
        (m,) shares in (0, 1), rising with the score also above the
        reference's highest
    """
    ordered = np.sort(reference)
    below = np.searchsorted(ordered, scores, side="left")
    upto = np.searchsorted(ordered, scores, side="right")
    ranks = ((below + upto) / 2 + 0.5) / (len(ordered) + 1)
    highest = ordered[-1]
    beyond = scores > highest
    # what is more unusual than all of them still has an order
    left = 0.5 / (len(ordered) + 1)
    scale = highest if highest > 0 else 1.0
    ranks[beyond] = 1 - left * scale / (scale + scores[beyond] - highest)
    ranks[np.isnan(scores)] = np.nan
    # where all of the reference set are (nearly) 0, rounding would give 1
    return np.asarray(np.minimum(ranks, np.nextafter(1.0, 0.0)))


def fuse_ranks(
    ranks: Mapping[str, np.ndarray],
    fusion: str = "mean_rank",
    weights: Mapping[str, float] | None = None,
) -> np.ndarray:
    """Joins the methods' ranks into one score.

    "fisher" is one minus the weighted geometric mean of 1 - rank: Fisher's
    method on empirical p values (Statistical Methods for Research Workers,
    1925, section 21.1; weights: Good, JRSS B 1955), on a scale from 0 to 1.
    One very high rank outweighs a middling one, which a mean does not allow.

    Args:
        ranks: method → (n,) float in (0, 1), higher = more unusual
        fusion ("mean_rank"): "fisher"; any other takes the mean of the ranks
        weights (None): method → weight, 1 where none is given; None =
            ``WEIGHTS`` for "fisher", else equal

    Returns:
        (n,) float64 in (0, 1); an object that any method could not score
        (NaN) gets NaN

    Raises:
        RaremineError: if all weights are 0
    """
    if weights is None:
        weights = WEIGHTS if fusion == "fisher" else {}
    share = np.array([weights.get(name, 1.0) for name in ranks])
    if not share.sum():
        raise RaremineError(
            "All weights are 0; give at least one method a positive weight."
        )
    share = share / share.sum()
    stacked = np.array(list(ranks.values()), dtype=np.float64)
    if fusion == "fisher":
        return np.asarray(-np.expm1(share @ np.log1p(-stacked)))
    return np.asarray(share @ stacked)


def fuse_scores(
    scores: Mapping[str, np.ndarray],
    fusion: str = "mean_rank",
    weights: Mapping[str, float] | None = None,
) -> np.ndarray:
    """Joins the methods' scores by their ranks among each other.

    Ranks, because the methods' scales have nothing in common.

    Args:
        scores: method → (n,) float; an object that any method could not
            score (NaN) gets NaN
        fusion ("mean_rank"): see :func:`fuse_ranks`
        weights (None): see :func:`fuse_ranks`
    """
    ranks = {name: rank_percentile(values) for name, values in scores.items()}
    return fuse_ranks(ranks, fusion, weights)


def fuse_flags(
    flags: Mapping[str, np.ndarray],
    fused: np.ndarray,
    fusion: str,
    limit: float,
) -> np.ndarray:
    """Joins the methods' flags into one.

    Args:
        flags: method → (n,) bool
        fused: (n,) fused scores
        fusion: "union", "intersection" or "majority" (more than half) of the
            methods' flags, or one of ``BY_SCORE``
        limit: fused score above which the latter flag

    Returns:
        (n,) bool

    Raises:
        RaremineError: if the fusion is not one of these
    """
    check_fusion(fusion)
    if fusion in BY_SCORE:
        return np.asarray(fused > limit)
    votes = np.sum(list(flags.values()), axis=0)
    need = {
        "union": 1,
        "intersection": len(flags),
        "majority": len(flags) // 2 + 1,
    }[fusion]
    return np.asarray(votes >= need)
