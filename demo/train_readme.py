"""Writes ``demo/weights/README.md`` from the records of the training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from demo.train_data import (
    HELD_OUT_WORLDS,
    TRAIN_WORLDS,
    UNSEEN_WORLDS,
    WorldSpec,
)
from demo.weights_folder import DETECTOR_IMAGE_SIZE

HEAD = """# Weights of the demo models

Three small models trained from scratch on rendered worlds by
`python demo/train.py` (this page is written by it). They know the rendered
world only: they let the whole pipeline run offline in minutes, and say
nothing about real pictures.

| file | model | loaded by |
|---|---|---|
| `detector.pt` | Ultralytics YOLOv8, narrower scale, six COCO classes | \
`YOLO("demo/weights/detector.pt")` |
| `embedder/` | open_clip, own configuration, CLIP's tokenizer | \
`open_clip.add_model_config(folder)`, then `create_model_and_transforms(\
"raremine-demo-clip", pretrained=file)` |
| `captioner/` | Qwen2-VL, own size, own tokenizer | \
`AutoModelForImageTextToText.from_pretrained(folder)` |

`detector.pt` holds Ultralytics' model classes, which are AGPL-3.0.

Retrain with `python demo/train.py` (about three hours on two CPU cores; add
`--only NAME` for one model, `--minutes N` for another length, `--score` to
measure again). Training stops by the clock, so weights differ a little
between machines; data, labels and sampling follow the seed. The weights
here were trained in several passes (`--resume`): steps and epochs below are
those of the last pass, "earlier minutes" what went before it, on two cores
that had other work to do as well, partly on fewer worlds and on other
renderings of the same kind of world; the mistakes are those that the detector
made before its last pass. More time helps: no loss had levelled
off. A training in one pass stops at its default minutes.
"""


def _table(rows: list[tuple[Any, ...]], head: tuple[str, ...]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    lines += ["| " + " | ".join(str(v) for v in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _worlds(title: str, specs: tuple[WorldSpec, ...]) -> str:
    parts = [
        f"seed {s.seed} (rarity {s.rarity:g}): {s.scenes} scenes of "
        f"{s.keyframes} keyframes, six cameras"
        for s in specs
    ]
    return f"{title}: " + "; ".join(parts) + ".\n"


def _training(record: dict[str, Any]) -> str:
    used = record.get("training", {})
    return (
        "Training: " + ", ".join(f"{k} {v}" for k, v in used.items()) + ".\n"
    )


def _detector(record: dict[str, Any]) -> str:
    scores = record["scores"]
    return "\n".join(
        [
            "## Detector\n",
            "Labels name six COCO classes. Construction vehicles and trailers"
            " are labelled `truck` for 60 % of the instances and not at all"
            " for the rest; barriers, cones, animals, debris never.\n",
            _training(record),
            f"{scores['pictures']} held-out pictures, {scores['seconds']} s "
            f"each on one thread, image size {DETECTOR_IMAGE_SIZE}.\n",
            _table(
                [(n, *v) for n, v in scores["ap50"].items()],
                ("class", "AP50", "objects"),
            ),
            "Found by a box of any class (confidence ≥ .25, IoU ≥ .5); with"
            " a star, shapes of the two classes it does not know:\n",
            _table(
                [(n, *v) for n, v in scores["recall"].items()],
                ("what", "recall", "objects"),
            ),
        ]
    )


def _embedder(record: dict[str, Any]) -> str:
    scores = record["scores"]
    return "\n".join(
        [
            "## Embedder\n",
            _training(record),
            f"{scores['crops']} held-out crops (objects and background), "
            f'{scores["seconds"]} s each on one thread. Zero-shot with "a '
            f'photo of a …" over {len(scores["top1"])} concepts: mean top-1 '
            f"{scores['mean_top1']}; top-1 among all shapes "
            f"{scores['shape_top1']}.\n",
            _table(
                [
                    (n, v[0], scores["retrieval"][n], v[1])
                    for n, v in scores["top1"].items()
                ],
                ("concept", "top-1", "retrieval AP", "crops"),
            ),
        ]
    )


def _captioner(record: dict[str, Any]) -> str:
    scores = record["scores"]
    return "\n".join(
        [
            "## Captioner\n",
            _training(record),
            f"{scores['crops']} held-out crops, {scores['seconds']} s each "
            "on one thread (batches of 32).\n",
            _table(
                [
                    ("valid JSON", scores["json_valid"]),
                    ("class, mean over classes", scores["mean_class"]),
                    ("class, no hint, over crops", scores["no_hint"]),
                    ("class, wrong hint, over crops", scores["wrong_hint"]),
                    ("paper prompt, over crops", scores["paper"]),
                    ("noun right", scores["noun"]),
                    ("colour right", scores["colour"]),
                ],
                ("measure", "share"),
            ),
            _table(
                [(n, *v) for n, v in scores["class"].items()],
                ("class", "accuracy", "crops"),
            ),
        ]
    )


PARTS = {
    "detector": _detector,
    "embedder": _embedder,
    "captioner": _captioner,
}


def write_readme(out: Path, cache: Path) -> Path:
    """Writes the page from whatever records the cache holds.

    Args:
        out: the weights folder
        cache: the training's cache, with one JSON per model

    Returns:
        the page's path
    """
    text = [
        HEAD,
        "## Data\n",
        _worlds("Training", TRAIN_WORLDS),
        _worlds(
            "For embedder and captioner only, with the detector's mistakes",
            UNSEEN_WORLDS,
        ),
        _worlds("Held out, for every number below", HELD_OUT_WORLDS),
        "The demo itself uses seeds below 1000.\n",
    ]
    for name, part in PARTS.items():
        record = cache / f"{name}.json"
        if not record.is_file():
            continue
        content = json.loads(record.read_text(encoding="utf-8"))
        if content.get("scores"):
            text.append(part(content))
    path = out / "README.md"
    out.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(text), encoding="utf-8")
    return path
