"""Reads what a report shows from a mined dataset and the run's result."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import fiftyone as fo
import numpy as np

from raremine.brain.columns import read_objects, require_objects, resolve
from raremine.brain.errors import MissingStageError, RaremineError
from raremine.brain.evaluation.ground_truth import COLUMNS as TRUTH_COLUMNS
from raremine.brain.evaluation.ground_truth import frame_truth
from raremine.brain.evaluation.report import MiningReport
from raremine.brain.evaluation.stage import load_report
from raremine.brain.frames import read_frames
from raremine.brain.novelty.frequency import document_frequency
from raremine.brain.objects import FrameTable, ObjectTable, object_array
from raremine.brain.pool import frame_pool
from raremine.brain.report.examples import ExampleGroup, find_examples
from raremine.brain.runs import library_versions
from raremine.brain.selection.result import Selection
from raremine.brain.selection.stage import load_selection

OBJECT_COLUMNS = (
    "label",
    "confidence",
    "bounding_box",
    "outlier",
    "outlier_score",
    "caption",
    "caption_status",
    "concept",
    "concept_score",
    "ambiguous",
    "group",
    "reason",
    "keywords",
    "novelty",
)

_TEXTS = (
    "label",
    "outlier",
    "caption",
    "caption_status",
    "concept",
    "ambiguous",
    "group",
    "reason",
    "keywords",
)


@dataclass(frozen=True)
class Keyword:
    """A keyword: objects that have it, its novelty, and a caption with it."""

    word: str
    objects: int
    novelty: float
    caption: str


@dataclass(frozen=True)
class Reached:
    """What a selection holds of the ground truth.

    Attributes:
        frame_recall: share of the pool's target frames that it took
        instance_recall: share of the target instances that it shows
        share: frames taken of the pool, which is also the frame recall that
            random frames have on average
        by_class: class → frames with it that were taken, and in the pool
    """

    frame_recall: float
    instance_recall: float
    share: float
    by_class: Mapping[str, tuple[int, int]]


@dataclass
class Content:
    """All that a report shows.

    Attributes:
        name: the dataset's name
        result: what ``mine`` returned, may be empty
        images: number of images
        objects: the mined objects with ``OBJECT_COLUMNS``
        frames: the keyframes
        evaluation: the evaluation, None if there is none
        selection: the selection, None if there is none
        reached: what the selection holds, None without ground truth
        keywords: the keywords of all captions, the most novel first
        examples: crops to show
        missing: section → why it has nothing to show
        versions: library versions by name
        facts: further lines for the end of the page, by name
    """

    name: str
    result: Mapping[str, Any]
    images: int
    objects: ObjectTable
    frames: FrameTable
    evaluation: MiningReport | None = None
    selection: Selection | None = None
    reached: Reached | None = None
    keywords: list[Keyword] = field(default_factory=list)
    examples: list[ExampleGroup] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def groups(self) -> dict[str, int]:
        """Objects by group: target, rare, common."""
        found = Counter(g for g in self.objects["group"] if g)
        return {g: found.get(g, 0) for g in ("target", "rare", "common")}


def gather(
    dataset: fo.Dataset,
    result: Mapping[str, Any] | None = None,
    field: str = "objects",
    *,
    examples: int = 16,
    facts: Mapping[str, str] | None = None,
) -> Content:
    """Reads a mined dataset.

    Args:
        dataset: the dataset
        result (None): what ``mine`` returned; what it lacks is taken from
            the runs recorded on the dataset
        field ("objects"): the mined detections
        examples (16): crops of each group to show
        facts (None): further lines for the end of the page

    Raises:
        MissingStageError: if nothing was detected yet
    """
    dataset = dataset._root_dataset
    result = dict(result or {})
    scope = resolve(dataset, field)
    require_objects(scope, field)
    content = Content(
        name=dataset.name,
        result=result,
        images=len(scope.images),
        objects=_complete(read_objects(scope, field, OBJECT_COLUMNS)),
        frames=read_frames(dataset, field),
        versions=library_versions(),
        facts=dict(facts or {}),
    )
    _find_missing(content)
    _evaluation(dataset, content)
    _selection(dataset, content)
    content.keywords = top_keywords(content.objects)
    content.examples = find_examples(scope, content.objects, examples)
    return content


def top_keywords(objects: ObjectTable) -> list[Keyword]:
    """Lists the keywords of all captions, the most novel first.

    Args:
        objects: objects with ``keywords`` and ``caption``
    """
    words = [
        tuple(w) if isinstance(w, (list, tuple)) else ()
        for w in objects["keywords"]
    ]
    captioned = [row for row, of_row in enumerate(words) if of_row]
    first: dict[str, int] = {}
    for row in captioned:
        for word in words[row]:
            first.setdefault(word, row)
    counts = document_frequency([words[row] for row in captioned])
    return [
        Keyword(
            word,
            number,
            float(-np.log(number / len(captioned))),
            str(objects["caption"][first[word]] or ""),
        )
        for word, number in sorted(
            counts.items(), key=lambda item: (item[1], item[0])
        )
    ]


def _complete(objects: ObjectTable) -> ObjectTable:
    """Gives columns that no stage wrote yet the type they would have."""
    for name in _TEXTS:
        if objects[name].dtype != object:
            objects.columns[name] = object_array([None] * len(objects))
    return objects


def _find_missing(content: Content) -> None:
    objects = content.objects
    if not len(objects):
        content.missing["objects"] = "The detector found nothing."
    if not np.isfinite(_numbers(objects["outlier_score"])).any():
        content.missing["outliers"] = (
            "No outlier scores yet: run score_outliers."
        )
    if not any(g for g in objects["group"] if isinstance(g, str)):
        content.missing["groups"] = "No groups yet: run match_concepts."
    if not any(s == "ok" for s in objects["caption_status"]):
        content.missing["captions"] = (
            "No captions: the objects were mined without a captioner, or "
            "caption_objects has not run."
        )


def stored_evaluation(result: Mapping[str, Any]) -> MiningReport | None:
    """Returns the evaluation in the result of a run, if there is one.

    Args:
        result: what ``mine`` returned, as it is or read back from a file
    """
    stored = result.get("evaluation")
    if isinstance(stored, str):
        stored = json.loads(stored)
    return MiningReport.from_dict(stored) if stored else None


def _evaluation(dataset: fo.Dataset, content: Content) -> None:
    content.evaluation = stored_evaluation(content.result)
    if content.evaluation is not None:
        return
    try:
        content.evaluation = load_report(dataset)
    except MissingStageError:
        content.missing["evaluation"] = str(
            content.result.get("evaluation_skipped")
            or "Nothing was measured: there is no evaluation of this "
            "dataset. With ground truth, run evaluate_mining."
        )


def _selection(dataset: fo.Dataset, content: Content) -> None:
    stored = content.result.get("selection")
    try:
        content.selection = (
            Selection.from_dict(stored) if stored else load_selection(dataset)
        )
    except MissingStageError:
        content.missing["selection"] = (
            "No frames were selected yet: run select_frames."
        )
        return
    if content.evaluation is not None:
        content.reached = selection_reach(
            dataset,
            content.frames,
            content.selection,
            gt_field=content.evaluation.meta.get("gt_field", "ground_truth"),
            targets=content.evaluation.meta.get("targets"),
        )


def selection_reach(
    dataset: fo.Dataset,
    frames: FrameTable,
    selection: Selection,
    *,
    gt_field: str = "ground_truth",
    targets: Any = None,
) -> Reached | None:
    """Measures a selection against the ground truth of its pool.

    Args:
        dataset: the dataset
        frames: its keyframes
        selection: the selection
        gt_field ("ground_truth"): the annotated boxes
        targets (None): target classes, None = the default ones

    Returns:
        what it reached, None if the pool has no ground truth of a target
    """
    if dataset.get_field(f"{gt_field}.detections") is None:
        return None
    try:
        pool, _ = frame_pool(frames, selection.recipe.get("pool"))
        frames = frames.take(pool).sorted()
        boxes = read_objects(dataset, gt_field, TRUTH_COLUMNS)
        truth = frame_truth(frames, boxes, targets)
    except RaremineError:
        return None
    taken = np.isin(frames.sample_token, selection.tokens)
    seen = np.unique(truth.seen_instance[taken[truth.seen_frame]])
    return Reached(
        frame_recall=float(taken[truth.any_target].mean()),
        instance_recall=len(seen) / len(truth.instance_class),
        share=float(taken.mean()),
        by_class={
            name: (int((column & taken).sum()), int(column.sum()))
            for name, column in zip(
                truth.targets, truth.presence.T, strict=True
            )
        },
    )


def _numbers(values: np.ndarray) -> np.ndarray:
    return np.asarray(values, dtype=np.float64)
