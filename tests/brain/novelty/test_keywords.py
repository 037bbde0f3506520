"""Keywords of a caption by rules."""

from __future__ import annotations

import pytest

from raremine.brain.errors import RaremineError
from raremine.brain.novelty.keywords import (
    STOP_WORDS,
    caption_keywords,
    stop_list,
)


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


def test_longer_keywords() -> None:
    text = "old red fire truck"
    assert "red fire truck" in caption_keywords(text, ngrams=3)
    assert caption_keywords(text, ngrams=1) == ("old", "red", "fire", "truck")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # a phrase does not reach into the next sentence
        ("A red car. Dogs, cones", ("red", "red car", "car", "dog", "cone")),
        ("It's a van, isn't it? They're vans", ("van",)),
        ("An SUV's door", ("suv", "suv door", "door")),
        ("a T-shirt - x", ("t-shirt",)),
        ("traffic_cone", ("traffic", "traffic cone", "cone")),
        ("Ein Müllwagen", ("ein", "ein müllwagen", "müllwagen")),
        ("挖掘机", ("挖掘机",)),
        ("12 34 5", ()),
    ],
)
def test_what_a_word_is(text: str, expected: tuple[str, ...]) -> None:
    assert caption_keywords(text) == expected


def test_a_user_changes_the_stop_list() -> None:
    text = "A parked excavator on wet asphalt"
    stop = stop_list(more=["Asphalts"], fewer=["Parked"])
    assert caption_keywords(text, stop=stop) == (
        *("parked", "parked excavator", "excavator", "wet"),
    )
    # as it stands in the list, the other number, and both ways at once
    assert caption_keywords("cameras", stop=stop_list(fewer=["camera"])) == (
        "camera",
    )
    both = stop_list(more=["truck"], fewer=["truck"])
    assert caption_keywords("trucks", stop=both) == ("truck",)
    # a phrase is left out as a phrase alone
    stop = stop_list(more=["red cars"])
    assert caption_keywords("a red car", stop=stop) == ("red", "car")
    assert stop_list(["", " "]) == stop_list()


def test_no_built_in_stop_word_is_a_keyword() -> None:
    assert caption_keywords(". ".join(STOP_WORDS)) == ()


def test_a_text_is_no_list_of_stop_words() -> None:
    with pytest.raises(RaremineError, match="got the text 'asphalt'"):
        stop_list("asphalt")
