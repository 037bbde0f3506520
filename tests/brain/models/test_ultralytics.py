"""Ultralytics behind the detector protocol: real weights, real images."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from raremine.brain.errors import ModelError
from raremine.brain.models import ultralytics_detector
from raremine.brain.models.protocols import (
    DetectedBoxes,
    Detector,
    PreparingDetector,
)
from raremine.brain.models.ultralytics_detector import UltralyticsDetector
from raremine.brain.models.yolo_input import PreparedImage
from raremine.brain.stream.images import read_image

EXPECTED = {
    # what stands clear of the confidence limit in shared/models/README.md
    "CAM_FRONT": [
        ("truck", 0.90, [125, 225, 602, 627]),
        ("car", 0.69, [716, 463, 786, 530]),
        ("car", 0.69, [900, 474, 953, 528]),
        ("car", 0.57, [1002, 478, 1080, 537]),
    ],
    "CAM_BACK": [("person", 0.69, [1056, 486, 1086, 586])],
    "CAM_BACK_LEFT": [("bench", 0.80, [52, 572, 648, 748])],
    "CAM_BACK_RIGHT": [
        ("person", 0.77, [1077, 497, 1145, 631]),
        ("person", 0.60, [781, 475, 802, 545]),
    ],
}


@pytest.fixture(scope="module")
def weights(shared_dir: Path) -> Path:
    return shared_dir / "models" / "yolov8n_int8.onnx"


@pytest.fixture(scope="module")
def images(shared_dir: Path) -> dict[str, np.ndarray]:
    samples = shared_dir / "nuscenes-keyframe" / "samples"
    return {
        path.parent.name: read_image(str(path))
        for path in sorted(samples.glob("CAM_*/*.jpg"))
    }


@pytest.fixture(scope="module")
def detector(weights: Path) -> UltralyticsDetector:
    return UltralyticsDetector(str(weights), conf=0.25, device="cpu")


def test_the_objects_of_the_real_keyframe_are_found(
    detector: UltralyticsDetector, images: dict[str, np.ndarray]
) -> None:
    assert isinstance(detector, Detector)
    assert isinstance(detector, PreparingDetector)
    found = dict(
        zip(images, detector.detect(list(images.values())), strict=True)
    )
    assert len(found) == 6
    for camera, expected in EXPECTED.items():
        boxes = found[camera]
        for name, confidence, box in expected:
            near = np.abs(boxes.boxes - np.array(box)).max(axis=1) < 12
            same = [detector.class_names[i] == name for i in boxes.class_id]
            rows = np.flatnonzero(near & np.array(same))
            assert len(rows) == 1, (camera, name, box)
            assert boxes.confidence[rows[0]] == pytest.approx(
                confidence, abs=0.1
            )
    for boxes in found.values():
        assert (np.diff(boxes.confidence) <= 0).all()
        assert (boxes.confidence >= 0.25).all()


def test_results_are_those_of_ultralytics_itself(
    detector: UltralyticsDetector,
    weights: Path,
    images: dict[str, np.ndarray],
) -> None:
    from ultralytics import YOLO

    model = YOLO(str(weights), task="detect")
    for camera in ("CAM_FRONT", "CAM_BACK_RIGHT"):
        bgr = np.ascontiguousarray(images[camera][..., ::-1])
        own = model.predict(
            bgr, conf=0.25, iou=0.45, max_det=50, device="cpu", verbose=False
        )[0].boxes
        (ours,) = detector.detect([images[camera]])
        np.testing.assert_array_equal(ours.boxes, own.xyxy.numpy())
        np.testing.assert_array_equal(ours.confidence, own.conf.numpy())
        np.testing.assert_array_equal(ours.class_id, own.cls.numpy())


def test_settings_reach_the_model(
    weights: Path, images: dict[str, np.ndarray]
) -> None:
    front = images["CAM_FRONT"]
    (sure,) = UltralyticsDetector(str(weights), conf=0.65).detect([front])
    assert len(sure.confidence) == 3
    (one,) = UltralyticsDetector(str(weights), max_det=1).detect([front])
    assert len(one.confidence) == 1
    trucks = UltralyticsDetector(str(weights), classes=["truck"])
    (only,) = trucks.detect([front])
    assert {trucks.class_names[i] for i in only.class_id} == {"truck"}
    assert trucks.identity()["classes"] == ["truck"]
    with pytest.raises(ModelError, match="has no class lama; it knows"):
        UltralyticsDetector(str(weights), classes=["lama"])


def test_the_identity_says_which_weights_and_settings(
    detector: UltralyticsDetector,
) -> None:
    assert detector.identity() == {
        "model": "yolov8n_int8.onnx",
        "sha256": "83de8f0d2cd521e0",
        "classes": None,
        "conf": 0.25,
        "iou": 0.45,
        "imgsz": 1280,
        "max_det": 50,
    }


def test_half_precision_is_in_the_identity_only_where_it_is_on(
    pytorch_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = UltralyticsDetector(str(pytorch_weights), device="cpu")
    assert "half" not in full.identity()
    # no CUDA device here: Ultralytics then stays with float32 by itself
    monkeypatch.setattr(ultralytics_detector, "_check_half", lambda *_: None)
    half = UltralyticsDetector(str(pytorch_weights), half=True, device="cpu")
    assert half.identity() == {**full.identity(), "half": True}


@pytest.mark.parametrize(
    ("name", "device", "reason"),
    [
        ("w.pt", "cpu", "'w.pt' would run on 'cpu'. Leave half off."),
        ("w.onnx", "cuda", "decided by its export"),
        ("w.engine", "cuda", "decided by its export"),
    ],
)
def test_half_precision_is_refused_where_there_is_none(
    name: str, device: str, reason: str
) -> None:
    with pytest.raises(ModelError, match=reason):
        UltralyticsDetector(name, half=True, device=device)


@pytest.fixture(scope="module")
def pytorch_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detection model of random weights, saved as Ultralytics does."""
    import torch
    from ultralytics import YOLO

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("yolo") / "random.pt"
    model = YOLO("yolov8n.yaml", task="detect")
    with torch.no_grad():
        # far enough from zero that no two boxes are equally likely
        for parameter in model.model.parameters():
            parameter.mul_(1.1)
    model.save(path)
    return path


