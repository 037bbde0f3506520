"""Which concept a text names, and which it only mentions."""

from __future__ import annotations

import pytest

from raremine.brain.concepts.naming import ConceptNames
from raremine.brain.concepts.vocabulary import load_vocabulary


@pytest.mark.parametrize(
    ("text", "concept"),
    [
        ("a carrot on the road", None),
        ("scarf, cartoon, buss", None),
        ("two cars", "car"),
        ("two buses", "bus"),
        ("three lorries", "truck"),
        ("A MOTORBIKE.", "motorcycle"),
        ("Truck.", "truck"),
        ("the truck's door", "truck"),
        ("a traffic light", "traffic light"),
        ("traffic_light", "traffic light"),
        ("a person riding a bicycle", "bicycle"),
        # what stands before a preposition or a verb is the thing
        ("a man beside a construction vehicle", "pedestrian"),
        ("garbage truck with two men at the back", "truck"),
        ("bulldozer moving earth into a truck", "construction vehicle"),
        ("a parked bicycle leaning on a wall", "bicycle"),
        # its last noun says what it is
        ("a rubbish lorry", "truck"),
        ("a truck trailer", "trailer"),
        ("a moving van", "car"),
        # a head of another kind leaves it to the rest
        ("row of shared bicycles", "bicycle"),
        ("a pile of garbage bags beside a car", "debris"),
        # whoever rides is part of what is ridden
        ("police officer on a motorbike", "motorcycle"),
        ("delivery man on an e-bike", "bicycle"),
        ("two men riding old red scooters", "motorcycle"),
        ("a man on the road beside a bicycle", "pedestrian"),
        ("a man on a bus", "pedestrian"),
        ("person in a wheelchair", "wheelchair"),
        ("a construction worker", "pedestrian"),
        ("a semi-trailer", "trailer"),
        # two of the same length decide nothing
        ("a car and a bus", None),
        ("a dog and a cat", "animal"),
        ("something odd", None),
        ("", None),
        (None, None),
    ],
)
def test_only_whole_words_name_a_concept(
    text: str | None, concept: str | None
) -> None:
    assert ConceptNames(load_vocabulary()).concept(text) == concept


def test_an_exact_class_answer_counts_first() -> None:
    words = load_vocabulary()
    assert ConceptNames(words).concept("a large excavator", "truck") == "truck"
    assert ConceptNames(words).concept("an excavator", "others") == (
        "construction vehicle"
    )
    assert ConceptNames(words).concept(None, "others") is None
    assert ConceptNames(words).concept(None, "construction vehicle") == (
        "construction vehicle"
    )


def test_words_of_other_alphabets() -> None:
    words = load_vocabulary(
        {"concepts": [{"name": "straßenbahn"}, {"name": "öl"}]}
    )
    assert (
        ConceptNames(words).concept("Eine Straßenbahn.", None) == "straßenbahn"
    )
    assert ConceptNames(words).concept("Völlig leer", None) is None
