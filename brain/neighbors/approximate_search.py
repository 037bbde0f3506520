"""Nearest neighbours of many vectors, approximately, in linear time.

Vectors are clustered (k-means of a seeded sample) into lists of about equal
length, and a query looks only into the lists whose centres are nearest
(inverted file, Jégou et al., PAMI 2011; faiss). Lists hold float16, the
distances told are computed again from the vectors themselves.
"""

from __future__ import annotations

import numpy as np

from raremine.brain.neighbors.exact_search import exact_neighbors

LIST_LENGTH = 128
"""Vectors a list holds on average: constant, so a query's cost is too."""

MOST_LISTS = 4096
"""Keeps the search for the nearest centres cheap beyond 500k vectors."""

SAMPLED_FOR_EACH_LIST = 32
ROUNDS = 6
PROBES = 16
"""Lists a query looks into."""

SPARE = 8
"""Candidates beyond those asked for; float16 may misplace a few."""

ROWS_AT_ONCE = 8192


class ClusteredIndex:
    """Vectors in an inverted file.

    The same vectors and seed give the same neighbours on one machine;
    processors that sum in another order may cluster a little differently.

    Args:
        base: (n, d) finite float32, n >= 1, may be a memory map
        seed (0): seed of the clustering
        probes (PROBES): lists a query looks into; more find more
    """

    def __init__(
        self, base: np.ndarray, *, seed: int = 0, probes: int = PROBES
    ) -> None:
        import faiss

        self._base = np.ascontiguousarray(base, dtype=np.float32)
        n, d = self._base.shape
        lists = max(1, min(n // LIST_LENGTH, MOST_LISTS))
        # held here too: faiss does not keep Python from freeing it
        self._centres = faiss.IndexFlatL2(d)
        index = faiss.IndexIVFScalarQuantizer(
            self._centres,
            d,
            lists,
            faiss.ScalarQuantizer.QT_fp16,
            faiss.METRIC_L2,
        )
        index.by_residual = False
        index.cp.seed = seed + 1
        index.cp.niter = ROUNDS
        index.cp.min_points_per_centroid = 1
        sampled = np.random.default_rng(seed).choice(
            n, min(n, lists * SAMPLED_FOR_EACH_LIST), replace=False
        )
        index.train(self._base[np.sort(sampled)])
        for start in range(0, n, ROWS_AT_ONCE):
            index.add(self._base[start : start + ROWS_AT_ONCE])
        index.nprobe = min(probes, lists)
        self._index = index

    def neighbors(
        self, queries: np.ndarray, k: int, own: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Finds near vectors of each query.

        Args:
            queries: (m, d) finite float
            k: neighbours, at most n, or n - 1 with ``own``
            own (None): (m,) row of each query in ``base``, left out

        Returns:
            tuple of (m, k) int64 rows of ``base`` and (m, k) float64
            Euclidean distances (of float32 precision), ascending
        """
        m = len(queries)
        ids = np.zeros((m, k), dtype=np.int64)
        distances = np.zeros((m, k))
        if not k:
            return ids, distances
        count = min(len(self._base), k + (own is not None) + SPARE)
        for start in range(0, m, ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            block = np.ascontiguousarray(queries[part], dtype=np.float32)
            left = None if own is None else own[part]
            _, found = self._index.search(block, count)
            squares = self._squares(block, found)
            if left is not None:
                squares[found == left[:, None]] = np.inf
            order = np.lexsort((found, squares), axis=-1)[:, :k]
            ids[part] = np.take_along_axis(found, order, axis=1)
            distances[part] = np.sqrt(
                np.take_along_axis(squares, order, axis=1)
            )
        # lists that were looked into may hold fewer than k vectors
        short = np.flatnonzero(~np.isfinite(distances[:, -1]))
        if len(short):
            left = None if own is None else own[short]
            ids[short], distances[short] = exact_neighbors(
                queries[short], self._base, k, left
            )
        return ids, distances

    def _squares(self, block: np.ndarray, found: np.ndarray) -> np.ndarray:
        """Returns squared distances from differences, inf where none."""
        import faiss

        squares = np.empty(found.shape, dtype=np.float32)
        known = np.ascontiguousarray(np.maximum(found, 0))
        # missing in faiss' type stubs only
        faiss.fvec_L2sqr_by_idx(  # type: ignore[attr-defined]
            faiss.swig_ptr(squares),
            faiss.swig_ptr(block),
            faiss.swig_ptr(self._base),
            faiss.swig_ptr(known),
            block.shape[1],
            *found.shape,
        )
        squares[found < 0] = np.inf
        return squares.astype(np.float64)
