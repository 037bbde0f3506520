"""Singulars of the nouns that captions of driving scenes are made of."""

from __future__ import annotations

import pytest

from raremine.brain.lemmas import lemma

SINGULARS = """
excavators excavator, bulldozers bulldozer, cranes crane, trailers trailer
vehicles vehicle, strollers stroller, mopeds moped, suvs suv, vans van
bicyclists bicyclist, headlights headlight, tuk-tuks tuk-tuk, axles axle
people person, children child, schoolchildren schoolchild, men man
women woman, policemen policeman, workmen workman, snowmen snowman
passers-by passer-by, lorries lorry, bodies body, buggies buggy, skies sky
ponies pony, ties tie, movies movie, hoodies hoodie, cookies cookie
buses bus, busses bus, minibuses minibus, benches bench, bushes bush
boxes box, crutches crutch, branches branch, mattresses mattress
dresses dress, houses house, horses horse, hoses hose, purses purse
cases case, crosses cross, lenses lens, gases gas, axes axe
feet foot, teeth tooth, geese goose, mice mouse, oxen ox
wolves wolf, calves calf, shelves shelf, leaves leaf, knives knife
scarves scarf, halves half, gloves glove, curves curve, valves valve
potatoes potato, tomatoes tomato, heroes hero, shoes shoe, canoes canoe
taxis taxi, skis ski, octopuses octopus, tyres tire, tyre tire
"""
"""Plural and singular."""

UNCHANGED = """
bus trolleybus glass debris chassis gas lens canvas news cactus series
species deer sheep cattle luggage police glasses goggles scissors trousers
clothes pants shorts christmas compass cross dress grass moss brass walrus
excavator cement tent equipment specimen garden chicken dog wagon
parking painting building crossing saw left fallen rubbish various loose
"""
"""Neither a plural nor a verb to be undone."""

PAIRS = [
    tuple(pair.split())
    for pair in SINGULARS.strip().replace("\n", ",").split(",")
]


@pytest.mark.parametrize(("plural", "singular"), PAIRS)
def test_a_plural_becomes_its_singular(plural: str, singular: str) -> None:
    assert lemma(plural) == singular


def test_a_singular_stays() -> None:
    words = [*UNCHANGED.split(), *(singular for _, singular in PAIRS)]
    assert len(words) > 100
    assert [lemma(word) for word in words] == words
