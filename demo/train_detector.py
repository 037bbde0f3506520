"""Trains the demo's YOLO, which knows six COCO classes and no more.

Like a model trained on COCO it has never heard of construction vehicles,
trailers, barriers, cones, animals or debris: their boxes are left out of its
labels or, for a fixed share of instances, carry the nearest COCO name.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import yaml
from numpy.typing import NDArray

from demo.train_data import Picture, SceneObject, bf16

NAMES = ("person", "bicycle", "car", "motorcycle", "bus", "truck")
"""All the detector knows, in COCO's words and order."""

COCO_LABEL = {
    "human.pedestrian.adult": ("person", 1.0),
    "human.pedestrian.child": ("person", 1.0),
    "human.pedestrian.construction_worker": ("person", 1.0),
    "human.pedestrian.police_officer": ("person", 1.0),
    "human.pedestrian.personal_mobility": ("person", 0.6),
    "human.pedestrian.stroller": ("person", 0.5),
    "human.pedestrian.wheelchair": ("person", 0.6),
    "vehicle.bicycle": ("bicycle", 1.0),
    "vehicle.bus.bendy": ("bus", 1.0),
    "vehicle.bus.rigid": ("bus", 1.0),
    "vehicle.car": ("car", 1.0),
    "vehicle.construction": ("truck", 0.6),
    "vehicle.emergency.ambulance": ("truck", 1.0),
    "vehicle.emergency.police": ("car", 1.0),
    "vehicle.motorcycle": ("motorcycle", 1.0),
    "vehicle.trailer": ("truck", 0.6),
    "vehicle.truck": ("truck", 1.0),
}
"""nuScenes category → COCO name, and the share of instances so labelled."""

TILE = 448
"""Side of a training tile in px."""
SCALES = (0.8, 1.0)
"""Picture scales the tiles are cut from: 640 and 800 px wide pictures."""
MODEL = {
    "nc": len(NAMES),
    "scales": {"d": [0.33, 0.125, 512]},
}
"""What differs from Ultralytics' own yolov8.yaml: a narrower scale."""

TRAINING = {
    "optimizer": "AdamW",
    "lrf": 0.02,
    "cos_lr": True,
    "warmup_epochs": 0.5,
    "weight_decay": 0.01,
    "mosaic": 0.0,
    "scale": 0.25,
    "translate": 0.1,
    "erasing": 0.0,
}
"""How small detectors learn rendered worlds, as Ultralytics names it."""


def coco_label(thing: SceneObject) -> str | None:
    """Returns the label a COCO annotator might have given, or None.

    The choice is a function of the instance, so an object keeps its label
    through its whole scene.
    """
    if thing.category not in COCO_LABEL:
        return None
    name, share = COCO_LABEL[thing.category]
    digest = hashlib.sha256(thing.instance.encode()).digest()
    draw = int.from_bytes(digest[:4], "big") / 2**32
    return name if draw < share else None


