"""Keywords of a caption by rules."""

from __future__ import annotations

import pytest

from raremine.brain.novelty.keywords import caption_keywords, lemma


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("excavators", "excavator"),
        ("people", "person"),
        ("children", "child"),
        ("lorries", "lorry"),
        ("bodies", "body"),
        ("buses", "bus"),
        ("bus", "bus"),
        ("benches", "bench"),
        ("bushes", "bush"),
        ("boxes", "box"),
        ("glass", "glass"),
        ("debris", "debris"),
        ("vehicles", "vehicle"),
        ("ties", "tie"),
        ("tyres", "tire"),
        ("dog", "dog"),
    ],
)
def test_lemmas(word: str, expected: str) -> None:
    assert lemma(word) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("The of a", ()),
        ("EXCAVATOR.", ("excavator",)),
        (
            "Construction workers on the road",
            ("construction", "construction worker", "worker"),
        ),
        # a phrase does not reach across what was left out
        ("dog with stroller", ("dog", "stroller")),
        # the plural of a stop word says as little as the word
        ("Two cameras, many objects: dogs", ("dog",)),
        ("The driver's umbrella", ("driver", "driver umbrella", "umbrella")),
        ("a semi-trailer, a semi-trailer", ("semi-trailer",)),
    ],
)
def test_keywords(text: str, expected: tuple[str, ...]) -> None:
    got = caption_keywords(text)
    if text.startswith("a semi"):
        assert got[0] == "semi-trailer"
        assert len(set(got)) == len(got)
    else:
        assert got == expected


def test_longer_keywords_and_other_stop_words() -> None:
    text = "old red fire truck"
    assert "red fire truck" in caption_keywords(text, ngrams=3)
    assert caption_keywords(text, ngrams=1, stop_words=["old"]) == (
        "red",
        "fire",
        "truck",
    )
