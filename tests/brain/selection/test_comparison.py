"""Two selections side by side: counts that can be reckoned by hand."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from raremine.brain.objects import object_array
from raremine.brain.selection.comparison import compare, kl_to_uniform
from raremine.brain.selection.result import Pick, Selection
from tests.brain.selection.tables import frame_table


def selection(name: str, **tokens: str) -> Selection:
    picks = tuple(
        Pick(token, "", "train", component, None, (), ".")
        for component, of_it in tokens.items()
        for token in of_it.split()
    )
    return Selection(name, picks, (), (), 8, 0)


def test_counts_by_hand() -> None:
    # scenes of two frames; the last two frames are val
    frames = frame_table(10, scenes=5, split=["train"] * 8 + ["val"] * 2)
    a = selection("a", random="t000 t001", target="t002 t004")
    b = selection("b", target="t002 t001", novelty="t005")
    token = ["t000", "t002", "t002", "t004", "t005", "t007", "t009", "t001"]
    name = ["car", "car", "car", "bus", "bus", "van", "tram", None]
    compared = compare(
        a,
        b,
        frames,
        frames.split == "train",
        object_array(token),
        object_array(name),
    )
    assert compared.overlap == {
        "a": 4,
        "b": 3,
        "both": 2,
        "only_a": 2,
        "only_b": 1,
        "jaccard": 0.4,
    }
    assert compared.components == (
        {"component": "random", "a": 2, "a_in_b": 1, "b": 0, "b_in_a": 0},
        {"component": "target", "a": 2, "a_in_b": 1, "b": 2, "b_in_a": 2},
        {"component": "novelty", "a": 0, "a_in_b": 0, "b": 1, "b_in_a": 0},
    )
    assert [row["class"] for row in compared.classes] == ["van", "bus", "car"]
    van, bus, car = compared.classes
    assert (van["frames_a"], van["objects_b"], van["objects_pool"]) == (
        0,
        0,
        1,
    )
    assert (bus["objects_a"], bus["share_a"], bus["share_b"]) == (
        1,
        0.25,
        1 / 3,
    )
    assert (car["frames_a"], car["objects_a"], car["share_pool"]) == (
        2,
        3,
        0.5,
    )
    assert compared.kl_to_uniform["a"] == pytest.approx(
        0.25 * math.log(3 * 0.25) + 0.75 * math.log(3 * 0.75)
    )
    assert compared.scenes == {
        "pool": 4,
        "a": 3,
        "b": 3,
        "both": 3,
        "coverage_a": 0.75,
        "coverage_b": 0.75,
        "most_a": 2,
        "most_b": 1,
    }
    assert json.loads(json.dumps(compared.to_dict()))["a"] == "a"
    assert list(compared.table()["class"]) == ["van", "bus", "car"]


def test_the_same_and_nothing() -> None:
    frames = frame_table(10)
    pool = np.ones(10, dtype=bool)
    nothing = object_array([])
    a = selection("a", random="t000 t001")
    same = compare(a, a, frames, pool, nothing, nothing)
    assert same.overlap["jaccard"] == 1
    assert same.classes == ()
    assert same.kl_to_uniform == {"a": None, "b": None, "pool": None}
    empty = selection("e")
    none = compare(empty, empty, frames, pool, nothing, nothing)
    assert none.overlap["jaccard"] == 1
    assert (none.scenes["a"], none.scenes["most_a"]) == (0, 0)
    apart = compare(a, empty, frames, pool, nothing, nothing)
    assert apart.overlap["jaccard"] == 0


def test_divergence_from_balance() -> None:
    assert kl_to_uniform([7, 7, 7]) == pytest.approx(0)
    assert kl_to_uniform([5, 0, 0, 0]) == pytest.approx(math.log(4))
    assert kl_to_uniform([3, 1]) == pytest.approx(
        0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    )
    assert kl_to_uniform([0, 0]) is None
