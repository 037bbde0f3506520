"""Documents made directly, against those that FiftyOne makes itself."""

from __future__ import annotations

import functools
import gc
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fiftyone as fo
import numpy as np
import pytest
from bson import Int64, ObjectId

from benchmarks import _writing_rates as writing_rates
from raremine.brain.columns import all_slices
from raremine.brain.errors import RaremineError
from raremine.brain.nuscenes import loader, writer
from raremine.brain.nuscenes.documents import difference, sample_document
from raremine.brain.nuscenes.garbage import collection_paused
from raremine.brain.nuscenes.loader import load_nuscenes
from raremine.brain.nuscenes.samples import SampleMaker
from raremine.brain.nuscenes.store import create_dataset
from raremine.brain.nuscenes.tables import read_tables
from raremine.brain.nuscenes.writer import GroupWriter

from .conftest import VERSION, Dataroot

NAME = "documents-test"
SAMPLES = 2 * 3 * 7
"""Scenes, keyframes and slices of the tiny dataroot."""


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    yield
    for name in fo.list_datasets(f"{NAME}*"):
        fo.delete_dataset(name)


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers of samples that FiftyOne itself was asked to add."""
    counts: list[int] = []
    add_samples = fo.Dataset.add_samples

    def add(dataset: fo.Dataset, samples: list, **options: Any) -> Any:
        counts.append(len(samples))
        return add_samples(dataset, samples, **options)

    monkeypatch.setattr(fo.Dataset, "add_samples", add)
    return counts


def load(root: Dataroot, **options: Any) -> fo.Dataset:
    options = {"media_dir": root.path.parent / "media", **options}
    return load_nuscenes(root.path, VERSION, NAME, **options)


def documents(dataset: fo.Dataset) -> dict[str, dict[str, Any]]:
    """What MongoDB has of a dataset's samples."""
    found = dataset._sample_collection.find()
    return {d["sample_data_token"]: d for d in found}


def load_plainly(root: Dataroot, **options: Any) -> fo.Dataset:
    """Loads by nothing but ``dataset.add_samples``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            loader, "GroupWriter", functools.partial(GroupWriter, plain=True)
        )
        return load(root, overwrite=True, **options)


def agree(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    assert ours.keys() == theirs.keys()
    ids = {d.pop("_dataset_id") for d in ours.values()}
    assert len(ids) == 1
    for token, document in ours.items():
        document["_dataset_id"] = theirs[token]["_dataset_id"]
        assert difference(theirs[token], document) is None, token


def as_it_is(root: Dataroot) -> dict[str, Any]:
    return {}


def without_ground_truth(root: Dataroot) -> dict[str, Any]:
    return {"ground_truth": False}


def missing_images(root: Dataroot) -> dict[str, Any]:
    for sample, channel in (("sample-00", "CAM_FRONT"), ("sample-11", None)):
        for name in (channel,) if channel else ("CAM_BACK", "LIDAR_TOP"):
            del root.files[root.data(sample, name)["filename"]]
    return {}


def damaged_files(root: Dataroot) -> dict[str, Any]:
    root.files[root.data("sample-02", "LIDAR_TOP")["filename"]] = b"short"
    for row in root.tables["sample_data"]:
        row.update(width=0, height=0)
    root.files[root.data("sample-11", "CAM_BACK")["filename"]] = b"no image"
    return {}


def own_intrinsics(root: Dataroot) -> dict[str, Any]:
    """The second scene's car has another front camera."""
    new = dict(root.row("calibrated_sensor", token="calib-CAM_FRONT"))
    matrix = [[1100.0, 0.5, 800.0], [0.0, 1100.0, 450.0], [0.0, 0.0, 1.0]]
    new.update(token="calib-other", camera_intrinsic=matrix)
    root.tables["calibrated_sensor"].append(new)
    for sample in ("sample-10", "sample-11", "sample-12"):
        data = root.data(sample, "CAM_FRONT")
        data["calibrated_sensor_token"] = "calib-other"
    return {}


