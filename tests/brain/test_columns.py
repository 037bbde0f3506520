"""Reading and writing columns from wherever a user stands."""

from __future__ import annotations

from pathlib import Path

import fiftyone as fo
import fiftyone.core.fields as fof
import numpy as np
import pytest
from fiftyone import ViewField as F

import raremine.brain as rmb
from raremine.brain.columns import (
    read_objects,
    resolve,
    write_frames,
    write_objects,
)
from raremine.brain.errors import RaremineError
from tests.brain.fakes import (
    FakeDetector,
    painted_dataset,
    scatter,
    values,
)

CAMERAS = ("CAM_FRONT", "CAM_BACK", "CAM_LEFT")
NAMES = ["car", "person", "truck", "dog", "bus", "bench", "bicycle"]


def detected(folder: Path, **kwargs: object) -> fo.Dataset:
    frames = scatter(NAMES, cameras=CAMERAS, per_image=1)
    dataset = painted_dataset(folder, frames, cameras=CAMERAS, **kwargs)
    rmb.detect_objects(dataset, FakeDetector())
    return dataset


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> fo.Dataset:
    return detected(tmp_path_factory.mktemp("columns"))


def test_a_grouped_dataset_means_all_its_cameras(dataset: fo.Dataset) -> None:
    dataset.group_slice = "LIDAR_TOP"
    try:
        table = read_objects(dataset, names=["label"])
    finally:
        dataset.group_slice = "CAM_FRONT"
    assert sorted(table["label"]) == sorted(
        "pedestrian" if name == "person" else name for name in NAMES
    )


def test_every_kind_of_collection_is_understood(dataset: fo.Dataset) -> None:
    def labels(samples: object) -> list[str]:
        return sorted(read_objects(samples, names=["label"])["label"])

    images = dataset.select_group_slices(media_type="image")
    assert labels(images) == labels(dataset)
    one_frame = dataset.match(F("sample_token") == "token000")
    assert labels(one_frame) == ["car", "pedestrian", "truck"]
    assert labels(dataset.select_group_slices("CAM_BACK")) == sorted(
        ["pedestrian", "bus"]
    )
    filtered = images.filter_labels("objects", F("label") == "dog")
    assert labels(filtered) == ["dog"]
    patches = images.to_patches("objects").match(
        F("objects.label").is_in(["bus", "bench"])
    )
    assert labels(patches) == ["bench", "bus"]


def test_a_patches_view_writes_its_own_labels_only(
    dataset: fo.Dataset,
) -> None:
    patches = dataset.select_group_slices(media_type="image").to_patches(
        "objects"
    )
    chosen = patches.match(F("objects.label") == "dog")
    table = read_objects(chosen, names=["label"])
    write_objects(dataset, "objects", table, {"only_here": [7.0]})
    got = values(dataset, "label", "only_here")
    assert [(label, x) for _, label, x in got if x is not None] == [
        ("dog", 7.0)
    ]


def test_values_reach_their_own_label_in_any_order(tmp_path: Path) -> None:
    dataset = painted_dataset(tmp_path, scatter(NAMES, per_image=3))
    rmb.detect_objects(dataset, FakeDetector())
    table = read_objects(dataset)
    shuffled = table.take(np.random.default_rng(0).permutation(len(table)))
    write_objects(
        dataset, "objects", shuffled, {"echo": list(shuffled.label_id)}
    )
    again = read_objects(dataset, names=["echo"])
    assert list(again["echo"]) == list(again.label_id)


def test_row_order_comes_from_the_content(tmp_path: Path) -> None:
    def rows(dataset: fo.Dataset) -> list[tuple[str, float]]:
        table = read_objects(dataset, names=["label", "crop_index"])
        return list(zip(table["label"], table["crop_index"], strict=True))

    straight = detected(tmp_path)
    reverse = detected(tmp_path, reverse=True)
    assert rows(straight) == rows(reverse)
    # also where tokens exist and say nothing
    for dataset in (straight, reverse):
        images = dataset.select_group_slices(media_type="image")
        images.set_field("sample_data_token", None).save("sample_data_token")
    assert rows(straight) == rows(reverse)


