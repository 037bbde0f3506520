"""How much a selection repeats itself, by the embeddings of its frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit

NEIGHBORS = 64
"""Nearest others that are looked up before a frame is compared with all."""

ROWS_AT_ONCE = 1024


class Redundancy:
    """Mean cosine of each selected frame to its nearest other selected one.

    Neighbours of all frames are searched once, and most selected frames have
    a selected one among them. The others are compared with the whole
    selection. Up to 20,000 frames that is exact; beyond, neighbours come
    from an inverted file, which may miss a nearer one now and then.

    Args:
        vectors: (f, d) float frame embeddings, rows of NaN or zeros where a
            frame has none; those frames do not count
    """

    def __init__(self, vectors: np.ndarray) -> None:
        from raremine.brain.neighbors.graph import neighbor_graph

        units = np.array(vectors, dtype=np.float32)
        with np.errstate(invalid="ignore", divide="ignore"):
            units /= np.linalg.norm(units, axis=1, keepdims=True)
        self._usable = np.isfinite(units).all(axis=1)
        units[~self._usable] = np.nan
        graph = neighbor_graph(units, NEIGHBORS)
        units[~self._usable] = 0
        self._units = units
        self._neighbor = np.ascontiguousarray(graph.indices)
        # on the unit sphere |x - y|² = 2 (1 - cos)
        self._cosine = (1 - graph.distances**2 / 2).astype(np.float32)

    def of(self, order: np.ndarray, counts: Sequence[int]) -> np.ndarray:
        """Returns the redundancy of the first so many frames of an order.

        Args:
            order: (f,) permutation of the frames
            counts: numbers of frames

        Returns:
            (len(counts),) float64, -1 to 1; NaN with fewer than two frames
            that have an embedding
        """
        position = np.empty(len(order), dtype=np.int64)
        position[order] = np.arange(len(order))
        out = np.full(len(counts), np.nan)
        for number, count in enumerate(counts):
            rows = order[:count][self._usable[order[:count]]]
            if len(rows) < 2:
                continue
            nearest = _first_selected(
                self._neighbor, self._cosine, position, rows, count
            )
            alone = np.flatnonzero(np.isnan(nearest))
            nearest[alone] = self._searched(rows, alone)
            out[number] = nearest.mean()
        return out

    def _searched(self, rows: np.ndarray, which: np.ndarray) -> np.ndarray:
        """Compares some of the rows with all of them."""
        nearest = np.empty(len(which), dtype=np.float32)
        if not len(which):
            return nearest
        everyone = self._units[rows].T
        for start in range(0, len(which), ROWS_AT_ONCE):
            part = which[start : start + ROWS_AT_ONCE]
            cosine = self._units[rows[part]] @ everyone
            cosine[np.arange(len(part)), part] = -np.inf
            nearest[start : start + len(part)] = cosine.max(axis=1)
        return nearest


@njit(cache=True)
def _first_selected(
    neighbor: np.ndarray,
    cosine: np.ndarray,
    position: np.ndarray,
    rows: np.ndarray,
    count: int,
) -> np.ndarray:
    """Returns each row's cosine to its nearest selected neighbour, or NaN."""
    out = np.full(len(rows), np.nan)
    for at in range(len(rows)):
        row = rows[at]
        for k in range(neighbor.shape[1]):
            if position[neighbor[row, k]] < count:
                out[at] = cosine[row, k]
                break
    return out
