"""Strategies that rank by one signal alone: the baselines of the field.

Every signal is a frame column that ``brain/frames.py`` aggregates from the
frame's objects; a frame without objects has none and comes last.
"""

from __future__ import annotations

import numpy as np

from raremine.brain.objects import FrameTable
from raremine.brain.strategies.orders import by_score
from raremine.brain.strategies.registry import DETECTOR_CLASS, strategy


@strategy(DETECTOR_CLASS, needs=(DETECTOR_CLASS,))
def detector_class(frames: FrameTable, seed: int) -> np.ndarray:
    """By the surest detection of a target class: the detector alone."""
    return by_score(frames, frames[DETECTOR_CLASS], seed)


@strategy("least_confidence", needs=("uncertainty",))
def least_confidence(frames: FrameTable, seed: int) -> np.ndarray:
    """By the object that the detector is least sure of.

    1 - confidence, the highest of a frame's objects. Settles: Active
    Learning Literature Survey (2010), section 3.1; taken over detections by
    their maximum as in Brust et al.: Active Learning for Deep Object
    Detection (VISAPP 2019), section 3.2.
    """
    return by_score(frames, frames["uncertainty"], seed)


@strategy("least_confidence_mean", needs=("uncertainty_mean",))
def least_confidence_mean(frames: FrameTable, seed: int) -> np.ndarray:
    """By how unsure the detector is of its objects on average.

    As ``least_confidence``, over detections by their mean, which does not
    grow with the number of objects.
    """
    return by_score(frames, frames["uncertainty_mean"], seed)


@strategy("entropy", needs=("entropy",))
def entropy(frames: FrameTable, seed: int) -> np.ndarray:
    """By the object whose confidence is nearest to one half.

    Shannon entropy (Settles 2010, section 3.1) of "is this object there",
    the highest of a frame's objects: YOLO gives each object one confidence
    and no distribution over classes.
    """
    return by_score(frames, frames["entropy"], seed)


@strategy("entropy_mean", needs=("entropy_mean",))
def entropy_mean(frames: FrameTable, seed: int) -> np.ndarray:
    """By the mean entropy of the frame's objects, see ``entropy``."""
    return by_score(frames, frames["entropy_mean"], seed)


@strategy("isolation_forest", needs=("isolation_forest",))
def isolation_forest(frames: FrameTable, seed: int) -> np.ndarray:
    """By the object that an Isolation Forest cuts off soonest.

    Liu, Ting and Zhou: Isolation Forest (ICDM 2008), on crop embeddings.
    """
    return by_score(frames, frames["isolation_forest"], seed)


@strategy("lof", needs=("lof",))
def lof(frames: FrameTable, seed: int) -> np.ndarray:
    """By the object in the thinnest spot compared with its neighbours'.

    Breunig et al.: LOF: Identifying Density-Based Local Outliers (SIGMOD
    2000), on crop embeddings.
    """
    return by_score(frames, frames["lof"], seed)


@strategy("knn", needs=("knn",))
def knn(frames: FrameTable, seed: int) -> np.ndarray:
    """By the object farthest from its nearest neighbours on average.

    Ramaswamy et al.: Efficient Algorithms for Mining Outliers from Large
    Data Sets (SIGMOD 2000), with the mean distance of Angiulli and Pizzuti
    (PKDD 2002), on crop embeddings.
    """
    return by_score(frames, frames["knn"], seed)


@strategy("vlmine", needs=("novelty",))
def vlmine(frames: FrameTable, seed: int) -> np.ndarray:
    """By the object with the rarest keywords: VLMine alone.

    arXiv 2409.15486, before Pareto mining joins other signals.
    """
    return by_score(frames, frames["novelty"], seed)


@strategy("pareto", needs=("pareto_rank",))
def pareto(frames: FrameTable, seed: int) -> np.ndarray:
    """By the frame's first object in the Pareto order of signals.

    arXiv 2409.15486: front by front, inside a front by the mean of ranks.
    """
    return by_score(frames, frames["pareto_rank"], seed)
