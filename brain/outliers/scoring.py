"""The outlier methods by name, over one shared neighbour graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np

from raremine.brain.errors import RaremineError
from raremine.brain.maps.tsne import tsne_neighbors
from raremine.brain.maps.umap import NEIGHBORS
from raremine.brain.neighbors.graph import NeighborGraph
from raremine.brain.neighbors.stored_graph import stored_graph
from raremine.brain.outliers.class_rarity import class_rarity_scores
from raremine.brain.outliers.isolation_forest import isolation_forest_scores
from raremine.brain.outliers.knn import knn_scores
from raremine.brain.outliers.lof import class_lof_scores, lof_scores
from raremine.brain.outliers.tsne_knn import tsne_knn_scores
from raremine.brain.outliers.umap_knn import umap_knn_scores

DEFAULT_METHODS = ("knn", "class_rarity")
"""What finds most of the rare with the fewest flags, alone and together, on
rendered worlds: see ``bench outlier_quality``."""

DEFAULT_K = 100
"""More than the views there are of one object. Keyframes of a scene show the
same thing again, from several cameras: with few neighbours a rare object's
own views make it look common."""


class ScoringInput:
    """What the methods score, and the graph that they share.

    Args:
        vectors: (n, d) float32, may be a memory map
        labels: (n,) class names
        k (100): neighbours
        seed (42): seed of whatever is random
        exact (None): how neighbours are searched, see ``neighbor_graph``
        methods (()): methods that will be asked for; they decide how many
            neighbours the graph holds
    """

    def __init__(
        self,
        vectors: np.ndarray,
        labels: np.ndarray,
        *,
        k: int = DEFAULT_K,
        seed: int = 42,
        exact: bool | None = None,
        methods: Sequence[str] = (),
    ) -> None:
        self.vectors = vectors
        self.labels = labels
        self.k = k
        self.seed = seed
        self.exact = exact
        self._methods = methods

    @property
    def widest(self) -> int:
        """Neighbours that the graph holds: the most any method asks for."""
        return max(
            self.k,
            NEIGHBORS - 1 if "umap_knn" in self._methods else 0,
            tsne_neighbors(len(self.vectors))
            if "tsne_knn" in self._methods
            else 0,
        )

    @cached_property
    def graph(self) -> NeighborGraph:
        """The vectors' neighbour graph, made or read when first asked for."""
        return stored_graph(
            self.vectors, self.widest, exact=self.exact, seed=self.seed
        )

    def graph_of(self, k: int) -> NeighborGraph | None:
        """Returns the graph if it holds k neighbours, None if it does not."""
        return self.graph if self.widest >= k else None


Scorer = Callable[[ScoringInput], np.ndarray]

SCORERS: dict[str, Scorer] = {
    "isolation_forest": lambda x: isolation_forest_scores(
        x.vectors, seed=x.seed
    ),
    "knn": lambda x: knn_scores(x.vectors, k=x.k, graph=x.graph),
    "lof": lambda x: lof_scores(x.vectors, k=x.k, graph=x.graph),
    "class_lof": lambda x: class_lof_scores(
        x.vectors, x.labels, exact=x.exact, seed=x.seed
    ),
    "tsne_knn": lambda x: tsne_knn_scores(
        x.vectors,
        k=x.k,
        seed=x.seed,
        graph=x.graph_of(tsne_neighbors(len(x.vectors))),
        exact=x.exact,
    ),
    "umap_knn": lambda x: umap_knn_scores(
        x.vectors,
        k=x.k,
        seed=x.seed,
        graph=x.graph_of(NEIGHBORS - 1),
        exact=x.exact,
    ),
    "class_rarity": lambda x: class_rarity_scores(x.labels),
}
"""Method name → (n,) float64 scores, higher = more unusual."""


def check_methods(
    methods: Sequence[str], known: Sequence[str] = tuple(SCORERS)
) -> None:
    """Checks names of methods.

    Raises:
        RaremineError: if there is none, or one is not known
    """
    unknown = sorted(set(methods) - set(known))
    if unknown or not methods:
        raise RaremineError(
            f"Unknown outlier method {', '.join(unknown) or '(none given)'}; "
            f"choose from {', '.join(known)}."
        )
