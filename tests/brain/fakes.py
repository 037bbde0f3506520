"""Painted images and models that read the paint.

An image is a grid of cells; a painted cell is an object whose colour says its
class (red channel) and which one it is (green and blue). So a test knows for
every crop which vector or caption belongs to it, and sees at once when one
landed on a neighbour.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import fiftyone as fo
import numpy as np
from PIL import Image

from raremine.brain.models.protocols import DetectedBoxes

CELL = 40
COLUMNS, ROWS = 6, 4

CLASSES = (
    "person",
    "bicycle",
    "car",
    "motorcycle",
    "bus",
    "truck",
    "traffic light",
    "dog",
    "bench",
)
"""What the fake detector knows, as COCO spells it."""

WORDS = (
    "person",
    "pedestrian",
    "bicycle",
    "car",
    "motorcycle",
    "bus",
    "truck",
    "traffic light",
    "animal",
    "dog",
    "bench",
    "trailer",
    "construction vehicle",
)
"""What the fake embedder can tell apart."""

SAME = {"pedestrian": "person", "dog": "animal"}

Color = tuple[int, int, int]


class Killed(BaseException):
    """Ends a stage like an interrupt: no ``except Exception`` stops it."""


def color_of(name: str, number: int) -> Color:
    """Returns the paint of object ``number`` of a class."""
    shade_1, shade_2 = divmod(number, 200)
    return (10 + 20 * CLASSES.index(name), 20 + shade_1, 30 + shade_2)


def class_of(color: Sequence[int]) -> str:
    return CLASSES[(int(color[0]) - 10) // 20]


def center(crop: np.ndarray) -> Color:
    red, green, blue = crop[crop.shape[0] // 2, crop.shape[1] // 2]
    return int(red), int(green), int(blue)


def paint(path: Path, colors: Sequence[Color]) -> Path:
    """Writes an image with one painted cell a colour."""
    image = np.zeros((ROWS * CELL, COLUMNS * CELL, 3), np.uint8)
    for place, color in enumerate(colors):
        row, column = divmod(place, COLUMNS)
        image[
            row * CELL + 8 : (row + 1) * CELL - 8,
            column * CELL + 8 : (column + 1) * CELL - 8,
        ] = color
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)
    return path


def truncate(path: str | Path) -> None:
    """Breaks an image file: its header is right, its end is missing."""
    data = Path(path).read_bytes()
    Path(path).write_bytes(data[: len(data) // 2])


class FakeDetector:
    """Finds the painted cells."""

    name = "fake-detector"
    class_names: Sequence[str] = CLASSES

    def __init__(
        self,
        *,
        batch_size: int = 2,
        kill_after: int | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.batch_size = batch_size
        self.images = 0
        self._kill_after = kill_after
        self._settings = dict(settings or {})

    def detect(self, images: Sequence[np.ndarray]) -> list[DetectedBoxes]:
        if self._kill_after is not None and self.images >= self._kill_after:
            raise Killed
        self.images += len(images)
        return [self._boxes(image) for image in images]

    def identity(self) -> dict[str, Any]:
        return {"model": self.name, "conf": 0.25, **self._settings}

    def _boxes(self, image: np.ndarray) -> DetectedBoxes:
        boxes, classes = [], []
        for row in range(image.shape[0] // CELL):
            for column in range(image.shape[1] // CELL):
                x, y = column * CELL, row * CELL
                pixel = image[y + CELL // 2, x + CELL // 2]
                if pixel.any():
                    boxes.append([x + 8, y + 8, x + CELL - 8, y + CELL - 8])
                    classes.append(CLASSES.index(class_of(pixel)))
        return DetectedBoxes(
            np.array(boxes, np.float32).reshape(-1, 4),
            np.linspace(0.9, 0.5, len(boxes), dtype=np.float32),
            np.array(classes, np.int64),
        )


class FakeEmbedder:
    """Maps paint and words into one space: one axis a word, plus shade."""

    name = "fake-embedder"
    logit_scale = 50.0
    dim = len(WORDS) + 8

    def __init__(
        self,
        *,
        batch_size: int = 3,
        kill_after: int | None = None,
        settings: Mapping[str, Any] | None = None,
        blind_to: Callable[[Color], bool] = lambda color: False,
    ) -> None:
        self.batch_size = batch_size
        self.crops = 0
        self._kill_after = kill_after
        self._settings = dict(settings or {})
        self._blind_to = blind_to

    def embed_images(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        if self._kill_after is not None and self.crops >= self._kill_after:
            raise Killed
        self.crops += len(crops)
        vectors = [self.vector(center(crop)) for crop in crops]
        return np.array(vectors, np.float32).reshape(-1, self.dim)

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        rows = [self._text(text) for text in texts]
        return np.array(rows, np.float32).reshape(-1, self.dim)

    def identity(self) -> dict[str, Any]:
        return {"model": self.name, "sha256": "0" * 16, **self._settings}

    def vector(self, color: Color) -> np.ndarray:
        """What the crop of an object of that colour must get."""
        if self._blind_to(color):
            return np.full(self.dim, np.nan)
        rng = np.random.default_rng(list(color))
        out = _axis(class_of(color)) * 3.0
        out[len(WORDS) :] = rng.normal(0, 0.3, 8)
        return out

    def unit(self, color: Color) -> np.ndarray:
        vector = self.vector(color)
        return np.asarray(vector / np.linalg.norm(vector))

    def _text(self, text: str) -> np.ndarray:
        known = [word for word in WORDS if f" {word} " in f" {text.lower()} "]
        if known:
            return _axis(max(known, key=len))
        digest = hashlib.sha256(text.encode()).digest()
        out = np.zeros(self.dim)
        rng = np.random.default_rng(int.from_bytes(digest[:8], "big"))
        out[len(WORDS) :] = rng.normal(size=8)
        return np.asarray(out / np.linalg.norm(out))


def _axis(word: str) -> np.ndarray:
    out = np.zeros(len(WORDS) + 8)
    out[WORDS.index(SAME.get(word, word))] = 1.0
    return out


class FakeCaptioner:
    """Answers with the class that it sees, or with what it was told."""

    name = "fake-captioner"

    def __init__(
        self,
        *,
        batch_size: int = 4,
        answers: Mapping[Color, str] | None = None,
        fails_on: Callable[[Color], bool] = lambda color: False,
        kill_after: int | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.batch_size = batch_size
        self.seen: list[Color] = []
        self.prompts: list[str] = []
        self._answers = dict(answers or {})
        self._fails_on = fails_on
        self._kill_after = kill_after
        self._settings = dict(settings or {})

    def caption(
        self, crops: Sequence[np.ndarray], prompts: Sequence[str]
    ) -> list[str]:
        colors = [center(crop) for crop in crops]
        if any(map(self._fails_on, colors)):
            raise RuntimeError("the model cannot take this crop")
        if self._kill_after is not None and len(self.seen) >= self._kill_after:
            raise Killed
        self.seen += colors
        self.prompts += prompts
        return [
            self._answers.get(color) or self.answer(color, "JSON" in prompt)
            for color, prompt in zip(colors, prompts, strict=True)
        ]

    def identity(self) -> dict[str, Any]:
        return {"model": self.name, **self._settings}

    @staticmethod
    def answer(color: Color, as_json: bool = True) -> str:
        name = class_of(color)
        if not as_json:
            return f"{name.capitalize()}."
        return json.dumps(
            {
                "class": name,
                "description": f"A {name} number{color[1]}x{color[2]}.",
                "keywords": [name],
            }
        )


Frames = Sequence[Mapping[str, Sequence[Color]]]
"""One keyframe each: camera → the colours painted on its image."""


def painted_dataset(
    folder: Path,
    frames: Frames,
    *,
    cameras: Sequence[str] = ("CAM_FRONT", "CAM_BACK"),
    lidar: bool = True,
    reverse: bool = False,
    truth: bool = False,
) -> fo.Dataset:
    """Makes a grouped dataset of painted keyframes.

    Args:
        folder: where the images go; existing ones are painted anew
        frames: what is on them
        cameras: the image slices
        lidar: whether to add a slice of 3D scenes
        reverse: add the keyframes in the opposite order
        truth: whether cameras get ground truth boxes
    """
    dataset = fo.Dataset()
    dataset.add_group_field("group", default=cameras[0])
    samples = []
    for number, frame in enumerate(frames):
        group = fo.Group()
        shared = {
            "sample_token": f"token{number:03d}",
            "scene_name": f"scene-{number // 4:04d}",
            "split": "train" if number % 4 != 3 else "val",
            "timestamp": 1_500_000_000_000_000 + 500_000 * number,
        }
        for camera in cameras:
            colors = frame.get(camera, ())
            path = paint(folder / camera / f"{number:03d}.png", colors)
            sample = fo.Sample(
                str(path),
                group=group.element(camera),
                sample_data_token=f"{camera}-{number:03d}",
                **shared,
            )
            if truth:
                sample["ground_truth"] = _truth(colors)
            samples.append(sample)
        if lidar:
            samples.append(
                fo.Sample(
                    str(folder / f"{number:03d}.fo3d"),
                    group=group.element("LIDAR_TOP"),
                    sample_data_token=f"LIDAR_TOP-{number:03d}",
                    **shared,
                )
            )
    dataset.add_samples(samples[::-1] if reverse else samples, dynamic=True)
    return dataset


def _truth(colors: Sequence[Color]) -> fo.Detections:
    names = {"person": "pedestrian", "dog": "ignore", "bench": "ignore"}
    width, height = COLUMNS * CELL, ROWS * CELL
    detections = []
    for place, color in enumerate(colors):
        row, column = divmod(place, COLUMNS)
        side = CELL - 16
        detections.append(
            fo.Detection(
                label=names.get(class_of(color), class_of(color)),
                bounding_box=[
                    (column * CELL + 8) / width,
                    (row * CELL + 8) / height,
                    side / width,
                    side / height,
                ],
                num_lidar_pts=10,
            )
        )
    return fo.Detections(detections=detections)


def scatter(
    names: Sequence[str],
    *,
    cameras: Sequence[str] = ("CAM_FRONT", "CAM_BACK"),
    per_image: int = 3,
) -> list[dict[str, list[Color]]]:
    """Spreads numbered objects of the given classes over keyframes."""
    colors = [color_of(name, n) for n, name in enumerate(names)]
    frames: list[dict[str, list[Color]]] = []
    per_frame = per_image * len(cameras)
    for start in range(0, max(len(colors), 1), per_frame):
        part = colors[start : start + per_frame]
        frames.append(
            {
                camera: part[n * per_image : (n + 1) * per_image]
                for n, camera in enumerate(cameras)
            }
        )
    return frames


def values(samples: Any, *names: str, field: str = "objects") -> list[Any]:
    """Returns attributes of all objects on all slices, as (key, …) rows.

    The key is the file and the object's place on it, which do not depend on
    random ids.
    """
    dataset = samples._root_dataset
    if dataset.media_type == "group":
        view = dataset.select_group_slices(media_type="image")
    else:
        view = dataset.view()
    out = []
    for sample in view.iter_samples():
        detections = sample[field].detections if sample[field] else []
        for place, detection in enumerate(detections):
            got = tuple(_attribute(detection, name) for name in names)
            out.append(((sample.filepath, place), *got))
    return sorted(out, key=lambda row: row[0])


def _attribute(detection: fo.Detection, name: str) -> Any:
    return detection[name] if detection.has_field(name) else None


def colors_of(dataset: fo.Dataset, field: str = "objects") -> dict[str, Color]:
    """Returns label id → the colour in the middle of its box, from disk."""
    out = {}
    view = dataset
    if dataset.media_type == "group":
        view = dataset.select_group_slices(media_type="image")
    for sample in view.iter_samples():
        if not sample[field]:
            continue
        image = np.asarray(Image.open(sample.filepath).convert("RGB"))
        for detection in sample[field].detections:
            x, y, w, h = detection.bounding_box
            row = int((y + h / 2) * image.shape[0])
            column = int((x + w / 2) * image.shape[1])
            red, green, blue = image[row, column]
            out[detection.id] = (int(red), int(green), int(blue))
    return out
