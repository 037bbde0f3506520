"""Local Outlier Factor (Breunig et al., SIGMOD 2000), plain and by class."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from raremine.brain.neighbors.finite import finite_rows
from raremine.brain.neighbors.graph import NeighborGraph, neighbor_graph

SMALLEST_CLASS = 10
"""Objects that a class needs for neighbours of its own."""

SMALLEST = 3
"""Vectors below which densities cannot be compared."""

TINY_REACH = 1e-10
"""Added to a mean reachability distance, as scikit-learn does: duplicates
would be infinitely dense."""

ROWS_AT_ONCE = 65_536


@dataclass(frozen=True)
class LocalDensity:
    """What LOF knows of each vector; NaN where it is not finite.

    Args:
        k_distance: (n,) float64 distance to the k-th neighbour
        density: (n,) float64 local reachability density
    """

    k_distance: np.ndarray
    density: np.ndarray


def local_density(graph: NeighborGraph) -> LocalDensity:
    """Returns the density around each vector of a graph with k >= 1."""
    k_distance = np.asarray(graph.distances[:, -1], dtype=np.float64)
    density = np.full(len(graph), np.nan)
    for rows in _blocks(graph):
        density[rows] = reachability_density(
            graph.indices[rows], graph.distances[rows], k_distance
        )
    return LocalDensity(k_distance, density)


def reachability_density(
    indices: np.ndarray, distances: np.ndarray, k_distance: np.ndarray
) -> np.ndarray:
    """Returns 1 / mean of max(distance, the neighbour's k-distance).

    Definition 6 of the paper.

    Args:
        indices: (m, k) rows of the neighbours
        distances: (m, k) distances to them
        k_distance: (n,) k-distance of each row
    """
    reach = np.maximum(distances, k_distance[indices])
    mean = reach.mean(axis=1, dtype=np.float64)
    return np.asarray(1.0 / (mean + TINY_REACH))


def lof_of_graph(
    graph: NeighborGraph, local: LocalDensity | None = None
) -> np.ndarray:
    """Returns the local outlier factor of each vector of a graph.

    Args:
        graph: neighbours; all of them are used
        local (None): its densities, if they are known already

    Returns:
        (n,) float64; 1 where there are fewer than two other vectors, NaN
        where the vector is not finite
    """
    if int(graph.finite.sum()) < SMALLEST:
        return np.where(graph.finite, 1.0, np.nan)
    density = (local or local_density(graph)).density
    scores = np.full(len(graph), np.nan)
    for rows in _blocks(graph):
        ratios = density[graph.indices[rows]] / density[rows, None]
        scores[rows] = ratios.mean(axis=1)
    return scores


def lof_scores(
    vectors: np.ndarray,
    *,
    k: int = 20,
    graph: NeighborGraph | None = None,
    exact: bool | None = None,
) -> np.ndarray:
    """Scores each vector by its density against that of its neighbours.

    Args:
        vectors: (n, d) float
        k (20): neighbours, at most n - 1
        graph (None): the vectors' neighbour graph, if it is known already
        exact (None): how to search if it is not, see ``neighbor_graph``

    Returns:
        (n,) float64 local outlier factor, about 1 inside a cluster, higher =
        more unusual; 1 where there are fewer than two other vectors, NaN
        where the vector is not finite
    """
    if graph is None:
        graph = neighbor_graph(vectors, k, exact=exact)
    return lof_of_graph(graph.nearest(k))


def class_neighbors(size: int) -> int:
    """Returns k for a class of that many objects (arXiv 2512.05482)."""
    return min(50, max(5, size // 10))


def class_lof_scores(
    vectors: np.ndarray,
    labels: np.ndarray,
    *,
    exact: bool | None = None,
    seed: int = 42,
) -> np.ndarray:
    """Scores each vector against the others of its own class.

    A class of n >= 10 objects uses k = min(50, max(5, n // 10)) neighbours,
    as concept-based mining does (arXiv 2512.05482). Smaller classes are the
    rarest, not the ones to skip: their objects get the largest score of all.

    Args:
        vectors: (n, d) float
        labels: (n,) class names
        exact (None): how to search, see ``neighbor_graph``; a class is
            searched exactly or not by its own size
        seed (42): seed of the search if it is not exact

    Returns:
        (n,) float64, higher = more unusual; NaN where the vector is not
        finite, which counts in no class
    """
    scores = np.full(len(vectors), np.nan)
    finite = finite_rows(vectors)
    for _, rows in classes_of(labels, finite):
        if len(rows) >= SMALLEST_CLASS:
            k = class_neighbors(len(rows))
            scores[rows] = lof_of_graph(
                neighbor_graph(vectors[rows], k, exact=exact, seed=seed)
            )
    known = scores[~np.isnan(scores)]
    largest = known.max() if len(known) else 1.0
    scores[finite & np.isnan(scores)] = largest
    return scores


def classes_of(
    labels: np.ndarray, finite: np.ndarray
) -> Iterator[tuple[str, np.ndarray]]:
    """Yields each class's name and its rows with a finite vector.

    Args:
        labels: (n,) class names
        finite: (n,) bool
    """
    names, inverse = np.unique(labels.astype(str), return_inverse=True)
    for at, name in enumerate(names):
        yield str(name), np.flatnonzero((inverse == at) & finite)


def _blocks(graph: NeighborGraph) -> Iterator[np.ndarray]:
    """Yields finite rows in pieces, so that gathered values stay small."""
    rows = np.flatnonzero(graph.finite)
    for start in range(0, len(rows), ROWS_AT_ONCE):
        yield rows[start : start + ROWS_AT_ONCE]
