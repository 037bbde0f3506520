"""t-SNE maps from a neighbour graph (van der Maaten, Hinton, JMLR 2008).

The descent is openTSNE's (Poličar et al., JSS 2024) with the settings that
Belkina et al. (Nature Communications 2019) and Kobak and Berens (ibid.)
recommend: principal components as a start, 250 iterations at twelvefold
affinities and 500 without, learning rate n / exaggeration. Neighbours come
from the graph that other methods share, repulsion from ``repulsion``.

"Exact" speaks of the neighbours. No t-SNE of many points sums all repulsion
exactly; the grid's error is below that of the trees (theta 0.5) and grids
in common use.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from raremine.brain.errors import RaremineError
from raremine.brain.maps.pca import pca_map
from raremine.brain.maps.repulsion import Repulsion
from raremine.brain.neighbors.graph import NeighborGraph, neighbor_graph

SMALLEST = 4
"""Points below which a t-SNE map says nothing."""

MANY = 200_000
"""Vectors beyond which each is drawn to its ``perplexity`` nearest equally.

Weights over three times as many neighbours would take three times the memory
and time; equal weights give much the same map (Böhm et al., JMLR 2022).
"""

EARLY = (250, 12.0)
LATE = (500, 1.0)
"""Iterations and exaggeration of the affinities."""

SLOWEST_RATE = 50.0
"""Learning rate of few points, as in scikit-learn."""


def perplexity_of(n: int, perplexity: float | None = None) -> float:
    """Returns a map's perplexity, lowered below n where it exceeds that.

    Args:
        n: finite vectors, at least 2
        perplexity (None): None = min(30, max(5, n - 1)) (arXiv 2512.05482)
    """
    wanted = float(min(30, max(5, n - 1)))
    if perplexity is not None:
        wanted = perplexity
    return wanted if wanted < n else (n - 1) / 1.01


def tsne_neighbors(n: int, perplexity: float | None = None) -> int:
    """Returns how many neighbours a map of n vectors needs, at least 1."""
    value = perplexity_of(max(n, 2), perplexity)
    wanted = int(3 * value) if n <= MANY else int(np.ceil(value))
    return max(1, min(n - 1, wanted))


def tsne_map(
    vectors: np.ndarray,
    *,
    seed: int = 42,
    graph: NeighborGraph | None = None,
    exact: bool | None = None,
    perplexity: float | None = None,
) -> np.ndarray:
    """Lays vectors out in two dimensions, from a neighbour graph.

    Args:
        vectors: (n, d) float, may be a memory map
        seed (42): seed of the layout; the same on any number of threads
        graph (None): the vectors' neighbour graph with k >=
            ``tsne_neighbors(n)``, if it is known already
        exact (None): how to search if it is not, see ``neighbor_graph``
        perplexity (None): see ``perplexity_of``

    Returns:
        (n, 2) float64; NaN where the vector is not finite, 0 where all
        vectors are the same, principal components for fewer than four

    Raises:
        RaremineError: if the perplexity is below 1, or the graph holds too
            few neighbours
    """
    if perplexity is not None and not perplexity >= 1:
        raise RaremineError(
            f"A t-SNE map needs a perplexity of 1 or more, not {perplexity}."
        )
    width = tsne_neighbors(len(vectors), perplexity)
    if graph is None:
        graph = neighbor_graph(vectors, width, exact=exact, seed=seed)
    points = pca_map(vectors, graph.finite)
    rows = np.flatnonzero(graph.finite)
    start = points[rows]
    if len(rows) < SMALLEST or not start.any():
        return points
    points[rows] = _descend(
        affinities(graph, width, perplexity), _small(start, seed)
    )
    return points


def affinities(
    graph: NeighborGraph, k: int, perplexity: float | None = None
) -> Any:
    """Returns t-SNE's symmetric affinities between the finite rows.

    Args:
        graph: the neighbour graph, at least k wide
        k: neighbours that count
        perplexity (None): see ``perplexity_of``

    Returns:
        (m, m) sparse matrix of sum 1, m = number of finite rows
    """
    from openTSNE.affinity import joint_probabilities_nn

    rows = np.flatnonzero(graph.finite)
    near = graph.nearest(min(k, len(rows) - 1))
    place = np.full(len(graph), -1, dtype=np.int32)
    place[rows] = np.arange(len(rows))
    matrix = joint_probabilities_nn(
        place[near.indices[rows]],
        near.distances[rows],
        [perplexity_of(len(rows), perplexity)],
    )
    return matrix.tocsr()


def _small(start: np.ndarray, seed: int) -> np.ndarray:
    """Shrinks a start and moves duplicates apart, as openTSNE does."""
    start = start / (np.std(start[:, 0]) / 1e-4)
    noise = np.random.default_rng(seed).normal(0, 1e-6, start.shape)
    return np.asarray(start + noise)


def _descend(matrix: Any, start: np.ndarray) -> np.ndarray:
    from openTSNE import TSNEEmbedding
    from openTSNE.affinity import PrecomputedAffinities

    embedding = TSNEEmbedding(
        start,
        PrecomputedAffinities(matrix, normalize=False),
        negative_gradient_method=Gradient(),
    )
    for iterations, exaggeration in (EARLY, LATE):
        embedding.optimize(
            iterations,
            exaggeration=exaggeration,
            learning_rate=max(len(start) / exaggeration, SLOWEST_RATE),
            momentum=0.8,
            max_step_norm=5,
            inplace=True,
            propagate_exception=True,
        )
    return np.asarray(embedding)


class Gradient:
    """t-SNE's objective and gradient, called by openTSNE at each step."""

    def __init__(self) -> None:
        self._repulsion = Repulsion()

    def __call__(
        self,
        embedding: np.ndarray,
        P: Any,
        *,
        should_eval_error: bool = False,
        **_: Any,
    ) -> tuple[float, np.ndarray]:
        """Returns the Kullback-Leibler divergence, if asked, and gradient."""
        points = np.ascontiguousarray(embedding).view(np.ndarray)
        force, pairs = self._repulsion.among(points)
        gradient = attraction()(P.indptr, P.indices, P.data, points, points)
        gradient -= force / pairs
        error = 0.0
        if should_eval_error:
            error = divergence(P, points, pairs)
        return error, gradient


