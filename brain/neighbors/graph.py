"""The neighbour graph that all neighbour-based scores share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from raremine.brain.errors import RaremineError
from raremine.brain.neighbors.approximate_search import ClusteredIndex
from raremine.brain.neighbors.exact_search import exact_neighbors
from raremine.brain.neighbors.finite import finite_rows
from raremine.brain.progress import checkpoint

EXACT_LIMIT = 20_000
"""Vectors up to which the search is exact unless asked otherwise."""

ROWS_AT_ONCE = 65_536
"""Queries searched together."""


@dataclass(frozen=True)
class NeighborGraph:
    """Each vector's nearest other vectors.

    Args:
        indices: (n, k) int32 rows, nearest first, never the row itself; -1
            in the rows of vectors that are not finite
        distances: (n, k) Euclidean distances, ascending; float64 if exact,
            float32 if not; NaN in the rows of vectors that are not finite
        finite: (n,) bool, rows whose vector is finite
        exact: whether these are the nearest for certain
    """

    indices: np.ndarray
    distances: np.ndarray
    finite: np.ndarray
    exact: bool

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def k(self) -> int:
        """Neighbours of each vector, fewer than asked where few exist."""
        return int(self.indices.shape[1])

    def nearest(self, k: int) -> NeighborGraph:
        """Returns the same graph with the first k neighbours only.

        Raises:
            RaremineError: if it holds fewer although more exist
        """
        if k > self.k and self.k < max(int(self.finite.sum()) - 1, 0):
            raise RaremineError(
                f"A graph of {self.k} neighbours cannot give {k}; compute "
                f"neighbor_graph(vectors, {k}) once for all methods."
            )
        return NeighborGraph(
            self.indices[:, :k],
            self.distances[:, :k],
            self.finite,
            self.exact,
        )


def neighbor_graph(
    vectors: np.ndarray, k: int, *, exact: bool | None = None, seed: int = 42
) -> NeighborGraph:
    """Finds each vector's nearest others.

    Memory beyond the vectors and the graph is that of blocks, and for the
    approximate search half of the vectors' (float16 lists).

    Args:
        vectors: (n, d) float32, may be a memory map
        k: neighbours; fewer where there are fewer other finite vectors
        exact (None): True searches all, False searches clusters, None
            decides by the number of vectors (``EXACT_LIMIT``)
        seed (42): seed of the clusters

    Returns:
        the graph; the same for the same vectors and seed, see
        ``ClusteredIndex``

    Raises:
        RaremineError: if k is below 1
    """
    if k < 1:
        raise RaremineError(
            f"k={k} neighbours cannot be searched; pass 1 or more."
        )
    finite = finite_rows(vectors)
    rows = np.flatnonzero(finite)
    n = len(rows)
    # a memory map is copied only where rows have to be left out
    known = vectors if n == len(vectors) else vectors[rows]
    k = max(min(k, n - 1), 0)
    exact = n <= EXACT_LIMIT if exact is None else exact
    exact = exact or n < 2
    indices = np.full((len(vectors), k), -1, dtype=np.int32)
    distances = np.full(
        (len(vectors), k), np.nan, dtype=np.float64 if exact else np.float32
    )
    if k:
        index = None if exact else ClusteredIndex(known, seed=seed)
        # in parts: the searches' own results take twice the graph's memory
        for start in range(0, n, ROWS_AT_ONCE):
            checkpoint("Finding neighbours", start, n)
            own = np.arange(start, min(start + ROWS_AT_ONCE, n))
            queries = known[start : start + ROWS_AT_ONCE]
            if index is None:
                found, far = exact_neighbors(queries, known, k, own)
            else:
                found, far = index.neighbors(queries, k, own)
            indices[rows[own]], distances[rows[own]] = rows[found], far
    return NeighborGraph(indices, distances, finite, exact)
