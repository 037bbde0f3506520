"""The datasheet: counts, checksums, where things come from; no clock."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import fiftyone as fo
import pytest
from fiftyone import ViewField as F

from raremine.brain.columns import all_slices
from raremine.brain.errors import RaremineError
from raremine.brain.runs import record_run
from raremine.brain.selection.export import export_selection
from raremine.brain.selection.exporters.checksums import (
    LINKS,
    SUMS,
    take_inventory,
    write_inventory,
)
from raremine.brain.selection.exporters.datasheet import (
    DATASHEET,
    DATASHEET_TEXT,
    read_datasheet,
)
from raremine.brain.selection.exporters.label_counts import LabelCounts
from raremine.brain.selection.stage import select_frames


def exported(dataset: fo.Dataset, folder: Path) -> Path:
    return export_selection(dataset, "mine", "tokens", folder).parent


def both(pool: int, selection: int) -> dict[str, int]:
    return {"pool": pool, "selection": selection}


def test_counts_before_and_after(pictures: fo.Dataset, tmp_path: Path) -> None:
    sheet = read_datasheet(exported(pictures, tmp_path))
    assert sheet["frames"] == {"pool": 5, "selection": 3, "missing": 0}
    assert sheet["splits"] == {
        "train": {"dataset": 5, "selection": 3},
        "val": {"dataset": 2, "selection": 0},
    }
    truth = sheet["classes"]["ground_truth.label"]
    # nothing of the held-out frames
    assert sorted(truth) == [
        *("bus", "car", "ignore", "pedestrian", "trailer", "truck")
    ]
    # the same car three times in one keyframe, as boxes and as cuboids
    assert truth["car"] == {
        "frames": both(1, 1),
        "boxes": both(3, 3),
        "cuboids": both(3, 3),
        "instances": both(1, 1),
    }
    concepts = sheet["classes"]["objects.concept"]
    assert concepts["(none)"] == {"frames": both(1, 1), "boxes": both(1, 1)}
    assert sheet["classes"]["objects.group"] == {
        "common": {"frames": both(3, 3), "boxes": both(7, 7)},
        "target": {"frames": both(1, 1), "boxes": both(1, 1)},
    }
    assert "objects.label" not in sheet["classes"]
    assert sheet["scenes"] == {
        "pool": 2,
        "selection": 2,
        "coverage": 1.0,
        "frames_per_scene": {"least": 1, "median": 1.5, "most": 2},
        "frames": {"scene-a": both(3, 2), "scene-b": both(2, 1)},
    }


def test_frames_that_are_not_chosen_count_before_only(
    pictures: fo.Dataset, tmp_path: Path
) -> None:
    others = ["a0", "a2", "b0", "b1"]
    select_frames(pictures, {"random": 0.2}, name="mine", exclude=others)
    sheet = read_datasheet(exported(pictures, tmp_path))
    assert list(sheet["why"]) == ["a1"]
    assert sheet["scenes"]["coverage"] == 0.5
    truth = sheet["classes"]["ground_truth.label"]
    assert truth["pedestrian"]["frames"] == both(1, 1)
    assert truth["bus"]["boxes"] == both(1, 0)
    assert truth["trailer"]["instances"] == both(1, 0)


def test_frames_that_the_dataset_lost_since_are_told(
    pictures: fo.Dataset, tmp_path: Path
) -> None:
    lost = all_slices(pictures).match(F("sample_token") == "b0")
    pictures.delete_samples(lost.values("id"))
    sheet = read_datasheet(exported(pictures, tmp_path))
    assert sheet["frames"] == {"pool": 4, "selection": 2, "missing": 1}
    assert (
        "1 of 3 selected frames are in the dataset no longer"
        in (sheet["notes"][-1])
    )


def test_nothing_depends_on_the_active_slice_or_the_time(
    pictures: fo.Dataset, tmp_path: Path
) -> None:
    first = exported(pictures, tmp_path / "a")
    pictures.group_slice = "CAM_FRONT"
    second = exported(pictures, tmp_path / "b")
    for name in (DATASHEET, DATASHEET_TEXT, SUMS):
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_every_file_has_its_checksum(
    pictures: fo.Dataset, tmp_path: Path
) -> None:
    path = export_selection(pictures, "mine", "yolo", tmp_path)
    folder = path.parent
    sheet = read_datasheet(path)
    sums = (folder / SUMS).read_bytes()
    assert sheet["files"]["sha256"] == hashlib.sha256(sums).hexdigest()
    listed = dict(
        reversed(line.split("  ", 1)) for line in sums.decode().splitlines()
    )
    links = json.loads((folder / LINKS).read_text())
    beside = {DATASHEET, DATASHEET_TEXT, SUMS, LINKS}
    there = {
        p.relative_to(folder).as_posix()
        for p in folder.rglob("*")
        if not p.is_dir()
    }
    assert there == {*listed, *links, *beside}
    assert len(listed) == sheet["files"]["files"] == 12
    for name, digest in listed.items():
        content = (folder / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == digest
    for name, target in links.items():
        assert str((folder / name).readlink()) == target
        assert Path(target).is_file()


@pytest.mark.skipif(not shutil.which("sha256sum"), reason="no sha256sum here")
def test_the_usual_tool_checks_them(tmp_path: Path) -> None:
    for name in ("a", "b c", "d\\e", "f\ng", "h/i", "jé"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(name)
    write_inventory(tmp_path)
    call = ["sha256sum", "--check", "--strict", "--quiet", SUMS]
    assert subprocess.run(call, cwd=tmp_path).returncode == 0
    (tmp_path / "b c").write_text("changed")
    done = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1 and "b c: FAILED" in done.stdout


def test_links_are_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "big").write_text("not ours")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "to a folder").symlink_to(outside)
    (folder / "to nothing").symlink_to("gone")
    (folder / "hard").hardlink_to(outside / "big")
    (folder / "own").write_text("x")
    found = take_inventory(folder)
    assert list(found.sums) == ["own"] and found.bytes == 1
    assert found.links == {
        "to a folder": str(outside),
        "to nothing": "gone",
    }
    assert found.hard_links == ["hard"]


def test_runs_and_versions(pictures: fo.Dataset, tmp_path: Path) -> None:
    record_run(
        pictures,
        "objects_outliers",
        "outliers",
        field="objects",
        params={"methods": ["knn"], "k": 100},
    )
    record_run(pictures, "judged", "evaluation")
    sheet = read_datasheet(exported(pictures, tmp_path))
    assert list(sheet["runs"]) == ["objects_outliers"]
    run = sheet["runs"]["objects_outliers"]
    assert run["params"] == {"methods": ["knn"], "k": 100}
    assert run["field"] == "objects"
    assert sheet["versions"]["fiftyone"] == fo.__version__
    assert sheet["selection"]["recipe"]["random"] == 0.6
    assert sheet["format"] == "tokens" and sheet["main"] == "mine.json"


@pytest.mark.parametrize(
    ("info", "terms"),
    [
        ({"version": "v1.0-trainval"}, "part of nuScenes v1.0-trainval"),
        ({"version": "own"}, "stays under the terms of that data"),
        (None, "stays under the terms of that data"),
    ],
)
def test_terms_of_the_source(
    pictures: fo.Dataset, tmp_path: Path, info: Any, terms: str
) -> None:
    if info:
        pictures.info["raremine"] = info
        pictures.save()
    sheet = read_datasheet(exported(pictures, tmp_path))
    assert terms in sheet["terms"] and "nuscenes.org" in sheet["terms"]


def test_the_page_tells_the_same(pictures: fo.Dataset, tmp_path: Path) -> None:
    select_frames(
        pictures,
        {"target": 0.4},
        name="a|b",
        exclude=["b0", "b1", "a2"],
    )
    path = export_selection(pictures, "a|b", "coco", tmp_path, classes=["bus"])
    text = (path.parents[1] / DATASHEET_TEXT).read_text()
    sheet = read_datasheet(path)
    assert text.startswith("# Selection “a|b” as coco\n")
    assert "1 of 5 keyframes (20.0%), from 1 of 2 scenes" in text
    assert "target: 1 of 2 frames." in text
    assert "| truck | 1 | 1 | 1 | 1 | 1 | 1 | 1 | 1 |" in text
    assert sheet["files"]["sha256"] in text
    assert "classes: [bus]" in text and sheet["terms"] in text


def test_a_dataset_without_groups_tokens_or_labels(tmp_path: Path) -> None:
    dataset = fo.Dataset()
    dataset.add_samples([fo.Sample(f"/none/{i}.jpg") for i in range(4)])
    select_frames(dataset, {"random": 0.5}, name="mine")
    sheet = read_datasheet(exported(dataset, tmp_path))
    dataset.delete()
    assert sheet["frames"] == {"pool": 4, "selection": 2, "missing": 0}
    assert sheet["classes"] == {}


def test_labels_of_images_without_groups_are_boxes() -> None:
    dataset = fo.Dataset()
    box = [0.1, 0.1, 0.1, 0.1]
    labels = [["car", "car"], ["bus"], [], None]
    for row in labels:
        sample = fo.Sample(f"/none/{len(dataset)}.jpg")
        if row is not None:
            sample["ground_truth"] = fo.Detections(
                detections=[
                    fo.Detection(label=name, bounding_box=box) for name in row
                ]
            )
        dataset.add_sample(sample)
    ids = dataset.values("id")
    counts = LabelCounts(dataset, ids, ids[:1])
    assert counts.by("ground_truth", "label") == {
        "bus": {"frames": both(1, 0), "boxes": both(1, 0)},
        "car": {"frames": both(1, 1), "boxes": both(2, 2)},
    }
    assert counts.instances("ground_truth") == {}
    dataset.delete()


def test_a_folder_that_is_no_export_has_no_datasheet(tmp_path: Path) -> None:
    with pytest.raises(RaremineError, match="is not in an export"):
        read_datasheet(tmp_path)
