"""Which crops are shown."""

from __future__ import annotations

import io
from base64 import b64decode

import numpy as np
from PIL import Image

from raremine.brain.crop_pictures import jpeg_uri
from raremine.brain.objects import ObjectTable, object_array
from raremine.brain.report.examples import (
    LONGEST_SIDE,
    fair_choice,
    own_concepts,
    without_repeats,
)


def a_table(concepts: list[str], scenes: list[str]) -> ObjectTable:
    n = len(concepts)
    return ObjectTable(
        np.array([f"o{i}" for i in range(n)]),
        np.array([f"s{i}" for i in range(n)]),
        {
            "concept": object_array(concepts),
            "scene_name": object_array(scenes),
        },
    )


def test_each_concept_gets_its_turn_and_the_rarest_is_first() -> None:
    concepts = ["truck"] * 8 + ["trailer"]
    table = a_table(concepts, [f"scene-{i}" for i in range(9)])
    evidence = np.linspace(1, 0.1, 9)
    rows = fair_choice(table, np.arange(9), evidence, 4)
    assert rows.tolist() == [8, 0, 1, 2]


def test_a_parked_truck_is_not_shown_ten_times() -> None:
    table = a_table(["truck"] * 10, ["scene-1"] * 9 + ["scene-2"])
    rows = without_repeats(table, np.arange(10), 10)
    assert rows.tolist() == [0, 1, 9]


def test_what_only_the_detector_calls_a_target_comes_last() -> None:
    table = a_table(["car"] * 6 + ["truck"] * 2, ["scene-1"] * 8)
    table.columns["group"] = object_array(
        ["common"] * 5 + ["target"] * 3
    )
    members = np.array([5, 6, 7])
    own, others = own_concepts(table, members, "target")
    assert own.tolist() == [6, 7]
    assert others.tolist() == [5]


def test_no_candidates_no_examples() -> None:
    table = a_table(["truck"], ["scene-1"])
    none = np.empty(0, dtype=np.int64)
    assert len(fair_choice(table, none, np.ones(1), 4)) == 0


def test_crops_are_small_and_keep_their_shape() -> None:
    crop = np.full((1000, 500, 3), (10, 200, 30), np.uint8)
    head, _, data = jpeg_uri(crop, LONGEST_SIDE).partition(",")
    assert head == "data:image/jpeg;base64"
    image = Image.open(io.BytesIO(b64decode(data)))
    assert image.size == (LONGEST_SIDE // 2, LONGEST_SIDE)
