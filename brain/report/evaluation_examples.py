"""Crops of targets that one selection shows and another one misses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import fiftyone as fo
import numpy as np
from bson import ObjectId

from raremine.brain.columns import Scope, read_objects, resolve
from raremine.brain.errors import RaremineError
from raremine.brain.evaluation.curves import ALL
from raremine.brain.evaluation.report import MiningReport
from raremine.brain.objects import ObjectTable
from raremine.brain.report.evaluation_tables import (
    headline_strategy,
    strategy_title,
)
from raremine.brain.report.examples import cut_crops
from raremine.brain.report.html import Html, element, percent
from raremine.brain.report.parts import section
from raremine.brain.strategies import ORACLE, PAPER, RANDOM
from raremine.brain.target_classes import class_name

COLUMNS = ("label", "category", "bounding_box", "visibility")


@dataclass(frozen=True)
class Missed:
    """Targets that one strategy found and another did not.

    Attributes:
        found_by: strategy
        missed_by: strategy
        rows: (r,) of the table of boxes
    """

    found_by: str
    missed_by: str
    rows: np.ndarray


def default_pairs(report: MiningReport) -> list[tuple[str, str]]:
    """Returns whose finds to show: ours and its rivals, both ways.

    Rivals are random, and the preset paper or else the best other one.
    """
    ours = headline_strategy(report)
    known = (ours, ORACLE, PAPER, RANDOM)
    ranked = report.ranked(distinct=known)
    others = [
        n for n in (PAPER, *ranked) if n in ranked and n not in (ours, ORACLE)
    ]
    rivals = [n for n in others if n != RANDOM][:1]
    rivals += [RANDOM] if RANDOM in others else []
    return [p for r in rivals for p in ((ours, r), (r, ours))]


def examples(
    report: MiningReport,
    dataset: fo.Dataset,
    pairs: Sequence[tuple[str, str]] | None = None,
) -> Html:
    """Shows what one strategy found and another one missed.

    Args:
        report: an evaluation of the dataset
        dataset: the dataset, whose images are read
        pairs (None): (found by, missed by), None = ``default_pairs``

    Raises:
        RaremineError: if a strategy was not evaluated
    """
    wanted = default_pairs(report) if pairs is None else list(pairs)
    scope, boxes, missed = read_missed(report, dataset, wanted)
    rows = np.unique(
        np.concatenate([m.rows for m in missed] + [np.empty(0, np.int64)])
    )
    crops = cut_crops(scope, boxes, rows.astype(np.int64))
    blocks: list[Html] = []
    for one in missed:
        total = _instances(report, one)
        blocks.append(
            element(
                "h3",
                f"Found by {strategy_title(one.found_by)}, missed by "
                f"{strategy_title(one.missed_by)}{total}",
            )
        )
        blocks.append(
            element(
                "div",
                (_figure(boxes, row, crops[row]) for row in one.rows.tolist()),
                class_="crops",
            )
            if len(one.rows)
            else element("p", "There is none.", class_="empty")
        )
    return section(
        "What one finds and the other misses",
        "Annotated target objects that are seen in the first strategy’s "
        f"selection at {percent(report.mark)} of the frames and not in the "
        "second one’s, with the first seed. Classes take turns, the rarest "
        "first, and the largest object of a scene goes before others.",
        *blocks,
        id="differences",
    )


def read_missed(
    report: MiningReport,
    dataset: fo.Dataset,
    pairs: Sequence[tuple[str, str]],
) -> tuple[Scope, ObjectTable, list[Missed]]:
    """Reads the boxes that pairs of strategies differ in.

    Args:
        report: an evaluation of the dataset
        dataset: the dataset
        pairs: (found by, missed by)

    Raises:
        RaremineError: if a strategy was not evaluated
    """
    gt_field = report.meta.get("gt_field", "ground_truth")
    lists: list[list[str]] = []
    for found_by, missed_by in pairs:
        labels = report.differences.get(found_by, {}).get(missed_by)
        if labels is None:
            raise RaremineError(
                f"What '{found_by}' found and '{missed_by}' missed is not in "
                "the report; there are the strategies "
                f"{', '.join(report.differences) or 'none'}."
            )
        lists.append(labels)
    ids = [ObjectId(label) for label in {i for one in lists for i in one}]
    images = resolve(dataset, gt_field).images.match(
        {f"{gt_field}.detections._id": {"$in": ids}}
    )
    scope = Scope(dataset._root_dataset, images)
    boxes = read_objects(scope, gt_field, COLUMNS)
    missed = []
    for (found_by, missed_by), labels in zip(pairs, lists, strict=True):
        rows = boxes.rows_of(labels)
        # a box that was deleted since then is left out
        missed.append(Missed(found_by, missed_by, rows[rows >= 0]))
    return scope, boxes, missed


def _instances(report: MiningReport, one: Missed) -> str:
    """Returns the recalls behind a pair, for its heading."""
    cells = [
        report.cell(name, "instance_recall", ALL)
        for name in (one.found_by, one.missed_by)
    ]
    if cells[0] is None or cells[1] is None:
        return ""
    shares = " and ".join(percent(c["mean"]) for c in cells if c)
    return f" (they show {shares} of the target instances)"


def _figure(boxes: ObjectTable, row: int, crop: str) -> Html:
    name = class_name(boxes["label"][row])
    category = boxes["category"][row]
    height = float(boxes["bounding_box"][row][3])
    view = (
        element("img", src=crop, alt=name, loading="lazy")
        if crop
        else element("span", "image not readable", class_="empty")
    )
    fine = category if isinstance(category, str) else ""
    return element(
        "figure",
        element("div", view, class_="view"),
        element(
            "figcaption",
            element(
                "div",
                element("bdi", name),
                element("span", f"{percent(height)} high"),
                class_="what",
            ),
            element("div", element("bdi", fine), class_="why"),
            element("div", str(boxes["scene_name"][row]), class_="where"),
        ),
        class_="target",
    )
