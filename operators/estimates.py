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

import fiftyone as fo
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
        weights: bytes of the model that this is about, 0 = no model; a
            larger one takes longer
    """

    unit: str
    cpu: float
    gpu: float
    start: float = 2.0
    weights: float = 0.0


RATES: Mapping[str, Rate] = {
    "load_nuscenes": Rate("keyframes", 0.012, 0.012, 5.0),
    "detect_objects": Rate("images", 6.0, 0.04, 10.0, 87e6),
    "embed_objects": Rate("objects", 0.1, 0.002, 10.0, 605e6),
    "embed_frames": Rate("images", 0.12, 0.02, 10.0, 605e6),
    "detect_and_embed": Rate("images", 6.5, 0.05, 15.0, 87e6),
    "locate_objects": Rate("objects", 0.001, 0.001),
    "search_objects": Rate("objects", 1e-5, 1e-5, 10.0),
    "score_outliers": Rate("objects", 0.0003, 0.0003),
    "fit_outliers": Rate("objects", 0.0003, 0.0003),
    "map_objects": Rate("objects", 0.0005, 0.0005, 14.0),
    "caption_objects": Rate("objects", 10.0, 0.2, 10.0, 4.4e9),
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


def estimate(
    dataset: Any, stage: str, count: int, model: Any = None
) -> Estimate | None:
    """Estimates a run.

    Args:
        dataset: the dataset, None if there is none yet
        stage: name of an operator
        count: how much there is to do, in the unit of the stage's rate
        model (None): its model; weights on this machine tell how large it is

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
    size = _size(model)
    each *= size / rate.weights if size and rate.weights else 1.0
    return Estimate(rate.start + each * count, False)


def _size(model: Any) -> int:
    """Returns the bytes of weights on this machine, 0 = not known."""
    if not model:
        return 0
    path = Path(str(model)).expanduser()
    try:
        # not what is deeper: half a path may be a very large folder
        files = path.iterdir() if path.is_dir() else [path]
        return sum(file.stat().st_size for file in files if file.is_file())
    except OSError:
        return 0


def advice() -> str:
    """Returns what to tell of a long run."""
    how = "the arrow beside Execute"
    if not fo.config.allow_legacy_orchestrators:
        how = (
            "open the App with `python3 run.py app`, or with "
            "FIFTYONE_ALLOW_LEGACY_ORCHESTRATORS=true"
        )
    return (
        f"Better schedule it ({how}): a run that is executed here ends when "
        "this page is closed."
    )


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
