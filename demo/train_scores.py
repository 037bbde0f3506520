"""Measures the demo models on held-out worlds, as honestly as it goes.

Weights are read back from disk through the same calls that load real
weights, and crops are cut as a pipeline would: no jitter, 10 % margin.
"""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from demo import captioner_model, train_detector, train_embedder
from demo.phrases import (
    BACKGROUND,
    answer_class,
    concept_word,
    keywords,
    with_article,
)
from demo.train_captioner import draw_hint
from demo.train_data import Crop, Picture, cut
from demo.weights_folder import DETECTOR_IMAGE_SIZE
from raremine.brain.captions.prompts import build_prompt

MARGIN = 0.1
UNKNOWN = ("vehicle.construction", "vehicle.trailer")


def iou(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the IoU of each box of ``a`` with each of ``b``.

    Args:
        a: (N, 4) boxes (x1, y1, x2, y2)
        b: (M, 4) boxes

    Returns:
        (N, M)
    """
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    inside = np.prod(np.clip(high - low, 0, None), axis=2)
    areas = [np.prod(v[:, 2:] - v[:, :2], axis=1) for v in (a, b)]
    union = areas[0][:, None] + areas[1][None] - inside
    return inside / np.maximum(union, 1e-9)


def average_precision(
    confidence: Sequence[float], hits: Sequence[bool], positives: int
) -> float:
    """Returns the area under the interpolated precision–recall curve.

    All-point interpolation as in PASCAL VOC 2010.

    Args:
        confidence: of each detection
        hits: whether it matched an object not matched before
        positives: number of objects
    """
    if positives == 0:
        return float("nan")
    order = np.argsort(-np.asarray(confidence), kind="stable")
    right = np.asarray(hits, float)[order]
    precision = right.cumsum() / np.arange(1, len(right) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    return float((precision * right).sum() / positives)


def _predict(model: Any, picture: Picture, size: int) -> list[NDArray[Any]]:
    result = model.predict(
        picture.read()[:, :, ::-1], imgsz=size, conf=0.02, verbose=False
    )[0]
    boxes = result.boxes
    return [
        boxes.xyxy.numpy().astype(float).reshape(-1, 4),
        boxes.conf.numpy(),
        boxes.cls.numpy().astype(int),
    ]


def score_detector(
    out: Path,
    pictures: Sequence[Picture],
    *,
    size: int = DETECTOR_IMAGE_SIZE,
) -> dict[str, Any]:
    """Measures AP50 per class and recall of what it does not know.

    Objects that a COCO annotator labels only sometimes, and objects too
    small or hidden, count neither for nor against a detection.

    Args:
        out: the weights folder
        pictures: held-out pictures
        size (800): the detector's image size

    Returns:
        ``ap50`` per class, ``recall`` at confidence .25 and IoU .5 by any
        class per category and shape, ``seconds`` per picture
    """
    from ultralytics import YOLO

    model = YOLO(str(out / "detector.pt"), task="detect")
    found: dict[str, list[tuple[float, bool]]] = defaultdict(list)
    total: Counter[str] = Counter()
    seen: dict[str, list[bool]] = defaultdict(list)
    start = time.perf_counter()
    for picture in pictures:
        boxes, conf, classes = _predict(model, picture, size)
        known, loose = [], []
        for thing in picture.objects:
            name, share = train_detector.COCO_LABEL.get(
                thing.category, ("", 0.0)
            )
            if thing.usable and share == 1.0:
                known.append((name, thing.box))
                total[name] += 1
            else:
                loose.append(thing.box)
        taken: set[int] = set()
        near = iou(boxes, np.array([b for _, b in known]).reshape(-1, 4))
        extra = iou(boxes, np.array(loose).reshape(-1, 4))
        for d in np.argsort(-conf):
            name = train_detector.NAMES[classes[d]]
            options = [
                (near[d, k], k)
                for k, (label, _) in enumerate(known)
                if label == name and k not in taken and near[d, k] >= 0.5
            ]
            if options:
                taken.add(max(options)[1])
                found[name].append((float(conf[d]), True))
            elif not extra.shape[1] or extra[d].max() < 0.5:
                found[name].append((float(conf[d]), False))
        sure = boxes[conf >= 0.25]
        for thing in picture.objects:
            if thing.usable:
                over = iou(sure, np.array([thing.box]))
                hit = bool(over.size and over.max() >= 0.5)
                seen[concept_word(thing.category)].append(hit)
                if thing.category in UNKNOWN:
                    seen[f"{thing.shape} *"].append(hit)
    return {
        "seconds": round((time.perf_counter() - start) / len(pictures), 4),
        "pictures": len(pictures),
        "ap50": {
            n: [
                round(average_precision(*_columns(found[n]), total[n]), 3),
                total[n],
            ]
            for n in train_detector.NAMES
        },
        "recall": {
            n: [round(float(np.mean(h)), 3), len(h)]
            for n, h in sorted(seen.items())
        },
    }


def _columns(
    rows: Sequence[tuple[float, bool]],
) -> tuple[list[float], list[bool]]:
    return [r[0] for r in rows], [r[1] for r in rows]


def _plain(crop: Crop) -> NDArray[np.uint8]:
    return cut(crop.pixels, crop.box, MARGIN)[0]


def load_embedder(out: Path) -> tuple[Any, Any, Any]:
    """Loads the embedder as any open_clip model with local weights.

    Returns:
        model, image transform and tokenizer
    """
    import open_clip

    train_embedder.register(out)
    name = train_embedder.NAME
    model, _, transform = open_clip.create_model_and_transforms(
        name, pretrained=str(out / f"{name}.safetensors")
    )
    return model.eval(), transform, open_clip.get_tokenizer(name)


def score_embedder(out: Path, crops: Sequence[Crop]) -> dict[str, Any]:
    """Measures zero-shot top-1 and text-to-image retrieval per concept.

    Args:
        out: the embedder's weights folder
        crops: held-out crops

    Returns:
        ``top1`` and ``retrieval`` (average precision of ranking all crops by
        "a photo of a …") per concept and in the mean, ``shape_top1``
    """
    from PIL import Image

    model, transform, tokenizer = load_embedder(out)
    start = time.perf_counter()
    features = []
    with torch.inference_mode():
        for low in range(0, len(crops), 64):
            pixels = torch.stack(
                [
                    transform(Image.fromarray(_plain(c)))
                    for c in crops[low : low + 64]
                ]
            )
            features.append(model.encode_image(pixels, normalize=True))
    seconds = (time.perf_counter() - start) / len(crops)
    image = torch.cat(features).numpy()
    truth = [concept_word(c.thing.category) for c in crops]
    names = sorted(set(truth))
    sims = image @ _encode(model, tokenizer, names).T
    top = sims.argmax(1)
    right: dict[str, list[bool]] = defaultdict(list)
    for best, name in zip(top, truth, strict=True):
        right[name].append(names[best] == name)
    objects = [k for k, n in enumerate(truth) if n != BACKGROUND]
    shapes = [crops[k].thing.shape for k in objects]
    known = sorted(set(shapes))
    fine = image[objects] @ _encode(model, tokenizer, known).T
    fine_right = [
        known[best] == shape
        for best, shape in zip(fine.argmax(1), shapes, strict=True)
    ]
    return {
        "seconds": round(seconds, 4),
        "crops": len(crops),
        "top1": {
            n: [round(float(np.mean(right[n])), 3), len(right[n])]
            for n in names
        },
        "mean_top1": _share(np.mean(right[n]) for n in names),
        "shape_top1": _share(fine_right),
        "retrieval": {
            n: round(
                average_precision(
                    sims[:, k].tolist(),
                    [t == n for t in truth],
                    truth.count(n),
                ),
                3,
            )
            for k, n in enumerate(names)
        },
    }


def _encode(model: Any, tokenizer: Any, names: Sequence[str]) -> NDArray[Any]:
    texts = [f"a photo of {with_article(n)}" for n in names]
    with torch.inference_mode():
        features = model.encode_text(tokenizer(texts), normalize=True)
    return np.asarray(features.numpy())


def score_captioner(
    out: Path, crops: Sequence[Crop], *, seed: int = 0, batch: int = 32
) -> dict[str, Any]:
    """Measures class accuracy, wording and JSON validity of the captions.

    Args:
        out: the captioner's weights folder
        crops: held-out crops
        seed (0): seed of the hints, drawn as in training
        batch (32): crops a call

    Returns:
        ``json_valid``; per class the accuracy of "class" in the JSON;
        ``paper``, ``no_hint``, ``wrong_hint``: accuracies over all crops;
        ``noun``, ``colour``: share of right first keywords and colours
    """
    model, processor = captioner_model.load_captioner(out)
    rng = np.random.default_rng(seed)
    truth = [answer_class(c.thing.category) for c in crops]
    images = [_plain(c) for c in crops]
    hints = [draw_hint(c.thing, rng) for c in crops]
    wrong = ["car" if name != "car" else "truck" for name in truth]

    def run(kind: str, given: Sequence[str | None]) -> list[str]:
        answers = []
        for low in range(0, len(crops), batch):
            prompts = [build_prompt(kind, h) for h in given[low : low + batch]]
            answers += captioner_model.generate(
                model, processor, images[low : low + batch], prompts
            )
        return answers

    start = time.perf_counter()
    default = [_parse(a) for a in run("default", hints)]
    seconds = (time.perf_counter() - start) / len(crops)
    right: dict[str, list[bool]] = defaultdict(list)
    for got, name in zip(default, truth, strict=True):
        right[name].append(got.get("class") == name)
    pairs = list(zip(default, crops, strict=True))

    def accuracy(answers: Sequence[str]) -> float:
        same = [a == t for a, t in zip(answers, truth, strict=True)]
        return round(float(np.mean(same)), 3)

    def classes(given: Sequence[str | None]) -> list[str]:
        return [str(_parse(a).get("class")) for a in run("default", given)]

    return {
        "seconds": round(seconds, 4),
        "crops": len(crops),
        "json_valid": round(float(np.mean([bool(d) for d in default])), 4),
        "class": {
            n: [round(float(np.mean(h)), 3), len(h)]
            for n, h in sorted(right.items())
        },
        "mean_class": round(
            float(np.mean([np.mean(h) for h in right.values()])), 3
        ),
        "paper": accuracy(run("paper", hints)),
        "no_hint": accuracy(classes([None] * len(crops))),
        "wrong_hint": accuracy(classes(wrong)),
        "noun": _share(
            keywords(c.thing)[0] in d.get("keywords", [])[:1] for d, c in pairs
        ),
        "colour": _share(
            c.thing.colour in d.get("keywords", [])
            for d, c in pairs
            if c.thing.colour
        ),
    }


def _share(values: Any) -> float:
    return round(float(np.mean(list(values))), 3)


def _parse(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}
