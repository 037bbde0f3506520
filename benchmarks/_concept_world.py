"""Mines one rendered world and tells concepts and groups beside the truth."""

from __future__ import annotations

import sys
from collections import Counter
from typing import Any

import numpy as np

from benchmarks._measure import tell
from benchmarks._quality_truth import shown
from benchmarks._quality_worlds import world_config
from benchmarks._rendered_world import rendered_world

NOTHING = "(nothing annotated)"

OF_CATEGORY = {
    "pushable pullable": "pushable object",
    "police": "emergency vehicle",
    "ambulance": "emergency vehicle",
}
"""Concepts of categories whose last part is not their name."""


def true_concept(label: str, category: str) -> str:
    """Returns the concept of an annotated box.

    Args:
        label: its detection class, "ignore" if it has none
        category: its nuScenes category, such as "movable_object.debris"
    """
    from raremine.brain.evaluation.ground_truth import class_name

    name = class_name(label)
    if name not in ("", "ignore"):
        return name
    last = class_name(category.rpartition(".")[2])
    return OF_CATEGORY.get(last, last)


def true_group(concept: str) -> str:
    """Returns the group that a true concept belongs to."""
    from raremine.brain.evaluation.ground_truth import TARGET_CLASSES

    if concept in TARGET_CLASSES:
        return "target"
    common = ("car", "pedestrian", NOTHING)
    return "common" if concept in common else "rare"


def count(seed: int, scenes: int, keyframes: int) -> dict[str, Any]:
    """Returns [truth, decided, number] rows of concepts and of groups."""
    import raremine.brain as rmb
    from raremine.brain.columns import read_objects
    from raremine.brain.nuscenes.fields import GROUND_TRUTH

    config = world_config(seed, scenes, keyframes)
    name = f"raremine-bench-concepts-{seed}"
    with rendered_world(config, name) as (dataset, models):
        rmb.mine(dataset, **models)
        table = read_objects(
            dataset,
            names=["bounding_box", "concept", "group", "caption_status"],
        )
        boxes = read_objects(
            dataset, GROUND_TRUTH, ["label", "category", "bounding_box"]
        )
    found = shown(
        table.sample_id,
        table["bounding_box"],
        boxes.sample_id,
        boxes["bounding_box"],
    )
    truth = [
        true_concept(boxes["label"][row], boxes["category"][row])
        if row >= 0
        else NOTHING
        for row in found
    ]
    captioned = np.array(table["caption_status"]) == "ok"
    return {
        "objects": len(table),
        "concepts": _rows(truth, table["concept"]),
        "captioned": _rows(
            [t for t, has in zip(truth, captioned, strict=True) if has],
            table["concept"][captioned],
        ),
        "groups": _rows([true_group(t) for t in truth], table["group"]),
    }


def _rows(truth: list[str], decided: np.ndarray) -> list[list[Any]]:
    pairs = Counter(
        (t, str(d or "")) for t, d in zip(truth, decided, strict=True)
    )
    return [[*pair, number] for pair, number in sorted(pairs.items())]


def main() -> None:
    """``SEED SCENES KEYFRAMES``: mines and tells."""
    seed, scenes, keyframes = map(int, sys.argv[1:4])
    tell(lambda: count(seed, scenes, keyframes))


if __name__ == "__main__":
    main()
