"""From scores of concepts to the groups Target, Rare and Common."""

from __future__ import annotations

import numpy as np


def group_score(
    total: np.ndarray, members: np.ndarray, weighting: str
) -> np.ndarray:
    """Scores how much an object belongs to a group of concepts.

    An object that is a truck with .4, a construction vehicle with .35 and a
    car with .25 is a target with .75, although no target is sure.

    Args:
        total: (n, c) scores of every concept
        members: (c,) bool, the concepts of the group
        weighting: "calibrated" scores are probabilities and add up; of
            cosines the highest counts

    Returns:
        (n,) float64 in [0, 1], NaN without evidence
    """
    of_group = total[:, members]
    if not of_group.shape[1]:
        return np.where(np.isnan(total[:, 0]), np.nan, 0.0)
    if weighting == "calibrated":
        return np.asarray(of_group.sum(axis=1))
    return np.asarray(np.clip(of_group.max(axis=1), 0, 1))


def groups_by_score(
    target: np.ndarray, rare: np.ndarray, threshold: float
) -> list[str]:
    """Groups objects by how sure the group is, not by their best concept.

    Of a thousand common objects some look most like a target, and they
    outnumber the few that are one; a threshold keeps a group worth opening.

    Args:
        target: (n,) score of the target group in [0, 1], NaN = no evidence
        rare: (n,) score of the rare group
        threshold: least score; what is target or rare with at least this,
            but not target alone, is rare

    Returns:
        n of "target", "rare", "common"
    """
    seldom = np.nan_to_num(target) + np.nan_to_num(rare)
    return np.select(
        [np.nan_to_num(target) >= threshold, seldom >= threshold],
        ["target", "rare"],
        default="common",
    ).tolist()
