"""Counts are what the views behind them show."""

from __future__ import annotations

from collections import Counter

import fiftyone as fo

from raremine.brain.overview.counts import balance, count_objects
from raremine.brain.overview.fields import read_field
from raremine.brain.overview.parts import run_in_parts
from raremine.brain.overview.pipelines import objects
from raremine.brain.overview.views import open_frames, open_objects
from tests.brain.overview.mined import SELECTED, add_selection, values


def test_every_bar_opens_as_many_objects_as_it_counts(
    dataset: fo.Dataset,
) -> None:
    counts = count_objects(dataset, read_field(dataset, "objects"))
    assert counts.bars
    for bar in counts.bars:
        view = open_objects(dataset, "objects", bar.conditions).view
        assert len(view) == bar.count
        assert set(view.values("objects.concept")) == {bar.name}
        assert set(view.values("objects.group")) == {bar.group}


def test_the_funnel_counts_objects_of_all_cameras(dataset: fo.Dataset) -> None:
    counts = count_objects(dataset, read_field(dataset, "objects"))
    steps = {step.name: step for step in counts.funnel}
    assert counts.keyframes == 10
    assert steps["Images"].count == 20
    assert steps["Objects"].count == 37
    assert steps["Target"].count == 5
    assert steps["Rare"].count == 2
    assert steps["Captioned"].count == 7
    assert steps["Outliers"].count == sum(
        map(bool, values(dataset, "outlier"))
    )
    for name in ("Outliers", "Captioned", "Rare", "Target"):
        conditions = steps[name].conditions
        assert conditions is not None
        shown = open_objects(dataset, "objects", conditions).view
        assert len(shown) == steps[name].count


def test_a_concept_of_two_groups_has_two_bars(dataset: fo.Dataset) -> None:
    images = dataset.select_group_slices(media_type="image")
    first = images.match_labels(filter=fo.ViewField("concept") == "truck")
    sample = first.first()
    for detection in sample.objects.detections:
        if detection.concept == "truck":
            detection["group"] = "rare"
    sample.save()
    counts = count_objects(dataset, read_field(dataset, "objects"))
    of_truck = {b.group: b.count for b in counts.bars if b.name == "truck"}
    assert of_truck == {"target": 4, "rare": 1}


def test_keyframes_count_once_by_their_highest_group(
    dataset: fo.Dataset,
) -> None:
    field = read_field(dataset, "objects")
    # frames 0, 2, 4, 6, 8 have a truck, 0 and 5 an animal
    expected = {"target": 5, "rare": 1, "common": 4}
    assert field.described
    assert count_objects(dataset, field).frames == expected
    for group, count in expected.items():
        assert len(open_frames(dataset, field, group).view) == count


def test_keyframes_that_describe_another_field_are_counted_by_objects(
    dataset: fo.Dataset,
) -> None:
    dataset.select_group_slices(
        dataset.group_slices, _allow_mixed=True
    ).set_field("mining_group", "target").save("mining_group")
    field = read_field(dataset, "objects")
    other = type(field)(field.name, field.attributes, field.scores, False)
    expected = {"target": 5, "rare": 1, "common": 4}
    assert count_objects(dataset, other).frames == expected
    for group, count in expected.items():
        assert len(open_frames(dataset, other, group).view) == count


def test_before_concepts_the_detectors_classes_are_counted(
    dataset: fo.Dataset,
) -> None:
    for name in ("concept", "group"):
        dataset.delete_sample_field(f"objects.detections.{name}")
    counts = count_objects(dataset, read_field(dataset, "objects"))
    assert counts.groups == counts.frames == {}
    labels = Counter(values(dataset, "label"))
    assert {bar.name: bar.count for bar in counts.bars} == labels
    assert [s.name for s in counts.funnel][-1] == "Captioned"


def test_balance_counts_the_selected_keyframes_alone(
    dataset: fo.Dataset,
) -> None:
    add_selection(dataset)
    field = read_field(dataset, "objects")
    found = {b.name: b.count for b in balance(dataset, field, SELECTED)}
    assert found == {"car": 8, "pedestrian": 4, "truck": 2, "animal": 2}
    for bar in balance(dataset, field, SELECTED):
        opened = open_objects(dataset, "objects", bar.conditions, tag=SELECTED)
        assert len(opened.view) == bar.count


def test_parts_add_up_to_the_whole(dataset: fo.Dataset) -> None:
    stages = [
        *objects("objects", ["group"]),
        {"$group": {"_id": "$objects.detections.group", "n": {"$sum": 1}}},
    ]
    whole: Counter[str] = Counter()
    parts: Counter[str] = Counter()
    for row in run_in_parts(dataset, stages, parts=1):
        whole[row["_id"]] += row["n"]
    rows = run_in_parts(dataset, stages, parts=4)
    for row in rows:
        parts[row["_id"]] += row["n"]
    assert len(rows) > len(whole)
    assert parts == whole
