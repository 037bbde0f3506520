"""One selection over a made-up frame table of trainval's size, told as JSON.

    python -m benchmarks._select_rule RECIPE FRAMES

Making the table does not count. Concepts, scores and embeddings are drawn:
frames of one scene look alike, as those of nuScenes do, two a second.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from benchmarks._measure import tell
from raremine.brain.objects import FrameTable, object_array
from raremine.brain.selection.rule import select

SCENES = 850
TRAIN_SCENES = 700
SIGNALS = 12
DIMENSIONS = 512
TARGETS = {
    "truck": 0.4,
    "bicycle": 0.15,
    "motorcycle": 0.15,
    "trailer": 0.05,
    "construction vehicle": 0.05,
}
RARE = {f"rare {number}": 0.02 for number in range(8)}

_LIMITS = {"max_frames_per_scene": 20, "min_gap_seconds": 1.0}
_MANY: dict[str, Any] = {
    "random": 0.05,
    "target": {"share": 0.05, "quotas": {"trailer": 0.01}},
    "rare": 0.02,
    **{f"signal_{number}": 0.01 for number in range(SIGNALS)},
    **_LIMITS,
}

RECIPES: dict[str, dict[str, Any]] = {
    "random 10 %, target 10 %": {"random": 0.1, "target": 0.1},
    "15 components, cap, gap, quota": _MANY,
    "the same, no near duplicates": {**_MANY, "max_similarity": 0.95},
    "random 10 %, core set 10 %": {"random": 0.1, "core_set": 0.1},
}


def needs_embeddings(recipe: dict[str, Any]) -> bool:
    """Whether a recipe looks at frame embeddings."""
    return "max_similarity" in recipe or "core_set" in recipe


def frame_table(count: int, with_embeddings: bool) -> FrameTable:
    """Draws a frame table.

    Args:
        count: frames
        with_embeddings: whether they have an embedding
    """
    random = np.random.default_rng(0)
    scene = np.sort(np.arange(count) * SCENES // count)
    columns: dict[str, np.ndarray] = {
        f"signal_{number}": random.random(count) for number in range(SIGNALS)
    }
    for group, names in (("target", TARGETS), ("rare", RARE)):
        holds = {n: random.random(count) < p for n, p in names.items()}
        concepts = [
            tuple(sorted(n for n in names if holds[n][row]))
            for row in range(count)
        ]
        columns[f"{group}_concepts"] = object_array(concepts)
        columns[f"{group}_score"] = np.where(
            [len(c) > 0 for c in concepts], random.random(count), np.nan
        )
    if with_embeddings:
        place = random.normal(size=(SCENES, DIMENSIONS)).astype(np.float32)
        noise = random.normal(size=(count, DIMENSIONS)).astype(np.float32)
        # cosines of about 0.92 inside a scene, 0 between scenes
        vectors = place[scene] + 0.3 * noise
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        columns["embedding"] = vectors
    return FrameTable(
        np.array([random.bytes(16).hex() for _ in range(count)]),
        np.array([f"scene-{number:04d}" for number in scene]),
        np.where(scene < TRAIN_SCENES, "train", "val"),
        1_500_000_000_000_000 + 500_000 * np.arange(count, dtype=np.int64),
        columns,
    )


def main() -> None:
    """Selects once and tells how long it took."""
    recipe, count = RECIPES[sys.argv[1]], int(sys.argv[2])
    frames = frame_table(count, needs_embeddings(recipe))

    def work() -> dict[str, Any]:
        chosen = select(frames, recipe)
        return {
            "chosen": len(chosen),
            "short": sum(s.asked - s.taken for s in chosen.shortages),
        }

    tell(work)


if __name__ == "__main__":
    main()
