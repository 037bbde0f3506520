"""Categories, scene words and splits."""

import json
from pathlib import Path

import pytest
from nuscenes.eval.detection.utils import category_to_detection_name
from nuscenes.utils.splits import create_splits_scenes

from raremine.brain.errors import DatarootError
from raremine.brain.nuscenes.splits import official_splits, scene_splits
from raremine.brain.nuscenes.taxonomy import (
    DETECTION_CLASSES,
    detection_class,
    is_night,
    is_rain,
    object_id,
)

CATEGORIES = [
    "animal",
    "human.pedestrian.adult",
    "human.pedestrian.child",
    "human.pedestrian.construction_worker",
    "human.pedestrian.personal_mobility",
    "human.pedestrian.police_officer",
    "human.pedestrian.stroller",
    "human.pedestrian.wheelchair",
    "movable_object.barrier",
    "movable_object.debris",
    "movable_object.pushable_pullable",
    "movable_object.trafficcone",
    "static_object.bicycle_rack",
    "vehicle.bicycle",
    "vehicle.bus.bendy",
    "vehicle.bus.rigid",
    "vehicle.car",
    "vehicle.construction",
    "vehicle.emergency.ambulance",
    "vehicle.emergency.police",
    "vehicle.motorcycle",
    "vehicle.trailer",
    "vehicle.truck",
]


@pytest.mark.parametrize("category", [*CATEGORIES, "something.new"])
def test_classes_are_the_devkits(category: str) -> None:
    expected = category_to_detection_name(category) or "ignore"
    assert detection_class(category) == expected


def test_there_are_ten_classes() -> None:
    assert len(DETECTION_CLASSES) == 10


@pytest.mark.parametrize(
    ("text", "rain", "night"),
    [
        ("Rain, many peds", True, False),
        ("Night, after rain", True, True),
        ("raining, wet road", True, False),
        ("Rough terrain, train station, drain", False, False),
        ("Brainstorming at the fortnight's end", False, False),
        ("nighttime drive", False, True),
        ("Knightsbridge", False, False),
        ("", False, False),
    ],
)
def test_rain_and_night_are_whole_words(
    text: str, rain: bool, night: bool
) -> None:
    assert is_rain(text) is rain
    assert is_night(text) is night


def test_ids_follow_from_tokens() -> None:
    one = object_id("instance", "abc")
    assert one == object_id("instance", "abc")
    assert (
        len({one, object_id("sample", "abc"), object_id("instance", "d")}) == 3
    )
    assert len(one) == 24 and int(one, 16) >= 0


def test_official_splits_are_the_devkits() -> None:
    devkit = create_splits_scenes()
    versions = {
        "v1.0-trainval": ["train", "val"],
        "v1.0-test": ["test"],
        "v1.0-mini": ["mini_train", "mini_val"],
    }
    for version, names in versions.items():
        splits = official_splits(version)
        assert list(splits) == names
        for name in names:
            assert sorted(splits[name]) == sorted(devkit[name])


def test_unknown_version_or_scene_has_no_split(tmp_path: Path) -> None:
    assert scene_splits(tmp_path, "v2-own", ["scene-0061"]) == {
        "scene-0061": ""
    }
    assert scene_splits(tmp_path, "v1.0-mini", ["scene-9999"]) == {
        "scene-9999": ""
    }


def test_own_splits_go_first(tmp_path: Path) -> None:
    splits = {"fit": ["scene-0061", "mine"], "check": ["mine"]}
    (tmp_path / "splits.json").write_text(json.dumps(splits))
    names = ["scene-0061", "scene-0103", "mine"]
    assert scene_splits(tmp_path, "v1.0-mini", names) == {
        "scene-0061": "fit",
        "scene-0103": "mini_val",
        "mine": "fit",
    }


@pytest.mark.parametrize("text", ["{", "[]", '{"a": "scene-1"}', '{"a": [1]}'])
def test_broken_own_splits(tmp_path: Path, text: str) -> None:
    (tmp_path / "splits.json").write_text(text)
    with pytest.raises(DatarootError, match=r"splits\.json"):
        scene_splits(tmp_path, "v", ["a"])
