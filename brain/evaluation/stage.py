"""Evaluating mining on a dataset: reads, orders, measures, records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import fiftyone as fo

from raremine.brain.columns import read_objects
from raremine.brain.errors import MissingStageError, RaremineError
from raremine.brain.evaluation.curves import expected_random, measure
from raremine.brain.evaluation.ground_truth import (
    COLUMNS,
    FrameTruth,
    TruthFilter,
    frame_truth,
)
from raremine.brain.evaluation.report import MiningReport, summarise
from raremine.brain.frame_columns import read_frames_with
from raremine.brain.objects import FrameTable, ObjectTable
from raremine.brain.pool import frame_pool
from raremine.brain.runs import load_results, record_run
from raremine.brain.strategies import (
    DETECTOR_CLASS,
    Order,
    Strategy,
    choose,
    needed_columns,
)

STAGE = "evaluation"
BUDGETS = (0.05, 0.1, 0.2, 0.3)


def evaluate_mining(
    dataset: fo.Dataset,
    strategies: Sequence[str | Strategy] | Mapping[str, Order] | None = None,
    budgets: Sequence[float] = BUDGETS,
    *,
    seeds: Iterable[int] = range(20),
    targets: Sequence[str] | None = None,
    field: str = "objects",
    gt_field: str = "ground_truth",
    splits: str | Sequence[str] | None = None,
    keep: TruthFilter | None = None,
    embeddings: str | None = None,
    also: Mapping[str, str] | None = None,
    brain_key: str = "mining_evaluation",
) -> MiningReport:
    """Measures how much target ground truth mining strategies find.

    Each strategy orders the frames of the pool; a budget takes the first
    share of them. None but the oracle sees the ground truth.

    Args:
        dataset: a mined dataset with ground truth
        strategies (None): names, or functions ``(frames, seed) -> order`` by
            name; None = random, oracle, our own and every single score that
            the objects have, without those that compare frame embeddings
        budgets ((.05, .1, .2, .3)): shares of the pool's frames
        seeds (range(20)): seeds of whatever is drawn: random orders and ties
        targets (None): target classes; None = construction vehicle, bicycle,
            motorcycle, trailer, truck
        field ("objects"): the mined detections
        gt_field ("ground_truth"): the ground truth boxes of the cameras
        splits (None): splits that form the pool; None = the train splits,
            or every frame where the data set has no splits
        keep (None): which boxes count; None = ``TruthFilter()``
        embeddings (None): brain key of the vectors that strategies such as
            ``core_set`` compare frames by; None = ``{field}_clip``, or
            ``frames_clip`` where there is no such run
        also (None): prefix → another mined field, for strategies that rank
            by it: ``{"paper": "objects_paper"}`` for ``paper``
        brain_key ("mining_evaluation"): where the report is recorded

    Returns:
        the report

    Raises:
        MissingStageError: if there is no ground truth or a strategy needs a
            stage that has not run
        RaremineError: if no frame of the pool holds a target, or a budget or
            seed is not valid
    """
    dataset = dataset._root_dataset
    budgets, seeds = _check_numbers(budgets, seeds)
    boxes = _read_truth(dataset, field, gt_field)
    frames = read_frames_with(
        dataset,
        {DETECTOR_CLASS, *needed_columns(strategies)},
        field=field,
        embeddings=embeddings,
        targets=targets,
        also=also,
    )
    names = None if splits is None else _as_list(splits)
    pool, notes = frame_pool(frames, names, to_train=False)
    frames = frames.take(pool).sorted()
    truth = frame_truth(frames, boxes, targets, keep)
    chosen = choose(frames, strategies)
    report = compare(frames, truth, chosen, budgets, seeds)
    report.meta.update(
        field=field,
        gt_field=gt_field,
        splits=sorted(set(frames.split.tolist())),
        notes=notes,
    )
    record_run(
        dataset,
        brain_key,
        STAGE,
        field=field,
        params=report.meta,
        results=report.to_dict(),
    )
    return report


def load_report(
    dataset: fo.Dataset, brain_key: str = "mining_evaluation"
) -> MiningReport:
    """Returns a recorded report.

    Raises:
        MissingStageError: if no evaluation is recorded under that key
    """
    results = load_results(dataset._root_dataset, brain_key)
    return MiningReport.from_dict(results)


def compare(
    frames: FrameTable,
    truth: FrameTruth,
    strategies: Sequence[Strategy],
    budgets: Sequence[float] = BUDGETS,
    seeds: Sequence[int] = tuple(range(20)),
) -> MiningReport:
    """Measures strategies on a frame table: the pure core of the stage.

    Args:
        frames: the frames of the pool, sorted by token
        truth: their ground truth
        strategies: what to compare
        budgets: shares of the frames
        seeds: seeds of whatever is drawn
    """
    expected = expected_random(truth, frames.scene)
    report = MiningReport([], [])
    for strategy in strategies:
        runs = [
            measure(strategy.run(frames, seed, truth), truth, frames.scene)
            for seed in seeds
        ]
        rows, curves = summarise(strategy.name, runs, expected, budgets)
        report.rows.extend(rows)
        report.curves.extend(curves)
    report.meta = {
        "strategies": [s.name for s in strategies],
        "budgets": list(budgets),
        "seeds": list(seeds),
        "targets": list(truth.targets),
        "scenes": len(set(frames.scene.tolist())),
        "truth": truth.summary,
    }
    return report


def _read_truth(dataset: fo.Dataset, field: str, gt_field: str) -> ObjectTable:
    if gt_field == field:
        raise RaremineError(
            f"'{field}' cannot be both what was mined and the ground truth; "
            "name the field with annotated boxes as gt_field."
        )
    if dataset.get_field(f"{gt_field}.detections") is None:
        raise MissingStageError(
            f"Dataset '{dataset.name}' has no ground truth boxes in "
            f"'{gt_field}'; load it with ground_truth=True, or name the "
            "field as gt_field."
        )
    return read_objects(dataset, gt_field, COLUMNS)


def _check_numbers(
    budgets: Sequence[float], seeds: Iterable[int]
) -> tuple[list[float], list[int]]:
    budget_list = sorted({float(b) for b in budgets})
    seed_list = [int(seed) for seed in seeds]
    if not budget_list or not all(0 < b <= 1 for b in budget_list):
        raise RaremineError(
            f"The budgets are {budget_list}; give shares of the pool above "
            "0 and up to 1, such as 0.1."
        )
    if not seed_list or min(seed_list) < 0:
        raise RaremineError(
            f"The seeds are {seed_list}; give at least one whole number "
            "from 0."
        )
    return budget_list, seed_list


def _as_list(names: str | Sequence[str]) -> list[Any]:
    return [names] if isinstance(names, str) else list(names)
