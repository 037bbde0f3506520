"""Rendered pictures and object crops that the demo models learn from.

Worlds are rendered once into a cache folder as JPEGs (the models later see
JPEGs too) with one JSON of objects per scene; crops are cut from those.
Training worlds and held-out worlds have different seeds, and the demo
itself uses seeds that are in neither.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from demo.phrases import BACKGROUND

MIN_VISIBLE = 0.3
"""Objects with a smaller visible share are neither label nor crop."""
MIN_HEIGHT = 10.0
"""Objects whose box is less high, in px, are neither label nor crop."""
CONTEXT = 0.3
"""Margin kept around a stored crop, as a share of the box's longer side."""
MAX_STORED = 192
"""Longer side of a stored crop in px; larger ones are scaled down."""
JPEG_QUALITY = 88
MISTAKES = 0.2
"""Share of the draws that show a mistake of the detector."""


def bf16() -> Any:
    """Returns a context that computes in bfloat16 where the CPU is good at it.

    Halves the training time on CPUs with AVX-512 BF16; elsewhere nothing
    changes. Weights and losses stay float32.
    """
    import torch

    fast = torch.cpu._is_avx512_bf16_supported()
    return torch.autocast("cpu", torch.bfloat16, enabled=fast)


@dataclass(frozen=True)
class WorldSpec:
    """Which worlds to render: ``scenes`` scenes of one seed and rarity."""

    seed: int
    rarity: float
    scenes: int
    keyframes: int


TRAIN_WORLDS = (
    WorldSpec(1000, 0.0, 48, 3),
    WorldSpec(1001, 0.4, 16, 3),
    WorldSpec(1002, 1.0, 14, 3),
    # single pictures of many streets: what models lack is not views of an
    # object but objects
    WorldSpec(1003, 0.0, 150, 1),
    WorldSpec(1004, 0.4, 50, 1),
    WorldSpec(1005, 1.0, 40, 1),
    WorldSpec(1008, 0.3, 200, 1),
)
UNSEEN_WORLDS = (
    WorldSpec(1006, 1.0, 300, 1),
    WorldSpec(1007, 0.3, 100, 1),
)
"""Training worlds the detector does not learn from.

Its mistakes there are those it makes in every new world; on pictures that it
learnt it makes few.
"""
HELD_OUT_WORLDS = (
    WorldSpec(5000, 1.0, 5, 3),
    WorldSpec(5001, 0.0, 6, 3),
)


@dataclass(frozen=True)
class SceneObject:
    """A rendered object as the cache keeps it; fields as in the world."""

    instance: str
    category: str
    shape: str
    colour: str
    rider: bool
    box: tuple[float, float, float, float]
    visible_fraction: float
    distance: float
    night: bool

    @property
    def usable(self) -> bool:
        """Whether the object is large and visible enough to be learnt."""
        return (
            self.visible_fraction >= MIN_VISIBLE
            and self.box[3] - self.box[1] >= MIN_HEIGHT
        )


@dataclass(frozen=True)
class Picture:
    """A cached picture and its objects."""

    path: Path
    objects: tuple[SceneObject, ...]
    night: bool

    def read(self) -> NDArray[np.uint8]:
        """Returns the RGB pixels, (H, W, 3) uint8."""
        return np.asarray(cv2.imread(str(self.path))[:, :, ::-1], np.uint8)


@dataclass(frozen=True)
class Crop:
    """An object with some context, cut from a picture.

    Attributes:
        pixels: (H, W, 3) uint8 RGB
        box: the object's (x1, y1, x2, y2) in px of ``pixels``
        thing: the object; for background, one of category "background"
        hint (None): what the detector took it for, if its box is one of the
            detector's mistakes and no annotated one
    """

    pixels: NDArray[np.uint8]
    box: tuple[float, float, float, float]
    thing: SceneObject
    hint: str | None = None


def scene_objects(objects: Iterable[Any]) -> list[SceneObject]:
    """Copies rendered objects into plain, JSON-friendly records."""
    return [
        SceneObject(
            instance=str(o.instance),
            category=str(o.category),
            shape=str(o.shape),
            colour=str(o.colour),
            rider=bool(o.rider),
            box=tuple(float(v) for v in o.box),  # type: ignore[arg-type]
            visible_fraction=float(o.visible_fraction),
            distance=float(o.distance),
            night=bool(o.night),
        )
        for o in objects
    ]