def test_missing_numbers_are_nan_and_stored_as_null(
    dataset: fo.Dataset,
) -> None:
    table = read_objects(dataset, names=["never_written"])
    assert np.isnan(table["never_written"]).all()
    column = np.full(len(table), np.nan)
    column[2] = 0.5
    write_objects(dataset, "objects", table, {"mostly_nan": column})
    back = read_objects(dataset, names=["mostly_nan"])["mostly_nan"]
    np.testing.assert_array_equal(back, column)
    assert dataset.count_values("objects.detections.mostly_nan").keys() <= {
        None,
        0.5,
    }


def test_a_column_without_values_does_not_fix_its_type(
    dataset: fo.Dataset,
) -> None:
    table = read_objects(dataset)
    path = "objects.detections.remark"
    write_objects(dataset, "objects", table, {"remark": [None] * len(table)})
    assert dataset.get_field(path) is None
    remarks = ["why", *[None] * (len(table) - 1)]
    write_objects(dataset, "objects", table, {"remark": remarks})
    assert isinstance(dataset.get_field(path), fof.StringField)
    assert list(read_objects(dataset, names=["remark"])["remark"]) == remarks


def test_an_empty_table_still_declares_its_columns(
    dataset: fo.Dataset,
) -> None:
    empty = read_objects(dataset).take(np.array([], dtype=int))
    write_objects(dataset, "objects", empty, {"score0": np.empty(0)})
    ftype = dataset.get_field("objects.detections.score0")
    assert isinstance(ftype, fof.FloatField)


def test_columns_of_another_length_write_nothing(dataset: fo.Dataset) -> None:
    table = read_objects(dataset)
    with pytest.raises(RaremineError, match=r"'short' has 1 values for 7"):
        write_objects(
            dataset,
            "objects",
            table,
            {"right": np.ones(len(table)), "short": [1.0]},
        )
    assert np.isnan(read_objects(dataset, names=["right"])["right"]).all()


def test_frame_fields_are_on_every_slice(dataset: fo.Dataset) -> None:
    write_frames(dataset, ["token001"], {"remark": ["here"]})
    for name in (*CAMERAS, "LIDAR_TOP"):
        found = dataset.select_group_slices(name).match(F("remark") == "here")
        assert found.values("sample_token") == ["token001"]


def test_a_dataset_without_tokens_is_keyed_by_sample(tmp_path: Path) -> None:
    dataset = painted_dataset(tmp_path, scatter(["car"]), lidar=False)
    plain = fo.Dataset()
    paths = dataset.select_group_slices().values("filepath")
    plain.add_samples([fo.Sample(path) for path in paths])
    rmb.detect_objects(plain, FakeDetector())
    table = read_objects(plain)
    assert list(table["sample_token"]) == list(table.sample_id)
    write_frames(plain, list(table.sample_id), {"remark": ["x"]})
    assert sorted(plain.values("remark"), key=str) == [None, "x"]


def test_a_collection_without_images_is_told() -> None:
    dataset = fo.Dataset()
    dataset.add_group_field("group", default="LIDAR_TOP")
    element = fo.Group().element("LIDAR_TOP")
    dataset.add_sample(fo.Sample("/nowhere/a.fo3d", group=element))
    with pytest.raises(RaremineError, match=r"no image slice.*LIDAR_TOP"):
        resolve(dataset)


def test_patches_of_another_field_are_told(dataset: fo.Dataset) -> None:
    patches = dataset.select_group_slices(media_type="image").to_patches(
        "objects"
    )
    with pytest.raises(RaremineError, match="does not show field 'others'"):
        resolve(patches, "others")


def test_labels_hidden_by_a_grouped_view_stay_hidden(
    dataset: fo.Dataset,
) -> None:
    everything = read_objects(dataset, names=["label"])
    wanted = everything["label"][0]
    filtered = dataset.filter_labels(
        "objects", F("label") == wanted, only_matches=False
    )
    assert filtered.media_type == "group"
    left = read_objects(filtered, names=["label"])
    assert set(left["label"]) == {wanted}
    # of every camera, not of the active slice alone
    assert len(left) == (everything["label"] == wanted).sum()
