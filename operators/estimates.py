"""Roughly how long a run will take.

From what earlier runs on the same dataset took on this machine, or else from
rates that were measured (docs/benchmarks.md: two cores, small models) and
from the order of magnitude of the usual models. A user decides by it whether
to wait or to schedule the run; it is no promise.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fiftyone.operators.store import ExecutionStore

from raremine.operators.durations import in_words

LONG = 300.0
"""Seconds beyond which scheduling is advised."""

STORE = "raremine_durations"
"""FiftyOne's key-value store of a dataset: stage → what a run took."""

_WORTH = 1.0
"""Seconds below which a run says nothing about the next."""


@dataclass(frozen=True)
class Rate:
    """What a stage takes.

    Attributes:
        unit: what its work is counted in: "images", "objects", "keyframes"
        cpu: seconds for one of them on two cores
        gpu: seconds for one of them with a GPU
        start: seconds before the first one
    """

    unit: str
    cpu: float
    gpu: float
    start: float = 2.0


RATES: Mapping[str, Rate] = {
    "load_nuscenes": Rate("keyframes", 0.012, 0.012, 5.0),
    "detect_objects": Rate("images", 1.0, 0.04, 10.0),
    "embed_objects": Rate("objects", 0.1, 0.002, 10.0),
    "embed_frames": Rate("images", 0.12, 0.02, 10.0),
    "detect_and_embed": Rate("images", 1.2, 0.06, 15.0),
    "score_outliers": Rate("objects", 0.0003, 0.0003),
    "fit_outliers": Rate("objects", 0.0003, 0.0003),
    "map_objects": Rate("objects", 0.0005, 0.0005, 14.0),
    "caption_objects": Rate("objects", 10.0, 0.2, 30.0),
    "match_concepts": Rate("objects", 0.0004, 0.0004, 5.0),
    "score_novelty": Rate("objects", 0.0002, 0.0002),
    "rank_pareto": Rate("objects", 0.0002, 0.0002),
    "select_frames": Rate("keyframes", 0.0005, 0.0005),
    "evaluate_mining": Rate("keyframes", 0.005, 0.005, 5.0),
}


@dataclass(frozen=True)
class Estimate:
    """How long a run will take.

    Attributes:
        seconds: s
        measured: whether it comes from an earlier run on the dataset
    """

    seconds: float
    measured: bool

    @property
    def long(self) -> bool:
        """Whether the run should be scheduled."""
        return self.seconds > LONG

    def __str__(self) -> str:
        """Returns it in words."""
        by = (
            "judged by the last run here"
            if self.measured
            else "a rough guess before the first run here"
        )
        return f"about {in_words(self.seconds)} ({by})"


def estimate(dataset: Any, stage: str, count: int) -> Estimate | None:
    """Estimates a run.

    Args:
        dataset: the dataset, None if there is none yet
        stage: name of an operator
        count: how much there is to do, in the unit of the stage's rate

    Returns:
        None for a stage whose duration nobody knows
    """
    rate = RATES.get(stage)
    if rate is None:
        return None
    took = _recorded(dataset, stage)
    if took is not None:
        return Estimate(took * count, True)
    each = rate.gpu if has_gpu() else rate.cpu
    return Estimate(rate.start + each * count, False)


def remember(dataset: Any, summary: Mapping[str, Any]) -> None:
    """Keeps what a run took, for the next estimate.

    Args:
        dataset: the dataset
        summary: what the run returned, or several under "stages"
    """
    for one in summary.get("stages") or [summary]:
        rate = RATES.get(one.get("stage", ""))
        count = one.get(rate.unit) if rate else None
        seconds = one.get("seconds") or 0.0
        if count and seconds >= _WORTH:
            took = {"count": int(count), "seconds": float(seconds)}
            _store(dataset).set(one["stage"], took)


def has_gpu() -> bool:
    """Whether models will run on a GPU; asks torch only if it is there."""
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "cuda"):
        return bool(torch.cuda.is_available())
    return Path("/dev/nvidia0").exists()


def _recorded(dataset: Any, stage: str) -> float | None:
    if dataset is None:
        return None
    took = _store(dataset).get(stage)
    return took["seconds"] / took["count"] if took else None


def _store(dataset: Any) -> ExecutionStore:
    return ExecutionStore.create(STORE, dataset._root_dataset._doc.id)