def tiles(
    image: NDArray[np.uint8],
    objects: Sequence[SceneObject],
    rng: np.random.Generator,
) -> list[tuple[NDArray[np.uint8], list[tuple[int, NDArray[np.float64]]]]]:
    """Cuts a picture into two square training tiles with their labels.

    Tiles keep the object sizes of a 640 or 800 px wide picture and have no
    empty bars to compute on but a small one below the former. Objects cut
    by the border keep their visible part if at least 40 % of the box is
    left.

    Args:
        image: (H, W, 3) uint8 RGB
        objects: the picture's objects, boxes in px of ``image``
        rng: draws scale and position

    Returns:
        per tile: pixels (TILE, TILE, 3) and a list of (class index,
        (cx, cy, w, h) as shares of the tile)
    """
    scale = float(rng.choice(SCALES))
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    labelled = [
        (NAMES.index(label), np.array(thing.box) * scale)
        for thing in objects
        if thing.usable and (label := coco_label(thing)) is not None
    ]
    if size[1] < TILE:
        small = cv2.copyMakeBorder(
            small,
            0,
            TILE - size[1],
            0,
            0,
            cv2.BORDER_CONSTANT,
            value=(114, 114, 114),
        )
    slack = size[0] - TILE
    result = []
    for first, last in ((0, slack // 2), (slack // 2, slack)):
        left = _between(rng, first, last)
        top = _between(rng, 0, small.shape[0] - TILE)
        frame = np.array([left, top, left + TILE, top + TILE], float)
        kept = []
        for index, box in labelled:
            low = np.maximum(box[:2], frame[:2])
            part = np.concatenate([low, np.minimum(box[2:], frame[2:])])
            extent = part[2:] - part[:2]
            whole = np.prod(box[2:] - box[:2])
            if extent.min() < 3 or np.prod(extent) < 0.4 * whole:
                continue
            centre = (part[:2] + part[2:]) / 2 - frame[:2]
            kept.append((index, np.concatenate([centre, extent]) / TILE))
        tile = small[top : top + TILE, left : left + TILE]
        result.append((np.ascontiguousarray(tile), kept))
    return result


def _between(rng: np.random.Generator, low: int, high: int) -> int:
    return int(rng.integers(low, high + 1))


def write_tiles(
    pictures: Sequence[Picture],
    folder: Path,
    *,
    seed: int = 0,
    passes: int = 1,
) -> int:
    """Writes tiles in YOLO's folder layout.

    Args:
        pictures: cached pictures
        folder: gets ``images/`` and ``labels/``
        seed (0): seed of scales and positions
        passes (1): how often each picture is cut, at other places

    Returns:
        the number of tiles
    """
    rng = np.random.default_rng(seed)
    for name in ("images", "labels"):
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir(parents=True)
    count = 0
    for _ in range(passes):
        for picture in pictures:
            for tile, labels in tiles(picture.read(), picture.objects, rng):
                if not labels and rng.random() < 0.5:
                    continue
                stem = f"{count:06d}"
                cv2.imwrite(
                    str(folder / "images" / f"{stem}.jpg"),
                    tile[:, :, ::-1],
                    [cv2.IMWRITE_JPEG_QUALITY, 95],
                )
                lines = [
                    f"{index} " + " ".join(f"{v:.5f}" for v in box)
                    for index, box in labels
                ]
                (folder / "labels" / f"{stem}.txt").write_text(
                    "\n".join(lines), encoding="utf-8"
                )
                count += 1
    return count


def train_detector(
    train: Sequence[Picture],
    work: Path,
    out: Path,
    *,
    minutes: float = 30.0,
    seed: int = 0,
    batch: int = 16,
    resume: bool = False,
) -> dict[str, Any]:
    """Trains the detector and writes ``out/detector.pt`` (fp16).

    Args:
        train: training pictures
        work: scratch folder for tiles and checkpoints
        out: the weights folder
        minutes (30.0): training time
        seed (0): seed of data order and initial weights
        batch (16): tiles a step
        resume (False): start from ``out/detector.pt``

    Returns:
        the parameters that were used and what was trained
    """
    from ultralytics import YOLO
    from ultralytics.utils import YAML
    from ultralytics.utils.checks import check_yaml

    work.mkdir(parents=True, exist_ok=True)
    count = write_tiles(train, work / "train", seed=seed)
    write_tiles(train[:16], work / "val", seed=seed + 1)
    data = work / "data.yaml"
    data.write_text(
        yaml.safe_dump(
            {
                "path": str(work.resolve()),
                "train": "train/images",
                "val": "val/images",
                "names": dict(enumerate(NAMES)),
            }
        ),
        encoding="utf-8",
    )
    config = {**YAML.load(check_yaml("yolov8.yaml")), **MODEL}
    model_file = work / "yolov8d.yaml"
    model_file.write_text(yaml.safe_dump(config), encoding="utf-8")
    parameters = {
        "imgsz": TILE,
        "batch": batch,
        "nbs": batch,
        "lr0": 1e-3 if resume else 2e-3,
        **TRAINING,
        "hsv_h": 0.01,
        "hsv_s": 0.4,
        "hsv_v": 0.3,
    }
    model = YOLO(str(model_file), task="detect")
    if resume:
        model.load(str(out / "detector.pt"))
    model.add_callback("on_train_start", half_forward)
    model.add_callback("on_model_save", _export_last(out))
    model.train(
        data=str(data),
        epochs=100,
        time=minutes / 60,
        project=str(work.resolve()),
        name="run",
        exist_ok=True,
        seed=seed,
        device="cpu",
        amp=False,
        plots=False,
        val=False,
        workers=0,
        cache="ram",
        verbose=False,
        **parameters,
    )
    export_detector(work / "run" / "weights" / "last.pt", out)
    network: Any = model.model
    trainer: Any = model.trainer
    size = sum(p.numel() for p in network.parameters())
    return {
        "tiles": count,
        "parameters": size,
        "epochs": int(trainer.epoch) + 1,
        **{k: str(v) for k, v in parameters.items()},
    }


def half_forward(trainer: Any) -> None:
    """Runs the network, not the loss, in bfloat16 where that is faster.

    Ultralytics' own mixed precision is for GPUs only.
    """
    network = trainer.model.to(memory_format=torch.channels_last)
    forward = network.predict

    def predict(x: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        with bf16():
            raw = forward(
                x.contiguous(memory_format=torch.channels_last),
                *args,
                **kwargs,
            )
        return _to_float(raw)

    network.predict = predict


def _to_float(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.float()
    if isinstance(value, dict):
        return {k: _to_float(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_to_float(v) for v in value)
    return value


def _export_last(out: Path) -> Any:
    def export(trainer: Any) -> None:
        export_detector(Path(trainer.last), out)

    return export


def export_detector(checkpoint: Path, out: Path) -> Path:
    """Writes a checkpoint as fp16 weights without this machine's paths.

    Args:
        checkpoint: an Ultralytics checkpoint
        out: the weights folder

    Returns:
        the path of ``detector.pt``
    """
    from ultralytics.utils.torch_utils import strip_optimizer

    out.mkdir(parents=True, exist_ok=True)
    part = out / "detector.part.pt"
    shutil.copy(checkpoint, part)
    strip_optimizer(part)
    content = torch.load(part, map_location="cpu", weights_only=False)
    for key in ("git", "train_results", "train_metrics"):
        content.pop(key, None)
    kept = ("imgsz", "task", "batch", "optimizer", "lr0", "seed")
    content["train_args"] = {
        k: v for k, v in content.get("train_args", {}).items() if k in kept
    }
    network = content["model"]
    network.yaml.pop("yaml_file", None)
    network.pt_path = "detector.pt"
    network.args = {
        k: v for k, v in dict(network.args).items() if k in ("imgsz", "task")
    }
    torch.save(content, part)
    target = out / "detector.pt"
    part.replace(target)
    return target
