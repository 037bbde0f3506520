"""Evaluating mining on a dataset: reads, orders, measures, records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import fiftyone as fo
import numpy as np

from raremine.brain.box_matching import MIN_IOU
from raremine.brain.columns import read_objects
from raremine.brain.errors import MissingStageError, RaremineError
from raremine.brain.evaluation.comparison import BUDGETS, RESAMPLES, compare
from raremine.brain.evaluation.ground_truth import (
    COLUMNS,
    TruthFilter,
    frame_truth,
    target_names,
)
from raremine.brain.evaluation.object_scores import (
    OBJECT_COLUMNS,
    RARE_SHARE,
    object_scores,
    object_truth,
    score_rows,
)
from raremine.brain.evaluation.report import MiningReport
from raremine.brain.frame_columns import default_embeddings, read_frames_with
from raremine.brain.frame_vectors import read_frame_vectors
from raremine.brain.objects import FrameTable, ObjectTable
from raremine.brain.pool import frame_pool
from raremine.brain.progress import Progress, ProgressArgument, checkpoint
from raremine.brain.runs import check_key, load_results, record_run
from raremine.brain.strategies import (
    DEFAULT,
    DETECTOR_CLASS,
    EMBEDDING,
    PAPER,
    Order,
    Strategy,
    choose,
    needed_columns,
    of_field,
    registered,
)

STAGE = "evaluation"

Strategies = Sequence[str | Strategy] | Mapping[str, Order] | str | None


def evaluate_mining(
    dataset: fo.Dataset,
    strategies: Strategies = None,
    budgets: Sequence[float] = BUDGETS,
    *,
    seeds: Iterable[int] = range(20),
    targets: Sequence[str] | None = None,
    field: str = "objects",
    also: Mapping[str, str] | None = None,
    gt_field: str = "ground_truth",
    embeddings: str | None = None,
    splits: str | Sequence[str] | None = None,
    keep: TruthFilter | Mapping[str, float] | None = None,
    min_iou: float = MIN_IOU,
    rare_share: float = RARE_SHARE,
    resamples: int = RESAMPLES,
    out_dir: str | Path | None = None,
    brain_key: str = "mining_evaluation",
    progress: ProgressArgument = None,
) -> MiningReport:
    """Measures how much target ground truth mining strategies find.

    See :func:`raremine.brain.evaluate_mining`.
    """
    dataset = dataset._root_dataset
    budgets, seeds = _check_numbers(budgets, seeds, resamples)
    check_key(dataset, brain_key, STAGE)
    boxes = _read_truth(dataset, field, gt_field)
    also = _other_fields(dataset, field, also)
    pool = read_pool(
        dataset,
        strategies,
        targets=targets,
        field=field,
        also=also,
        embeddings=embeddings,
        splits=splits,
    )
    filters = _truth_filter(keep)
    truth = frame_truth(pool.frames, boxes, targets, filters)
    with Progress(
        len(pool.strategies), "Measuring strategies", progress
    ) as bar:
        report = compare(
            pool.frames,
            truth,
            pool.strategies,
            budgets,
            seeds,
            resamples=resamples,
            say=lambda _: bar.add(),
        )
    named = {"": field, **also}
    tokens = set(pool.frames.sample_token.tolist())
    report.meta.update(
        field=field,
        also=also,
        gt_field=gt_field,
        splits=sorted(set(pool.frames.split.tolist())),
        notes=[*pool.notes, *report.meta["notes"]],
        objects={},
    )
    boxes = _in_pool(boxes, tokens)
    for name in named.values():
        checkpoint(f"Comparing the objects in '{name}' with the truth")
        objects = _in_pool(read_objects(dataset, name, OBJECT_COLUMNS), tokens)
        shown = object_truth(
            objects,
            boxes,
            truth.targets,
            filters,
            min_iou=min_iou,
            rare_share=rare_share,
        )
        report.meta["objects"][name] = shown.summary
        report.objects += [
            {"field": name, **row}
            for row in score_rows(object_scores(objects), shown)
        ]
    record_run(
        dataset,
        brain_key,
        STAGE,
        field=field,
        params=report.meta,
        results=report.to_dict(),
    )
    if out_dir is not None:
        checkpoint("Writing the report")
        write_files(report, dataset, out_dir)
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


def write_files(
    report: MiningReport, dataset: fo.Dataset, folder: str | Path
) -> Path:
    """Writes a report as a page, as JSON and as figures.

    Args:
        report: of an evaluation
        dataset: the dataset, for examples
        folder: where to, made if it does not exist

    Returns:
        the folder

    Raises:
        RaremineError: if it cannot be written
    """
    from raremine.brain.evaluation.plots import save_figures

    folder = Path(folder).expanduser().resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        report.to_json(folder / "report.json")
        save_figures(report, folder)
    except OSError as error:
        raise RaremineError(
            f"The evaluation cannot be written to {folder} "
            f"({error.strerror}); choose another folder."
        ) from error
    report.to_html(folder / "report.html", dataset)
    return folder


@dataclass(frozen=True)
class Pool:
    """What strategies work on. No ground truth is in here.

    Attributes:
        frames: the frames of the pool, sorted by token
        strategies: those that were asked for
        notes: for the user
    """

    frames: FrameTable
    strategies: list[Strategy]
    notes: list[str]


def read_pool(
    dataset: fo.Dataset,
    strategies: Strategies = None,
    *,
    targets: Sequence[str] | None = None,
    field: str = "objects",
    also: Mapping[str, str] | None = None,
    embeddings: str | None = None,
    splits: str | Sequence[str] | None = None,
) -> Pool:
    """Reads the frames of the pool as strategies see them.

    Nothing here reads ground truth: a dataset without any gives the same.

    Args:
        dataset: the root dataset
        strategies (None): as for :func:`evaluate_mining`
        targets (None): names of the target classes
        field ("objects"): the mined detections
        also (None): prefix → another mined field
        embeddings (None): brain key of vectors
        splits (None): splits that form the pool
    """
    frames = read_frames_with(
        dataset,
        {DETECTOR_CLASS, *needed_columns(strategies)},
        field=field,
        embeddings=embeddings,
        targets=target_names(targets),
        also=also,
    )
    names = [splits] if isinstance(splits, str) else splits
    rows, notes = frame_pool(frames, names, to_train=False)
    frames = frames.take(rows).sorted()
    if EMBEDDING not in frames.columns:
        notes = [*notes, *_add_embedding(dataset, frames, field, embeddings)]
    return Pool(frames, _choose(frames, strategies, also or {}), list(notes))


def _add_embedding(
    dataset: fo.Dataset,
    frames: FrameTable,
    field: str,
    embeddings: str | None,
) -> list[str]:
    """Adds frame embeddings if there are any; returns why there are none."""
    key = embeddings or default_embeddings(dataset, field)
    try:
        frames.columns[EMBEDDING] = read_frame_vectors(dataset, frames, key)
    except RaremineError as error:
        if embeddings is not None:
            raise
        return [f"Redundancy was not measured. {error}"]
    return []


def _choose(
    frames: FrameTable, strategies: Strategies, also: Mapping[str, str]
) -> list[Strategy]:
    """Chooses strategies; a prefix stands for ours on that field."""
    known = registered()
    others = {
        prefix: of_field(known[DEFAULT], prefix, prefix)
        for prefix in also
        if prefix not in known
    }
    if isinstance(strategies, str):
        strategies = [strategies]
    if strategies is None:
        there = set(frames.columns)
        return choose(frames, None) + [
            s for s in others.values() if set(s.needs) <= there
        ]
    if isinstance(strategies, Mapping):
        return choose(frames, strategies)
    return choose(
        frames,
        [others.get(s, s) if isinstance(s, str) else s for s in strategies],
    )


def _other_fields(
    dataset: fo.Dataset, field: str, also: Mapping[str, str] | None
) -> dict[str, str]:
    if also is not None:
        return dict(also)
    paper = f"{field}_{PAPER}"
    there = dataset.get_field(f"{paper}.detections") is not None
    return {PAPER: paper} if there else {}


def _truth_filter(
    keep: TruthFilter | Mapping[str, float] | None,
) -> TruthFilter:
    if keep is None or isinstance(keep, TruthFilter):
        return keep or TruthFilter()
    known = {f.name for f in fields(TruthFilter)}
    unknown = sorted(set(keep) - known)
    if unknown:
        raise RaremineError(
            f"Ground truth cannot be filtered by {', '.join(unknown)}; "
            f"there are {', '.join(sorted(known))}."
        )
    return TruthFilter(**dict(keep))  # type: ignore[arg-type]


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


def _in_pool(objects: ObjectTable, tokens: set[str]) -> ObjectTable:
    inside = [token in tokens for token in objects["sample_token"].tolist()]
    return objects.take(np.array(inside, dtype=bool))


def _check_numbers(
    budgets: Sequence[float], seeds: Iterable[int], resamples: int
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
    if resamples < 0:
        raise RaremineError(
            f"resamples={resamples}: give 0 for no intervals, or a number "
            "such as 1000."
        )
    return budget_list, seed_list
