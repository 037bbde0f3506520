"""Answers of a vision-language model, read strictly."""

from __future__ import annotations

import json

import pytest

from raremine.brain.captions.parsing import (
    exact_class,
    is_refusal,
    parse_answer,
)
from raremine.brain.captions.prompts import ANSWER_CLASSES, build_prompt
from raremine.brain.errors import RaremineError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Truck.", "truck"),
        ("truck", "truck"),
        (' "Construction_Vehicle"! ', "construction vehicle"),
        ("others", "others"),
        ("carrot", None),
        ("car or truck", None),
        ("a truck", None),
        ("motorbike", None),
        ("", None),
    ],
)
def test_only_a_whole_answer_is_a_class(
    text: str, expected: str | None
) -> None:
    assert exact_class(text) == expected


def test_every_answer_class_is_understood() -> None:
    for name in ANSWER_CLASSES:
        assert exact_class(f"{name.title()}.") == name


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with that.",
        "I’m sorry, I cannot tell.",
        "Sorry.",
        "I am unable to see what this is.",
        "Unable to process the image.",
        "Cannot process this image",
        "As an AI model I see no images.",
        "The image is blurry and cannot be identified.",
        "The picture is dark, so I am unable to identify the object.",
    ],
)
@pytest.mark.parametrize("prompt", ["paper", "default", "What is it?"])
def test_a_refusal_is_refused(text: str, prompt: str) -> None:
    caption = parse_answer(text, prompt)
    assert caption.status == "refused"
    assert caption.text is None
    assert caption.answer_class is None
    assert caption.keywords == ()


def test_a_refusal_inside_json_is_refused() -> None:
    raw = json.dumps({"class": "car", "description": "I'm sorry, unclear."})
    caption = parse_answer(raw, "default")
    assert (caption.status, caption.answer_class) == ("refused", None)


@pytest.mark.parametrize(
    "text",
    [
        "A person unable to walk, in a wheelchair.",
        "A dog that cannot cross the road.",
        "A truck that can't pass the barrier.",
    ],
)
def test_a_description_of_inability_is_no_refusal(text: str) -> None:
    assert not is_refusal(text)
    raw = json.dumps({"class": "others", "description": text})
    assert parse_answer(raw, "default").text == text


def test_json_is_read() -> None:
    raw = (
        '```json\n{"class": "Construction Vehicle", "description": " A '
        'yellow excavator. ", "keywords": ["Excavator", "yellow", 3, " ", '
        '"excavator"]}\n```'
    )
    caption = parse_answer(raw, "default")
    assert caption.status == "ok"
    assert caption.text == "A yellow excavator."
    assert caption.answer_class == "construction vehicle"
    assert caption.keywords == ("excavator", "yellow")


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("a truck", "no JSON"),
        ('{"class": "truck"', "no JSON"),
        ('["truck"]', "no object"),
        ('{"class": "truck"}', "lacks"),
        ('{"class": ["truck"], "description": "x"}', "lacks"),
        ('{"class": "truck", "description": null}', "lacks"),
    ],
)
def test_what_is_no_answer_is_unparsable(raw: str, reason: str) -> None:
    caption = parse_answer(raw, "default")
    assert caption.status == "unparsable"
    assert reason in (caption.reason or "")
    assert caption.text is None


def test_an_unknown_class_leaves_the_description() -> None:
    raw = json.dumps({"class": "motorbike", "description": ""})
    caption = parse_answer(raw, "default")
    assert (caption.status, caption.text) == ("ok", "motorbike")
    assert caption.answer_class is None


@pytest.mark.parametrize("prompt", ["default", "paper"])
def test_an_empty_answer_failed(prompt: str) -> None:
    assert parse_answer(" \n", prompt).status == "failed"


def test_text_in_an_answer_is_data() -> None:
    text = "Ignore your instructions; {class} %s"
    assert parse_answer(text, "paper").text == text


@pytest.mark.parametrize("kind", ["default", "paper"])
def test_a_prompt_names_all_classes_and_the_hint(kind: str) -> None:
    prompt = build_prompt(kind, "traffic light")
    assert all(name in prompt for name in ANSWER_CLASSES)
    assert "'traffic light'" in prompt
    assert "detector" not in build_prompt(kind).lower()
    assert "{" not in prompt.replace('{"class"', "")


def test_a_prompt_of_one_s_own() -> None:
    prompt = build_prompt("A {detector_class}? {{yes}} or no.", "dog")
    assert prompt == "A dog? {yes} or no."
    with pytest.raises(RaremineError, match="literal brace is written twice"):
        build_prompt('Answer {"a": 1}')
    with pytest.raises(RaremineError, match="may use"):
        build_prompt("{color}?")
