"""Which field the keyframes describe, and what counts as a score."""

from __future__ import annotations

import time

import fiftyone as fo
import pytest

import raremine.brain as rmb
from raremine.brain.columns import declare_columns, read_objects
from raremine.brain.overview.fields import mined_fields, read_field
from raremine.brain.runs import record_run
from tests.brain.overview.mined import mined_dataset

OTHER = "objects_paper"


@pytest.fixture
def dataset() -> fo.Dataset:
    dataset = mined_dataset()
    dataset.clone_sample_field("objects", OTHER)
    for field in ("objects", OTHER):
        record_run(dataset, f"{field}_concepts", "concepts", field=field)
        time.sleep(0.01)
    return dataset


def test_the_field_that_wrote_last_describes_the_keyframes(
    dataset: fo.Dataset,
) -> None:
    assert mined_fields(dataset) == ["objects", OTHER]
    assert read_field(dataset, OTHER).described
    assert not read_field(dataset, "objects").described


def test_a_correction_writes_the_keyframes_too(dataset: fo.Dataset) -> None:
    label = str(read_objects(dataset).label_id[0])
    rmb.correct_objects(dataset, "truck", labels=[label])
    assert read_field(dataset, "objects").described
    assert not read_field(dataset, OTHER).described


def test_where_an_object_is_is_no_score(dataset: fo.Dataset) -> None:
    names = ("distance", "seen_width", "seen_height", "lidar_points")
    declare_columns(dataset, "objects", dict.fromkeys(names, fo.FloatField))
    field = read_field(dataset, "objects")
    assert field.scores[0] == "outlier_score"
    assert not set(names) & set(field.scores)
    assert field.has("distance")
