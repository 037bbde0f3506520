"""Format ``coco``: what pycocotools and FiftyOne read of it."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import fiftyone as fo
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raremine.brain.errors import MissingStageError, RaremineError
from raremine.brain.nuscenes.taxonomy import DETECTION_CLASSES
from raremine.brain.selection.export import export_selection, plan_export
from raremine.brain.selection.exporters.box_export import TABLE
from raremine.brain.selection.exporters.boxes import (
    NUSCENES_CLASSES,
    clip_boxes,
)
from raremine.brain.selection.exporters.camera_images import unique_names
from raremine.brain.selection.exporters.datasheet import read_datasheet
from raremine.brain.selection.stage import select_frames
from tests.brain.selection.exporters.pictures import (
    CAR,
    OVER_THE_EDGE,
    disk_use,
    space,
    tree,
)


def export(dataset: fo.Dataset, folder: Path, **options: Any) -> Path:
    return export_selection(dataset, "mine", "coco", folder, **options)


def load(path: Path) -> Any:
    from pycocotools.coco import COCO

    return COCO(str(path))


def frames_of(path: Path, split: str) -> list[tuple[str, str]]:
    """Keyframe and camera of each image of a split, in its order."""
    with (path.parents[1] / TABLE).open() as file:
        rows = [r for r in csv.DictReader(file) if r["split"] == split]
    names = [Path(row["file"]).name for row in rows]
    assert names == [
        Path(image["file_name"]).name
        for image in json.loads((path.parent / f"{split}.json").read_text())[
            "images"
        ]
    ]
    return [(row["sample_token"], row["channel"]) for row in rows]


def test_pycocotools_reads_boxes_of_all_cameras(
    pictures: fo.Dataset, tmp_path: Path
) -> None:
    path = export(pictures, tmp_path)
    assert path == tmp_path / "mine-coco" / "annotations" / "train.json"
    assert frames_of(path, "train") == [
        (token, camera)
        for token in ("a0", "a1", "b0")
        for camera in ("CAM_BACK", "CAM_FRONT")
    ]
    assert frames_of(path, "val") == [
        (token, camera)
        for token in ("v0", "v1")
        for camera in ("CAM_BACK", "CAM_FRONT")
    ]
    coco = load(path)
    assert [c["name"] for c in coco.loadCats(coco.getCatIds())] == list(
        NUSCENES_CLASSES
    )
    assert coco.getCatIds() == list(range(1, 11))
    assert sorted(coco.getImgIds()) == [1, 2, 3, 4, 5, 6]
    found = [
        (a["image_id"], NUSCENES_CLASSES[a["category_id"] - 1])
        for a in coco.loadAnns(coco.getAnnIds())
    ]
    # without "ignore", and without what has no area in the image
    assert found == [
        (1, "bus"),
        (2, "car"),
        (2, "truck"),
        (4, "pedestrian"),
        (6, "trailer"),
    ]
    car, truck = coco.loadAnns(coco.getAnnIds(imgIds=[2]))
    assert car["bbox"] == [
        c * s for c, s in zip(CAR, (160, 90, 160, 90), strict=True)
    ]
    assert truck["bbox"] == pytest.approx([144, 45, 16, 18])
    assert truck["area"] == pytest.approx(16 * 18)
    assert (truck["iscrowd"], truck["id"]) == (0, 3)
    assert not {"visibility", "instance", "score"} & set(truck)
    val = load(path.with_name("val.json"))
    assert val.loadCats(val.getCatIds()) == coco.loadCats(coco.getCatIds())
    assert len(val.getAnnIds()) == 3


def test_images_are_there_and_have_the_size_that_is_told(
    pictures: fo.Dataset, tmp_path: Path
) -> None:
    from PIL import Image

    path = export(pictures, tmp_path)
    for split in ("train", "val"):
        folder = tmp_path / "mine-coco" / "images" / split
        content = json.loads(path.with_name(f"{split}.json").read_text())
        names = [image["file_name"] for image in content["images"]]
        assert sorted(names) == sorted(p.name for p in folder.iterdir())
        for image in content["images"]:
            target = folder / image["file_name"]
            assert target.is_symlink()
            with Image.open(target) as opened:
                assert opened.size == (image["width"], image["height"])


def test_the_datasheet_tells_what_became_of_each_box(
    pictures: fo.Dataset, tmp_path: Path
) -> None:
    sheet = read_datasheet(export(pictures, tmp_path))
    train = sheet["written"]["splits"]["train"]
    assert (train["images"], train["images_without_boxes"]) == (6, 2)
    assert train["boxes"] == 5 and train["boxes_cut_to_the_image"] == 1
    assert train["boxes_left_out"] == {
        "without_area_in_the_image": 2,
        "of_other_classes": {"ignore": 1},
    }
    assert train["classes"]["car"] == {"boxes": 1, "images": 1}
    assert train["classes"]["barrier"] == {"boxes": 0, "images": 0}
    assert "2 of 6 images of split 'train' have no box" in sheet["notes"][0]


def test_fiftyone_reads_the_same_boxes(
    pictures: fo.Dataset, tmp_path: Path
) -> None:
    path = export(pictures, tmp_path)
    read = fo.Dataset.from_dir(
        dataset_type=fo.types.COCODetectionDataset,
        data_path=str(path.parents[1] / "images" / "train"),
        labels_path=str(path),
    )
    boxes = {
        box["label"]: box["bounding_box"]
        for boxes in read.values("detections.detections")
        for box in (boxes or ())
    }
    read.delete()
    assert set(boxes) == {"bus", "car", "truck", "pedestrian", "trailer"}
    assert boxes["car"] == pytest.approx(CAR)
    assert boxes["truck"] == pytest.approx([*OVER_THE_EDGE[:2], 0.1, 0.2])
    assert boxes["trailer"] == [0, 0, 1, 1]


def test_the_same_bytes_again_wherever_it_goes_and_the_user_stands(
    pictures: fo.Dataset, tmp_path: Path
) -> None:
    first = tree(export(pictures, tmp_path / "a").parents[1])
    pictures.group_slice = "CAM_BACK"
    again = tree(export(pictures, tmp_path / "b" / "c").parents[1])
    assert first == again and len(first) > 10
    text = "".join(v.decode() for v in first.values() if isinstance(v, bytes))
    assert str(tmp_path) not in text.replace(
        first["links.json"].decode(),
        "",  # type: ignore[union-attr]
    )


def test_an_image_keeps_its_name_in_every_selection(
    pictures: fo.Dataset, tmp_path: Path
) -> None:
    select_frames(
        pictures, {"random": 0.4}, name="less", exclude=["a0", "a1", "a2"]
    )
    one = export(pictures, tmp_path).parents[1]
    other = export_selection(pictures, "less", "coco", tmp_path).parents[1]
    common = [
        {p.name for p in (folder / "images").rglob("*.jpg")}
        for folder in (one, other)
    ]
    # b0, and v0 and v1, of two cameras
    assert len(common[0] & common[1]) == 6
    assert len(common[0]) == 10 and len(common[1]) == 8


def test_bad_images_are_left_out_and_change_nothing_else(
    pictures: fo.Dataset, tmp_path: Path
) -> None:
    whole = json.loads(export(pictures, tmp_path / "whole").read_text())
    bad = {"a0": "broken.jpg", "a1": "absent.jpg", "b0": "folder.jpg"}
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8 no picture")
    (tmp_path / "folder.jpg").mkdir()
    view = pictures.select_group_slices("CAM_BACK")
    ids = dict(zip(*view.values(["sample_token", "id"]), strict=True))
    pictures.set_values(
        "filepath",
        {ids[token]: str(tmp_path / name) for token, name in bad.items()},
        key_field="id",
    )
    path = export(pictures, tmp_path)
    content = json.loads(path.read_text())
    assert frames_of(path, "train") == [
        (token, "CAM_FRONT") for token in ("a0", "a1", "b0")
    ]
    assert [i["id"] for i in content["images"]] == [1, 2, 3]

    def shown(document: Any) -> set[tuple[Any, ...]]:
        names = {i["id"]: i["file_name"] for i in document["images"]}
        return {
            (names[a["image_id"]], a["category_id"], *a["bbox"])
            for a in document["annotations"]
        }

    kept = {i["file_name"] for i in content["images"]}
    assert shown(content) == {s for s in shown(whole) if s[0] in kept}
    sheet = read_datasheet(path)
    assert sheet["written"]["splits"]["train"]["images_left_out"] == 3
    reasons = {
        Path(row["file"]).name: row["reason"]
        for row in sheet["written"]["images_left_out"]
    }
    assert reasons == {
        "broken.jpg": "not an image that can be opened",
        "absent.jpg": "no such file",
        "folder.jpg": "no such file",
    }
    assert any("3 images of split 'train'" in n for n in sheet["notes"])


def test_a_data_set_that_has_moved_is_told(
    pictures: fo.Dataset, tmp_path: Path
) -> None:
    view = pictures.select_group_slices(media_type="image")
    ids, paths = view.values(["id", "filepath"])
    pictures.set_values(
        "filepath",
        {
            i: p.replace("scene", "gone")
            for i, p in zip(ids, paths, strict=True)
        },
        key_field="id",
    )
    with pytest.raises(RaremineError, match="Not one of the 6 images"):
        export(pictures, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_classes_and_their_order_can_be_chosen(
    pictures: fo.Dataset, tmp_path: Path
) -> None:
    path = export(pictures, tmp_path, classes=["truck", "ignore"])
    coco = load(path)
    names = [c["name"] for c in coco.loadCats(coco.getCatIds())]
    assert names == ["truck", "ignore"] and len(coco.getAnnIds()) == 2
    assert len(coco.getImgIds()) == 6


def test_mined_objects_with_their_concepts(
    pictures: fo.Dataset, tmp_path: Path
) -> None:
    path = export(
        pictures, tmp_path, field="objects", label="concept", evaluation=False
    )
    coco = load(path)
    names = [c["name"] for c in coco.loadCats(coco.getCatIds())]
    # all that the dataset has, also where nothing is exported
    assert names == [
        *("a barrier", "a bus", "a car", "a pedestrian"),
        *("a trailer", "a truck"),
    ]
    (bus,) = coco.loadAnns(coco.getAnnIds(imgIds=[1]))
    assert bus["score"] == 0.25
    assert not path.with_name("val.json").exists()
    sheet = read_datasheet(path)
    others = sheet["written"]["splits"]["train"]["boxes_left_out"]
    assert others["of_other_classes"] == {"(none)": 1}
    assert "no split to evaluate on" in sheet["notes"][-1]


def test_attributes(pictures: fo.Dataset, tmp_path: Path) -> None:
    names = ["visibility", "num_lidar_pts", "velocity", "distance"]
    coco = load(export(pictures, tmp_path, attributes=names))
    by_image = {a["image_id"]: a for a in coco.loadAnns(coco.getAnnIds())}
    assert [by_image[1][n] for n in names] == ["v80-100", 0, [0.5, None], 2.0]
    assert [by_image[4][n] for n in names] == ["v80-100", 1, [0.5, None], None]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"field": "boxes"}, MissingStageError, "has ground_truth, objects"),
        ({"label": "kind"}, MissingStageError, "no text 'kind'"),
        ({"label": "distance"}, MissingStageError, "no text 'distance'"),
        ({"classes": ["lorry"]}, RaremineError, "there are barrier, bus"),
        ({"classes": ["car", "car"]}, RaremineError, "name each once"),
        ({"attributes": ["colour"]}, RaremineError, "no attribute 'colour'"),
        ({"attributes": ["instance"]}, RaremineError, "with numbers or text"),
        ({"attributes": ["bounding_box"]}, RaremineError, "leave it out"),
        ({"media": "move"}, RaremineError, "symlink, hardlink, copy, none"),
    ],
)
def test_mistakes_are_told_before_anything_is_written(
    pictures: fo.Dataset,
    tmp_path: Path,
    options: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    with pytest.raises(error, match=message):
        export(pictures, tmp_path / "new", **options)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("media", ["symlink", "hardlink", "copy", "none"])
def test_media(pictures: fo.Dataset, tmp_path: Path, media: str) -> None:
    names = ["visibility", "num_lidar_pts", "velocity", "distance"]
    options = {"media": media, "attributes": names}
    plan = plan_export(pictures, "mine", "coco", tmp_path, **options)
    needed = space(pictures, "coco", **options)
    path = export(pictures, tmp_path, **options)
    folder = path.parents[1]
    assert disk_use(folder) <= needed < 4 * disk_use(folder) + 100_000
    assert needed < plan.bytes < needed + 1_000_000
    sheet = read_datasheet(path)
    first = json.loads(path.read_text())["images"][0]["file_name"]
    view = pictures.select_group_slices("CAM_BACK")
    source = Path(view.values("filepath")[0])
    if media == "none":
        assert not (folder / "images").exists()
        root = sheet["written"]["image_root"]
        assert Path(root) / first == source
        assert first == "scene-a/CAM_BACK/0.jpg"
        return
    image = folder / "images" / "train" / first
    assert image.read_bytes() == source.read_bytes()
    assert image.is_symlink() == (media == "symlink")
    assert image.samefile(source) == (media != "copy")
    counts = {k: sheet["files"][k] for k in ("links", "hard_links", "files")}
    texts = 3
    assert counts == {
        "links": 10 * (media == "symlink"),
        "hard_links": 10 * (media == "hardlink"),
        "files": texts + 10 * (media == "copy"),
    }


def test_ten_classes_are_those_of_the_detection_task() -> None:
    assert set(NUSCENES_CLASSES) == set(DETECTION_CLASSES)


def test_names_are_unlike_without_regard_to_case_and_ending() -> None:
    paths = ["/a/1.jpg", "/b/1.jpg", "/a/2.jpg", "/a/x.JPG", "/b/X.png"]
    names = unique_names(paths, list("pqrst"))
    assert names[2] == "2.jpg"
    stems = {Path(name).stem.casefold() for name in names}
    assert len(stems) == 5
    assert [Path(n).suffix for n in names] == [Path(p).suffix for p in paths]
    turned = unique_names(paths[::-1], list("pqrst")[::-1])
    assert turned[::-1] == names
    assert len(set(unique_names(["/a/1.jpg"] * 3, ["p"] * 3))) == 3


side = st.floats(-0.5, 1.5) | st.sampled_from([0.0, 1.0, float("nan")])


@given(st.lists(st.tuples(side, side, side, side)))
def test_boxes_are_cut_to_what_is_in_the_image(
    boxes: list[tuple[float, ...]],
) -> None:
    given = np.array(boxes, dtype=float).reshape(-1, 4)
    cut, has_area = clip_boxes(given)
    kept = cut[has_area]
    far = kept[:, :2] + kept[:, 2:]
    assert (kept >= 0).all() and (far <= 1 + 1e-12).all()
    assert (kept[:, 2:] > 0).all()
    # cut again, nothing changes
    again, same = clip_boxes(kept)
    assert same.all() and np.allclose(again, kept, atol=1e-15)
    finite = np.isfinite(given).all(axis=1)
    assert not has_area[~finite].any()
    inside = (
        finite
        & (given[:, :2] >= 0).all(1)
        & (given[:, :2] + given[:, 2:] <= 1).all(1)
    )
    assert (cut[inside] == given[inside]).all()
