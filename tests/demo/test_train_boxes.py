"""What a mistaken box of the detector shows, and how often it is learnt."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from demo import train_boxes, train_captioner, train_data, train_detector
from demo.train_data import BACKGROUND, Crop, Picture, SceneObject

ROOT = Path(__file__).resolve().parents[2]
CAR = SceneObject(
    "car0",
    "vehicle.car",
    "sedan",
    "red",
    False,
    (100.0, 100.0, 200.0, 150.0),
    1.0,
    12.0,
    False,
)
SECOND = replace(CAR, instance="car1", box=(200.0, 100.0, 280.0, 150.0))


def picture(*things: SceneObject) -> Picture:
    return Picture(Path("scene/000.jpg"), things, False)


def test_one_box_around_two_cars_shows_the_larger_car() -> None:
    thing, overlap = train_boxes.shown(
        (100, 100, 310, 150), picture(SECOND, CAR)
    )
    assert thing is CAR
    assert overlap == pytest.approx(100 / 210)


def test_a_part_of_an_object_shows_the_object() -> None:
    thing, overlap = train_boxes.shown((110, 110, 140, 140), picture(CAR))
    assert thing is CAR
    assert overlap == pytest.approx(30 * 30 / (100 * 50))


def test_a_box_as_annotated_is_no_mistake() -> None:
    _, overlap = train_boxes.shown((101, 99, 199, 151), picture(CAR, SECOND))
    assert overlap > train_boxes.FOUND


def test_a_box_of_nothing_shows_background() -> None:
    thing, overlap = train_boxes.shown((10, 10, 60, 40), picture(CAR))
    assert thing is not None
    assert thing.category == BACKGROUND
    assert thing.box == (10, 10, 60, 40)
    assert overlap == 0


@pytest.mark.parametrize(
    "things",
    [
        (CAR,),
        (replace(CAR, visible_fraction=0.4, box=(0.0, 90.0, 250.0, 160.0)),),
    ],
)
def test_a_box_half_on_something_shows_nothing_for_sure(
    things: tuple[SceneObject, ...],
) -> None:
    # a quarter of the first box is car; the second's car is hidden for most
    thing, _ = train_boxes.shown((50, 100, 250, 200), picture(*things))
    assert thing is None


def test_mistakes_have_their_share_of_the_draws() -> None:
    pixels = np.zeros((4, 4, 3), np.uint8)
    box = (0.0, 0.0, 4.0, 4.0)
    own = [Crop(pixels, box, CAR)] * 90
    cars = [Crop(pixels, box, CAR, "truck")] * 16
    racks = [Crop(pixels, box, SECOND, "bus")] * 4
    weights = train_data.balanced_weights([*cars, *own, *racks])
    assert weights.sum() == pytest.approx(1)
    assert weights[16:106].sum() == pytest.approx(1 - train_data.MISTAKES)
    assert weights[:16].sum() == pytest.approx(2 * weights[106:].sum())


def test_a_mistake_is_mostly_told_by_the_name_the_detector_gave_it() -> None:
    rng = np.random.default_rng(0)
    prompts = [
        train_captioner.draw_example(CAR, rng, "fire hydrant").prompt
        for _ in range(300)
    ]
    share = np.mean(["fire hydrant" in prompt for prompt in prompts])
    assert 0.55 < share < 0.75


def test_the_detectors_mistakes_are_cut_where_it_made_them(
    tmp_path: Path,
) -> None:
    spec = train_data.WorldSpec(seed=7002, rarity=1.0, scenes=2, keyframes=1)
    train_data.render_worlds([spec], tmp_path, processes=1)
    pictures = train_data.load_pictures([spec], tmp_path)
    weights = ROOT / "demo" / "weights" / "detector.pt"
    crops = list(train_boxes.mistaken_crops(pictures, weights, batch=5))
    assert crops
    for crop in crops:
        assert crop.hint in train_detector.NAMES
        assert max(crop.pixels.shape[:2]) <= train_data.MAX_STORED
        x1, y1, x2, y2 = crop.box
        assert 0 <= x1 < x2 <= crop.pixels.shape[1] + 1
        assert 0 <= y1 < y2 <= crop.pixels.shape[0] + 1
    # alone or in batches, a picture's mistakes are the same
    alone = list(train_boxes.mistaken_crops(pictures[:5], weights, batch=1))
    told = [(c.hint, c.thing.category, c.pixels.shape) for c in crops]
    assert told[: len(alone)] == [
        (c.hint, c.thing.category, c.pixels.shape) for c in alone
    ]
