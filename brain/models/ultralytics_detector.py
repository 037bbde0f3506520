"""Ultralytics YOLO as a detector: .pt, .onnx, .engine or a known name."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from raremine.brain.errors import ModelError
from raremine.brain.models.protocols import DetectedBoxes
from raremine.brain.models.weights import (
    existing_path,
    file_hash,
    is_local,
    pick_device,
)
from raremine.brain.models.yolo_input import (
    BatchMemory,
    PreparedImage,
    input_rules,
    letterbox,
)
from raremine.brain.models.yolo_output import detections

# Both are read when Ultralytics is imported: it pip-installs what it misses
# unless told not to, and logs every load.
os.environ.setdefault("YOLO_AUTOINSTALL", "false")
os.environ.setdefault("YOLO_VERBOSE", "false")

EXPORTS = (".onnx", ".engine", ".torchscript")

LARGEST_BATCH = 16
"""Images handed over at once, where nothing else is asked for."""

CPU_PIXELS = 1 << 20
"""Input pixels of one forward on the CPU: larger activations leave its
caches, and an image in a batch of eight at 1280 takes a fifth longer."""


class UltralyticsDetector:
    """A YOLO model behind the ``PreparingDetector`` protocol.

    The results are those of Ultralytics' own ``predict`` on each image alone,
    whatever its neighbours in a batch are.

    Args:
        weights: path of a ``.pt``, ``.onnx`` or ``.engine`` file, or a name
            that Ultralytics knows (downloaded on first use, once)
        conf (0.25): smallest confidence
        iou (0.45): IoU threshold of the non-maximum suppression
        imgsz (1280): long side of the model's input, pixels. Exported models
            with a fixed input size use theirs
        max_det (50): most boxes on an image
        classes (None): names of the only classes to keep
        half (False): compute in float16; ``.pt`` weights on a CUDA device
            only, the precision of an exported model is its export's
        device (None): torch device, None = a GPU if there is one
        batch_size (None): images in one forward, None = 16, or what the
            exported model was made for; on the CPU as few as are fastest

    Raises:
        ModelError: if the weights are absent or no detection model, or if
            ``half`` is not possible
    """

    def __init__(
        self,
        weights: str,
        *,
        conf: float = 0.25,
        iou: float = 0.45,
        imgsz: int = 1280,
        max_det: int = 50,
        classes: Sequence[str] | None = None,
        half: bool = False,
        device: str | None = None,
        batch_size: int | None = None,
    ) -> None:
        self.weights = str(weights)
        self.name = Path(self.weights).name
        self._settings = {
            "conf": conf,
            "iou": iou,
            "imgsz": imgsz,
            "max_det": max_det,
        }
        self._half = half
        device = pick_device(device)
        if half:
            _check_half(self.weights, device)
        self._backend = _load(self.weights, device, half)
        names = self._backend.names
        self.class_names: Sequence[str] = [
            str(names[i]) for i in sorted(names)
        ]
        self._class_ids = _ids_of(classes, self.class_names, self.weights)
        self._rules = input_rules(self._backend, imgsz)
        self.batch_size = batch_size or self._rules.rows or LARGEST_BATCH
        self._rows = batch_size
        on_cpu = self._backend.device.type == "cpu"
        self._memory = BatchMemory(
            self._backend.device,
            self._backend.fp16,
            channels_last=on_cpu and self._backend.format == "pt",
        )
        # a model keeps state of its last input's shape
        self._lock = threading.Lock()

    @property
    def input_size(self) -> int:
        """Long side of the model's input, pixels.

        Decoding an image to no less than this loses nothing it would see.
        """
        return max(self._rules.height, self._rules.width)

    def prepare(self, image: np.ndarray) -> PreparedImage:
        """Letterboxes one image; safe in any thread.

        Args:
            image: (h, w, 3) uint8 RGB, any size

        Returns:
            what ``detect_prepared`` takes, without a reference to the image

        Raises:
            ModelError: if this is no RGB image
        """
        return letterbox(image, self._rules)

    def detect_prepared(
        self, prepared: Sequence[PreparedImage]
    ) -> list[DetectedBoxes]:
        """Detects on prepared images.

        Args:
            prepared: what ``prepare`` made, any number and sizes

        Returns:
            one ``DetectedBoxes`` an image, most confident first, in pixels of
            the image that was prepared
        """
        found: list[DetectedBoxes | None] = [None] * len(prepared)
        rows_of: dict[tuple[int, ...], list[int]] = {}
        for row, image in enumerate(prepared):
            rows_of.setdefault(image.pixels.shape, []).append(row)
        for shape, rows in rows_of.items():
            size = self._forward_size(shape[0] * shape[1])
            for start in range(0, len(rows), size):
                part = rows[start : start + size]
                boxes = self._forward([prepared[row] for row in part])
                for row, of_image in zip(part, boxes, strict=True):
                    found[row] = of_image
        return [boxes for boxes in found if boxes is not None]

    def detect(self, images: Sequence[np.ndarray]) -> list[DetectedBoxes]:
        """Detects on RGB images.

        Args:
            images: (h, w, 3) uint8 RGB, any sizes

        Returns:
            one ``DetectedBoxes`` an image, most confident first

        Raises:
            ModelError: if one is no RGB image
        """
        return self.detect_prepared([self.prepare(image) for image in images])

    def _forward_size(self, pixels: int) -> int:
        """Returns how many images of so many pixels one forward takes."""
        size = self.batch_size
        if self._rows is None and self._backend.device.type == "cpu":
            size = min(size, max(CPU_PIXELS // pixels, 1))
        if self._rules.rows is None:
            return size
        # a fixed batch costs the same with fewer images in it
        most = self._rules.rows
        return most if self._rules.fixed_rows else min(size, most)

    def _forward(self, images: Sequence[PreparedImage]) -> list[DetectedBoxes]:
        import torch

        rows = len(images)
        if self._rules.fixed_rows and self._rules.rows:
            rows = self._rules.rows
        with self._lock, torch.inference_mode():
            return detections(
                self._backend(self._memory.batch(images, rows)),
                images,
                conf=self._settings["conf"],
                iou=self._settings["iou"],
                max_det=int(self._settings["max_det"]),
                classes=self._class_ids,
                end2end=bool(getattr(self._backend, "end2end", False)),
            )

    def identity(self) -> dict[str, Any]:
        """Returns the weights' name and hash and every setting."""
        path = Path(self.weights)
        identity = {
            "model": self.name,
            "sha256": file_hash(path) if path.is_file() else None,
            "classes": None
            if self._class_ids is None
            else [self.class_names[i] for i in self._class_ids],
            **self._settings,
        }
        # absent where off: records without it stay those of this model
        return {**identity, "half": True} if self._half else identity


