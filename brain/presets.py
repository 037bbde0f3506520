"""The two presets of the pipeline: every setting that tells them apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from raremine.brain.errors import RaremineError

PRESETS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    # The published pipeline as its code runs it (arXiv 2512.05482).
    "paper": {
        "detect": {"conf": 0.3, "iou": 0.45, "max_det": 50, "imgsz": 1280},
        "embed": {"padding": 0.05, "normalize": False},
        "filter": {"classes": ("bicycle", "motorcycle", "truck")},
        "outliers": {
            "methods": ("tsne_knn", "isolation_forest"),
            "fusion": "union",
            "share": 0.2,
            "k": 20,
            "seed": 42,
        },
        "map": {"method": "tsne", "seed": 42},
        "caption": {"prompt": "paper", "candidates": "outliers"},
        "concepts": {
            "vocabulary": "paper",
            "weighting": "fixed",
            "only_captioned": True,
            "pool_scenes": False,
            "use_size": False,
        },
        "select": {"balance": "rank"},
    },
    # The same job with its known weaknesses mended.
    "default": {
        # A detector is least sure of what it does not know: a low threshold
        # keeps the rare, and later stages sort out what is nothing at all.
        "detect": {"conf": 0.1, "iou": 0.45, "max_det": 50, "imgsz": 1280},
        "embed": {"padding": 0.05, "normalize": True},
        "filter": {},
        "outliers": {
            "methods": ("knn", "class_rarity"),
            "fusion": "fisher",
            "share": 0.2,
            "k": 100,
            "seed": 42,
        },
        "map": {"method": "umap"},
        # The detector names what it does not know by what it does, and a
        # model that is given that name as a hint believes it.
        "caption": {
            "prompt": "default",
            "candidates": "outliers_or_rare",
            "hint": False,
        },
        "concepts": {
            "vocabulary": None,
            "weighting": "calibrated",
            "group_threshold": 0.8,
            # What is 1.5 m high is no truck, whatever it looks like.
            "use_size": True,
            # One dark or cut crop is not the only one of its truck.
            "pool_scenes": True,
        },
        # Ten keyframes of one parked truck teach less than ten trucks.
        "select": {"balance": "scenes"},
    },
}

KEPT_SHARE = 0.3
"""Share of all objects that the early filter should keep at least."""

ADDED_SHARE = 0.1
"""Share of all objects that it adds at random when it kept fewer."""


def preset_settings(preset: str) -> dict[str, dict[str, Any]]:
    """Returns a copy of a preset's settings by stage.

    Raises:
        RaremineError: if there is no such preset
    """
    if preset not in PRESETS:
        raise RaremineError(
            f"Unknown preset '{preset}'; choose {', '.join(PRESETS)}."
        )
    return {stage: dict(kw) for stage, kw in PRESETS[preset].items()}


def early_filter(
    labels: np.ndarray, classes: tuple[str, ...], seed: int
) -> np.ndarray:
    """Keeps the objects of a few detector classes (preset ``paper`` only).

    If they are under 30 % of all objects, a random 10 % of all objects is
    added from the rest (arXiv 2512.05482). It caps recall before anything is
    scored, which is why the default preset has no such filter.

    Args:
        labels: (n,) detector classes, in a canonical order
        classes: exact class names to keep
        seed: of the random rest

    Returns:
        (n,) bool
    """
    keep = np.isin(labels.astype(str), classes)
    if keep.sum() < KEPT_SHARE * len(labels):
        rest = np.flatnonzero(~keep)
        count = min(round(ADDED_SHARE * len(labels)), len(rest))
        rng = np.random.default_rng(seed)
        keep[rng.choice(rest, size=count, replace=False)] = True
    return keep
