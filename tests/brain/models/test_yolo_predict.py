"""Detections equal those of Ultralytics' own ``predict``, image by image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from raremine.brain.models.protocols import DetectedBoxes
from raremine.brain.models.ultralytics_detector import UltralyticsDetector
from raremine.brain.stream.images import read_image

PIXELS = 0.01
"""Most that a corner may differ: a batch is summed in another order."""

CONFIDENCE = 1e-4

SIZE = 320
"""Input of the exports made here, pixels."""

Image = np.ndarray


@pytest.fixture(scope="module")
def demo_weights(repo_root: Path) -> Path:
    return repo_root / "demo" / "weights" / "detector.pt"


@pytest.fixture(scope="module")
def rendered() -> list[Image]:
    """The six cameras of a rendered keyframe, 1600x900."""
    from demo.config import WorldConfig
    from demo.render import render_images

    world = WorldConfig(
        seed=7002, scenes=1, keyframes=1, image_size=(1600, 900), rarity=0.0
    )
    return [picture.image for picture in render_images(world)]


def _of_all_sizes(image: Image) -> list[Image]:
    """One picture in sizes that a letterbox may get wrong."""
    import cv2

    odd = [(899, 1601), (1601, 899), (333, 517), (517, 333), (64, 48)]
    odd += [(SIZE, SIZE), (180, 320), (720, 1280), (1, 1), (3, 900)]
    return [
        image,
        *(cv2.resize(image, (width, height)) for height, width in odd),
    ]


def _own(
    weights: Path, images: Sequence[Image], **settings: Any
) -> list[DetectedBoxes]:
    """What Ultralytics finds on each image alone."""
    from ultralytics import YOLO

    model = YOLO(str(weights), task="detect")
    found = []
    for image in images:
        boxes = model.predict(
            np.ascontiguousarray(image[..., ::-1]),
            **{"device": "cpu", **settings},
            augment=False,
            verbose=False,
        )[0].boxes.cpu()
        found.append(
            DetectedBoxes(
                boxes.xyxy.numpy(),
                boxes.conf.numpy(),
                boxes.cls.numpy().astype(np.int64),
            )
        )
    return found


def _assert_equal(
    ours: Sequence[DetectedBoxes],
    own: Sequence[DetectedBoxes],
    pixels: float = PIXELS,
    confidence: float = CONFIDENCE,
) -> None:
    assert len(ours) == len(own)
    for mine, theirs in zip(ours, own, strict=True):
        assert mine.boxes.dtype == mine.confidence.dtype == np.float32
        assert mine.class_id.dtype == np.int64
        np.testing.assert_array_equal(mine.class_id, theirs.class_id)
        np.testing.assert_allclose(
            mine.boxes, theirs.boxes, rtol=0, atol=pixels
        )
        np.testing.assert_allclose(
            mine.confidence, theirs.confidence, rtol=0, atol=confidence
        )


@pytest.fixture(scope="module")
def export(
    demo_weights: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Path]:
    """Makes ONNX files of the demo detector, like those of ``YOLO.export``.

    That itself needs packages which nothing else here does.
    """
    folder = tmp_path_factory.mktemp("exports")

    def make(batch: int, dynamic: bool, metadata: bool = True) -> Path:
        path = folder / f"{batch}-{dynamic}-{metadata}.onnx"
        if not path.exists():
            _export(demo_weights, path, batch, dynamic, metadata)
        return path

    return make


def _export(
    weights: Path, path: Path, batch: int, dynamic: bool, metadata: bool
) -> None:
    import torch
    from ultralytics import YOLO

    proto = pytest.importorskip(
        "torch.onnx._internal.torchscript_exporter.onnx_proto_utils"
    )
    model = YOLO(str(weights), task="detect")
    net = model.model.float().eval().fuse(verbose=False)
    net.requires_grad_(False)
    head = net.model[-1]
    head.export, head.format, head.dynamic = True, "onnx", dynamic
    axes = {0: "batch", 2: "height", 3: "width"}
    with pytest.MonkeyPatch.context() as patch:
        # looks for functions of onnxscript, of which there are none
        patch.setattr(proto, "_add_onnxscript_fn", lambda model, _: model)
        torch.onnx.export(
            net,
            (torch.zeros(batch, 3, SIZE, SIZE),),
            str(path),
            dynamo=False,
            opset_version=17,
            input_names=["images"],
            output_names=["output0"],
            dynamic_axes={"images": axes, "output0": {0: "batch", 2: "a"}}
            if dynamic
            else None,
        )
    if metadata:
        facts = {
            "task": "detect",
            "stride": "32",
            "batch": str(batch),
            "imgsz": str([SIZE, SIZE]),
            "names": str(model.names),
            "args": str({"batch": batch, "dynamic": dynamic, "nms": False}),
        }
        with path.open("ab") as stream:
            for key, value in facts.items():
                entry = _field(1, key.encode()) + _field(2, value.encode())
                stream.write(_field(14, entry))  # ModelProto.metadata_props


def _field(number: int, content: bytes) -> bytes:
    """A length-delimited field of a protobuf message."""
    size, varint = len(content), bytearray()
    while size > 127:
        varint.append(size & 127 | 128)
        size >>= 7
    varint.append(size)
    return bytes([number << 3 | 2]) + bytes(varint) + content


@pytest.mark.parametrize("imgsz", [320, 640])
def test_weights_on_images_of_all_sizes(
    demo_weights: Path, rendered: list[Image], imgsz: int
) -> None:
    images = [*rendered, *_of_all_sizes(rendered[0])]
    settings = {"imgsz": imgsz, "conf": 0.1, "iou": 0.45, "max_det": 50}
    own = _own(demo_weights, images, **settings)
    assert sum(len(boxes.confidence) for boxes in own) > 25
    detector = UltralyticsDetector(
        str(demo_weights), device="cpu", batch_size=4, **settings
    )
    assert detector.input_size == imgsz
    _assert_equal(detector.detect(images), own)
    _assert_equal([detector.detect([i])[0] for i in images[::-1]], own[::-1])


@pytest.mark.parametrize(
    "settings",
    [
        {"conf": 0.01, "iou": 0.2, "max_det": 300},
        {"conf": 0.05, "iou": 0.9, "max_det": 5},
        {"conf": 0.05, "classes": ["car", "truck"]},
        {"conf": 0.999},
    ],
)
def test_settings_mean_what_they_mean_there(
    demo_weights: Path, rendered: list[Image], settings: dict[str, Any]
) -> None:
    settings = {"imgsz": 416, "iou": 0.45, "max_det": 50, **settings}
    detector = UltralyticsDetector(str(demo_weights), device="cpu", **settings)
    ours = detector.detect(rendered)
    own = dict(settings)
    if "classes" in settings:
        names = list(detector.class_names)
        own["classes"] = [names.index(name) for name in settings["classes"]]
    _assert_equal(ours, _own(demo_weights, rendered, **own))


def test_real_weights_on_real_images_of_all_sizes(shared_dir: Path) -> None:
    weights = shared_dir / "models" / "yolov8n_int8.onnx"
    samples = shared_dir / "nuscenes-keyframe" / "samples"
    real = [read_image(str(p)) for p in sorted(samples.glob("CAM_*/*.jpg"))]
    images = [*real, *_of_all_sizes(real[2])]
    settings = {"conf": 0.2, "iou": 0.45, "max_det": 50}
    own = _own(weights, images, imgsz=1280, **settings)
    assert sum(len(boxes.confidence) for boxes in own) > 20
    detector = UltralyticsDetector(str(weights), device="cpu", **settings)
    assert detector.batch_size == 1
    assert detector.input_size == 640
    _assert_equal(detector.detect(images), own, 0, 0)


def test_demo_weights_on_real_images(
    demo_weights: Path, shared_dir: Path
) -> None:
    samples = shared_dir / "nuscenes-keyframe" / "samples"
    real = [read_image(str(p)) for p in sorted(samples.glob("CAM_*/*.jpg"))]
    settings = {"imgsz": 1280, "conf": 0.05, "iou": 0.45, "max_det": 50}
    own = _own(demo_weights, real, **settings)
    assert sum(len(boxes.confidence) for boxes in own) > 20
    detector = UltralyticsDetector(str(demo_weights), device="cpu", **settings)
    _assert_equal(detector.detect(real), own)


@pytest.mark.parametrize(
    ("batch", "dynamic"), [(1, False), (4, False), (1, True), (4, True)]
)
def test_exports(
    export: Callable[..., Path],
    rendered: list[Image],
    batch: int,
    dynamic: bool,
) -> None:
    weights = export(batch, dynamic)
    images = [*rendered, *_of_all_sizes(rendered[1])]
    settings = {"conf": 0.1, "iou": 0.45, "max_det": 50, "imgsz": 512}
    own = _own(weights, images, **settings)
    assert sum(len(boxes.confidence) for boxes in own) > 40
    detector = UltralyticsDetector(str(weights), device="cpu", **settings)
    assert detector.batch_size == (16 if dynamic else batch)
    assert detector.input_size == (512 if dynamic else SIZE)
    _assert_equal(detector.detect(images), own)
    # fewer and more than it was made for
    two = UltralyticsDetector(
        str(weights), device="cpu", batch_size=7, **settings
    )
    _assert_equal(two.detect(images[:9]), own[:9])
    _assert_equal(two.detect(images[:1]), own[:1])


@pytest.mark.parametrize("batch", [1, 4])
def test_an_export_without_metadata(
    export: Callable[..., Path], rendered: list[Image], batch: int
) -> None:
    settings = {"conf": 0.1, "iou": 0.45, "max_det": 50}
    own = _own(export(1, False), rendered, imgsz=SIZE, **settings)
    detector = UltralyticsDetector(
        str(export(batch, False, metadata=False)), device="cpu", **settings
    )
    assert detector.batch_size == batch
    _assert_equal(detector.detect(rendered), own)


@pytest.mark.parametrize("name", ["yolo11n.yaml", "yolo26n.yaml"])
def test_later_models(
    name: str, tmp_path: Path, rendered: list[Image]
) -> None:
    import torch
    from ultralytics import YOLO

    torch.manual_seed(0)
    model = YOLO(name, task="detect")
    with torch.no_grad():
        for parameter in model.model.parameters():
            parameter.mul_(1.1)
    weights = tmp_path / "random.pt"
    model.save(weights)
    images = [rendered[0], rendered[1][:300, :200]]
    settings = {"imgsz": 160, "conf": 1e-9, "iou": 0.3, "max_det": 3}
    own = _own(weights, images, **settings)
    assert all(len(boxes.confidence) for boxes in own)
    detector = UltralyticsDetector(str(weights), device="cpu", **settings)
    _assert_equal(detector.detect(images), own, confidence=1e-8)


def test_images_are_prepared_in_threads_while_others_are_detected(
    demo_weights: Path, rendered: list[Image]
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    detector = UltralyticsDetector(
        str(demo_weights), imgsz=320, conf=0.1, device="cpu"
    )
    images = [*rendered, *_of_all_sizes(rendered[2])]
    expected = [detector.detect([image])[0] for image in images]
    with ThreadPoolExecutor(4) as pool:
        prepared = list(pool.map(detector.prepare, images))
        # and detected from several, which must take turns
        even, odd = pool.map(
            detector.detect_prepared, [prepared[::2], prepared[1::2]]
        )
    _assert_equal(even, expected[::2])
    _assert_equal(odd, expected[1::2])


def test_the_threads_of_torch_stay_as_they_were(demo_weights: Path) -> None:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(before + 2)
    try:
        UltralyticsDetector(str(demo_weights), device="cpu")
        assert torch.get_num_threads() == before + 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.gpu
@pytest.mark.parametrize("half", [False, True])
def test_on_a_gpu(
    demo_weights: Path, rendered: list[Image], half: bool
) -> None:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    settings = {"imgsz": 640, "conf": 0.25, "iou": 0.45, "max_det": 50}
    images = [*rendered, *rendered]
    own = _own(
        demo_weights,
        images,
        device="cuda:0",
        quantize=16 if half else None,
        **settings,
    )
    detector = UltralyticsDetector(
        str(demo_weights), half=half, device="cuda:0", **settings
    )
    ours = detector.detect(images)
    if not half:
        _assert_equal(ours, own, 0.1, 1e-3)
        return
    assert ours[0].confidence.dtype == np.float32
    for mine, theirs in zip(ours, own, strict=True):
        # those at the limit of the confidence may come and go
        for row in np.flatnonzero(theirs.confidence > 0.3):
            near = np.abs(mine.boxes - theirs.boxes[row]).max(axis=1) < 4
            assert (near & (mine.class_id == theirs.class_id[row])).any()