def divergence(matrix: Any, points: np.ndarray, pairs: float) -> float:
    """Returns the Kullback-Leibler divergence of a map.

    Args:
        matrix: (n, n) sparse affinities, of sum 1
        points: (n, 2) float64
        pairs: sum of 1 / (1 + r²) over all ordered pairs of points
    """
    entries = matrix.tocoo()
    apart = points[entries.row] - points[entries.col]
    square = np.einsum("ij,ij->i", apart, apart)
    known = entries.data > 0
    ratio = entries.data[known] * (1 + square[known]) * pairs
    return float(entries.data[known] @ np.log(ratio))


@cache
def attraction() -> Any:
    """Returns a compiled function of how points are drawn to others.

    It takes the starts, columns and values of a sparse (m, n) matrix of
    affinities, (m, 2) points and (n, 2) others, and returns (m, 2) float64.
    openTSNE's own is slower by half, and its threads wait for one another
    where the machine has other work.
    """
    from numba import njit

    @njit(error_model="numpy", cache=True)
    def attract(
        starts: np.ndarray,
        columns: np.ndarray,
        values: np.ndarray,
        points: np.ndarray,
        others: np.ndarray,
    ) -> np.ndarray:
        gradient = np.empty((len(points), 2))
        for i in range(len(points)):
            x, y = points[i, 0], points[i, 1]
            along, across = 0.0, 0.0
            for entry in range(starts[i], starts[i + 1]):
                other = columns[entry]
                dx = x - others[other, 0]
                dy = y - others[other, 1]
                pull = values[entry] / (1.0 + dx * dx + dy * dy)
                along += pull * dx
                across += pull * dy
            gradient[i, 0] = along
            gradient[i, 1] = across
        return gradient

    return attract
