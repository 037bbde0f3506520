"""Reads a vision-language model's answer strictly and says what it was."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from raremine.brain.captions.prompts import ANSWER_CLASSES

STATUSES = ("ok", "unparsable", "refused", "failed", "skipped")
"""What became of an object's caption."""

REFUSAL_OPENINGS = (
    "i'm sorry",
    "i am sorry",
    "sorry",
    "i apologize",
    "i'm unable",
    "i am unable",
    "i cannot",
    "i can't",
    "i can not",
    "unable to",
    "cannot",
    "can't",
    "as an ai",
)
"""How an answer begins that says nothing about the object."""

_DECLINES = re.compile(
    r"\b(?:unable to|cannot|can't|can not) (?:be )?"
    r"(?:process|identif|determin|assist|provid|recogni|classif|analy|comply"
    r"|fulfil|describ|answer)"
)
"""What it declines to do, wherever it stands. A bare "unable to" may well
describe the object: "a person unable to walk, in a wheelchair"."""

LONGEST_RAW = 20_000
LONGEST_TEXT = 2_000
LONGEST_KEYWORD = 80
MOST_KEYWORDS = 20
"""Characters, and keywords, that are kept: a model that runs wild must not
fill a sample's document, which the database limits to 16 MB."""

_UNSEEN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]"
)
"""Control characters, which a terminal obeys, and marks that make a text
read in another order than it is stored."""

_FENCE = re.compile(r"^```[a-z]*\s*|\s*```$")
_EDGES = re.compile(r"^[\W_]+|[\W_]+$")


@dataclass(frozen=True)
class Caption:
    """One answer, read.

    Attributes:
        status: one of ``STATUSES``
        text: the description, or the answer itself where no JSON was asked
        answer_class: the exact class that was answered, None if none was
        keywords: the model's own keywords, lower case
        reason: why the status is not ok
    """

    status: str
    text: str | None = None
    answer_class: str | None = None
    keywords: tuple[str, ...] = field(default=())
    reason: str | None = None


def parse_answer(raw: str, prompt: str) -> Caption:
    """Reads an answer.

    Args:
        raw: what the model wrote
        prompt: "default" expects JSON; any other prompt expects plain text

    Returns:
        a ``Caption``; text in an answer is data and is never acted upon
    """
    text = storable(raw).strip()
    if not text:
        return Caption("failed", reason="the model answered nothing")
    if prompt == "default":
        return _parse_json(text)
    if is_refusal(text):
        return Caption("refused", reason=cleaned(text)[:200])
    return Caption("ok", text=cleaned(text), answer_class=exact_class(text))


def storable(raw: str) -> str:
    """Returns a text that the database and any file can take.

    JSON can spell half a surrogate pair, which no UTF-8 can hold.
    """
    text = raw[:LONGEST_RAW]
    return text.encode("utf-8", "replace").decode("utf-8")


def cleaned(text: str) -> str:
    """Returns a text on one line, without control characters."""
    seen = _UNSEEN.sub(" ", storable(text))
    return " ".join(seen.split())[:LONGEST_TEXT]


def is_refusal(text: str) -> bool:
    """Whether an answer declines instead of describing."""
    start = _EDGES.sub("", text.lower()[:160].replace("’", "'"))
    return start.startswith(REFUSAL_OPENINGS) or bool(_DECLINES.search(start))


def exact_class(text: str) -> str | None:
    """Returns the answer class that a text is, "Truck." being "truck".

    Whole answers only: "carrot" is no car and "a truck" is a description.
    """
    name = _EDGES.sub("", text).lower().replace("_", " ")
    return name if name in ANSWER_CLASSES else None


def _parse_json(text: str) -> Caption:
    body = _FENCE.sub("", text).strip()
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError) as error:
        # also numbers and nestings beyond what Python reads
        if is_refusal(text):
            return Caption("refused", reason=cleaned(text)[:200])
        told = getattr(error, "msg", None) or type(error).__name__
        return Caption("unparsable", reason=f"no JSON: {told}")
    if not isinstance(answer, dict):
        return Caption("unparsable", reason="JSON, but no object")
    name = answer.get("class")
    description = answer.get("description")
    if not isinstance(name, str) or not isinstance(description, str):
        return Caption(
            "unparsable", reason="JSON lacks class or description as text"
        )
    if is_refusal(description):
        return Caption("refused", reason=cleaned(description)[:200])
    return Caption(
        "ok",
        text=cleaned(description) or cleaned(name),
        answer_class=exact_class(name),
        keywords=_keywords(answer.get("keywords")),
    )


def _keywords(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        return ()
    words = (
        _EDGES.sub("", cleaned(w)).lower()
        for w in value
        if isinstance(w, str) and len(w) <= LONGEST_KEYWORD
    )
    return tuple(dict.fromkeys(w for w in words if w))[:MOST_KEYWORDS]
