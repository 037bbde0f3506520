"""Keyword novelty of VLMine (arXiv 2409.15486): rare words, rare objects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from raremine.brain.errors import RaremineError

POOLINGS = ("mean", "min")


def document_frequency(keywords: Sequence[Sequence[str]]) -> Counter[str]:
    """Counts the objects that carry each keyword, once an object.

    Args:
        keywords: the keywords of each object

    Returns:
        keyword → number of objects
    """
    counts: Counter[str] = Counter()
    for words in keywords:
        counts.update(set(words))
    return counts


def novelty_scores(
    keywords: Sequence[Sequence[str]],
    *,
    pooling: str = "mean",
    min_count: int = 1,
) -> np.ndarray:
    """Scores objects by how rare their keywords are.

    The score is -log(f / N) with f the pooled document frequency of the
    object's keywords and N the number of objects with keywords, so that it
    is comparable between data sets.

    Args:
        keywords: the keywords of each object
        pooling ("mean"): "mean" or "min" of the frequencies
        min_count (1): keywords of fewer objects are left out: a word seen
            once is often a hallucination

    Returns:
        (n,) float64, 0 or more, higher = more novel; NaN for an object
        without a keyword that counts

    Raises:
        RaremineError: if the pooling is unknown
    """
    if pooling not in POOLINGS:
        raise RaremineError(
            f"Unknown pooling '{pooling}'; choose {', '.join(POOLINGS)}."
        )
    counts = document_frequency(keywords)
    total = sum(1 for words in keywords if words)
    pool = np.mean if pooling == "mean" else np.min
    scores = np.full(len(keywords), np.nan)
    for row, words in enumerate(keywords):
        frequencies = [
            counts[w] for w in dict.fromkeys(words) if counts[w] >= min_count
        ]
        if frequencies:
            scores[row] = -np.log(pool(frequencies) / total)
    # -log(1) is -0.0
    return scores + 0.0
