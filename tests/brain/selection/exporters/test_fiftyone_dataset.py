"""Format ``fiftyone``: what comes back when it is imported."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fiftyone as fo
import pytest
from fiftyone import ViewField as F

from raremine.brain.columns import all_slices
from raremine.brain.errors import RaremineError
from raremine.brain.selection.export import export_selection
from raremine.brain.selection.exporters.datasheet import read_datasheet
from raremine.brain.selection.result import Selection
from raremine.brain.selection.stage import load_selection, select_frames
from tests.brain.selection.exporters.pictures import (
    disk_use,
    space,
    tree,
)

ELSEWHERE = ("filepath", "created_at", "last_modified_at", "_dataset_id")
"""What an import makes anew."""


def export(dataset: fo.Dataset, folder: Path, **options: Any) -> Path:
    return export_selection(dataset, "mine", "fiftyone", folder, **options)


@pytest.fixture
def imported() -> Iterator[Callable[[Path], fo.Dataset]]:
    made = []

    def read(folder: Path) -> fo.Dataset:
        made.append(
            fo.Dataset.from_dir(folder, dataset_type=fo.types.FiftyOneDataset)
        )
        return made[-1]

    yield read
    for dataset in made:
        dataset.delete()


def contents(dataset: fo.Dataset, tokens: list[str]) -> dict[str, Any]:
    view = all_slices(dataset).match(F("sample_token").is_in(tokens))
    found = {}
    for sample in view:
        document = sample.to_mongo_dict(include_id=True)
        for name in ELSEWHERE:
            document.pop(name)
        # NaN is not equal to itself
        found[str(document["_id"])] = repr(document)
    return found


def files_of(dataset: fo.Dataset) -> dict[str, Path]:
    ids, paths = all_slices(dataset).values(["id", "filepath"])
    return {i: Path(p) for i, p in zip(ids, paths, strict=True)}


CHOSEN = ["a0", "a1", "b0"]
HELD_OUT = ["v0", "v1"]


def test_what_is_imported_is_what_was_exported(
    pictures: fo.Dataset,
    tmp_path: Path,
    imported: Callable[[Path], fo.Dataset],
) -> None:
    path = export(pictures, tmp_path)
    assert path == tmp_path / "mine-fiftyone" / "dataset"
    read = imported(path)
    assert len(read) == 3
    assert read.group_media_types == pictures.group_media_types
    assert read.default_group_slice == "CAM_FRONT"
    assert contents(read, CHOSEN) == contents(pictures, CHOSEN)
    assert len(contents(read, [*CHOSEN, *HELD_OUT])) == 9
    assert read.get_field_schema(flat=True).keys() == (
        pictures.get_field_schema(flat=True).keys()
    )
    for sample in all_slices(read):
        assert Path(sample.filepath).is_file()
        assert path in Path(sample.filepath).parents
    scene = read.select_group_slices("LIDAR_TOP").first().filepath
    (cloud,) = fo.Scene.from_fo3d(scene).get_asset_paths()
    assert (Path(scene).parent / cloud).is_file()


def test_evaluation_frames_on_demand(
    pictures: fo.Dataset,
    tmp_path: Path,
    imported: Callable[[Path], fo.Dataset],
) -> None:
    read = imported(export(pictures, tmp_path, evaluation=True))
    both = [*CHOSEN, *HELD_OUT]
    assert len(read) == 5
    assert contents(read, both) == contents(pictures, both)


def test_the_selection_comes_along_and_can_be_exported_again(
    pictures: fo.Dataset,
    tmp_path: Path,
    imported: Callable[[Path], fo.Dataset],
) -> None:
    select_frames(pictures, {"random": 0.2}, name="other")
    read = imported(export(pictures, tmp_path, evaluation=True))
    assert load_selection(read) == load_selection(pictures, "mine")
    assert len(read.list_brain_runs()) == 1
    first = export_selection(pictures, "mine", "yolo", tmp_path / "a")
    second = export_selection(read, "mine", "yolo", tmp_path / "b")
    assert sorted(p.read_text() for p in first.parent.glob("labels/*/*")) == (
        sorted(p.read_text() for p in second.parent.glob("labels/*/*"))
    )


def test_a_selection_that_nobody_recorded_is_exported_without_a_run(
    pictures: fo.Dataset,
    tmp_path: Path,
    imported: Callable[[Path], fo.Dataset],
) -> None:
    mine = load_selection(pictures, "mine")
    less = Selection.from_dict({**mine.to_dict(), "picks": []})
    for name in ("mine", "unknown"):
        one = Selection.from_dict(
            {
                **less.to_dict(),
                "name": name,
                "picks": mine.to_dict()["picks"][:1],
            }
        )
        path = export_selection(pictures, one, "fiftyone", tmp_path / name)
        read = imported(path)
        assert len(read) == 1 and read.list_brain_runs() == []


def test_a_keyframe_without_the_active_slice_is_not_lost(
    pictures: fo.Dataset,
    tmp_path: Path,
    imported: Callable[[Path], fo.Dataset],
) -> None:
    cloud = pictures.select_group_slices("LIDAR_TOP").match(
        F("sample_token") == "a1"
    )
    pictures.delete_samples(cloud.values("id"))
    path = export(pictures, tmp_path)
    assert contents(imported(path), CHOSEN) == contents(pictures, CHOSEN)
    assert read_datasheet(path)["written"]["samples"] == {
        "CAM_BACK": 3,
        "CAM_FRONT": 3,
        "LIDAR_TOP": 2,
    }


@pytest.mark.parametrize("media", ["symlink", "hardlink", "copy", "none"])
def test_media_and_the_disk_they_need(
    pictures: fo.Dataset,
    tmp_path: Path,
    imported: Callable[[Path], fo.Dataset],
    media: str,
) -> None:
    options = {"media": media, "evaluation": True}
    needed = space(pictures, "fiftyone", **options)
    path = export(pictures, tmp_path, **options)
    assert disk_use(path.parent) <= needed < 20 * disk_use(path.parent)
    read = imported(path)
    tokens = [*CHOSEN, *HELD_OUT]
    assert contents(read, tokens) == contents(pictures, tokens)
    source = files_of(pictures)
    for sample_id, name in files_of(read).items():
        original = source[sample_id]
        if name.suffix == ".fo3d" and not name.samefile(original):
            # written anew, as clouds of the same name got another
            (cloud,) = fo.Scene.from_fo3d(str(name)).get_asset_paths()
            name, original = name.parent / cloud, original.with_suffix(".pcd")
        assert name.samefile(original) == (media != "copy")
        assert name.is_symlink() == (media == "symlink")
        assert name.read_bytes() == original.read_bytes()
    files = read_datasheet(path)["files"]
    # ten images, five clouds, the two scenes that could stay as they were
    assert files["links"] == 17 * (media == "symlink")
    assert files["hard_links"] == 17 * (media == "hardlink")


def test_the_same_bytes_again(pictures: fo.Dataset, tmp_path: Path) -> None:
    first = tree(export(pictures, tmp_path / "a").parent)
    pictures.group_slice = "CAM_BACK"
    pictures.save_view("a view", pictures.limit(1))
    fo.load_dataset(pictures.name)
    assert tree(export(pictures, tmp_path / "b").parent) == first


def test_samples_whose_files_are_gone_are_left_out(
    pictures: fo.Dataset,
    tmp_path: Path,
    imported: Callable[[Path], fo.Dataset],
) -> None:
    lost = tmp_path / "lost.fo3d"
    scene = fo.Scene()
    scene.add(fo.PointCloud("cloud", "no.pcd"))
    scene.write(str(lost))
    broken = tmp_path / "broken.fo3d"
    broken.write_text("{")
    bad = {"a0": lost, "a1": broken, "b0": tmp_path / "absent.fo3d"}
    view = pictures.select_group_slices("LIDAR_TOP")
    ids = dict(zip(*view.values(["sample_token", "id"]), strict=True))
    pictures.set_values(
        "filepath", {ids[t]: str(p) for t, p in bad.items()}, key_field="id"
    )
    path = export(pictures, tmp_path, media="copy")
    sheet = read_datasheet(path)
    assert sheet["written"]["samples"] == {"CAM_BACK": 3, "CAM_FRONT": 3}
    assert {
        Path(row["file"]).name: row["reason"].split(" ")[0]
        for row in sheet["written"]["files_left_out"]
    } == {"lost.fo3d": "its", "broken.fo3d": "not", "absent.fo3d": "no"}
    assert "3 samples are left out" in sheet["notes"][0]
    read = imported(path)
    kept = contents(pictures, CHOSEN)
    found = contents(read, CHOSEN)
    assert found == {key: kept[key] for key in found} and len(found) == 6


def test_a_data_set_that_has_moved_is_told(
    pictures: fo.Dataset, tmp_path: Path
) -> None:
    view = all_slices(pictures)
    pictures.set_values(
        "filepath",
        {i: f"/gone/{i}.jpg" for i in view.values("id")},
        key_field="id",
    )
    with pytest.raises(RaremineError, match="Not one file of the keyframes"):
        export(pictures, tmp_path)


def test_progress_is_told(pictures: fo.Dataset, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    export(
        pictures,
        tmp_path,
        progress=lambda done, total, label: told.append((done, total)),
    )
    assert told[0] == (0, 9) and told[-1] == (9, 9)


def test_the_description_names_no_time(
    pictures: fo.Dataset, tmp_path: Path
) -> None:
    path = export(pictures, tmp_path)
    content = json.loads((path / "metadata.json").read_text())
    assert not {"last_loaded_at", "last_modified_at"} & set(content)
