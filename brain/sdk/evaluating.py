"""What mining finds is measured against ground truth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import fiftyone as fo

    from raremine.brain.evaluation.ground_truth import TruthFilter
    from raremine.brain.evaluation.stage import MiningReport
    from raremine.brain.progress import ProgressArgument


def evaluate_mining(
    dataset: fo.Dataset,
    strategies: Any = None,
    budgets: Sequence[float] = (0.05, 0.1, 0.2, 0.3),
    *,
    seeds: Iterable[int] = range(20),
    targets: Sequence[str] | None = None,
    field: str = "objects",
    also: Mapping[str, str] | None = None,
    gt_field: str = "ground_truth",
    embeddings: str | None = None,
    splits: str | Sequence[str] | None = None,
    keep: TruthFilter | Mapping[str, float] | None = None,
    min_iou: float = 0.5,
    rare_share: float = 0.01,
    resamples: int = 1000,
    out_dir: str | Path | None = None,
    brain_key: str = "mining_evaluation",
    progress: ProgressArgument = None,
) -> MiningReport:
    """Measures how much target ground truth mining strategies find.

    Each strategy orders the frames of the pool; a budget takes the first
    share of them. None but the oracle sees the ground truth.

    See docs/evaluation.md for what each number means.

    Args:
        dataset: a mined dataset with ground truth
        strategies (None): names, or functions ``(frames, seed) -> order`` by
            name; None = random, oracle, our own, every single score that the
            objects have, and those that compare frame embeddings if there
            are any
        budgets ((.05, .1, .2, .3)): shares of the pool's frames
        seeds (range(20)): seeds of whatever is drawn: random orders and ties
        targets (None): target classes, or nuScenes categories; None =
            construction vehicle, bicycle, motorcycle, trailer, truck
        field ("objects"): the mined detections
        also (None): prefix → another field, mined in another way, for a
            strategy named like the prefix: ``{"paper": "objects_paper"}``.
            None = that one, where there is a field named so
        gt_field ("ground_truth"): the ground truth boxes of the cameras
        embeddings (None): brain key of the vectors that frames are compared
            by; None = ``{field}_clip``, or ``frames_clip`` where there is no
            such run
        splits (None): splits that form the pool; None = the train splits,
            or every frame where the data set has no splits
        keep (None): which boxes count, a ``TruthFilter`` or a dict with any
            of ``min_height``, ``min_visibility``, ``min_points``
        min_iou (0.5): overlap from which an object shows an annotated box
        rare_share (0.01): objects of a category with less than this share of
            the annotated boxes are rare
        resamples (1000): resampled sets of scenes behind the intervals
        out_dir (None): folder for the report as ``report.html`` and
            ``report.json``, and its figures
        brain_key ("mining_evaluation"): where the report is recorded
        progress (None): None, a bool, or a function (done, total, label)

    Returns:
        the report

    Raises:
        MissingStageError: if there is no ground truth or a strategy needs a
            stage that has not run
        RaremineError: if no frame of the pool holds a target, or a budget or
            seed is not valid
    """
    from raremine.brain.evaluation.stage import evaluate_mining as evaluate

    return evaluate(
        dataset,
        strategies,
        budgets,
        seeds=seeds,
        targets=targets,
        field=field,
        also=also,
        gt_field=gt_field,
        embeddings=embeddings,
        splits=splits,
        keep=keep,
        min_iou=min_iou,
        rare_share=rare_share,
        resamples=resamples,
        out_dir=out_dir,
        brain_key=brain_key,
        progress=progress,
    )
