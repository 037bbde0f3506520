"""Keyword novelty of VLMine (arXiv 2409.15486): rare words, rare objects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from raremine.brain.errors import RaremineError

POOLINGS = ("mean", "min")

UNITS = ("object", "scene")
"""What a keyword's frequency counts."""

EXAMPLES = 3
"""Objects kept of each keyword as examples, from as many scenes."""


@dataclass(frozen=True)
class KeywordTable:
    """All keywords of a data set and where they stand.

    Attributes:
        words: the k keywords in alphabetical order
        count: (k,) int64 objects that carry each
        scenes: (k,) int64 scenes with such an object
        in_scene: (k,) int64 objects that carry it in the scene with the most
        objects: objects that carry any keyword
        all_scenes: scenes with such an object
        starts: (k + 1,) int64, keyword i stands on
            ``rows[starts[i]:starts[i + 1]]``
        rows: rows of the objects, ascending for each keyword
        examples: (k, ``EXAMPLES``) int64 rows of objects from different
            scenes, -1 where there are no more scenes
    """

    words: tuple[str, ...]
    count: np.ndarray
    scenes: np.ndarray
    in_scene: np.ndarray
    objects: int
    all_scenes: int
    starts: np.ndarray
    rows: np.ndarray
    examples: np.ndarray

    def novelty(
        self, per: str = "object", min_count: int = 1, min_in_scene: int = 1
    ) -> np.ndarray:
        """Returns -log(frequency / N) of each keyword.

        Args:
            per ("object"): "object" or "scene", which f and N count
            min_count (1): keywords of fewer objects do not count
            min_in_scene (1): keywords of fewer objects in each of their
                scenes do not count

        Returns:
            (k,) float64, NaN for keywords that do not count
        """
        # -log(1) is -0.0
        novelty = 0.0 - np.log(self._frequency(per) / self._total(per))
        counts = self.counting(min_count, min_in_scene)
        return np.where(counts, novelty, np.nan)

    def counting(self, min_count: int, min_in_scene: int) -> np.ndarray:
        """Returns (k,) bool: which keywords are seen often enough."""
        return (self.count >= min_count) & (self.in_scene >= min_in_scene)

    def _frequency(self, per: str) -> np.ndarray:
        return self.scenes if per == "scene" else self.count

    def _total(self, per: str) -> int:
        return max(self.all_scenes if per == "scene" else self.objects, 1)

    def score(
        self,
        n: int,
        *,
        pooling: str = "mean",
        per: str = "object",
        min_count: int = 1,
        min_in_scene: int = 1,
    ) -> np.ndarray:
        """Scores n objects: see ``novelty_scores``."""
        _check("pooling", pooling, POOLINGS)
        _check("unit of the frequency", per, UNITS)
        counts = self.counting(min_count, min_in_scene)
        word = np.repeat(np.arange(len(self.words)), np.diff(self.starts))
        kept = counts[word]
        rows, frequency = self.rows[kept], self._frequency(per)[word[kept]]
        pooled = np.full(n, np.nan)
        if pooling == "mean":
            carried = np.bincount(rows, minlength=n)
            total = np.bincount(rows, frequency, minlength=n)
            np.divide(total, carried, out=pooled, where=carried > 0)
        else:
            lowest = np.full(n, np.inf)
            np.minimum.at(lowest, rows, frequency)
            pooled[np.isfinite(lowest)] = lowest[np.isfinite(lowest)]
        return 0.0 - np.log(pooled / self._total(per))


def keyword_table(
    keywords: Sequence[Sequence[str]], scenes: Sequence[str] | None = None
) -> KeywordTable:
    """Counts in how many objects and scenes each keyword stands.

    Args:
        keywords: the keywords of each of n objects; repeats count once
        scenes (None): the scene of each object, None = all in one
    """
    number: dict[str, int] = {}
    flat: list[int] = []
    lengths = np.zeros(len(keywords), dtype=np.int64)
    for row, words in enumerate(keywords):
        unique = dict.fromkeys(words)
        lengths[row] = len(unique)
        flat.extend(number.setdefault(w, len(number)) for w in unique)
    names = sorted(number)
    place = np.empty(len(names), dtype=np.int64)
    place[[number[name] for name in names]] = np.arange(len(names))
    word = place[np.array(flat, dtype=np.int64)]
    row_of = np.repeat(np.arange(len(keywords)), lengths)
    order = np.argsort(word, kind="stable")
    word, row_of = word[order], row_of[order]
    count = np.bincount(word, minlength=len(names))

    if scenes is None:
        scene_of = np.zeros(len(keywords), dtype=np.int64)
    else:
        scene_of = np.unique(list(scenes), return_inverse=True)[1].reshape(-1)
    pair = word * (len(keywords) + 1) + scene_of[row_of]
    _, first, times = np.unique(pair, return_index=True, return_counts=True)
    in_scene = np.zeros(len(names), dtype=np.int64)
    np.maximum.at(in_scene, word[first], times)
    return KeywordTable(
        tuple(names),
        count,
        np.bincount(word[first], minlength=len(names)),
        in_scene,
        int((lengths > 0).sum()),
        len(np.unique(scene_of[lengths > 0])),
        np.concatenate([[0], np.cumsum(count)]),
        row_of,
        _examples(word, row_of, np.sort(first), len(names)),
    )


def _examples(
    word: np.ndarray, row_of: np.ndarray, first: np.ndarray, k: int
) -> np.ndarray:
    """Takes the first object of each of a keyword's first scenes."""
    examples = np.full((k, EXAMPLES), -1, dtype=np.int64)
    of_word = word[first]
    begin = np.searchsorted(of_word, np.arange(k))
    nth = np.arange(len(first)) - begin[of_word]
    few = nth < EXAMPLES
    examples[of_word[few], nth[few]] = row_of[first[few]]
    return examples


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
    per: str = "object",
    scenes: Sequence[str] | None = None,
    min_in_scene: int = 1,
) -> np.ndarray:
    """Scores objects by how rare their keywords are.

    The score is -log(f / N) with f the pooled document frequency of the
    object's keywords and N the number of objects (or scenes) with keywords,
    so that it is comparable between data sets.

    Args:
        keywords: the keywords of each object
        pooling ("mean"): "mean" or "min" of the frequencies
        min_count (1): keywords of fewer objects are left out: a word seen
            once is often a hallucination
        per ("object"): "object", or "scene": then f counts scenes, and what
            stands parked through forty keyframes is one sighting
        scenes (None): the scene of each object, None = all in one
        min_in_scene (1): keywords of fewer objects in each of their scenes
            are left out: what is real is seen again in the next keyframe

    Returns:
        (n,) float64, 0 or more, higher = more novel; NaN for an object
        without a keyword that counts

    Raises:
        RaremineError: if the pooling or ``per`` is unknown
    """
    return keyword_table(keywords, scenes).score(
        len(keywords),
        pooling=pooling,
        per=per,
        min_count=min_count,
        min_in_scene=min_in_scene,
    )


def _check(what: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise RaremineError(
            f"Unknown {what} '{value}'; choose {', '.join(known)}."
        )
