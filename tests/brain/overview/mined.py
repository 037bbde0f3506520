"""A small mined dataset whose every number can be counted by hand."""

from __future__ import annotations

from typing import Any

import fiftyone as fo
import numpy as np

from raremine.brain.runs import record_run
from raremine.brain.selection.result import Pick, Selection, Shortage
from raremine.brain.selection.runs import SelectionRunConfig, run_key
from tests.brain.grouped import CAMERAS, Keyframe, grouped_dataset

CONCEPTS = {
    "car": "common",
    "pedestrian": "common",
    "truck": "target",
    "animal": "rare",
}
SELECTED = "mined"
FRAMES = 10


def one(
    concept: str, score: float | None = None, **attributes: Any
) -> dict[str, Any]:
    """Returns an object as the stages leave it."""
    captioned = attributes.pop("words", None)
    return {
        "label": "car" if concept == "animal" else concept,
        "concept": concept,
        "group": CONCEPTS[concept],
        "outlier": score is not None and score > 0.7,
        "outlier_score": score,
        "caption_status": "ok" if captioned else "skipped",
        "keywords": list(captioned) if captioned else None,
        "novelty": float(len(captioned)) if captioned else None,
        "ambiguous": concept == "animal",
        "pareto_front": attributes.pop("front", None),
        "pareto_order": attributes.pop("order", None),
        **attributes,
    }


def mined_dataset() -> fo.Dataset:
    """Ten keyframes of five scenes, two cameras and a cloud.

    A truck on every second keyframe, an animal on every fifth, cars on all;
    scores 0.0, 0.1 … lie exactly where bins begin.
    """
    rng = np.random.default_rng(51)
    frames = []
    order = 0
    for number in range(FRAMES):
        front = [one("car", round(0.1 * (number % 7), 1)), one("car", None)]
        back = [one("pedestrian", float(rng.random()) * 0.6)]
        if number % 2 == 0:
            score = 0.7 + 0.02 * number
            back.append(
                one(
                    "truck",
                    score,
                    words=("truck", "red"),
                    front=number // 4,
                    order=order,
                )
            )
            order += 1
        if number % 5 == 0:
            front.append(
                one(
                    "animal",
                    0.99,
                    words=("animal", f"only {number}", "dog"),
                    front=0,
                    order=order,
                )
            )
            order += 1
        frames.append(
            Keyframe(
                f"frame-{number}",
                scene=f"scene-{number // 2}",
                objects=dict(zip(CAMERAS, (front, back), strict=True)),
            )
        )
    return grouped_dataset(frames)


def add_selection(dataset: fo.Dataset, name: str = SELECTED) -> Selection:
    """Records a selection of four keyframes, two by each component."""
    tokens = [f"frame-{n}" for n in (0, 2, 5, 7)]
    parts = ["target", "target", "random", "random"]
    selection = Selection(
        name,
        tuple(
            Pick(token, "scene", "train", part, None, (), "")
            for token, part in zip(tokens, parts, strict=True)
        ),
        (Shortage("target", 3, 2, "target found 2 of 3 keyframes"),),
        ("a note",),
        FRAMES,
        0,
        {"random": 0.2, "target": 0.3},
    )
    number = len(dataset.list_brain_runs(type="raremine_selection")) + 1
    record_run(
        dataset,
        run_key(name),
        "selection",
        field="objects",
        params={
            "name": name,
            "number": number,
            "frames": len(tokens),
            "views": [],
            "field": "objects",
        },
        results={"selection": selection.to_dict()},
        tag=name,
        config_cls=SelectionRunConfig,
    )
    samples = dataset.select_group_slices(
        dataset.group_slices, _allow_mixed=True
    )
    samples.match({"sample_token": {"$in": tokens}}).tag_samples(name)
    return selection


def values(dataset: fo.Dataset, name: str) -> list[Any]:
    """Returns an attribute of every object."""
    images = dataset.select_group_slices(media_type="image")
    return list(images.values(f"objects.detections.{name}", unwind=True))