def few_counts(root: Dataroot) -> dict[str, Any]:
    """Annotations without point counts, velocity or attributes."""
    for row in root.tables["sample_annotation"][::3]:
        del row["num_lidar_pts"]
        row.update(prev="", next="", attribute_tokens=[])
    return {"radar": True, "sweeps": 1}


def empty_images(root: Dataroot) -> dict[str, Any]:
    annotations = root.tables["sample_annotation"]
    annotations[:] = [
        row for row in annotations if row["sample_token"] != "sample-01"
    ]
    for row in annotations:
        row.update(prev="", next="")
    return {}


def no_ego_poses(root: Dataroot) -> dict[str, Any]:
    root.tables["ego_pose"] = [
        row
        for row in root.tables["ego_pose"]
        if "sample-1" not in row["token"]
    ]
    return {}


@pytest.mark.parametrize(
    "spoil",
    [
        *(as_it_is, without_ground_truth, missing_images, damaged_files),
        *(own_intrinsics, few_counts, empty_images, no_ego_poses),
    ],
)
def test_documents_are_fiftyones_own(
    tiny: Dataroot,
    spoil: Callable[[Dataroot], dict[str, Any]],
    added: list[int],
    caplog: pytest.LogCaptureFixture,
) -> None:
    options = spoil(tiny)
    tiny.write()
    dataset = load(tiny, **options)
    assert "in another way" not in caplog.text
    ours, schema = documents(dataset), dataset.get_field_schema()
    # else FiftyOne's documents would be compared with themselves
    assert 0 < sum(added) < len(ours)
    plain = load_plainly(tiny, **options)
    agree(ours, documents(plain))
    assert schema.keys() == plain.get_field_schema().keys()


def test_the_dataset_in_memory_is_right(tiny: Dataroot) -> None:
    tiny.write()
    dataset = load(tiny)
    again = fo.load_dataset(NAME)
    for known in (dataset, again):
        assert len(known) == 6
        assert known.count() == 6
        assert len(all_slices(known)) == SAMPLES
        assert set(known.group_media_types.values()) == {"image", "3d"}
    samples = [s for group in dataset.iter_groups() for s in group.values()]
    assert len(samples) == SAMPLES
    first = dataset.first()
    assert dataset[first.id] is first
    box = first.ground_truth.detections[0]
    assert isinstance(box.instance, fo.Instance)
    assert first.world_pose.target_frame == "global"
    # drives are in order only if ids are
    ids = all_slices(dataset).values("id")
    assert ids == sorted(ids)
    drives = dataset.group_by("scene_token", order_by="frame_idx")
    shown = [
        [(s.scene_name, s.frame_idx) for s in drive]
        for drive in drives.iter_dynamic_groups()
    ]
    assert shown == [
        [(scene, at) for at in range(3)]
        for scene in ("scene-0061", "scene-0103")
    ]


def test_labels_have_the_same_ids_in_every_load(tiny: Dataroot) -> None:
    tiny.write()
    path = "ground_truth.detections.id"
    first = all_slices(load(tiny)).values(path, unwind=True)
    again = all_slices(load(tiny, overwrite=True)).values(path, unwind=True)
    assert first == again
    assert len(set(first)) == len(first) > 200
    patches = (
        fo.load_dataset(NAME)
        .select_group_slices(media_type="image")
        .to_patches("ground_truth")
    )
    assert set(patches.values("id")) < set(first)


def break_a_pose(document: dict[str, Any]) -> None:
    del document["ego_pose"]["target_frame"]


def break_a_number(document: dict[str, Any]) -> None:
    document["frame_idx"] = float(document["frame_idx"])


def break_a_label(document: dict[str, Any]) -> None:
    for label in document["ground_truth"]["detections"]:
        del label["tags"]


