"""What captions and crops say about each object's concept, in blocks.

The vectors of a million crops are larger than the memory they should take,
so they are read a block at a time; what stays is a number a concept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from raremine.brain.concepts.term_vectors import TermVectors, unit_rows
from raremine.brain.models.protocols import Embedder

BLOCK = 32_768
"""Crops, or captions, that are compared at a time."""


@dataclass(frozen=True)
class CropVectors:
    """The crops' vectors, of the objects that have one.

    Attributes:
        vectors: (m, d) float, of any length, perhaps a memory map
        row: (m,) int64 ascending rows of the objects
        count: number of objects
    """

    vectors: np.ndarray
    row: np.ndarray
    count: int

    def cosines(self, terms: TermVectors) -> np.ndarray:
        """Returns each object's cosine to each concept.

        Args:
            terms: the vocabulary

        Returns:
            (count, concepts) float64, NaN rows without a vector
        """
        out = np.full((self.count, terms.count), np.nan)
        for start in range(0, len(self.row), BLOCK):
            block = slice(start, start + BLOCK)
            out[self.row[block]] = terms.cosines(
                unit_rows(self.vectors[block])
            )
        return out

    def cosines_to(self, rows: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Returns the cosine of single objects to a vector each.

        Args:
            rows: (k,) objects
            others: (k, d), L2-normalised

        Returns:
            (k,) float64, 0 for an object without a vector
        """
        place = np.searchsorted(self.row, rows)
        has = np.zeros(len(rows), dtype=bool)
        inside = place < len(self.row)
        has[inside] = self.row[place[inside]] == rows[inside]
        out = np.zeros(len(rows))
        own = unit_rows(self.vectors[place[has]])
        out[has] = np.einsum("nd,nd->n", others[has], own)
        return out


def caption_cosines(
    captions: Sequence[str | None],
    terms: TermVectors,
    embedder: Embedder,
    crops: CropVectors | None = None,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Compares captions to the concepts; each text is encoded once.

    Args:
        captions: n texts, None = no caption
        terms: the vocabulary
        embedder: encodes the captions
        crops (None): the objects' vectors, to compare caption and crop

    Returns:
        (n, concepts) float64 cosines, NaN rows without a caption, and (n,)
        cosine of caption and crop, 0 without one of them, or None without
        ``crops``
    """
    n = len(captions)
    cosine = np.full((n, terms.count), np.nan)
    agreement = None if crops is None else np.zeros(n)
    has = np.flatnonzero([text is not None for text in captions])
    texts = np.array([captions[row] for row in has], dtype=object)
    order = np.argsort(texts.astype(str), kind="stable")
    for start in range(0, len(order), BLOCK):
        block = order[start : start + BLOCK]
        unique, inverse = np.unique(
            texts[block].astype(str), return_inverse=True
        )
        encoded = np.asarray(embedder.embed_texts(unique.tolist()))
        cosine[has[block]] = terms.cosines(encoded)[inverse]
        if crops is not None and agreement is not None:
            # rows in their own order, so that a memory map is read forward
            forward = np.argsort(has[block])
            rows = has[block][forward]
            agreement[rows] = crops.cosines_to(rows, encoded[inverse][forward])
    return cosine, agreement
