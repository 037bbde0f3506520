"""Nearest neighbours, exactly, at the speed of single precision.

Candidates come from faiss' flat search, whose |x|² + |y|² - 2xy in float32
cancels for close vectors. Each candidate's distance is therefore computed
again from differences in float64, and a row counts as found only if the
bound of the float32 error says that nobody outside its candidates can be
nearer. The few other rows are searched in float64.
"""

from __future__ import annotations

import numpy as np

from raremine.brain.progress import checkpoint

SPARE = 8
"""Candidates beyond those asked for; they make room for float32's error."""

DIRECT = 2048
"""Vectors up to which all is searched in float64: nothing to gain."""

QUERIES_AT_ONCE = 4096
DOUBLES_AT_ONCE = 4 << 20
"""float64 values held at once in one buffer (32 MiB)."""

LARGEST_SQUARE = 1e30
"""Squared norm above which float32 sums may overflow."""


def exact_neighbors(
    queries: np.ndarray,
    base: np.ndarray,
    k: int,
    own: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Finds the nearest vectors of each query; of equal ones, lower rows.

    Args:
        queries: (m, d) finite float
        base: (n, d) finite float, may be a memory map
        k: neighbours, at most n, or n - 1 with ``own``
        own (None): (m,) row of each query in ``base``, which is left out

    Returns:
        tuple of (m, k) int64 rows of ``base`` and (m, k) float64 Euclidean
        distances, ascending
    """
    m, n = len(queries), len(base)
    ids = np.zeros((m, k), dtype=np.int64)
    distances = np.zeros((m, k))
    if not m or not k:
        return ids, distances
    wanted = min(n, k + (own is not None) + SPARE)
    norms = _squared_norms(base)
    # a query may be anything, the base decides whether float32 is safe
    single = n > DIRECT and norms.max() < LARGEST_SQUARE
    flat = np.ascontiguousarray(base, dtype=np.float32) if single else base
    for start in range(0, m, QUERIES_AT_ONCE):
        checkpoint()
        rows = np.arange(start, min(start + QUERIES_AT_ONCE, m))
        if single:
            block = queries[rows]
            left = None if own is None else own[rows]
            found, outside = _float32_candidates(block, flat, wanted)
            ids[rows], distances[rows] = refine(block, base, found, k, left)
            error = _float32_error(block, norms.max())
            # NaN of an overflow compares as False and is searched again
            with np.errstate(invalid="ignore", over="ignore"):
                sure = distances[rows, -1] ** 2 + error <= outside
            rows = rows[~sure] if wanted < n else rows[:0]
        if not len(rows):
            continue
        block = queries[rows]
        left = None if own is None else own[rows]
        found = _float64_candidates(block, base, norms, wanted)
        ids[rows], distances[rows] = refine(block, base, found, k, left)
    return ids, distances


def refine(
    queries: np.ndarray,
    base: np.ndarray,
    candidates: np.ndarray,
    k: int,
    own: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Orders candidates by their distance, computed from differences.

    Args:
        queries: (m, d) float
        base: (n, d) float
        candidates: (m, c) rows of ``base``, c >= k (c > k with ``own``)
        k: neighbours to keep
        own (None): (m,) row that is left out of each query's neighbours

    Returns:
        tuple of (m, k) int64 rows and (m, k) float64 distances
    """
    m, count = candidates.shape
    ids = np.empty((m, k), dtype=np.int64)
    distances = np.empty((m, k))
    step = max(1, DOUBLES_AT_ONCE // 4 // max(1, count * base.shape[1]))
    for start in range(0, m, step):
        part = slice(start, start + step)
        chosen = candidates[part]
        difference = base[chosen].astype(np.float64)
        difference -= queries[part, None, :]
        squares = np.einsum("ijk,ijk->ij", difference, difference)
        if own is not None:
            squares[chosen == own[part, None]] = np.inf
        order = np.lexsort((chosen, squares), axis=-1)[:, :k]
        ids[part] = np.take_along_axis(chosen, order, axis=1)
        distances[part] = np.sqrt(np.take_along_axis(squares, order, axis=1))
    return ids, distances


def _float32_candidates(
    queries: np.ndarray, base: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns rows, and the squared distance nobody else is below."""
    import faiss

    block = np.ascontiguousarray(queries, dtype=np.float32)
    squares, ids = faiss.knn(block, base, count)
    # a row that overflowed has no candidate: it is searched in float64
    broken = (ids < 0).any(axis=1)
    ids[broken] = np.arange(count)
    outside = squares[:, -1].astype(np.float64)
    outside[broken] = -np.inf
    return ids, outside


def _float32_error(queries: np.ndarray, largest: float) -> np.ndarray:
    """Bounds the error of a squared distance in float32.

    A sum of d products is off by at most d·u times the sum of magnitudes
    (Higham: Accuracy and Stability of Numerical Algorithms, section 3.1);
    two norms and twice the product stay below 2·d·u·(|x|² + |y|²), u = eps/2.
    """
    terms = queries.shape[1] + 16
    unit = float(np.finfo(np.float32).eps)
    return np.asarray(terms * unit * (_squared_norms(queries) + largest))


def _float64_candidates(
    queries: np.ndarray, base: np.ndarray, norms: np.ndarray, count: int
) -> np.ndarray:
    m, n = len(queries), len(base)
    ids = np.empty((m, count), dtype=np.int64)
    width = max(
        count, min(n, DOUBLES_AT_ONCE // max(1, base.shape[1]) + 1, 8192)
    )
    step = max(1, DOUBLES_AT_ONCE // (width + count))
    for start in range(0, m, step):
        part = queries[start : start + step].astype(np.float64)
        best = np.empty((len(part), 0))
        at = np.empty((len(part), 0), dtype=np.int64)
        for first in range(0, n, width):
            chunk = base[first : first + width].astype(np.float64)
            # the query's own norm changes nobody's order
            squares = norms[first : first + width] - 2 * (part @ chunk.T)
            best = np.concatenate([best, squares], axis=1)
            rows = np.arange(first, first + len(chunk))
            at = np.concatenate(
                [at, np.broadcast_to(rows, squares.shape)], axis=1
            )
            if best.shape[1] > count:
                keep = np.argpartition(best, count - 1, axis=1)[:, :count]
                best = np.take_along_axis(best, keep, axis=1)
                at = np.take_along_axis(at, keep, axis=1)
        ids[start : start + step] = at
    return ids


def _squared_norms(vectors: np.ndarray) -> np.ndarray:
    norms = np.empty(len(vectors))
    step = max(1, DOUBLES_AT_ONCE // max(1, vectors.shape[1]))
    for start in range(0, len(vectors), step):
        part = vectors[start : start + step].astype(np.float64)
        norms[start : start + step] = np.einsum("ij,ij->i", part, part)
    return norms
