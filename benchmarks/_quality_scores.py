"""The rankings and flags that are compared on a world's objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks._quality_worlds import WorldObjects
from raremine.brain.outliers.fusion import (
    fuse_flags,
    fuse_scores,
    rank_percentile,
)
from raremine.brain.outliers.knn import knn_scores
from raremine.brain.outliers.lof import lof_scores
from raremine.brain.outliers.scoring import SCORERS, ScoringInput
from raremine.brain.outliers.thresholds import threshold_by_share

NEIGHBORS = (5, 10, 20, 50, 100, 200)
"""Values of k that are compared."""

WAYS = {
    "knn": "mean distance",
    "kth": "distance to the last",
    "elsewhere": "mean distance in other scenes",
    "lof": "LOF",
}
"""What is compared at each k."""

MAPS = ("tsne_knn", "umap_knn")
SEED = 42
SHARE = 0.2
UNIQUENESS = "uniqueness (FiftyOne)"
RANDOM = "random (expected)"


@dataclass(frozen=True)
class Fusion:
    """A fusion of scores.

    Attributes:
        rule: "mean_rank" or "fisher"
        parts: names of scores
        weights: of each part
    """

    rule: str
    parts: tuple[str, ...]
    weights: tuple[float, ...]

    @property
    def name(self) -> str:
        """How tables name it."""
        terms = (
            part if weight == 1 else f"{weight:g} x ({part})"
            for part, weight in zip(self.parts, self.weights, strict=True)
        )
        return f"{self.rule}: {' + '.join(terms)}"

    def fuse(self, scores: Mapping[str, np.ndarray]) -> np.ndarray:
        """Returns the (n,) fused score."""
        ranks = np.array([rank_percentile(scores[p]) for p in self.parts])
        return RULES[self.rule](ranks, np.array(self.weights))


def fisher(ranks: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Joins rank percentiles by Fisher's method.

    1 - rank is the share of the objects that score higher, an empirical p
    value; the statistic is -sum w log p (Fisher 1925, section 21.1, with the
    weights of Good 1955). Unlike the mean it lets one very high rank outweigh
    a middling one.

    Args:
        ranks: (m, n) percentiles in (0, 1) of m methods
        weights: (m,)
    """
    return np.asarray(-weights @ np.log1p(-ranks))


def mean_rank(ranks: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Joins rank percentiles (m, n) by their mean with weights (m,)."""
    return np.asarray(weights @ ranks / weights.sum())


RULES = {"mean_rank": mean_rank, "fisher": fisher}


def _both(*parts: str) -> list[Fusion]:
    return [Fusion(rule, parts, (1.0,) * len(parts)) for rule in RULES]


FUSIONS = (
    *_both("isolation_forest", "knn"),
    *_both("isolation_forest", "knn, k = 100"),
    *_both("isolation_forest", "class_rarity"),
    *_both("isolation_forest", "knn, k = 100", "class_rarity"),
    *_both("isolation_forest", "knn, k = 100", "lof, k = 100"),
    *_both("knn, k = 100", "class_rarity"),
    Fusion("fisher", ("knn, k = 100", "class_rarity"), (2.0, 1.0)),
    Fusion("fisher", ("knn, k = 100", "class_rarity"), (3.0, 1.0)),
    Fusion("fisher", ("kth, k = 50", "class_rarity"), (3.0, 1.0)),
)

FLAG_SETS = (
    ("isolation_forest", "knn"),
    ("isolation_forest", "knn, k = 100"),
    ("knn, k = 100", "class_rarity"),
    ("isolation_forest", "knn, k = 100", "class_rarity"),
)
FLAG_RULES = ("union", "intersection", "majority", "mean_rank")


def world_scores(
    objects: WorldObjects, *, maps: bool = True
) -> dict[str, np.ndarray]:
    """Scores a world's objects in every way.

    Args:
        objects: the objects
        maps (True): also by distance on a t-SNE and a UMAP map

    Returns:
        name → (n,) float, higher = more unusual: the methods as they are
        called by name (k = 20), each of ``WAYS`` with each k, and FiftyOne's
        uniqueness
    """
    names = [n for n in SCORERS if maps or n not in MAPS]
    inputs = ScoringInput(
        objects.vectors,
        objects.label,
        seed=SEED,
        exact=True,
        methods=names,
    )
    scores = {name: SCORERS[name](inputs) for name in names}
    wide = ScoringInput(
        objects.vectors, objects.label, k=max(NEIGHBORS), exact=True
    )
    elsewhere = other_scenes(objects.vectors, objects.scene, max(NEIGHBORS))
    for k in NEIGHBORS:
        graph = wide.graph.nearest(k)
        scores |= {
            f"knn, k = {k}": knn_scores(objects.vectors, k=k, graph=graph),
            f"kth, k = {k}": graph.distances[:, -1].astype(np.float64),
            f"elsewhere, k = {k}": elsewhere[:, :k].mean(axis=1),
            f"lof, k = {k}": lof_scores(objects.vectors, k=k, graph=graph),
        }
    scores[UNIQUENESS] = objects.uniqueness
    return scores


def other_scenes(vectors: np.ndarray, scene: np.ndarray, k: int) -> np.ndarray:
    """Returns the distances to the nearest objects of other scenes.

    A scene shows the same object many times: in all its keyframes, and in
    two cameras at once. Such views are no evidence that a thing is common.

    Args:
        vectors: (n, d) unit vectors
        scene: (n,) name of each one's scene
        k: neighbours

    Returns:
        (n, k) float64, ascending

    Raises:
        ValueError: if there are too few objects
    """
    found = np.empty((len(vectors), k))
    for name in np.unique(scene):
        own = scene == name
        if int((~own).sum()) < k:
            raise ValueError(
                f"Fewer than {k} objects lie outside scene {name}; render "
                "more scenes."
            )
        cosine = vectors[own] @ vectors[~own].T
        distance = np.sqrt(np.maximum(2.0 - 2.0 * cosine, 0.0))
        nearest = np.sort(np.partition(distance, k - 1, axis=1)[:, :k])
        found[own] = nearest
    return found


def flags_of(
    scores: Mapping[str, np.ndarray], parts: Sequence[str], rule: str
) -> np.ndarray:
    """Returns the (n,) flags of a fusion, each part flagging a fifth."""
    own = {name: scores[name] for name in parts}
    flags = {
        name: values > threshold_by_share(values, SHARE)
        for name, values in own.items()
    }
    fused = fuse_scores(own, rule)
    limit = threshold_by_share(fused, SHARE)
    return fuse_flags(flags, fused, rule, limit)