def _render_one(spec: WorldSpec, scene: int, folder: Path) -> None:
    from demo import world

    config = world.WorldConfig(
        seed=spec.seed,
        scenes=spec.scenes,
        keyframes=spec.keyframes,
        rarity=spec.rarity,
        lidar=False,
    )
    folder.mkdir(parents=True, exist_ok=True)
    pictures = []
    for number, shot in enumerate(world.render_scene_images(config, scene)):
        name = f"{number:03d}.jpg"
        cv2.imwrite(
            str(folder / name),
            shot.image[:, :, ::-1],
            [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY],
        )
        pictures.append(
            {
                "file": name,
                "night": bool(shot.night),
                "objects": [asdict(o) for o in scene_objects(shot.objects)],
            }
        )
    part = folder / "scene.json.part"
    part.write_text(json.dumps(pictures), encoding="utf-8")
    part.rename(folder / "scene.json")


def render_worlds(
    specs: Sequence[WorldSpec],
    cache: Path,
    *,
    processes: int = 2,
) -> float:
    """Renders what the cache lacks.

    Args:
        specs: the worlds
        cache: the folder that holds one folder per scene
        processes (2): how many scenes to render at a time

    Returns:
        the seconds it took
    """
    start = time.perf_counter()
    jobs = []
    for spec in specs:
        for scene in range(spec.scenes):
            folder = cache / _scene_name(spec, scene)
            if not (folder / "scene.json").is_file():
                jobs.append((spec, scene, folder))
    if processes <= 1 or len(jobs) <= 1:
        for job in jobs:
            _render_one(*job)
    else:
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        with ProcessPoolExecutor(processes) as pool:
            for done in [pool.submit(_render_one, *job) for job in jobs]:
                done.result()
    return time.perf_counter() - start


def _scene_name(spec: WorldSpec, scene: int) -> str:
    world = f"{spec.seed}-{spec.rarity:g}-{spec.scenes}x{spec.keyframes}"
    return f"{world}-{scene:04d}"


def load_pictures(specs: Sequence[WorldSpec], cache: Path) -> list[Picture]:
    """Lists the cached pictures of some worlds, in a fixed order."""
    pictures = []
    for spec in specs:
        for scene in range(spec.scenes):
            folder = cache / _scene_name(spec, scene)
            text = (folder / "scene.json").read_text(encoding="utf-8")
            for entry in json.loads(text):
                objects = tuple(
                    SceneObject(**{**o, "box": tuple(o["box"])})
                    for o in entry["objects"]
                )
                pictures.append(
                    Picture(folder / entry["file"], objects, entry["night"])
                )
    return pictures


def cut(
    image: NDArray[np.uint8],
    box: tuple[float, float, float, float],
    margin: float,
) -> tuple[NDArray[np.uint8], tuple[float, float, float, float]]:
    """Cuts a box with margin out of an image.

    Args:
        image: (H, W, 3) uint8
        box: (x1, y1, x2, y2) in px
        margin: share of the longer box side added on each side

    Returns:
        the pixels (a copy, clipped at the image border) and the box in px of
        those pixels
    """
    height, width = image.shape[:2]
    extra = margin * max(box[2] - box[0], box[3] - box[1])
    left = int(max(0, np.floor(box[0] - extra)))
    top = int(max(0, np.floor(box[1] - extra)))
    right = int(min(width, np.ceil(box[2] + extra)))
    bottom = int(min(height, np.ceil(box[3] + extra)))
    pixels = np.ascontiguousarray(image[top:bottom, left:right])
    moved = (box[0] - left, box[1] - top, box[2] - left, box[3] - top)
    return pixels, moved


def shrunken(crop: Crop) -> Crop:
    """Returns the crop, scaled down to ``MAX_STORED`` where it is larger."""
    scale = MAX_STORED / max(crop.pixels.shape[:2])
    if scale >= 1:
        return crop
    height, width = crop.pixels.shape[:2]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    smaller = cv2.resize(crop.pixels, size, interpolation=cv2.INTER_AREA)
    return Crop(
        np.asarray(smaller, np.uint8),
        tuple(v * scale for v in crop.box),  # type: ignore[arg-type]
        crop.thing,
        crop.hint,
    )


def _background(
    picture: Picture, shape: tuple[int, ...], rng: np.random.Generator
) -> SceneObject | None:
    """Draws a box that overlaps no object, or None after some tries."""
    height, width = shape[:2]
    for _ in range(20):
        h = float(np.exp(rng.uniform(np.log(16), np.log(200))))
        w = h * float(np.exp(rng.uniform(np.log(0.4), np.log(2.5))))
        if w >= width or h >= height:
            continue
        x = float(rng.uniform(0, width - w))
        y = float(rng.uniform(0.1 * height, height - h))
        box = (x, y, x + w, y + h)
        if all(_overlap(box, o.box) < 0.02 for o in picture.objects):
            return background_at(picture, box)
    return None


