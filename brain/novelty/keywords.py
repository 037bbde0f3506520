"""Turns captions into keywords, by rules that need no download."""

from __future__ import annotations

import re
from collections.abc import Iterable

STOP_WORDS = frozenset(
    (
        "a", "an", "and", "are", "as", "at", "be", "being", "beside",
        "behind", "between", "but", "by", "can", "camera", "close", "could",
        "crop", "down", "driving", "for", "from", "front", "has", "have",
        "here", "his", "her", "in", "inside", "into", "is", "it", "its",
        "left", "likely", "main", "many", "near", "next", "no", "not",
        "object", "of", "off", "on", "one", "or", "other", "out", "over",
        "part", "parked", "photo", "picture", "possibly", "right", "road",
        "seen", "shown", "shows", "side", "so", "some", "standing", "street",
        "that", "the", "their", "there", "these", "this", "those", "to",
        "two", "unusual", "unknown", "up", "very", "view", "visible", "was",
        "were", "what", "which", "while", "with",
    )
)
"""Words that say nothing about what an object is."""

IRREGULAR = {
    "people": "person",
    "persons": "person",
    "men": "man",
    "women": "woman",
    "children": "child",
    "buses": "bus",
    "busses": "bus",
    "bus": "bus",
    "tyres": "tire",
    "tyre": "tire",
    "lorries": "lorry",
    "glasses": "glasses",
    "wheelchair": "wheelchair",
}
"""Lemmas that the rules below would get wrong."""

_WORD = re.compile(r"[a-z][a-z0-9-]*")
_POSSESSIVE = re.compile(r"['’]s\b")


def caption_keywords(
    text: str, *, ngrams: int = 2, stop_words: Iterable[str] = STOP_WORDS
) -> tuple[str, ...]:
    """Returns the keywords of a caption.

    Words are lower-cased, lemmatised and freed of stop words; two words that
    stood side by side also count as one keyword ("construction worker").

    Args:
        text: a caption
        ngrams (2): longest keyword in words
        stop_words (STOP_WORDS): words to leave out

    Returns:
        unique keywords in the order of the text
    """
    stop = frozenset(stop_words)
    runs: list[list[str]] = [[]]
    for word in _WORD.findall(_POSSESSIVE.sub("", text.lower())):
        if word in stop or lemma(word) in stop:
            # a phrase does not reach across a word that was left out
            runs.append([])
        else:
            runs[-1].append(lemma(word))
    keywords: dict[str, None] = {}
    for run in runs:
        for start in range(len(run)):
            for length in range(1, ngrams + 1):
                if start + length <= len(run):
                    keywords[" ".join(run[start : start + length])] = None
    return tuple(keywords)


def lemma(word: str) -> str:
    """Returns the singular of an English noun, the word itself otherwise."""
    if word in IRREGULAR:
        return IRREGULAR[word]
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("ches", "shes", "xes", "sses")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(
        ("ss", "us", "is")
    ):
        return word[:-1]
    return word