@pytest.mark.parametrize(
    ("spoil", "where"),
    [
        (break_a_pose, "ego_pose.target_frame"),
        (break_a_number, "frame_idx"),
        (break_a_label, "ground_truth.detections[0].tags"),
    ],
)
def test_another_layout_is_noticed_and_not_written(
    tiny: Dataroot,
    spoil: Callable[[dict[str, Any]], None],
    where: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    added: list[int],
) -> None:
    tiny.write()

    def other(*args: Any) -> dict[str, Any]:
        document = sample_document(*args)
        spoil(document)
        return document

    monkeypatch.setattr(writer, "sample_document", other)
    with caplog.at_level(logging.WARNING):
        dataset = load(tiny)
    assert sum(added) == SAMPLES
    assert caplog.text.count("in another way") == 1
    assert f"({where} differs)" in caplog.text
    agree(documents(dataset), documents(load_plainly(tiny)))


def test_what_is_new_late_is_compared_as_well(
    tiny: Dataroot,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    own_intrinsics(tiny)
    tiny.write()

    def other(*args: Any) -> dict[str, Any]:
        document = sample_document(*args)
        if "intrinsics" in document:
            document["intrinsics"]["fx"] += 1e-9
        return document

    monkeypatch.setattr(writer, "sample_document", other)
    dataset = load(tiny)
    assert "(intrinsics.fx differs)" in caplog.text
    agree(documents(dataset), documents(load_plainly(tiny)))


def test_differences_are_found_and_named() -> None:
    oid, other = ObjectId(), ObjectId()
    same = {"a": [1, {"b": "x"}], "_id": oid}
    assert difference(same, {"_id": oid, "a": [Int64(1), {"b": "x"}]}) is None
    assert difference(same, {**same, "_id": other}) == "_id"
    for changed, where in (
        ([1.0, {"b": "x"}], "a[0]"),
        ([True, {"b": "x"}], "a[0]"),
        ([1, {"b": None}], "a[1].b"),
        ([1, {}], "a[1].b"),
        ([1, {"b": "x", "c": None}], "a[1].c"),
        ([1], "a"),
        ("x", "a"),
    ):
        assert difference(same, {**same, "a": changed}) == where
        assert difference({**same, "a": changed}, same) == where


def test_a_refusal_leaves_one_keyframe_incomplete(tiny: Dataroot) -> None:
    tiny.write()
    tables = read_tables(tiny.path, VERSION)
    dataset = create_dataset(NAME, tables, True)
    dataset.create_index("sample_data_token", unique=True)
    maker = SampleMaker(tables, None, dict(dataset.camera_intrinsics))
    groups = maker.groups([(frame, None) for frame in tables.frames])
    # the last keyframe's third image is there already
    taken = groups[-1].pop(2)
    groups.insert(0, groups.pop())
    GroupWriter(dataset, plain=True).write([[taken]])
    groups.append([*groups.pop(0)[:2], taken])
    with pytest.raises(RaremineError, match=rf"'{NAME}'.*duplicate key"):
        GroupWriter(dataset).write(groups)
    counts = all_slices(dataset).count_values("sample_token")
    assert sorted(counts.values()) == [3, 6, 6, 6, 6, 6]


def test_an_image_that_is_none_by_its_name_costs_itself_only(
    tiny: Dataroot,
) -> None:
    data = tiny.data("sample-01", "CAM_BACK")
    content = tiny.files.pop(data["filename"])
    data["filename"] = data["filename"].replace(".jpg", ".dat")
    tiny.files[data["filename"]] = content
    tiny.write()
    dataset = load(tiny)
    assert len(all_slices(dataset)) == SAMPLES - 1
    skipped = dataset.info["raremine"]["skipped"]
    assert [s["sample_data_token"] for s in skipped] == ["sample-01-CAM_BACK"]
    assert "'.dat' is not the ending of an image" in skipped[0]["reason"]


def test_the_search_for_cycles_goes_on_afterwards() -> None:
    with pytest.raises(KeyError), collection_paused():
        assert not gc.isenabled()
        raise KeyError
    assert gc.isenabled()
    gc.disable()
    try:
        with collection_paused():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_export_import_and_clone_keep_everything(
    tiny: Dataroot, tmp_path: Path
) -> None:
    own_intrinsics(tiny)
    tiny.write()
    dataset = load(tiny)
    dataset.export(
        str(tmp_path / "export"),
        dataset_type=fo.types.FiftyOneDataset,
        progress=False,
    )
    imported = fo.Dataset.from_dir(
        str(tmp_path / "export"),
        dataset_type=fo.types.FiftyOneDataset,
        name=f"{NAME}-imported",
        progress=False,
    )
    clone = dataset.clone(f"{NAME}-clone")
    before = documents(dataset)
    changed = (
        *("filepath", "orthographic_projection_metadata", "_dataset_id"),
        *("created_at", "last_modified_at"),
    )
    for other in (imported, clone):
        assert other.group_media_types == dataset.group_media_types
        assert other.default_group_slice == dataset.default_group_slice
        assert other.camera_intrinsics == dataset.camera_intrinsics
        assert other.info["raremine"] == dataset.info["raremine"]
        after = documents(other)
        assert after.keys() == before.keys()
        for token, document in after.items():
            was = before[token]
            assert set(was) <= set(document)
            where = difference(
                {k: v for k, v in was.items() if k not in changed},
                {k: document[k] for k in was if k not in changed},
            )
            assert where is None, token
        other.group_slice = "LIDAR_TOP"
        for sample in other:
            scene = fo.Scene.from_fo3d(sample.filepath)
            clouds = scene.get_asset_paths()
            folder = Path(sample.filepath).parent
            assert clouds
            assert all((folder / cloud).is_file() for cloud in clouds)
            picture = sample.orthographic_projection_metadata
            assert Path(picture.filepath).is_file()
            assert picture.width > 0
        sample = next(iter(other.select_group_slices("CAM_FRONT")))
        assert Path(sample.filepath).is_file()
        assert other.resolve_transformation(sample) is not None
        own = other.select_group_slices("CAM_FRONT").exists("intrinsics")
        assert [other.resolve_intrinsics(s).fx for s in own] == [1100.0] * 3


def test_transforms_are_what_fiftyone_makes_of_the_matrices(
    tiny: Dataroot,
) -> None:
    tiny.write()
    tables = read_tables(tiny.path, VERSION)
    maker = SampleMaker(tables, None, {})
    groups = maker.groups([(frame, None) for frame in tables.frames])
    compared = 0
    for frame, group in zip(tables.frames, groups, strict=True):
        for sample in group:
            data = frame.data[sample.channel]
            made = fo.StaticTransform.from_matrix(
                tables.ego_poses[data.ego], "ego", "global"
            )
            pose = sample.poses["ego_pose"]
            assert pose.translation == list(made.translation)
            assert pose.quaternion == pytest.approx(made.quaternion)
            assert np.linalg.norm(pose.quaternion) == pytest.approx(1)
            compared += 1
    assert compared == SAMPLES - 6


def test_rates_count_the_same_samples_in_every_way(
    tiny: Dataroot, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.write()
    tables = read_tables(tiny.path, VERSION)
    with pytest.raises(RaremineError, match=r"544 keyframes .* have 6;"):
        writing_rates.writing_rates(tables)
    monkeypatch.setattr(writing_rates, "BATCH", 2)
    before = fo.list_datasets()
    documents, *slow = writing_rates.writing_rates(tables, 4, 3)
    assert fo.list_datasets() == before
    assert (documents.way, documents.samples) == ("documents", 4 * 7)
    assert [(r.way, r.samples) for r in slow] == [
        ("add_samples", 3 * 7),
        ("odm", 3 * 7),
    ]
    assert all(r.boxes > 5 for r in slow)
    assert all(r.samples_per_second > 0 for r in slow)
