"""Detection: what is missing, what is broken, what was interrupted."""

from __future__ import annotations

from pathlib import Path

import fiftyone as fo
import numpy as np
import pytest
from fiftyone import ViewField as F

import raremine.brain as rmb
from raremine.brain import detection
from raremine.brain.errors import RaremineError
from raremine.brain.models.protocols import DetectedBoxes
from raremine.brain.runs import run_params
from tests.brain.fakes import (
    FakeDetector,
    Killed,
    class_of,
    colors_of,
    painted_dataset,
    scatter,
    truncate,
    values,
)

NAMES = ["car", "person", "truck", "dog", "bus", "bench", "bicycle", "car"]
CAMERAS = ("CAM_FRONT", "CAM_BACK")


@pytest.fixture
def dataset(tmp_path: Path) -> fo.Dataset:
    return painted_dataset(tmp_path, scatter(NAMES, per_image=2))


def images(dataset: fo.Dataset) -> fo.DatasetView:
    return dataset.select_group_slices(media_type="image")


def assert_right(dataset: fo.Dataset) -> None:
    """Every label has the class that is painted under its box."""
    labels = {
        label_id: label
        for ids, names in zip(
            *images(dataset).values(
                ["objects.detections.id", "objects.detections.label"]
            ),
            strict=True,
        )
        for label_id, label in zip(ids or (), names or (), strict=True)
    }
    for label_id, color in colors_of(dataset).items():
        name = class_of(color)
        assert labels[label_id] == ("pedestrian" if name == "person" else name)


def test_all_cameras_are_processed_whatever_slice_is_active(
    dataset: fo.Dataset,
) -> None:
    dataset.group_slice = "CAM_BACK"
    summary = rmb.detect_objects(dataset, FakeDetector())
    assert summary["images"] == 4
    assert summary["objects"] == len(NAMES)
    assert summary["failures"] == 0
    assert_right(dataset)
    for camera in CAMERAS:
        assert dataset.select_group_slices(camera).exists("objects").count()
    crop_index = [i for _, i in values(dataset, "crop_index")]
    assert crop_index == [0, 1] * 4


@pytest.mark.parametrize("broken", ["CAM_BACK/000.png", "CAM_FRONT/001.png"])
def test_one_broken_image_of_four_costs_itself_only(
    dataset: fo.Dataset, tmp_path: Path, broken: str
) -> None:
    truncate(tmp_path / broken)
    # four images in one batch: the broken one stands among the others
    summary = rmb.detect_objects(dataset, FakeDetector(batch_size=4))
    assert summary["failures"] == 1
    assert summary["objects"] == len(NAMES) - 2
    assert summary["failed"][0]["where"].endswith(broken)
    bad = images(dataset).match(F("objects_status") == "failed")
    assert [Path(p).match(broken) for p in bad.values("filepath")] == [True]
    assert "truncated" in bad.first()["objects_reason"]
    assert bad.first()["objects"] is None
    good = images(dataset).match(F("objects_status") == "ok")
    assert len(good) == 3
    assert len(values(dataset)) == len(NAMES) - 2
    assert_right(dataset)


def test_a_repaired_image_is_done_by_the_next_run(
    dataset: fo.Dataset, tmp_path: Path
) -> None:
    path = tmp_path / "CAM_BACK/000.png"
    whole = path.read_bytes()
    truncate(path)
    rmb.detect_objects(dataset, FakeDetector())
    path.write_bytes(whole)
    detector = FakeDetector()
    summary = rmb.detect_objects(dataset, detector)
    assert (summary["images"], summary["skipped"]) == (1, 3)
    assert detector.images == 1
    assert_right(dataset)
    assert set(images(dataset).values("objects_reason")) == {None}


def test_a_second_run_calls_no_model(dataset: fo.Dataset) -> None:
    rmb.detect_objects(dataset, FakeDetector())
    detector = FakeDetector()
    summary = rmb.detect_objects(dataset, detector)
    assert detector.images == 0
    assert (summary["images"], summary["skipped"]) == (0, 4)