def background_at(
    picture: Picture, box: tuple[float, float, float, float]
) -> SceneObject:
    """Returns the record of a box on a picture that shows no object."""
    return SceneObject(
        f"background-{picture.path.parent.name}",
        BACKGROUND,
        BACKGROUND,
        "",
        False,
        box,
        1.0,
        0.0,
        picture.night,
    )


def _overlap(a: Sequence[float], b: Sequence[float]) -> float:
    """Returns the intersection as a share of the smaller box."""
    common, *both = areas(a, b)
    return common / min(both)


def areas(
    a: Sequence[float], b: Sequence[float]
) -> tuple[float, float, float]:
    """Returns the areas of the intersection and of both boxes, in px².

    Args:
        a: (x1, y1, x2, y2) in px
        b: likewise; neither area is told as less than 1e-6
    """
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    own, other = ((v[2] - v[0]) * (v[3] - v[1]) for v in (a, b))
    return width * height, max(own, 1e-6), max(other, 1e-6)


def crops(
    pictures: Sequence[Picture], *, seed: int = 0, background: float = 0.25
) -> Iterator[Crop]:
    """Cuts every usable object, and some background.

    Args:
        pictures: cached pictures
        seed (0): seed of the background boxes
        background (0.25): expected background crops a picture
    """
    rng = np.random.default_rng(seed)
    for picture in pictures:
        image = picture.read()
        things = [o for o in picture.objects if o.usable]
        if rng.random() < background:
            empty = _background(picture, image.shape, rng)
            if empty is not None:
                things.append(empty)
        for thing in things:
            pixels, box = cut(image, thing.box, CONTEXT)
            yield shrunken(Crop(pixels, box, thing))


def jitter(crop: Crop, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Cuts the crop as a detector might have, with light and mirror changes.

    Box edges move by a few per cent, the margin varies from none to 20 %,
    half of the results are mirrored, brightness and contrast vary a little
    (little, since colour is part of the answer) and some lose resolution.

    Args:
        crop: a stored crop
        rng: the source of randomness

    Returns:
        (h, w, 3) uint8
    """
    x1, y1, x2, y2 = crop.box
    width, height = x2 - x1, y2 - y1
    move = rng.normal(0, 0.04, 4).clip(-0.1, 0.1)
    box = (
        x1 + move[0] * width,
        y1 + move[1] * height,
        x2 + move[2] * width,
        y2 + move[3] * height,
    )
    pixels, _ = cut(crop.pixels, box, float(rng.uniform(0, 0.2)))
    if pixels.shape[0] < 2 or pixels.shape[1] < 2:
        pixels = crop.pixels
    if rng.random() < 0.5:
        pixels = pixels[:, ::-1]
    if rng.random() < 0.25 and min(pixels.shape[:2]) > 24:
        scale = float(rng.uniform(0.4, 0.9))
        smaller = cv2.resize(
            np.ascontiguousarray(pixels),
            None,
            fx=scale,
            fy=scale,
            interpolation=cv2.INTER_AREA,
        )
        pixels = np.asarray(smaller, np.uint8)
    if rng.random() < 0.6:
        gain, offset = rng.uniform(0.8, 1.25), rng.uniform(-15, 15)
        pixels = (pixels * gain + offset).clip(0, 255).astype(np.uint8)
    return np.ascontiguousarray(pixels)


def balanced_weights(items: Sequence[Crop]) -> NDArray[np.float64]:
    """Returns sampling probabilities that lift rare shapes.

    Each shape's total weight is the square root of its count, so that rare
    shapes are seen often and common ones still more often. The detector's
    mistakes have ``MISTAKES`` of the draws for themselves, balanced likewise
    by what they show and what they were taken for.
    """
    groups = [
        (c.hint, f"{c.thing.category}/{c.thing.shape}")
        if c.hint is None
        else (c.hint, c.thing.category)
        for c in items
    ]
    counts = Counter(groups)
    weights = np.array([counts[group] ** -0.5 for group in groups])
    mistaken = np.array([c.hint is not None for c in items])
    for part, share in ((~mistaken, 1 - MISTAKES), (mistaken, MISTAKES)):
        if part.any():
            weights[part] *= share / weights[part].sum()
    return weights / weights.sum()
