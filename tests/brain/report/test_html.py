"""Texts are data: nothing in them may become markup."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raremine.brain.report.html import Html, element, join, percent, seconds
from raremine.brain.report.html import text as escape


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.words: list[str] = []

    def handle_starttag(
        self, tag: str, attrs: list[tuple[str, str | None]]
    ) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def _parsed(page: str) -> _Tags:
    parser = _Tags()
    parser.feed(page)
    parser.close()
    return parser


@given(st.text())
def test_no_text_makes_a_tag_or_an_attribute(text: str) -> None:
    found = _parsed(element("p", text, title=text))
    assert found.tags == ["p"]
    assert found.attributes == ["title"]


@given(st.text(alphabet="<>&\"'ab /=", max_size=30))
def test_the_reader_sees_the_text_itself(text: str) -> None:
    assert "".join(_parsed(element("p", text)).words) == text


def test_markup_is_kept_and_lists_are_flattened() -> None:
    inner = element("b", "x < y")
    assert join("a&b", None, [inner, ["c"]]) == "a&amp;b<b>x &lt; y</b>c"


def test_a_text_that_looks_like_markup_is_not_markup() -> None:
    assert join("<b>no</b>") == "&lt;b&gt;no&lt;/b&gt;"
    assert join(Html("<b>yes</b>")) == "<b>yes</b>"


@pytest.mark.parametrize("sign", ["\u202e", "\u2066", "\x00", "\x1b"])
def test_signs_that_disguise_a_text_are_replaced(sign: str) -> None:
    assert escape(f"a{sign}b") == "a\N{REPLACEMENT CHARACTER}b"


def test_letters_of_all_scripts_stay() -> None:
    text = "Straße שלום 自転車 🚲 \u200d"
    assert escape(text) == text


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (61, "61 s"), (252, "4 min 12 s"),
     (18060, "5 h 01 min"), (36000, "10 h 00 min")],
)
def test_durations(value: float, words: str) -> None:
    assert seconds(value) == words


def test_an_unknown_share_is_a_dash() -> None:
    assert percent(float("nan")) == "–"
    assert percent(0.125, 1) == "12.5%"
