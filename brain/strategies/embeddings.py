"""Strategies that look at frame embeddings alone: diversity baselines."""

from __future__ import annotations

import hashlib

import numpy as np

from raremine.brain.objects import FrameTable
from raremine.brain.strategies.k_center import k_center, usable_rows
from raremine.brain.strategies.orders import by_score
from raremine.brain.strategies.registry import EMBEDDING, strategy

CORE_SET = "core_set"

_WEIGHTS = (0.6, 0.3, 0.1)
"""Of the second, third and fourth nearest other, as FiftyOne does."""

_NEIGHBORS = 4


@strategy(CORE_SET, needs=(EMBEDDING,), conditional=True)
def core_set(
    frames: FrameTable,
    seed: int,
    *,
    chosen: np.ndarray,
    limit: int | None,
) -> np.ndarray:
    """Frames far from all chosen ones: k-center greedy, exactly.

    Sener and Savarese, ICLR 2018, algorithm 1; see
    :func:`raremine.brain.strategies.k_center.k_center`.
    """
    return k_center(frames[EMBEDDING], limit, chosen=chosen, seed=seed)


@strategy(f"{CORE_SET}_fast", needs=(EMBEDDING,), conditional=True)
def core_set_fast(
    frames: FrameTable,
    seed: int,
    *,
    chosen: np.ndarray,
    limit: int | None,
) -> np.ndarray:
    """As core_set, nearly: in a time that is linear in the frames."""
    return k_center(
        frames[EMBEDDING], limit, chosen=chosen, seed=seed, exact=False
    )


@strategy("uniqueness", needs=(EMBEDDING,))
def most_unique(frames: FrameTable, seed: int) -> np.ndarray:
    """Frames far from their nearest others: FiftyOne's uniqueness.

    See :func:`raremine.brain.strategies.embeddings.uniqueness`.
    """
    return by_score(frames, _remembered(frames[EMBEDDING]), seed)


def uniqueness(vectors: np.ndarray) -> np.ndarray:
    """Computes FiftyOne's uniqueness from embeddings.

    The same numbers as ``fiftyone.brain.compute_uniqueness(samples,
    embeddings=vectors)`` of FiftyOne Brain 0.25 writes for up to 15,000
    samples: on centered embeddings, the mean of the cosine distances to the
    second to fourth nearest others, weighted .6, .3 and .1, over the largest
    such mean. (It means to drop the sample itself and drops the nearest
    other; with more samples it takes Euclidean distances on the sphere.)
    FiftyOne keeps all n × n distances in memory and writes a field and a
    run on the dataset; a baseline should do neither.

    Args:
        vectors: (n, d) float

    Returns:
        (n,) float64 in [0, 1], higher = more unusual; NaN for a row that is
        zero or not finite, 1 where there are fewer than four others
    """
    from raremine.brain.neighbors.graph import neighbor_graph

    out = np.full(len(vectors), np.nan)
    rows = np.flatnonzero(usable_rows(vectors))
    if len(rows) <= _NEIGHBORS:
        out[rows] = 1.0
        return out
    centered = np.asarray(vectors[rows], dtype=np.float64)
    size = np.linalg.norm(centered, axis=1).max()
    centered = centered - centered.mean(axis=0)
    length = np.linalg.norm(centered, axis=1, keepdims=True)
    # what rounding leaves of equal rows has no direction
    units = np.where(length > 1e-9 * size, centered / (length + 1e-300), 0)
    graph = neighbor_graph(units.astype(np.float32), _NEIGHBORS)
    # on the unit sphere, |x - y|² = 2 (1 - cos)
    cosine_distances = graph.distances[:, 1:].astype(np.float64) ** 2 / 2
    scores = cosine_distances @ _WEIGHTS
    largest = scores.max()
    out[rows] = scores / largest if largest > 0 else 0.0
    return out


_last: tuple[bytes, np.ndarray] | None = None


def _remembered(vectors: np.ndarray) -> np.ndarray:
    """Returns their uniqueness; seeds ask for the same one by one."""
    global _last
    values = np.ascontiguousarray(vectors)
    digest = hashlib.blake2b(values.data, digest_size=16)
    digest.update(f"{values.shape}{values.dtype}".encode())
    key = digest.digest()
    if _last is None or _last[0] != key:
        _last = key, uniqueness(values)
    return _last[1]
