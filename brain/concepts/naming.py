"""Which concept a text names in so many words.

A description of one object is an English noun phrase: its head, the last
noun before a preposition or a verb, says what the thing is ("garbage truck
with two men at the back" is a truck). Words are compared whole and in the
singular, so "carrot" holds no car and "lorries" hold a lorry.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from raremine.brain.concepts.vocabulary import Vocabulary, normalize
from raremine.brain.lemmas import lemma

BOUNDARIES = frozenset(
    (
        "about", "above", "across", "against", "along", "among", "around",
        "as", "at", "before", "behind", "below", "beneath", "beside",
        "between", "beyond", "by", "during", "for", "from", "in", "inside",
        "into", "is", "are", "near", "next", "of", "off", "on", "onto", "out",
        "outside", "over", "past", "seen", "that", "through", "to", "toward",
        "towards", "under", "until", "up", "was", "were", "which", "while",
        "who", "whose", "with", "within", "without", "has", "have", ".", ",",
        ";", ":",
    )
)  # fmt: skip
"""Words and marks that end the part of a noun phrase that holds its head."""

JOINTS = frozenset(("and", "or"))
"""Between two concepts of equal rank; such a text names neither."""

RIDES = frozenset(("on", "riding", "rides", "ride"))
ARTICLES = frozenset(("a", "an", "the", "his", "her", "their", "its"))

_TOKEN = re.compile(r"[^\W_]+|[.,;:]")
_EDGES = re.compile(r"^[\W_]+|[\W_]+$")
_POSSESSIVE = re.compile(r"['’]s\b")


@dataclass(frozen=True)
class Mention:
    """A concept's term in a text.

    Attributes:
        concept: name of the concept
        start: its first token
        end: the token behind its last
    """

    concept: str
    start: int
    end: int

    @property
    def length(self) -> int:
        """Number of words."""
        return self.end - self.start


class ConceptNames:
    """Finds the concepts of a vocabulary in texts.

    Args:
        vocabulary: its terms are looked for; a person who is on something
            that is ``ridden`` is that, as nuScenes annotates it
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._persons = {
            c.name for c in vocabulary.concepts if c.nuscenes == "pedestrian"
        }
        self._ridden = {c.name for c in vocabulary.concepts if c.ridden}
        # the longest first: it is taken where several begin at one word
        self._terms: dict[str, list[tuple[tuple[str, ...], str]]] = {}
        for concept in vocabulary.concepts:
            for term in concept.terms:
                words = tuple(_tokens(term))
                if words:
                    self._terms.setdefault(words[0], []).append(
                        (words, concept.name)
                    )
        for terms in self._terms.values():
            terms.sort(key=lambda item: -len(item[0]))

    def exact(
        self, text: str | None, answer_class: str | None = None
    ) -> str | None:
        """Returns the concept that an answer is, word for word.

        "Truck." and "truck" are the same answer; "a truck" is a description
        (arXiv 2512.05482 takes exact answers only).

        Args:
            text: the description, None if there is none
            answer_class (None): the exact class that was answered
        """
        for answer in (answer_class, text):
            found = answer and self._vocabulary.concept_of(
                _EDGES.sub("", answer)
            )
            if found:
                return found
        return None

    def concept(
        self, text: str | None, answer_class: str | None = None
    ) -> str | None:
        """Returns the concept that an answer names.

        Args:
            text: the description, None if there is none
            answer_class (None): the exact class that was answered; it counts
                first

        Returns:
            the concept's name; None if the text names none, or two at once
        """
        if answer_class and answer_class != "others":
            named = self._vocabulary.concept_of(answer_class)
            if named:
                return named
        if not text:
            return None
        tokens = _tokens(text)
        mentions = self._mentions(tokens)
        if not mentions:
            return None
        whole = [m for m in mentions if _reaches_over(tokens, m)]
        if whole:
            # "person riding a bicycle" as the vocabulary has it
            return max(whole, key=lambda m: m.length).concept
        end = _head_end(tokens)
        head = [m for m in mentions if m.end <= end]
        if not head:
            return _longest(mentions)
        last = max(head, key=lambda m: (m.end, m.length))
        for other in head:
            joined = JOINTS & set(tokens[other.end : last.start])
            if joined and other.concept != last.concept:
                return None
        if last.concept in self._persons:
            return self._under(tokens, mentions, last) or last.concept
        return last.concept

    def _mentions(self, tokens: list[str]) -> list[Mention]:
        found = []
        at = 0
        while at < len(tokens):
            step = 1
            for words, concept in self._terms.get(tokens[at], ()):
                if tuple(tokens[at : at + len(words)]) == words:
                    found.append(Mention(concept, at, at + len(words)))
                    step = len(words)
                    break
            at += step
        return found

    def _under(
        self, tokens: list[str], mentions: list[Mention], person: Mention
    ) -> str | None:
        """Returns what a person rides."""
        for mention in mentions:
            if mention.start < person.end or mention.concept not in (
                self._ridden
            ):
                continue
            # "on an electric bike": adjectives may stand between
            before = tokens[person.end : mention.start]
            rides = [n for n, word in enumerate(before) if word in RIDES]
            if rides and not BOUNDARIES & set(before[rides[-1] + 1 :]):
                return mention.concept
        return None


def _tokens(text: str) -> list[str]:
    """Returns words in the singular and marks; a hyphen parts words."""
    plain = _POSSESSIVE.sub("", normalize(text))
    return [lemma(word) for word in _TOKEN.findall(plain)]


def _head_end(tokens: list[str]) -> int:
    """Returns where the part with the head ends."""
    for at, token in enumerate(tokens):
        first = not any(t not in ARTICLES for t in tokens[:at])
        # "moving van", but "bulldozer moving earth"
        verb = token.endswith("ing") and len(token) > 4 and not first
        if (token in BOUNDARIES and at) or verb:
            return at
    return len(tokens)


def _reaches_over(tokens: list[str], mention: Mention) -> bool:
    words = tokens[mention.start : mention.end]
    return any(
        word in BOUNDARIES or word in RIDES for word in words
    ) and mention.start <= _head_end(tokens)


def _longest(mentions: list[Mention]) -> str | None:
    length = max(m.length for m in mentions)
    names = {m.concept for m in mentions if m.length == length}
    return names.pop() if len(names) == 1 else None
