"""Where the demo models lie, and with which options they are used."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raremine.brain.errors import ModelError

WEIGHTS = Path(__file__).resolve().parent / "weights"

DETECTOR_IMAGE_SIZE = 800
"""Long side of what the detector sees, px: that of the demo's pictures. At
640 it takes two thirds of the time and misses every fifth target."""

LONGEST_ANSWER = 64
"""Tokens: the demo captioner's answers are short."""

CAPTION_BATCH = 64
"""Crops in one generation: a model this small spends most of a batch of 16
outside the network, and takes twice as long for each crop."""


@dataclass(frozen=True)
class DemoModels:
    """The three models, in the form that ``mine`` takes them.

    Attributes:
        detector: options with ``model``
        embedder: folder
        captioner: options with ``model``
    """

    detector: dict[str, Any]
    embedder: str
    captioner: dict[str, Any]


def find_models(folder: Path = WEIGHTS) -> DemoModels:
    """Finds the demo models.

    Args:
        folder: holds ``detector.pt``, ``embedder`` and ``captioner``

    Raises:
        ModelError: if one of them is not there
    """
    parts = ("detector.pt", "embedder", "captioner")
    missing = [name for name in parts if not _is_there(folder / name)]
    if missing:
        raise ModelError(
            f"The demo models are not complete: {', '.join(missing)} "
            f"not found in {folder}. Get them back with `git checkout "
            "demo/weights`, or train them anew with `python demo/train.py` "
            "(about three hours on two cores)."
        )
    return DemoModels(
        detector={
            "model": str(folder / "detector.pt"),
            "imgsz": DETECTOR_IMAGE_SIZE,
        },
        embedder=str(folder / "embedder"),
        captioner={
            "model": str(folder / "captioner"),
            "max_new_tokens": LONGEST_ANSWER,
            "batch_size": CAPTION_BATCH,
        },
    )


def _is_there(path: Path) -> bool:
    if path.is_dir():
        return any(path.iterdir())
    return path.is_file() and path.stat().st_size > 0
