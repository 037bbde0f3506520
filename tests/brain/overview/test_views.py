"""What opens in the grid, of whatever camera it is."""

from __future__ import annotations

from collections.abc import Iterator

import fiftyone as fo
import pytest

from raremine.brain.errors import RaremineError
from raremine.brain.overview import views
from raremine.brain.overview.conditions import (
    AT_LEAST,
    BELOW,
    HOLDS,
    IS,
    Condition,
    describe,
)
from raremine.brain.overview.pipelines import count
from tests.brain.overview.mined import SELECTED, add_selection, values

TARGET = Condition("group", IS, "target")


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ((TARGET,), 5),
        ((Condition("keywords", HOLDS, "red"),), 5),
        ((Condition("keywords", HOLDS, "re"),), 0),
        ((Condition("novelty", BELOW, 2.5),), 5),
        ((Condition("novelty", AT_LEAST, 2.5),), 2),
        ((Condition("novelty", AT_LEAST, 2.0), TARGET), 5),
        ((Condition("outlier_score", BELOW, 0.1), TARGET), 0),
        ((Condition("no_such_thing", BELOW, 0.1),), 0),
        ((), 37),
    ],
)
def test_counting_and_showing_follow_the_same_rule(
    dataset: fo.Dataset, conditions: tuple[Condition, ...], expected: int
) -> None:
    assert count(dataset, "objects", conditions)[0] == expected
    if not expected:
        with pytest.raises(RaremineError, match="no object with"):
            views.open_objects(dataset, "objects", conditions)
        return
    opened = views.open_objects(dataset, "objects", conditions)
    assert len(opened.view) == expected
    assert f"{expected} objects" in opened.message


def test_a_score_that_is_missing_is_not_below_anything(
    dataset: fo.Dataset,
) -> None:
    rule = (Condition("outlier_score", BELOW, 1e9),)
    view = views.open_objects(dataset, "objects", rule).view
    assert len(view) == 27
    assert None not in view.values("objects.outlier_score")


def test_too_many_objects_are_shown_on_their_images(
    dataset: fo.Dataset,
) -> None:
    opened = views.open_objects(dataset, "objects", (TARGET,), most=4)
    assert opened.view.media_type == "image"
    assert len(opened.view) == 5
    labels = opened.view.values("objects.detections.group", unwind=True)
    assert labels == ["target"] * 5
    assert "5 images" in opened.message
    everything = views.open_objects(dataset, "objects", (), most=4)
    assert len(everything.view) == 20


def test_chosen_objects_of_different_cameras(dataset: fo.Dataset) -> None:
    images = dataset.select_group_slices(media_type="image")
    chosen = [
        (str(label.id), sample.id, sample.group.name)
        for sample in images
        for label in sample.objects.detections
        if label.group != "common"
    ]
    assert {camera for *_, camera in chosen} == {"CAM_FRONT", "CAM_BACK"}
    opened = views.open_chosen(
        dataset, "objects", [c[0] for c in chosen], [c[1] for c in chosen]
    )
    assert sorted(opened.view.values("id")) == sorted(c[0] for c in chosen)


def test_objects_that_are_gone_are_said_to_be(dataset: fo.Dataset) -> None:
    sample = dataset.first()
    gone = "0" * 24
    with pytest.raises(RaremineError, match="not in the dataset any more"):
        views.open_chosen(dataset, "objects", [gone], [sample.id])
    with pytest.raises(RaremineError, match="not in the dataset any more"):
        views.open_keyframe(dataset, gone)


def test_a_keyframe_comes_with_all_its_cameras(dataset: fo.Dataset) -> None:
    back = dataset.select_group_slices("CAM_BACK").skip(3).first()
    view = views.open_keyframe(dataset, back.id).view
    assert view.media_type == "group"
    assert len(view) == 1
    shown = view.select_group_slices("CAM_BACK").first()
    assert shown.id == back.id


def test_a_selection_and_its_parts(dataset: fo.Dataset) -> None:
    add_selection(dataset)
    assert len(views.open_selection(dataset, SELECTED).view) == 4
    part = views.open_selection(dataset, SELECTED, "random").view
    assert sorted(part.values("sample_token")) == ["frame-5", "frame-7"]
    with pytest.raises(RaremineError, match="no keyframes of 'rare'"):
        views.open_selection(dataset, SELECTED, "rare")


def test_images_without_groups(flat: fo.Dataset) -> None:
    assert len(views.open_images(flat).view) == 3
    rule = (Condition("label", IS, "car"),)
    assert len(views.open_objects(flat, "objects", rule).view) == 3
    sample = flat.first()
    assert len(views.open_keyframe(flat, sample.id).view) == 1


@pytest.fixture
def flat() -> Iterator[fo.Dataset]:
    """Three images of no group."""
    dataset = fo.Dataset()
    box = [0.1, 0.1, 0.2, 0.2]
    dataset.add_samples(
        [
            fo.Sample(
                f"/none/{n}.jpg",
                objects=fo.Detections(
                    detections=[fo.Detection(label="car", bounding_box=box)]
                ),
            )
            for n in range(3)
        ]
    )
    yield dataset
    dataset.delete()


def test_conditions_in_words() -> None:
    rules = (
        Condition("outlier", IS, True),
        TARGET,
        Condition("outlier_score", AT_LEAST, 0.25),
        Condition("keywords", HOLDS, "dog"),
    )
    assert describe(rules) == (
        "outlier, group target, outlier score ≥ 0.25, keywords has dog"
    )


def test_the_dataset_has_what_these_tests_count(dataset: fo.Dataset) -> None:
    assert len(values(dataset, "id")) == 37
