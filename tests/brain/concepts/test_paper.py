"""Steps M1.9 to M1.11 of concept-based mining, reckoned by hand.

arXiv 2512.05482: the cosines of the caption and of the crop to each bare
concept name, half and half; an exact answer is the concept; three groups;
two close concepts are marked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import fiftyone as fo
import numpy as np
import pytest

import raremine.brain as rmb
from raremine.brain.columns import read_objects
from raremine.brain.concepts.vocabulary import load_vocabulary
from raremine.brain.presets import preset_settings
from tests.brain.fakes import (
    FakeCaptioner,
    FakeDetector,
    center,
    color_of,
    colors_of,
    painted_dataset,
    scatter,
)

CONCEPTS = load_vocabulary("paper").names

# what the detector says, the crop's direction, the answer, its direction
OBJECTS: dict[str, tuple[str, dict[str, float], str, dict[str, float]]] = {
    "described": ("car", {"truck": 0.6, "car": 0.8}, "a lorry",
                  {"truck": 0.8, "bus": 0.6}),
    "exact": ("car", {"car": 1}, "Truck.", {"truck": 1}),
    "refused": ("bus", {"bus": 0.6, "barrier": 0.8},
                "I'm sorry, I cannot identify this truck.", {}),
    "others": ("person", {"pedestrian": 0.8, "static object": 0.6}, "others",
               {"static object": 0.96, "pedestrian": 0.28}),
    "close": ("dog", {"bus": 0.8, "train": 0.6}, "a thing",
              {"bus": 0.6, "train": 0.8}),
    "detected": ("bicycle", {"pedestrian": 1}, "pedestrian",
                 {"pedestrian": 1}),
    "not asked": ("truck", {"truck": 1}, "truck", {"truck": 1}),
}  # fmt: skip

COLORS = {
    color_of(detected, number): name
    for number, (name, (detected, *_)) in enumerate(OBJECTS.items())
}


class Axes:
    """One axis for each concept; crops and answers lie where they are told."""

    name = "axes"
    logit_scale = 100.0
    dim = len(CONCEPTS)
    batch_size = 4

    def embed_images(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        names = [COLORS[center(crop)] for crop in crops]
        # preset paper does not normalise: the length must not matter
        return 7 * self._rows([OBJECTS[name][1] for name in names])

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        answers = {said: where for _, _, said, where in OBJECTS.values()}
        return self._rows([answers.get(t) or {t: 1.0} for t in texts])

    def identity(self) -> dict[str, Any]:
        return {"model": self.name}

    def _rows(self, places: Sequence[dict[str, float]]) -> np.ndarray:
        out = np.zeros((len(places), self.dim), np.float32)
        for row, place in enumerate(places):
            for concept, value in place.items():
                out[row, CONCEPTS.index(concept)] = value
        return out


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> fo.Dataset:
    detected = [detector for detector, *_ in OBJECTS.values()]
    dataset = painted_dataset(
        tmp_path_factory.mktemp("paper"), scatter(detected, per_image=2)
    )
    rmb.detect_objects(dataset, FakeDetector())
    rmb.embed_objects(dataset, Axes(), normalize=False)
    asked = [
        label_id
        for label_id, color in colors_of(dataset).items()
        if COLORS[color] != "not asked"
    ]
    answers = {color: OBJECTS[name][2] for color, name in COLORS.items()}
    rmb.caption_objects(
        dataset,
        FakeCaptioner(answers=answers),
        candidates=asked,
        prompt="paper",
    )
    return dataset


def matched(dataset: fo.Dataset, **changes: Any) -> dict[str, dict[str, Any]]:
    settings = {**preset_settings("paper")["concepts"], **changes}
    rmb.match_concepts(
        dataset, settings.pop("vocabulary"), embedder=Axes(), **settings
    )
    names = ("concept", "concept_score", "runner_up", "concept_margin")
    names += ("ambiguous", "group", "caption_status")
    table = read_objects(dataset, names=names)
    colors = colors_of(dataset)
    return {
        COLORS[colors[label_id]]: {name: table[name][row] for name in names}
        for row, label_id in enumerate(table.label_id)
    }


def test_fixed_weights(dataset: fo.Dataset) -> None:
    got = matched(dataset)
    # truck .5·.8 + .5·.6, car .5·.8, bus .5·.6
    check(got["described"], "truck", 0.7, "car", 0.3, "target")
    # "Truck." is the concept; the car has .5·1 from its crop
    check(got["exact"], "truck", 1.0, "car", 0.5, "target")
    # no caption, although the refusal names a truck: half the image alone
    check(got["refused"], "barrier", 0.4, "bus", 0.1, "rare")
    # "others" is no concept: .5·.96 + .5·.6 against .5·.28 + .5·.8
    check(got["others"], "static object", 0.78, "pedestrian", 0.24, "rare")
    # a tie goes to the first of the published list, and is told
    check(got["close"], "bus", 0.7, "train", 0.0, "rare", ambiguous=True)
    # a common concept, but the detector's own class is a target
    assert got["detected"]["concept"] == "pedestrian"
    assert got["detected"]["group"] == "target"
    # what was no candidate has no concept and is common
    assert got["not asked"]["concept"] is None
    assert got["not asked"]["group"] == "common"
    statuses = {name: row["caption_status"] for name, row in got.items()}
    assert statuses == {
        **dict.fromkeys(OBJECTS, "ok"),
        "refused": "refused",
        "not asked": "skipped",
    }


def test_adaptive_weights(dataset: fo.Dataset) -> None:
    got = matched(dataset, weighting="adaptive")
    # caption and crop agree by .6·.8 = .48: q = .68 / .7, w = .2 + .6 q
    w = 0.2 + 0.6 * 0.68 / 0.7
    truck, bus = w * 0.8 + (1 - w) * 0.6, w * 0.6
    check(got["described"], "truck", truck, "bus", truck - bus, "target")
    # they agree by .96: q is cut at 1, w = .8
    check(got["close"], "train", 0.76, "bus", 0.12, "rare")
    # without a caption the cosine counts as 0: q = .2 / .7, w = .371
    w = 0.2 + 0.6 * 0.2 / 0.7
    check(
        got["refused"], "barrier", (1 - w) * 0.8, "bus", (1 - w) * 0.2, "rare"
    )


def check(
    row: dict[str, Any],
    concept: str,
    score: float,
    runner_up: str,
    margin: float,
    group: str,
    ambiguous: bool = False,
) -> None:
    assert row["concept"] == concept
    assert row["concept_score"] == pytest.approx(score, abs=1e-6)
    assert row["runner_up"] == runner_up
    assert row["concept_margin"] == pytest.approx(margin, abs=1e-6)
    assert row["ambiguous"] is ambiguous
    assert row["group"] == group
