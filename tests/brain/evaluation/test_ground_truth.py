"""Which boxes count, and what a frame is said to hold."""

from __future__ import annotations

import numpy as np
import pytest

from raremine.brain.errors import RaremineError
from raremine.brain.evaluation.ground_truth import (
    TARGET_CLASSES,
    TruthFilter,
    class_name,
    countable,
    frame_truth,
    visible_percent,
)
from raremine.brain.objects import ObjectTable, object_array
from tests.brain.selection.tables import frame_table


def boxes(*rows: dict) -> ObjectTable:
    texts = ("visibility", "instance_token", "category")
    columns = {
        name: object_array(row.get(name) for row in rows) for name in texts
    }
    for name in ("num_lidar_pts", "num_radar_pts"):
        columns[name] = np.array([row.get(name, np.nan) for row in rows])
    columns["sample_token"] = object_array(
        r.get("token", "t000") for r in rows
    )
    columns["label"] = object_array(r.get("label", "truck") for r in rows)
    columns["bounding_box"] = np.array(
        [
            [0.1, 0.1, row.get("width", 0.1), row.get("height", 0.2)]
            for row in rows
        ]
    )
    ids = np.array([f"id{i}" for i in range(len(rows))])
    return ObjectTable(ids, ids, columns)


@pytest.mark.parametrize(
    ("row", "counts"),
    [
        ({}, True),
        ({"height": 0.0249}, False),
        ({"height": 0.025}, True),
        ({"visibility": "v0-40"}, False),
        ({"visibility": "1"}, False),
        ({"visibility": "v40-60"}, True),
        ({"visibility": "4"}, True),
        ({"visibility": ""}, True),
        ({"visibility": "hidden"}, True),
        ({"num_lidar_pts": 0}, False),
        ({"num_lidar_pts": 0, "num_radar_pts": 0}, False),
        ({"num_lidar_pts": 0, "num_radar_pts": 2}, True),
        ({"num_lidar_pts": 1, "num_radar_pts": 0}, True),
        ({"num_lidar_pts": -1}, True),
        ({"num_lidar_pts": -1, "num_radar_pts": 0}, False),
    ],
)
def test_which_boxes_count(row: dict, counts: bool) -> None:
    assert countable(boxes(row), TruthFilter()).tolist() == [counts]


def test_columns_that_nobody_wrote_filter_nothing() -> None:
    """A missing column comes back from the database as NaN."""
    table = boxes({}, {})
    for name in ("visibility", "instance_token", "category"):
        table.columns[name] = np.full(2, np.nan)
    assert countable(table, TruthFilter()).all()
    truth = frame_truth(frame_table(3), table)
    assert len(truth.instance_class) == 2
    assert np.isnan(visible_percent(np.nan))


def test_names_match_as_a_whole() -> None:
    assert class_name("construction_vehicle") == "construction vehicle"
    assert class_name(" Construction-Vehicle") == "construction vehicle"
    assert class_name(None) == ""
    labels = ["construction_vehicle", "car", "carrot", "trucks", "motorbike"]
    truth = frame_truth(
        frame_table(3), boxes(*({"label": label} for label in labels))
    )
    assert truth.targets == TARGET_CLASSES
    assert truth.summary["instances_by_class"] == {
        "construction vehicle": 1,
        "bicycle": 0,
        "motorcycle": 0,
        "trailer": 0,
        "truck": 0,
    }


def test_an_instance_counts_once_per_frame() -> None:
    truth = frame_truth(
        frame_table(4, scenes=1),
        boxes(
            {"instance_token": "a", "token": "t001"},
            {"instance_token": "a", "token": "t001"},
            {"instance_token": "a", "token": "t003"},
            {"instance_token": "b", "token": "t003", "label": "bicycle"},
            {"instance_token": "c", "token": "elsewhere"},
        ),
        targets=["truck", "bicycle"],
    )
    assert truth.presence.tolist() == [
        [False, False],
        [True, False],
        [False, False],
        [True, True],
    ]
    assert sorted(zip(truth.seen_frame, truth.seen_instance, strict=True)) == [
        (1, 0),
        (3, 0),
        (3, 1),
    ]
    assert truth.instance_class.tolist() == [0, 1]
    assert truth.summary["frames_with_target"] == 2


def test_ignored_things_are_of_no_class_but_have_a_category() -> None:
    """What nuScenes' detection task leaves out is labelled "ignore"."""
    table = boxes(
        {"label": "ignore", "category": "animal"},
        {"label": "ignore", "category": "static_object.bicycle_rack"},
        {"label": "bicycle", "category": "vehicle.bicycle"},
        {"label": "bicycle", "category": "vehicle.bicycle", "token": "t001"},
    )
    truth = frame_truth(frame_table(3), table, targets=["bicycle", "ignore"])
    assert truth.summary["frames_by_class"] == {"bicycle": 2, "ignore": 0}
    truth = frame_truth(frame_table(3), table, targets=["Animal"])
    assert truth.presence[:, 0].tolist() == [True, False, False]
    # a label goes before a category of another target
    both = frame_truth(
        frame_table(3), table, targets=["vehicle.bicycle", "bicycle"]
    )
    assert both.summary["instances_by_class"]["bicycle"] == 2
    assert both.summary["instances_by_class"]["vehicle.bicycle"] == 0


def test_a_track_id_that_comes_again_in_another_scene() -> None:
    """Many data sets number the tracks of each scene from one."""
    rows = [{"instance_token": "1", "token": f"t{i:03d}"} for i in (0, 1, 9)]
    truth = frame_truth(frame_table(10, scenes=2), boxes(*rows))
    assert truth.summary["instances_by_class"]["truck"] == 2
    assert truth.seen_instance.tolist() == [0, 0, 1]


def test_each_sighting_knows_its_largest_box() -> None:
    rows = [
        {"instance_token": "a", "width": 0.1},
        {"instance_token": "a", "width": 0.3},
        {"instance_token": "a", "width": 0.2},
        {"instance_token": "a", "width": 0.4, "visibility": "1"},
        {"instance_token": "b", "width": 0.2},
    ]
    truth = frame_truth(frame_table(3), boxes(*rows))
    assert truth.seen_label is not None
    assert truth.seen_label.tolist() == ["id1", "id4"]


def test_no_target_in_the_ground_truth() -> None:
    table = boxes({"label": "car"}, {"visibility": "1"})
    with pytest.raises(RaremineError, match="1 were filtered.*car, truck"):
        frame_truth(frame_table(3), table)
    with pytest.raises(RaremineError, match="no target given"):
        frame_truth(frame_table(3), table, targets=[])
