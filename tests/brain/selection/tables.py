"""Frame tables made by hand, for the tests of the split rule."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from raremine.brain.objects import FrameTable, object_array


def frame_table(
    n: int = 100,
    *,
    scenes: int = 10,
    split: Sequence[str] | str = "train",
    target: dict[int, tuple[str, ...]] | None = None,
    rare: dict[int, tuple[str, ...]] | None = None,
    **columns: Sequence[float],
) -> FrameTable:
    """Frames t000, t001, ... of equally long scenes, one after the other."""
    target, rare = target or {}, rare or {}
    splits = [split] * n if isinstance(split, str) else list(split)
    group = [
        "target" if i in target else "rare" if i in rare else "common"
        for i in range(n)
    ]
    return FrameTable(
        np.array([f"t{i:03d}" for i in range(n)]),
        np.array([f"scene-{i * scenes // max(n, 1):04d}" for i in range(n)]),
        np.array(splits, dtype=str),
        np.arange(n, dtype=np.int64) * 500_000,
        {
            "mining_group": object_array(group),
            "target_concepts": object_array(
                target.get(i, ()) for i in range(n)
            ),
            "rare_concepts": object_array(rare.get(i, ()) for i in range(n)),
            **{k: np.asarray(v, dtype=float) for k, v in columns.items()},
        },
    )
