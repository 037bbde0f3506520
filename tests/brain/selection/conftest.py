"""A mined dataset of 30 keyframes to select from."""

from __future__ import annotations

from collections.abc import Iterator

import fiftyone as fo
import pytest

from tests.brain.grouped import Keyframe, grouped_dataset


def an_object(group: str, concept: str, score: float) -> dict:
    return {
        "label": "truck",
        "confidence": 0.5,
        "group": group,
        "concept": concept,
        "concept_score": score,
        "outlier_score": score,
    }


@pytest.fixture(scope="module")
def template() -> Iterator[fo.Dataset]:
    """30 keyframes in 3 scenes; the third is val. Targets: 0-9, 25-29."""
    keyframes = []
    for i in range(30):
        objects = [an_object("common", "car", 0.1)]
        if i < 10 or i >= 25:
            concept = "trailer" if i % 5 == 0 else "truck"
            objects.append(an_object("target", concept, 0.5 + i / 100))
        if i % 4 == 0:
            objects.append(an_object("rare", "animal", 0.3))
        # on the camera that is not the active slice
        keyframes.append(
            Keyframe(
                f"token{i:02d}",
                scene=f"scene-{i // 10:04d}",
                split="val" if i >= 20 else "train",
                objects={"CAM_BACK": objects},
            )
        )
    dataset = grouped_dataset(keyframes)
    yield dataset
    dataset.delete()


@pytest.fixture
def dataset(template: fo.Dataset) -> Iterator[fo.Dataset]:
    dataset = template.clone()
    yield dataset
    dataset.delete()
