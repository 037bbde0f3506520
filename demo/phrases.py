"""What one may say of a rendered object: class, sentence, keywords, phrases.

The captioner learns to answer with these words and the embedder learns which
phrases belong to which pictures. A caption only uses what a picture shows
(kind, colour, rider, night), never what only the renderer knows.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Protocol

OTHERS = "others"
BACKGROUND = "background"

CATEGORY_CLASS = {
    "human.pedestrian.adult": "pedestrian",
    "human.pedestrian.child": "pedestrian",
    "human.pedestrian.construction_worker": "pedestrian",
    "human.pedestrian.police_officer": "pedestrian",
    "movable_object.barrier": "barrier",
    "movable_object.trafficcone": "traffic cone",
    "vehicle.bicycle": "bicycle",
    "vehicle.bus.bendy": "bus",
    "vehicle.bus.rigid": "bus",
    "vehicle.car": "car",
    "vehicle.construction": "construction vehicle",
    "vehicle.motorcycle": "motorcycle",
    "vehicle.trailer": "trailer",
    "vehicle.truck": "truck",
}
"""nuScenes category → detection class, as in the devkit; else "others"."""

CONCEPT_OF_CATEGORY = {
    "human.pedestrian.personal_mobility": "personal mobility device",
    "human.pedestrian.stroller": "stroller",
    "human.pedestrian.wheelchair": "wheelchair",
    "movable_object.debris": "debris",
    "movable_object.pushable_pullable": "pushable object",
    "static_object.bicycle_rack": "bicycle rack",
    "vehicle.emergency.ambulance": "ambulance",
    "vehicle.emergency.police": "police car",
    BACKGROUND: BACKGROUND,
}
"""A word for the categories that no detection class covers."""

SYNONYMS = {
    "animal": ("an animal on the road", "wildlife"),
    "barrier": ("road barrier", "jersey barrier", "road block"),
    "bicycle": ("bike", "push bike"),
    "bus": ("city bus", "coach"),
    "car": ("passenger car", "automobile"),
    "construction vehicle": (
        "construction machine",
        "heavy equipment",
        "building site vehicle",
    ),
    "debris": ("road debris", "an obstacle on the road", "rubbish"),
    "motorcycle": ("motorbike", "powered two-wheeler"),
    "pedestrian": ("person", "human", "people on foot"),
    "police car": ("police vehicle", "patrol car"),
    "ambulance": ("ambulance car",),
    "stroller": ("baby stroller", "pram", "pushchair"),
    "traffic cone": ("cone", "pylon"),
    "trailer": ("vehicle trailer", "towed trailer"),
    "truck": ("lorry", "goods vehicle"),
    "wheelchair": ("a person in a wheelchair", "wheelchair user"),
    "pushable object": ("cart", "pushed object"),
    "personal mobility device": ("e-scooter", "kick scooter"),
}
"""Further names of a concept."""

NOUNS = {
    "adult standing": "standing person",
    "adult walking": "walking person",
    "adult with umbrella": "person with an umbrella",
    "wheelchair": "person in a wheelchair",
    "kick scooter": "person on a kick scooter",
    "cardboard boxes": "pile of cardboard boxes",
    "planks": "pile of planks",
    "suv": "SUV",
}
"""What to call a shape whose own name does not read well in a sentence."""

FINE_SYNONYMS = {
    "articulated bus": ("bendy bus", "articulated coach"),
    "bulldozer": ("dozer",),
    "cardboard boxes": ("cardboard", "lost cargo"),
    "cargo bicycle": ("cargo bike",),
    "cement mixer": ("concrete mixer", "concrete mixer truck"),
    "child": ("kid", "small child"),
    "construction worker": ("road worker", "worker in a safety vest"),
    "deer": ("wild animal",),
    "dog": ("pet",),
    "dump truck": ("tipper truck", "dumper"),
    "excavator": ("digger", "backhoe"),
    "fence barrier": ("fence",),
    "flatbed truck": ("flatbed", "car carrier"),
    "forklift": ("fork lift truck",),
    "garbage bin": ("trash can", "wheelie bin"),
    "jersey barrier": ("concrete barrier",),
    "mobile crane": ("crane", "crane truck"),
    "motorbike": ("motorcycle",),
    "pickup": ("pickup truck",),
    "planks": ("wood on the road",),
    "police officer": ("policeman",),
    "road roller": ("steam roller", "compactor"),
    "scooter": ("moped", "motor scooter"),
    "semi truck": ("tractor unit", "articulated lorry"),
    "shopping cart": ("shopping trolley",),
    "tanker": ("tank truck", "fuel tanker"),
    "tyre": ("tire",),
    "van": ("minivan",),
    "wheel loader": ("loader", "front loader"),
}
"""Further names of a shape; ``KINDS`` of the catalogue has the shapes."""

ABSENT = (
    "train",
    "tram",
    "airplane",
    "boat",
    "horse",
    "fire truck",
    "traffic light",
)
"""Things the rendered world never annotates: phrases no crop matches."""

BACKGROUND_PHRASES = (
    "background",
    "static object",
    "a building",
    "a house front",
    "an empty road",
    "a tree",
    "a street without any object",
    "sky",
    "a traffic sign",
    "a parked container",
)
"""What a crop without an annotated object may be called."""

TEMPLATES = (
    "{}",
    "a photo of {a}",
    "a crop of {a}",
    "a picture of {a} on the road",
    "{a}",
    "a camera image of {a}",
)
"""Sentences around a phrase; ``{a}`` is the phrase with its article."""


class Describable(Protocol):
    """The part of a rendered object that words are made from."""

    @property
    def category(self) -> str:
        """NuScenes category."""

    @property
    def shape(self) -> str:
        """Kind of shape."""

    @property
    def colour(self) -> str:
        """Name of the colour."""

    @property
    def rider(self) -> bool:
        """Whether somebody rides it."""

    @property
    def night(self) -> bool:
        """Whether it is night."""


@dataclass(frozen=True)
class Phrase:
    """A phrase and what must hold of a picture for the phrase to be true.

    Attributes:
        text: the phrase, without template
        concept (None): required concept word
        shape (None): required shape name
        colour (None): required colour
        night (None): required time of day
        rider (None): required presence of a rider
    """

    text: str
    concept: str | None = None
    shape: str | None = None
    colour: str | None = None
    night: bool | None = None
    rider: bool | None = None

    def holds(self, thing: Describable) -> bool:
        """Tells whether the phrase is true of ``thing``."""
        return (
            self.concept in (None, concept_word(thing.category))
            and self.shape in (None, thing.shape)
            and self.colour in (None, thing.colour)
            and self.night in (None, thing.night)
            and self.rider in (None, thing.rider)
        )


def answer_class(category: str) -> str:
    """Returns the nuScenes detection class in words, or "others".

    Args:
        category: one of the 23 nuScenes categories, or "background"
    """
    return CATEGORY_CLASS.get(category, OTHERS)


def concept_word(category: str) -> str:
    """Returns the everyday word for a category, e.g. "stroller"."""
    if category in CATEGORY_CLASS:
        return CATEGORY_CLASS[category]
    return CONCEPT_OF_CATEGORY.get(category, category.split(".")[0])


def with_article(phrase: str) -> str:
    """Puts "a" or "an" before a phrase that has no article yet."""
    first = phrase.split(" ", 1)[0]
    if first in ("a", "an", "people", "sky", "wildlife", "rubbish", "lost"):
        return phrase
    vowel = phrase[0] in "aeio" or phrase.startswith(("SUV", "um"))
    return f"an {phrase}" if vowel else f"a {phrase}"


def noun(thing: Describable) -> str:
    """Returns the finest word for the thing, e.g. "excavator"."""
    if thing.category == BACKGROUND:
        return "street background"
    return NOUNS.get(thing.shape, thing.shape.replace("_", " "))


def coloured(thing: Describable, words: str) -> str:
    """Adds the thing's colour to a word for it.

    People wear the colour: "child in red"; things have it: "red bus".
    """
    colour = thing.colour.replace("_", " ")
    if not colour or colour in words:
        return words
    person = thing.category.startswith("human.")
    if person and not thing.category.endswith("stroller"):
        return f"{words} in {colour}"
    return f"{colour} {words}"


def describe(thing: Describable) -> str:
    """Returns one short sentence on the thing, as a caption."""
    if thing.category == BACKGROUND:
        return "street background without an object"
    sentence = with_article(coloured(thing, noun(thing)))
    if thing.rider:
        sentence = f"a person riding {sentence}"
    return f"{sentence} at night" if thing.night else sentence


def keywords(thing: Describable) -> list[str]:
    """Returns one to four keywords, finest first, without repeats."""
    if thing.category == BACKGROUND:
        return [BACKGROUND]
    words = [noun(thing), concept_word(thing.category)]
    if thing.colour:
        words.append(thing.colour.replace("_", " "))
    if thing.rider:
        words.append("rider")
    return list(dict.fromkeys(words))


def answer(thing: Describable, kind: str) -> str:
    """Returns the answer a captioner should give.

    Args:
        thing: the object in the crop
        kind: "default" for the JSON answer, "paper" for the class alone

    Raises:
        ValueError: if ``kind`` is neither
    """
    if kind == "paper":
        return answer_class(thing.category)
    if kind != "default":
        raise ValueError(f"There is no answer of kind {kind!r}.")
    return json.dumps(
        {
            "class": answer_class(thing.category),
            "description": describe(thing),
            "keywords": keywords(thing),
        }
    )


def phrases(thing: Describable) -> list[Phrase]:
    """Returns phrases of several levels that are true of ``thing``.

    From coarse to fine: concept and its synonyms, shape, colour with either,
    time of day, rider, and the whole caption. A text that names both a
    concept and one of its shapes ("bicycle") means the concept.
    """
    if thing.category == BACKGROUND:
        return [Phrase(t, concept=BACKGROUND) for t in BACKGROUND_PHRASES]
    concept = concept_word(thing.category)
    shape = noun(thing)
    levels = [Phrase(concept, concept=concept)] * 3
    levels += [
        Phrase(text, concept=concept) for text in SYNONYMS.get(concept, ())
    ]
    levels += [Phrase(shape, shape=thing.shape)] * 2
    levels += [
        Phrase(text, shape=thing.shape)
        for text in FINE_SYNONYMS.get(thing.shape, ())
    ]
    levels.append(
        Phrase(f"{concept}, {shape}", concept=concept, shape=thing.shape)
    )
    if thing.colour:
        levels += [
            Phrase(
                coloured(thing, concept), concept=concept, colour=thing.colour
            ),
            Phrase(
                coloured(thing, shape), shape=thing.shape, colour=thing.colour
            ),
        ]
    if thing.night:
        levels += [
            Phrase(f"{concept} at night", concept=concept, night=True),
            Phrase(f"{shape} at night", shape=thing.shape, night=True),
        ]
    if thing.rider:
        levels.append(
            Phrase(
                f"a person riding {with_article(shape)}",
                shape=thing.shape,
                rider=True,
            )
        )
    levels.append(
        Phrase(
            describe(thing),
            shape=thing.shape,
            colour=thing.colour,
            night=True if thing.night else None,
            rider=thing.rider,
        )
    )
    meaning: dict[str, Phrase] = {}
    return [meaning.setdefault(phrase.text, phrase) for phrase in levels]


def sentence(phrase: str, template: str) -> str:
    """Fills a template of ``TEMPLATES`` with a phrase."""
    return template.replace("{a}", with_article(phrase)).replace("{}", phrase)
