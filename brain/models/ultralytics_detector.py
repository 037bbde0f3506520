"""Ultralytics YOLO as a detector: .pt, .onnx, .engine or a known name."""

from __future__ import annotations

import os
from collections.abc import Sequence
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

# Both are read when Ultralytics is imported: it pip-installs what it misses
# unless told not to, and logs every load.
os.environ.setdefault("YOLO_AUTOINSTALL", "false")
os.environ.setdefault("YOLO_VERBOSE", "false")

LARGEST_BATCH = 16


class UltralyticsDetector:
    """A YOLO model behind the ``Detector`` protocol.

    Args:
        weights: path of a ``.pt``, ``.onnx`` or ``.engine`` file, or a name
            that Ultralytics knows (downloaded on first use, once)
        conf (0.25): smallest confidence
        iou (0.45): IoU threshold of the non-maximum suppression
        imgsz (1280): long side of the model's input, pixels. Exported models
            with a fixed input size use theirs
        max_det (50): most boxes on an image
        classes (None): names of the only classes to keep
        device (None): torch device, None = a GPU if there is one
        batch_size (None): images in one forward, None = 16, or what the
            exported model was made for

    Raises:
        ModelError: if the weights are absent or no detection model
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
        device: str | None = None,
        batch_size: int | None = None,
    ) -> None:
        self.weights = str(weights)
        self.name = Path(self.weights).name
        self._device = pick_device(device)
        self._settings = {
            "conf": conf,
            "iou": iou,
            "imgsz": imgsz,
            "max_det": max_det,
        }
        self._model = _load(self.weights)
        names = self._class_names()
        self.class_names: Sequence[str] = names
        self._class_ids = _ids_of(classes, names, self.weights)
        self.batch_size = batch_size or self._export_batch() or LARGEST_BATCH

    def detect(self, images: Sequence[np.ndarray]) -> list[DetectedBoxes]:
        """Detects on RGB images.

        Args:
            images: (h, w, 3) uint8 RGB, any sizes

        Returns:
            one ``DetectedBoxes`` an image, most confident first
        """
        found: list[DetectedBoxes | None] = [None] * len(images)
        rows_of: dict[tuple[int, ...], list[int]] = {}
        for row, image in enumerate(images):
            rows_of.setdefault(image.shape, []).append(row)
        # Ultralytics pads images of different shapes to a common square, so
        # an image's boxes would depend on its neighbours in the batch
        for rows in rows_of.values():
            boxes = self._predict([images[row] for row in rows])
            for row, of_image in zip(rows, boxes, strict=True):
                found[row] = of_image
        return [boxes for boxes in found if boxes is not None]

    def _predict(self, images: Sequence[np.ndarray]) -> list[DetectedBoxes]:
        results = self._model.predict(
            # Ultralytics takes arrays in OpenCV's channel order
            [np.ascontiguousarray(image[..., ::-1]) for image in images],
            classes=self._class_ids,
            device=self._device,
            batch=len(images),
            augment=False,
            verbose=False,
            save=False,
            **self._settings,
        )
        return [
            DetectedBoxes(
                result.boxes.xyxy.cpu().numpy().astype(np.float32),
                result.boxes.conf.cpu().numpy().astype(np.float32),
                result.boxes.cls.cpu().numpy().astype(np.int64),
            )
            for result in results
        ]

    def identity(self) -> dict[str, Any]:
        """Returns the weights' name and hash and every setting."""
        path = Path(self.weights)
        return {
            "model": self.name,
            "sha256": file_hash(path) if path.is_file() else None,
            "classes": None
            if self._class_ids is None
            else [self.class_names[i] for i in self._class_ids],
            **self._settings,
        }

    def _class_names(self) -> list[str]:
        try:
            names = self._model.names
        except Exception as error:
            raise ModelError(
                f"'{self.weights}' does not load as a detection model: "
                f"{error}"
            ) from error
        return [str(names[i]) for i in sorted(names)]

    def _export_batch(self) -> int | None:
        if Path(self.weights).suffix != ".onnx":
            return None if self.weights.endswith((".pt", ".yaml")) else 1
        import onnxruntime

        session = onnxruntime.InferenceSession(
            self.weights, providers=["CPUExecutionProvider"]
        )
        first = session.get_inputs()[0].shape[0]
        return first if isinstance(first, int) else None


def _load(weights: str) -> Any:
    if is_local(weights):
        path = existing_path(weights, "detector weights")
        if path.is_dir() or path.stat().st_size == 0:
            raise ModelError(
                f"Detector weights '{weights}' are a folder or an empty "
                "file; pass a .pt, .onnx or .engine file."
            )
    try:
        from ultralytics import YOLO

        model = YOLO(weights, task="detect")
        if str(weights).endswith(".pt") and model.task != "detect":
            raise ModelError(
                f"'{weights}' is a '{model.task}' model; detection needs a "
                "'detect' model."
            )
        return model
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
