"""Turns captions into keywords, by rules that need no download."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from raremine.brain.errors import RaremineError
from raremine.brain.lemmas import lemma

STOP_WORDS = frozenset(
    (
        "a", "an", "and", "are", "as", "at", "be", "behind", "being", "beside",
        "between", "but", "by", "camera", "can", "close", "could", "crop",
        "did", "do", "does", "down", "driving", "for", "from", "front", "has",
        "have", "her", "here", "his", "in", "inside", "into", "is", "it",
        "its", "left", "likely", "main", "many", "near", "next", "no", "not",
        "object", "of", "off", "on", "one", "or", "other", "out", "over",
        "parked", "part", "photo", "picture", "possibly", "right", "road",
        "seen", "shown", "shows", "side", "so", "some", "standing", "street",
        "that", "the", "their", "there", "these", "they", "this", "those",
        "to", "two", "unknown", "unusual", "up", "very", "view", "visible",
        "was", "were", "what", "which", "while", "with",
    )
)  # fmt: skip
"""Words that say nothing about what an object is."""

_WORD = re.compile(r"[^\W\d_](?:[^\W_]|-)*")
_CLITIC = re.compile(r"(?:n['’]t|['’](?:s|re|ve|ll|d|m))\b")
_PAUSE = re.compile(r"[^\w\s'’/&+-]+")


_STOP_LEMMAS = STOP_WORDS | frozenset(map(lemma, STOP_WORDS))


@dataclass(frozen=True)
class StopList:
    """Words that are no keywords.

    Attributes:
        words: lemmas that are left out; a phrase does not reach across them
        phrases: keywords of several words that are left out, and only as such
    """

    words: frozenset[str] = _STOP_LEMMAS
    phrases: frozenset[str] = frozenset()


def stop_list(more: Iterable[str] = (), fewer: Iterable[str] = ()) -> StopList:
    """Returns the built-in stop list as a user changed it.

    Args:
        more (()): words or phrases to leave out besides
        fewer (()): words of the list that count after all; they win over
            ``more``

    Raises:
        RaremineError: if a text is given where a list of words belongs
    """
    for words in (more, fewer):
        if isinstance(words, str):
            raise RaremineError(
                f"Stop words come as a list of words; got the text '{words}'."
            )
    added = {_normal(text) for text in more} - {""}
    kept = {_normal(text) for text in fewer}
    words = _STOP_LEMMAS | {text for text in added if " " not in text}
    phrases = {text for text in added if " " in text}
    return StopList(frozenset(words - kept), frozenset(phrases - kept))


def caption_keywords(
    text: str, *, ngrams: int = 2, stop: StopList | None = None
) -> tuple[str, ...]:
    """Returns the keywords of a caption.

    Words are lower-cased, lemmatised and freed of stop words; two words that
    stood side by side also count as one keyword ("construction worker"). A
    phrase reaches neither across a word that was left out nor across a comma
    or full stop. Single letters are no words. Letters of any script count.

    Args:
        text: a caption
        ngrams (2): longest keyword in words
        stop (None): words to leave out, None = the built-in list

    Returns:
        unique keywords in the order of the text
    """
    stop = stop or _BUILT_IN
    keywords: dict[str, None] = {}
    for run in _runs(text, stop):
        for start in range(len(run)):
            for length in range(1, min(ngrams, len(run) - start) + 1):
                keywords[" ".join(run[start : start + length])] = None
    return tuple(word for word in keywords if word not in stop.phrases)


def _runs(text: str, stop: StopList) -> list[list[str]]:
    """Returns the lemmas that stand side by side."""
    runs: list[list[str]] = []
    for part in _PAUSE.split(_CLITIC.sub(" ", text.lower())):
        runs.append([])
        for word in _WORD.findall(part):
            word = lemma(word.rstrip("-"))
            if word in stop.words or (len(word) == 1 and word.isascii()):
                runs.append([])
            else:
                runs[-1].append(word)
    return runs


def _normal(text: str) -> str:
    """Returns a word or phrase as keywords are written."""
    words = _WORD.findall(text.lower())
    return " ".join(lemma(word.rstrip("-")) for word in words)


_BUILT_IN = StopList()
