"""Neighbour distance on a UMAP map (McInnes, Healy, Melville 2018)."""

from __future__ import annotations

import numpy as np

from raremine.brain.maps.umap import SMALLEST, umap_map
from raremine.brain.neighbors.graph import NeighborGraph
from raremine.brain.outliers.layout_knn import (
    check_layout,
    few_points,
    layout_knn_scores,
)


def umap_knn_scores(
    vectors: np.ndarray,
    *,
    k: int = 20,
    seed: int = 42,
    layout: np.ndarray | None = None,
    graph: NeighborGraph | None = None,
    exact: bool | None = None,
) -> np.ndarray:
    """Scores each vector by its mean distance to neighbours on the map.

    Args:
        vectors: (n, d) float
        k (20): neighbours on the map, of which the point itself counts as one
        seed (42): seed of the layout
        layout (None): (n, 2) UMAP map, if there is one already
        graph (None): the vectors' neighbour graph for a new map
        exact (None): how to search if neither is given

    Returns:
        (n,) float64, higher = more unusual; 0 for fewer than six vectors,
        NaN where the vector is not finite
    """
    if layout is None:
        layout = umap_map(vectors, seed=seed, graph=graph, exact=exact)
        layout = few_points(layout, SMALLEST)
    return layout_knn_scores(check_layout(layout, len(vectors)), k=k)
