"""Format ``yolo``: what Ultralytics reads of it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import fiftyone as fo
import numpy as np
import pytest
import yaml

from raremine.brain.errors import RaremineError
from raremine.brain.selection.export import export_selection
from raremine.brain.selection.exporters.boxes import NUSCENES_CLASSES
from raremine.brain.selection.exporters.datasheet import read_datasheet
from tests.brain.selection.exporters.pictures import (
    CAR,
    disk_use,
    space,
    tree,
)


def export(dataset: fo.Dataset, folder: Path, **options: Any) -> Path:
    return export_selection(dataset, "mine", "yolo", folder, **options)


def described(path: Path) -> dict[str, Any]:
    from ultralytics.data.utils import check_det_dataset

    found: dict[str, Any] = check_det_dataset(path, autodownload=False)
    return found


def labels(path: Path, split: str) -> dict[str, tuple[list[int], np.ndarray]]:
    """Classes and boxes (center, size) that Ultralytics reads, by image."""
    from ultralytics.data.dataset import YOLODataset

    data = described(path)
    read = YOLODataset(img_path=data[split], data=data, task="detect")
    return {
        Path(label["im_file"]).name: (
            label["cls"][:, 0].astype(int).tolist(),
            label["bboxes"],
        )
        for label in read.labels
    }


def center(box: list[float]) -> list[float]:
    x, y, width, height = box
    return [x + width / 2, y + height / 2, width, height]


def test_ultralytics_reads_boxes_of_all_cameras(
    pictures: fo.Dataset, tmp_path: Path
) -> None:
    path = export(pictures, tmp_path)
    assert path == tmp_path / "mine-yolo" / "dataset.yaml"
    data = described(path)
    assert data["names"] == dict(enumerate(NUSCENES_CLASSES))
    assert data["train"] == str(path.parent / "images" / "train")
    train, val = labels(path, "train"), labels(path, "val")
    assert (len(train), len(val)) == (6, 4)
    found = sorted(
        (NUSCENES_CLASSES[index], *box)
        for classes, boxes in train.values()
        for index, box in zip(classes, boxes.tolist(), strict=True)
    )
    expected = {
        "bus": [1 / 3, 0.25, 1 / 7, 0.5],
        "car": CAR,
        "pedestrian": [0.5, 0.5, 0.1, 0.3],
        "trailer": [0.0, 0.0, 1.0, 1.0],
        "truck": [0.9, 0.5, 0.1, 0.2],
    }
    assert [row[0] for row in found] == list(expected)
    for row in found:
        # a label has six decimals
        assert row[1:] == pytest.approx(center(expected[row[0]]), abs=1e-6)
    assert sum(len(classes) for classes, _ in val.values()) == 3


def test_an_image_without_boxes_is_background(
    pictures: fo.Dataset, tmp_path: Path
) -> None:
    path = export(pictures, tmp_path)
    empty = [
        name
        for name, (classes, _) in labels(path, "train").items()
        if not classes
    ]
    files = (path.parent / "labels" / "train").glob("*.txt")
    assert sorted(p.stem for p in files if not p.read_bytes()) == sorted(
        Path(name).stem for name in empty
    )
    sheet = read_datasheet(path)
    assert len(empty) == 2
    assert sheet["written"]["splits"]["train"]["images_without_boxes"] == 2


def test_an_export_can_be_moved_and_is_the_same_everywhere(
    pictures: fo.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = export(pictures, tmp_path / "a")
    pictures.group_slice = "CAM_FRONT"
    assert tree(path.parent) == tree(export(pictures, tmp_path / "b").parent)
    moved = tmp_path / "elsewhere" / "moved"
    moved.parent.mkdir()
    shutil.move(path.parent, moved)
    assert len(labels(moved / "dataset.yaml", "train")) == 6
    # from where a user may call it
    monkeypatch.chdir(moved)
    assert len(labels(Path("dataset.yaml"), "val")) == 4


def test_without_evaluation_there_is_no_val(
    pictures: fo.Dataset, tmp_path: Path
) -> None:
    path = export(pictures, tmp_path, evaluation=False)
    content = yaml.safe_load(path.read_text())
    assert content["train"] and content["val"] is None
    assert "val" not in {p.name for p in path.parent.glob("*/*")}
    assert len(labels(path, "train")) == 6
    assert "Ultralytics does not train" in read_datasheet(path)["notes"][-1]


def test_classes_are_numbered_as_they_are_named(
    pictures: fo.Dataset, tmp_path: Path
) -> None:
    path = export(
        pictures,
        tmp_path,
        field="objects",
        label="concept",
        classes=["a truck", "a bus"],
    )
    assert described(path)["names"] == {0: "a truck", 1: "a bus"}
    found = [
        c for classes, _ in labels(path, "train").values() for c in classes
    ]
    assert sorted(found) == [0, 1]


def test_a_bad_image_is_left_out_with_its_label(
    pictures: fo.Dataset, tmp_path: Path
) -> None:
    view = pictures.select_group_slices("CAM_FRONT")
    ids = dict(zip(*view.values(["sample_token", "id"]), strict=True))
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    pictures.set_values("filepath", {ids["a0"]: str(broken)}, key_field="id")
    path = export(pictures, tmp_path)
    for kind in ("images", "labels"):
        found = list((path.parent / kind / "train").iterdir())
        assert len(found) == 5
        assert "broken" not in {p.stem for p in found}
    sheet = read_datasheet(path)
    assert sheet["written"]["splits"]["train"]["boxes"] == 3
    assert len(labels(path, "train")) == 5


@pytest.mark.parametrize("media", ["symlink", "hardlink", "copy"])
def test_media_and_the_disk_they_need(
    pictures: fo.Dataset, tmp_path: Path, media: str
) -> None:
    needed = space(pictures, "yolo", media=media)
    folder = export(pictures, tmp_path, media=media).parent
    assert disk_use(folder) <= needed < 4 * disk_use(folder) + 100_000
    assert len(labels(folder / "dataset.yaml", "val")) == 4


def test_images_have_to_come_along(
    pictures: fo.Dataset, tmp_path: Path
) -> None:
    with pytest.raises(RaremineError, match="symlink, hardlink, copy"):
        export(pictures, tmp_path, media="none")
