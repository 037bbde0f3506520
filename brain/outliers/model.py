"""Outlier methods fitted on a reference set, for objects that come later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from raremine.brain.errors import RaremineError
from raremine.brain.neighbors.approximate_search import ClusteredIndex
from raremine.brain.neighbors.exact_search import exact_neighbors
from raremine.brain.neighbors.finite import finite_rows
from raremine.brain.neighbors.graph import EXACT_LIMIT, neighbor_graph
from raremine.brain.neighbors.stored_graph import stored_graph
from raremine.brain.outliers.class_rarity import class_rarity_scores
from raremine.brain.outliers.fusion import fuse_ranks, rank_among
from raremine.brain.outliers.isolation_forest import (
    IsolationTrees,
    grow_trees,
)
from raremine.brain.outliers.knn import mean_distance
from raremine.brain.outliers.lof import (
    SMALLEST,
    SMALLEST_CLASS,
    LocalDensity,
    class_neighbors,
    classes_of,
    local_density,
    lof_of_graph,
    reachability_density,
)
from raremine.brain.outliers.scoring import (
    DEFAULT_K,
    DEFAULT_METHODS,
    check_methods,
)
from raremine.brain.outliers.thresholds import (
    threshold_by_share,
    threshold_rules,
)

FITTED_METHODS = (
    "isolation_forest",
    "knn",
    "lof",
    "class_lof",
    "class_rarity",
)
"""Methods that can score objects they were not fitted on."""


@dataclass
class OutlierModel:
    """Fitted methods; made by :func:`fit` or ``load_model``.

    A point of the reference set that is scored again has itself as a
    neighbour at distance 0, so ``knn``, ``lof`` and ``class_lof`` differ
    from the reference's own scores, which leave the point itself out.
    ``isolation_forest`` and ``class_rarity`` are the same.

    Args:
        methods: the fitted methods
        k: neighbours of knn and lof
        seed: seed of the forest and of the clusters
        exact: how neighbours are searched, None = by the number of vectors
        vectors: (n, d) float32 finite vectors of the reference set
        labels: (n,) str class names of the reference set
        limits: method → score above which an object is flagged
        own: method → (n,) float64 scores of the reference set itself, which
            new objects are ranked among
        local (None): densities of the reference set, of lof
        class_local (None): densities within the classes, of class_lof; NaN
            in classes too small for neighbours of their own
        class_largest (1.0): class_lof of objects of such a class
        trees (None): the forest, None also if there was one vector only
        origin ({}): what made the reference set's vectors, JSON-able
    """

    methods: tuple[str, ...]
    k: int
    seed: int
    exact: bool | None
    vectors: np.ndarray
    labels: np.ndarray
    limits: dict[str, float]
    own: dict[str, np.ndarray]
    local: LocalDensity | None = None
    class_local: LocalDensity | None = None
    class_largest: float = 1.0
    trees: IsolationTrees | None = None
    origin: dict[str, Any] = field(default_factory=dict)
    _indexes: dict[str, ClusteredIndex] = field(
        default_factory=dict, repr=False, compare=False
    )

    def score(
        self, vectors: np.ndarray, labels: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        """Scores new objects, each by itself: others do not matter.

        Args:
            vectors: (m, d) float32
            labels (None): (m,) class names; class_lof and class_rarity need
                them

        Returns:
            method → (m,) float64, higher = more unusual, NaN where the
            vector is not finite (class_rarity needs no vector). A class that
            the reference set lacks is rarer than one it has once.

        Raises:
            RaremineError: if the vectors' dimension is another than that of
                the reference set, or labels are missing
        """
        _check_shapes(vectors, labels, self.methods)
        if vectors.shape[1] != self.vectors.shape[1] and len(vectors):
            raise RaremineError(
                f"Vectors of {vectors.shape[1]} dimensions cannot be scored "
                f"by a model fitted on {self.vectors.shape[1]}; embed the "
                "new objects with the embedder of the reference set."
            )
        finite = finite_rows(vectors)
        known = vectors if finite.all() else vectors[finite]
        names = np.zeros(len(vectors), str) if labels is None else labels
        names = np.asarray(names).astype(str)
        scorers = {
            "isolation_forest": lambda: self._isolation_forest(known),
            "knn": lambda: self._knn(known),
            "lof": lambda: self._lof(known),
            "class_lof": lambda: self._class_lof(known, names[finite]),
        }
        scores = {}
        for name in self.methods:
            if name == "class_rarity":
                scores[name] = self._rarity(names)
                continue
            scores[name] = np.full(len(vectors), np.nan)
            scores[name][finite] = scorers[name]()
        return scores

    def fuse(
        self,
        scores: Mapping[str, np.ndarray],
        fusion: str,
        share: float,
        weights: Mapping[str, float] | None = None,
    ) -> tuple[np.ndarray, float]:
        """Joins the methods' scores by their ranks in the reference set.

        Args:
            scores: method → (m,) float, of :meth:`score`
            fusion: see ``fuse_ranks``
            share: share of the reference set above the limit
            weights (None): see ``fuse_ranks``

        Returns:
            tuple of (m,) fused scores and the limit of the fused score
        """
        ranks = {n: rank_among(s, self.own[n]) for n, s in scores.items()}
        own = {n: rank_among(s, s) for n, s in self.own.items()}
        limit = threshold_by_share(fuse_ranks(own, fusion, weights), share)
        return fuse_ranks(ranks, fusion, weights), limit

    def _isolation_forest(self, vectors: np.ndarray) -> np.ndarray:
        if self.trees is None:
            return np.zeros(len(vectors))
        return self.trees.scores(vectors)

    def _knn(self, vectors: np.ndarray) -> np.ndarray:
        k = min(self.k, len(self.vectors))
        _, distances = self._near("", self.vectors, vectors, k)
        return np.asarray(distances.mean(axis=1))

    def _lof(self, vectors: np.ndarray) -> np.ndarray:
        if self.local is None or len(self.vectors) < SMALLEST:
            return np.ones(len(vectors))
        k = min(self.k, len(self.vectors) - 1)
        near = self._near("", self.vectors, vectors, k)
        return _lof_of_new(*near, self.local)

    def _class_lof(
        self, vectors: np.ndarray, labels: np.ndarray
    ) -> np.ndarray:
        scores = np.full(len(vectors), self.class_largest)
        everything = np.ones(len(vectors), bool)
        for name, new in classes_of(labels, everything):
            rows = np.flatnonzero(self.labels == name)
            if len(rows) < SMALLEST_CLASS or self.class_local is None:
                continue
            local = LocalDensity(
                self.class_local.k_distance[rows],
                self.class_local.density[rows],
            )
            near = self._near(
                f"class {name}",
                self.vectors[rows],
                vectors[new],
                min(class_neighbors(len(rows)), len(rows) - 1),
            )
            scores[new] = _lof_of_new(*near, local)
        return scores

    def _rarity(self, labels: np.ndarray) -> np.ndarray:
        names, counts = np.unique(self.labels, return_counts=True)
        total = len(self.labels)
        rarity = dict(zip(names, -np.log(counts / total), strict=True))
        unseen = np.log(total + 1)
        return np.array([rarity.get(n, unseen) for n in labels], np.float64)

    def _near(
        self, key: str, base: np.ndarray, queries: np.ndarray, k: int
    ) -> tuple[np.ndarray, np.ndarray]:
        exact = self.exact
        if exact is None:
            exact = len(base) <= EXACT_LIMIT
        if exact:
            return exact_neighbors(queries, base, k)
        if key not in self._indexes:
            self._indexes[key] = ClusteredIndex(base, seed=self.seed)
        return self._indexes[key].neighbors(queries, k)


def fit(
    vectors: np.ndarray,
    labels: np.ndarray | None = None,
    methods: Sequence[str] = DEFAULT_METHODS,
    *,
    k: int = DEFAULT_K,
    seed: int = 42,
    exact: bool | None = None,
    share: float = 0.2,
    thresholds: Mapping[str, Sequence[object]] | None = None,
) -> OutlierModel:
    """Fits methods on a reference set, such as last month's data.

    Args:
        vectors: (n, d) float32; rows that are not finite are left out
        labels (None): (n,) class names; class_lof and class_rarity need them
        methods (("knn", "class_rarity")): any of ``FITTED_METHODS``; a
            t-SNE or UMAP map has no place for new points
        k (100): neighbours of knn and lof
        seed (42): seed of the forest and of the clusters
        exact (None): how neighbours are searched, see ``neighbor_graph``
        share (0.2): share of the reference set above each method's limit
        thresholds (None): method → (kind, value) instead of the share, see
            ``ThresholdRule``

    Raises:
        RaremineError: if a method cannot score new objects, labels are
            missing, or no vector is finite
    """
    check_methods(methods, FITTED_METHODS)
    _check_shapes(vectors, labels, methods)
    rules = threshold_rules(methods, share, thresholds)
    finite = finite_rows(vectors)
    if not finite.any():
        raise RaremineError(
            f"None of {len(vectors)} reference vectors is finite, so there "
            "is nothing to compare new objects with; pass at least one."
        )
    known = vectors if finite.all() else vectors[finite]
    known = np.asarray(known, dtype=np.float32)
    count = len(known)
    names = np.zeros(count, str) if labels is None else labels[finite]
    names = np.asarray(names).astype(str)
    parts: dict[str, Any] = {}
    own: dict[str, np.ndarray] = {}
    if {"knn", "lof"} & set(methods):
        graph = stored_graph(known, k, exact=exact, seed=seed)
        if "knn" in methods:
            own["knn"] = mean_distance(graph)
        if "lof" in methods:
            if count >= SMALLEST:
                parts["local"] = local_density(graph)
            own["lof"] = lof_of_graph(graph, parts.get("local"))
    if "class_lof" in methods:
        fitted = _fit_classes(known, names, exact, seed)
        parts["class_local"], parts["class_largest"], own["class_lof"] = fitted
    if "isolation_forest" in methods:
        own["isolation_forest"] = np.zeros(count)
        if count > 1:
            parts["trees"] = grow_trees(known, seed=seed)
            own["isolation_forest"] = parts["trees"].scores(known)
    if "class_rarity" in methods:
        own["class_rarity"] = class_rarity_scores(names)
    return OutlierModel(
        tuple(methods),
        k,
        seed,
        exact,
        known,
        names,
        {name: rule.limit(own[name]) for name, rule in rules.items()},
        {name: own[name] for name in methods},
        **parts,
    )


def _fit_classes(
    vectors: np.ndarray, labels: np.ndarray, exact: bool | None, seed: int
) -> tuple[LocalDensity, float, np.ndarray]:
    """Returns densities within classes, the largest LOF, all LOFs."""
    count = len(vectors)
    local = LocalDensity(np.full(count, np.nan), np.full(count, np.nan))
    scores = np.full(count, np.nan)
    for _, rows in classes_of(labels, np.ones(count, bool)):
        if len(rows) < SMALLEST_CLASS:
            continue
        graph = neighbor_graph(
            vectors[rows], class_neighbors(len(rows)), exact=exact, seed=seed
        )
        of_class = local_density(graph)
        local.k_distance[rows] = of_class.k_distance
        local.density[rows] = of_class.density
        scores[rows] = lof_of_graph(graph, of_class)
    known = scores[~np.isnan(scores)]
    largest = float(known.max()) if len(known) else 1.0
    scores[np.isnan(scores)] = largest
    return local, largest, scores


def _lof_of_new(
    indices: np.ndarray, distances: np.ndarray, local: LocalDensity
) -> np.ndarray:
    """Returns the LOF of points that are no part of the reference set."""
    own = reachability_density(indices, distances, local.k_distance)
    return np.asarray((local.density[indices] / own[:, None]).mean(axis=1))


def _check_shapes(
    vectors: np.ndarray, labels: np.ndarray | None, methods: Sequence[str]
) -> None:
    need = sorted({"class_lof", "class_rarity"} & set(methods))
    if labels is None and need:
        raise RaremineError(
            f"{' and '.join(need)} compares objects within their classes; "
            "pass labels, one class name for each vector."
        )
    if labels is not None and len(labels) != len(vectors):
        raise RaremineError(
            f"{len(labels)} labels do not belong to {len(vectors)} vectors; "
            "pass one class name for each vector."
        )