def test_an_image_without_objects_is_not_asked_again(tmp_path: Path) -> None:
    dataset = painted_dataset(tmp_path, [{}, {}])
    assert rmb.detect_objects(dataset, FakeDetector())["objects"] == 0
    detector = FakeDetector()
    rmb.detect_objects(dataset, detector)
    assert detector.images == 0


def test_other_settings_are_refused_with_what_changed(
    dataset: fo.Dataset,
) -> None:
    rmb.detect_objects(dataset, FakeDetector())
    other = FakeDetector(settings={"conf": 0.5})
    with pytest.raises(RaremineError, match=r"conf=0.25.*conf=0.5.*overwrite"):
        rmb.detect_objects(dataset, other)
    assert other.images == 0
    rmb.detect_objects(dataset, other, field="objects_half")
    rmb.detect_objects(dataset, other, overwrite=True)
    assert run_params(dataset, "objects_detect")["detector"]["conf"] == 0.5


def test_overwriting_a_view_redoes_that_view_only(dataset: fo.Dataset) -> None:
    rmb.detect_objects(dataset, FakeDetector())
    before = ids_by_camera(dataset)
    detector = FakeDetector()
    rmb.detect_objects(
        dataset.select_group_slices("CAM_BACK"), detector, overwrite=True
    )
    after = ids_by_camera(dataset)
    assert detector.images == 2
    assert after["CAM_FRONT"] == before["CAM_FRONT"]
    assert not after["CAM_BACK"] & before["CAM_BACK"]
    # half of a field with other settings than the other half: refused
    with pytest.raises(RaremineError, match="2 images outside this view"):
        rmb.detect_objects(
            dataset.select_group_slices("CAM_BACK"),
            FakeDetector(settings={"conf": 0.5}),
            overwrite=True,
        )
    assert ids_by_camera(dataset) == after


def ids_by_camera(dataset: fo.Dataset) -> dict[str, set[str]]:
    return {
        camera: set(
            dataset.select_group_slices(camera).values(
                "objects.detections.id", unwind=True
            )
        )
        for camera in CAMERAS
    }


def test_a_kill_keeps_earlier_chunks_and_a_rerun_finishes(
    dataset: fo.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(detection, "CHUNK", 1)
    with pytest.raises(Killed):
        rmb.detect_objects(dataset, FakeDetector(batch_size=1, kill_after=2))
    done = images(dataset).exists("objects")
    assert len(done) == 2
    assert set(done.values("objects_status")) == {"ok"}
    # the part that is there says what made it
    with pytest.raises(RaremineError, match=r"conf=0\.5"):
        rmb.detect_objects(dataset, FakeDetector(settings={"conf": 0.5}))
    detector = FakeDetector()
    summary = rmb.detect_objects(dataset, detector)
    assert (detector.images, summary["skipped"]) == (2, 2)
    assert_right(dataset)
    assert len(values(dataset)) == len(NAMES)


def test_boxes_are_cut_at_the_image(tmp_path: Path) -> None:
    class Sloppy(FakeDetector):
        def detect(self, images: object) -> list[DetectedBoxes]:
            boxes = [[-20, -20, 60, 80], [230, 0, 900, 160], [10, 10, 10, 90]]
            found = DetectedBoxes(
                np.array(boxes, np.float32),
                np.array([0.9, 0.8, 0.7], np.float32),
                np.array([2, 5, 0], np.int64),
            )
            return [found for _ in images]

    dataset = painted_dataset(tmp_path, [{}], cameras=("CAM_FRONT",))
    rmb.detect_objects(dataset, Sloppy())
    boxes = np.array([b for _, b in values(dataset, "bounding_box")])
    np.testing.assert_allclose(
        boxes,
        [
            [0, 0, 60 / 240, 80 / 160],
            [230 / 240, 0, 10 / 240, 1],
            [10 / 240, 10 / 160, 0, 80 / 160],
        ],
        atol=1e-6,
    )


def test_deleting_the_run_deletes_its_fields(dataset: fo.Dataset) -> None:
    rmb.detect_objects(dataset, FakeDetector())
    dataset.delete_brain_run("objects_detect")
    for name in ("objects", "objects_status", "objects_reason"):
        assert dataset.get_field(name) is None