def test_a_forward_takes_images_of_one_shape(
    pytorch_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Ultralytics pads others to a common square, which moves their boxes
    shapes = [(96, 160), (160, 96), (96, 160), (64, 64)]
    images = [
        np.full((*shape, 3), number, np.uint8)
        for number, shape in enumerate(shapes)
    ]
    detector = UltralyticsDetector(
        str(pytorch_weights), conf=1e-9, imgsz=160, max_det=3, device="cpu"
    )
    alone = [detector.detect([image])[0] for image in images]
    calls = []
    forward = detector._forward

    def spy(prepared: Sequence[PreparedImage]) -> list[DetectedBoxes]:
        calls.append([(image.height, image.width) for image in prepared])
        return forward(prepared)

    monkeypatch.setattr(detector, "_forward", spy)
    together = detector.detect(images)
    assert calls == [[(96, 160), (96, 160)], [(160, 96)], [(64, 64)]]
    for one, among, shape in zip(alone, together, shapes, strict=True):
        np.testing.assert_allclose(among.confidence, one.confidence, rtol=1e-3)
        assert len(among.boxes) == 3
        assert (among.boxes[:, [0, 2]] <= shape[1]).all()
        assert (among.boxes[:, [1, 3]] <= shape[0]).all()


def test_no_images(pytorch_weights: Path) -> None:
    assert UltralyticsDetector(str(pytorch_weights)).detect([]) == []


def test_another_kind_of_model_is_told(tmp_path: Path) -> None:
    from ultralytics import YOLO

    path = tmp_path / "classify.pt"
    YOLO("yolov8n-cls.yaml", task="classify").save(path)
    with pytest.raises(ModelError, match=r"classify.pt' is a 'classify' mod"):
        UltralyticsDetector(str(path))


def test_a_detr_is_told(tmp_path: Path) -> None:
    import torch
    from ultralytics import RTDETR

    path = tmp_path / "detr.pt"
    model = RTDETR("rtdetr-l.yaml")
    # its head alone, which is what tells it
    model.model.model = torch.nn.Sequential(model.model.model[-1])
    model.save(path)
    with pytest.raises(ModelError, match=r"detr.pt' is a RTDETR model"):
        UltralyticsDetector(str(path))


def test_importing_it_is_cheap() -> None:
    script = (
        "import sys, raremine.brain.models.ultralytics_detector; "
        "print({'torch', 'cv2', 'ultralytics'} & set(sys.modules))"
    )
    said = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True
    )
    assert said.stdout.strip() == "set()", said.stderr


@pytest.mark.parametrize("name", ["w.pt", "w.onnx", "w.engine", "w.txt"])
def test_wrong_weights_are_told_with_their_path(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    with pytest.raises(ModelError, match=f"No detector weights.*{path}"):
        UltralyticsDetector(str(path))
    path.write_bytes(b"")
    with pytest.raises(ModelError, match=f"{path}.*an empty file"):
        UltralyticsDetector(str(path))
    path.write_bytes(b"this is no model at all" * 10)
    with pytest.raises(ModelError, match=f"{path}"):
        UltralyticsDetector(str(path))
    path.unlink()
    path.mkdir()
    with pytest.raises(ModelError, match=f"{path}"):
        UltralyticsDetector(str(path))


@pytest.mark.parametrize("name", ["no_such_model.pt", "no_such_model.onnx"])
def test_an_unknown_name_is_told(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=name):
        UltralyticsDetector(name)
    assert list(tmp_path.iterdir()) == []
