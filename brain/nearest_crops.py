"""Which vectors of an index are the nearest: an exact search in one pass.

Vectors are read block by block, so memory holds one block and the best so
far. FiftyOne's own way would load the whole index and write a copy of what a
view shows before each search.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from bson import ObjectId

from raremine.brain.id_set import IdSet

Block = tuple[Any, Any, np.ndarray]
"""Label ids and sample ids, Arrow arrays, and their (b, d) float32."""


def nearest(
    blocks: Iterable[Block],
    query: np.ndarray,
    k: int | None = None,
    *,
    metric: str = "cosine",
    among: IdSet | None = None,
    farthest: bool = False,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Finds the vectors nearest to one, the nearest first.

    Equally near ones come in the order of their ids. A vector that has no
    distance, as one with a NaN, is never found.

    Args:
        blocks: the index, block by block
        query: (d,) float
        k (None): how many to find, None = all
        metric ("cosine"): or "euclidean"
        among (None): label ids to choose from, None = all
        farthest (False): whether to find the farthest instead

    Returns:
        (m,) label ids, (m,) sample ids and their (m,) float32 distances
    """
    query = np.asarray(query, dtype=np.float32).ravel()
    found = np.empty(0, "U24"), np.empty(0, "U24"), np.empty(0, np.float32)
    for labels, samples, vectors in blocks:
        distances = _distances(vectors, query, metric)
        usable = np.isfinite(distances)
        if among is not None:
            ids = [ObjectId(one) for one in labels.to_pylist()]
            usable &= among.has(ids)
        rows = np.flatnonzero(usable)
        rows = rows[_best(distances[rows], k, farthest)]
        more = (
            np.array(labels.take(rows).to_pylist(), dtype="U24"),
            np.array(samples.take(rows).to_pylist(), dtype="U24"),
            distances[rows],
        )
        joined = [
            np.concatenate(pair) for pair in zip(found, more, strict=True)
        ]
        best = _best(joined[2], k, farthest)
        found = joined[0][best], joined[1][best], joined[2][best]
    order = np.lexsort((found[0], -found[2] if farthest else found[2]))
    return found[0][order], found[1][order], found[2][order]


def _distances(
    vectors: np.ndarray, query: np.ndarray, metric: str
) -> np.ndarray:
    if metric == "euclidean":
        far: np.ndarray = np.linalg.norm(vectors - query, axis=1)
        return far
    lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(query)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(1 - vectors @ query / lengths)


def _best(distances: np.ndarray, k: int | None, farthest: bool) -> np.ndarray:
    """Rows of the k smallest or largest distances, in any order."""
    if k is None or len(distances) <= k:
        return np.arange(len(distances))
    keys = -distances if farthest else distances
    return np.argpartition(keys, k - 1)[:k]
