"""Neighbour distance on a t-SNE map, as concept-based mining scores it."""

from __future__ import annotations

import numpy as np

from raremine.brain.maps.tsne import SMALLEST, tsne_map
from raremine.brain.neighbors.graph import NeighborGraph
from raremine.brain.outliers.layout_knn import (
    check_layout,
    few_points,
    layout_knn_scores,
)


def tsne_knn_scores(
    vectors: np.ndarray,
    *,
    k: int = 20,
    seed: int = 42,
    layout: np.ndarray | None = None,
    graph: NeighborGraph | None = None,
    exact: bool | None = None,
) -> np.ndarray:
    """Scores each vector by its mean distance to neighbours on the map.

    Distance on a t-SNE map is no density; the score is kept because the
    published method uses it (arXiv 2512.05482), with the perplexity that it
    publishes. The map is not scikit-learn's point by point, nor is one of
    scikit-learn's on another machine: t-SNE has many equally good maps.

    Args:
        vectors: (n, d) float
        k (20): neighbours on the map, of which the point itself counts as one
        seed (42): seed of the layout
        layout (None): (n, 2) t-SNE map, if there is one already
        graph (None): the vectors' neighbour graph for a new map, see
            ``tsne_map``
        exact (None): how to search if neither is given; exact means that
            neighbours are, as in scikit-learn's t-SNE

    Returns:
        (n,) float64, higher = more unusual; 0 for fewer than four vectors,
        NaN where the vector is not finite
    """
    if layout is None:
        layout = tsne_map(vectors, seed=seed, graph=graph, exact=exact)
        layout = few_points(layout, SMALLEST)
    return layout_knn_scores(check_layout(layout, len(vectors)), k=k)