def _check_half(weights: str, device: str) -> None:
    if Path(weights).suffix in EXPORTS:
        raise ModelError(
            f"half=True is not for '{weights}': the precision of an exported "
            "model is decided by its export. Export it with half=True, and "
            "leave half off here."
        )
    if device.split(":")[0] in ("cpu", "mps"):
        raise ModelError(
            f"half=True needs a CUDA device, and '{weights}' would run on "
            f"'{device}'. Leave half off."
        )


def _load(weights: str, device: str, half: bool) -> Any:
    if is_local(weights):
        path = existing_path(weights, "detector weights")
        if path.is_dir() or path.stat().st_size == 0:
            raise ModelError(
                f"Detector weights '{weights}' are a folder or an empty "
                "file; pass a .pt, .onnx or .engine file."
            )
    try:
        with _threads_kept():
            return _ultralytics_backend(weights, device, half)
    except ModelError:
        raise
    except FileNotFoundError as error:
        raise ModelError(
            f"No detector weights '{weights}' here, and Ultralytics could "
            "not download them. Pass the path of a .pt, .onnx or .engine "
            "file, or go online for the first use."
        ) from error
    except Exception as error:
        raise ModelError(
            f"Detector weights '{weights}' could not be loaded "
            f"({_first_line(error)}). Pass an Ultralytics detection model "
            "(.pt, .onnx or .engine)."
        ) from error


def _ultralytics_backend(weights: str, device: str, half: bool) -> Any:
    """Loads a model as Ultralytics' ``predict`` would."""
    # suppression is torchvision's only if that is imported by then
    import torchvision  # noqa: F401
    from ultralytics import YOLO
    from ultralytics.models.yolo.detect import DetectionPredictor

    model = YOLO(weights, task="detect")
    if model.task != "detect":
        raise _another_task(weights, str(model.task))
    if model.task_map["detect"]["predictor"] is not DetectionPredictor:
        raise ModelError(
            f"'{weights}' is a {type(model).__name__} model, which takes its "
            "images another way; pass a YOLO detection model."
        )
    predictor = DetectionPredictor(
        overrides={
            **model.overrides,
            "mode": "predict",
            "save": False,
            "verbose": False,
            "device": device,
            "quantize": 16 if half else None,
        }
    )
    predictor.setup_model(model.model, verbose=False)
    backend: Any = predictor.model
    if backend.task not in (None, "detect"):
        raise _another_task(weights, backend.task)
    return backend


def _another_task(weights: str, task: str) -> ModelError:
    return ModelError(
        f"'{weights}' is a '{task}' model; detection needs a 'detect' model."
    )


@contextmanager
def _threads_kept() -> Iterator[None]:
    """Undoes Ultralytics' choice of torch's threads for the whole process.

    It takes one less than there are cores, and has torch start with a single
    one if it is imported first, here and in child processes.
    """
    import torch

    threads = torch.get_num_threads()
    chosen = os.environ.get("OMP_NUM_THREADS")
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        if chosen is None:
            os.environ.pop("OMP_NUM_THREADS", None)


def _ids_of(
    classes: Sequence[str] | None, names: Sequence[str], weights: str
) -> list[int] | None:
    if classes is None:
        return None
    unknown = sorted(set(classes) - set(names))
    if unknown:
        raise ModelError(
            f"Detector '{weights}' has no class {', '.join(unknown)}; it "
            f"knows: {', '.join(names)}."
        )
    return [names.index(name) for name in classes]


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
