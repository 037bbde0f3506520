"""Near duplicates of the frames chosen so far.

Cosines decide about frames, so they must not depend on how a machine's
linear algebra orders its sums. Embeddings are therefore rounded to whole
numbers whose products and sums float32 holds exactly, which tells a cosine
to about 0.0003 at 512 dimensions. Equal embeddings have a cosine of 1.
"""

from __future__ import annotations

import numpy as np

from raremine.brain.strategies.k_center import on_grid, usable_rows

BLOCK = 256
"""Frames that are compared by one matrix product."""


class NearDuplicates:
    """Tells which frames resemble one that is already chosen.

    Frames are asked about one after the other while others get chosen. Each
    pair of a frame and a chosen one is compared at most once, in products of
    blocks of frames that are likely to be asked about next.

    Args:
        embeddings: (f, d) frame embeddings of any length; a row of zeros or
            with NaN is a frame without one, which resembles none
        max_similarity: cosine above which two frames are near duplicates
    """

    def __init__(self, embeddings: np.ndarray, max_similarity: float) -> None:
        self._has = usable_rows(embeddings)
        self._codes = np.zeros(embeddings.shape, dtype=np.float32)
        self._codes[self._has] = on_grid(embeddings[self._has])
        self._norms = np.sqrt(
            np.einsum("ij,ij->i", self._codes, self._codes, dtype=np.float64)
        )
        self._limit = max_similarity
        self._near = np.zeros(len(self._codes), dtype=bool)
        self._compared = np.zeros(len(self._codes), dtype=np.int64)
        self._chosen = np.empty((BLOCK, self._codes.shape[1]), np.float32)
        self._chosen_norms = np.empty(BLOCK)
        self._count = 0
        self.expect(np.arange(len(self._codes)))

    @property
    def without(self) -> np.ndarray:
        """(f,) bool: frames that have no embedding."""
        return ~self._has

    def expect(self, order: np.ndarray) -> None:
        """Tells in which order frames are likely to be asked about.

        Args:
            order: row numbers; it changes the speed and nothing else
        """
        self._order = np.asarray(order, dtype=np.int64)
        self._place = np.zeros(len(self._codes), dtype=np.int64)
        self._place[self._order] = np.arange(len(self._order))

    def choose(self, row: int) -> None:
        """Tells that a frame got chosen."""
        if not self._has[row]:
            return
        if self._count == len(self._chosen):
            more = np.empty_like(self._chosen)
            self._chosen = np.concatenate([self._chosen, more])
            self._chosen_norms = np.concatenate(
                [self._chosen_norms, np.empty(len(more))]
            )
        self._chosen[self._count] = self._codes[row]
        self._chosen_norms[self._count] = self._norms[row]
        self._count += 1

    def is_near(self, row: int) -> bool:
        """Tells whether a frame resembles a chosen one."""
        if not self._has[row]:
            return False
        late = self._count - self._compared[row]
        if late and not self._near[row]:
            rows = np.array([row])
            if late > BLOCK:
                ahead = self._order[self._place[row] :][: 2 * BLOCK]
                same = self._compared[ahead] == self._compared[row]
                mates = ahead[same & ~self._near[ahead] & self._has[ahead]]
                rows = np.unique(np.append(mates[: BLOCK - 1], row))
            self._compare(rows, int(self._compared[row]))
        return bool(self._near[row])

    def _compare(self, rows: np.ndarray, start: int) -> None:
        """Compares rows with the frames chosen as number start and later."""
        chosen = self._chosen[start : self._count]
        norms = self._chosen_norms[start : self._count]
        products = self._codes[rows] @ chosen.T
        limits = self._limit * np.outer(self._norms[rows], norms)
        self._near[rows] |= (products > limits).any(axis=1)
        self._compared[rows] = self._count
