"""What a map shows: all cameras, all values, the crops that were chosen."""

from __future__ import annotations

from collections.abc import Iterator

import fiftyone as fo
import fiftyone.brain as fob
import numpy as np
import pytest
from fiftyone import ViewField as F

from raremine.brain.errors import MissingStageError, RaremineError
from raremine.brain.maps.show import (
    categories,
    color_choices,
    is_scale,
    list_maps,
    read_map,
    rows_to_draw,
    view_of_objects,
)

CAMERAS = ("FRONT", "LEFT", "BACK")


@pytest.fixture
def mapped() -> Iterator[fo.Dataset]:
    """Two keyframes of three cameras and a cloud, a car and a bus in each.

    An object's place on the map is its score and the score's negative, so
    that whoever mixes rows up can be told.
    """
    dataset = fo.Dataset()
    dataset.add_group_field("group", default="FRONT")
    samples = []
    for frame in range(2):
        group = fo.Group()
        for number, camera in enumerate(CAMERAS):
            score = 10.0 * frame + number
            detections = [
                fo.Detection(
                    label=label,
                    bounding_box=[0.1, 0.1, 0.2, 0.2],
                    score=score + extra,
                    group="rare" if label == "bus" else "common",
                    reason="some long text",
                    outlier_by=["knn"] if label == "bus" else [],
                )
                for label, extra in (("car", 0.25), ("bus", 0.5))
            ]
            samples.append(
                fo.Sample(
                    filepath=f"/none/{camera}/{frame}.jpg",
                    group=group.element(camera),
                    objects=fo.Detections(detections=detections),
                )
            )
        cloud = group.element("LIDAR")
        samples.append(fo.Sample(filepath=f"/none/{frame}.fo3d", group=cloud))
    dataset.add_samples(samples, dynamic=True)
    images = dataset.select_group_slices(media_type="image")
    scores = images.values("objects.detections.score", unwind=True)
    fob.compute_visualization(
        images,
        patches_field="objects",
        points=np.array([[s, -s] for s in scores]),
        brain_key="objects_map",
    )
    yield dataset
    dataset.delete()


@pytest.mark.parametrize(
    ("name", "known"), [("score", 12), ("label", 12), ("camera", 12)]
)
def test_objects_of_every_camera_have_a_value(
    mapped: fo.Dataset, name: str, known: int
) -> None:
    colored = read_map(mapped, "objects_map", name)
    values = np.array([str(v) for v in colored.values])
    assert len(values) == known
    assert not np.isin(values, ["None", "nan"]).any()
    assert set(colored.camera) == set(CAMERAS)


def test_values_and_places_belong_to_the_same_object(
    mapped: fo.Dataset,
) -> None:
    colored = read_map(mapped, "objects_map", "score")
    np.testing.assert_allclose(colored.points[:, 0], colored.values)
    np.testing.assert_allclose(colored.points[:, 1], -colored.values)


@pytest.mark.parametrize("slice_name", CAMERAS)
def test_the_active_slice_does_not_matter(
    mapped: fo.Dataset, slice_name: str
) -> None:
    mapped.group_slice = slice_name
    colored = read_map(mapped, "objects_map", "label")
    assert sorted(colored.values) == ["bus"] * 6 + ["car"] * 6


def test_a_choice_shows_its_crops_and_no_others(mapped: fo.Dataset) -> None:
    colored = read_map(mapped, "objects_map", "label")
    chosen = colored.label_id[colored.label == "bus"].tolist()
    view = view_of_objects(mapped, "objects_map", chosen)
    assert sorted(view.values("objects.id")) == sorted(chosen)
    of_camera = dict.fromkeys(CAMERAS, 0)
    for path in view.values("filepath"):
        of_camera[path.split("/")[2]] += 1
    assert of_camera == dict.fromkeys(CAMERAS, 2)


def test_objects_deleted_since_are_left_out(mapped: fo.Dataset) -> None:
    images = mapped.select_group_slices(media_type="image")
    images.filter_labels("objects", F("label") == "car").save()
    colored = read_map(mapped, "objects_map", "score")
    assert set(colored.label) == {"car"}
    np.testing.assert_allclose(colored.points[:, 0], colored.values)


def test_nothing_of_a_choice_being_there_is_said(mapped: fo.Dataset) -> None:
    with pytest.raises(RaremineError, match="any more"):
        view_of_objects(mapped, "objects_map", ["0" * 24])


def test_choices_are_labels_flags_and_scores(mapped: fo.Dataset) -> None:
    choices = color_choices(mapped)
    assert choices[:3] == ["group", "label", "camera"]
    assert {"score", "outlier_by", "confidence"} <= set(choices)
    assert not {"id", "reason", "bounding_box", "mask"} & set(choices)


def test_only_maps_of_objects_are_listed(mapped: fo.Dataset) -> None:
    images = mapped.select_group_slices(media_type="image")
    points = np.zeros((len(images), 2))
    fob.compute_visualization(images, points=points, brain_key="of_images")
    assert list_maps(mapped) == ["objects_map"]
    with pytest.raises(RaremineError, match="no map of objects"):
        read_map(mapped, "of_images", "label")


def test_a_missing_map_is_a_missing_stage(mapped: fo.Dataset) -> None:
    mapped.delete_brain_run("objects_map")
    assert list_maps(mapped) == []
    with pytest.raises(MissingStageError, match="map_objects first"):
        read_map(mapped, "objects_map", "label")


def test_an_unknown_colour_names_the_known_ones(mapped: fo.Dataset) -> None:
    with pytest.raises(RaremineError, match="'hue'.*group, label"):
        read_map(mapped, "objects_map", "hue")


def test_categories_are_ordered_by_frequency_then_name() -> None:
    values = np.array(["b", None, "a", "c", "c", ["x", "y"]], dtype=object)
    codes, names = categories(values)
    assert names == ["c", "a", "b", "x, y"]
    assert codes.tolist() == [2, -1, 1, 0, 0, 3]


def test_rare_categories_share_one_colour_when_there_are_too_many() -> None:
    values = np.array(list("aaabbcde"), dtype=object)
    codes, names = categories(values, most=3)
    assert names == ["a", "b", "other"]
    assert codes.tolist() == [0, 0, 0, 1, 1, 2, 2, 2]


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        (np.array([0.5, np.nan]), True),
        (np.array([1.0, 2.0, np.nan]), False),
        (np.arange(50.0), True),
        (np.array([np.nan, np.nan]), False),
        (np.array(["a", None], dtype=object), False),
        (np.array([True, False], dtype=object), False),
    ],
)
def test_scores_get_a_scale_and_the_rest_categories(
    values: np.ndarray, scale: bool
) -> None:
    assert is_scale(values) is scale


def test_what_comes_first_is_drawn_whatever_else_is_there() -> None:
    first = np.zeros(1000, bool)
    first[[3, 500, 999]] = True
    rows = rows_to_draw(first, 10)
    assert len(rows) == 10
    assert {3, 500, 999} <= set(rows.tolist())
    assert np.all(np.diff(rows) > 0)
    np.testing.assert_array_equal(rows, rows_to_draw(first, 10))


def test_a_small_map_is_drawn_whole() -> None:
    rows = rows_to_draw(np.zeros(5, bool), 10)
    assert rows.tolist() == [0, 1, 2, 3, 4]
