"""How well each score of an object finds what is rare: AUROC and AP."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from raremine.brain.box_matching import MIN_IOU, match_boxes
from raremine.brain.evaluation.ground_truth import (
    IGNORE,
    TruthFilter,
    countable,
    target_codes,
)
from raremine.brain.objects import ObjectTable
from raremine.brain.target_classes import class_name

SCORES = (
    *("outlier_score", "isolation_forest", "lof", "class_lof", "knn"),
    *("tsne_knn", "umap_knn", "class_rarity", "novelty"),
    *("target_score", "rare_score", "target_evidence", "rare_evidence"),
    *("-confidence", "-pareto_order"),
)
"""Scores of objects, higher = more worth mining; a minus turns one around."""

OBJECT_COLUMNS = (
    *("label", "bounding_box", "confidence"),
    *(name.removeprefix("-") for name in SCORES if name != "-confidence"),
)
"""Attributes of the mined objects that are read."""

SCORE_COLUMNS = (
    "score",
    "truth",
    "among",
    "auroc",
    "average_precision",
    "prevalence",
    "positives",
    "objects",
)

RARE_SHARE = 0.01
"""Share of the annotated boxes below which a category is rare."""

TARGET, RARE = "target", "rare"


@dataclass(frozen=True)
class ObjectTruth:
    """What mined objects show.

    Attributes:
        positive: name → (n,) bool, objects that show it
        judged: name → (n,) bool, objects that count for or against a score;
            the others show what is neither
        matched: (n,) bool, objects that show an annotated box
        summary: counts, for the record
    """

    positive: Mapping[str, np.ndarray]
    judged: Mapping[str, np.ndarray]
    matched: np.ndarray
    summary: dict[str, Any]


def object_truth(
    objects: ObjectTable,
    boxes: ObjectTable,
    targets: Sequence[str],
    keep: TruthFilter,
    *,
    min_iou: float = MIN_IOU,
    rare_share: float = RARE_SHARE,
) -> ObjectTruth:
    """Finds what mined objects show.

    An object that shows no annotated box at all counts against a score: a
    label spent on it buys nothing. Left out are objects that show a thing
    which a surer object shows too, and those that show a box that the filter
    leaves out; for targets also those that show an "ignore" (a rack of
    bicycles is neither a bicycle nor none).

    Args:
        objects: mined objects with ``bounding_box`` and ``confidence``
        boxes: ground truth on the same images
        targets: class names as ``target_names`` spells them
        keep: which boxes count
        min_iou (0.5): overlap from which an object shows a box
        rare_share (0.01): a category with less than this share of the boxes
            that count is rare. The category is nuScenes' own where there is
            one, or else the label

    Returns:
        truths ``target``, each target class, and ``rare``
    """
    found = match_boxes(
        objects.sample_id,
        objects["bounding_box"],
        objects["confidence"],
        boxes.sample_id,
        boxes["bounding_box"],
        min_iou=min_iou,
    )
    counts = countable(boxes, keep)
    kind = target_codes(boxes, targets)
    ignored = np.array(
        [class_name(label) == IGNORE for label in boxes["label"]], dtype=bool
    )
    category = categories(boxes)
    rare = _rare(category, counts, rare_share)
    is_rare = np.array([name in rare for name in category], dtype=bool)

    shows = found.box >= 0
    clutter = ~shows & ~found.again
    # a row of no meaning behind the last box, for objects that show none
    at = np.where(shows, found.box, len(boxes))

    def of_box(flags: np.ndarray) -> np.ndarray:
        return np.append(flags, False)[at]

    neither = of_box(ignored & (kind < 0))
    judged = clutter | of_box(counts)
    of_targets = judged & ~neither
    positive = {TARGET: of_box(counts & (kind >= 0))}
    judges = {TARGET: of_targets}
    there = {TARGET: counts & (kind >= 0)}
    for number, name in enumerate(targets):
        there[name] = counts & (kind == number)
        positive[name] = of_box(there[name])
        judges[name] = of_targets
    there[RARE] = counts & is_rare
    positive[RARE] = of_box(there[RARE])
    judges[RARE] = judged
    return ObjectTruth(
        positive,
        judges,
        shows,
        {
            "objects": len(objects),
            "matched": int((shows & of_box(counts)).sum()),
            "unmatched": int(clutter.sum()),
            "detected_again": int(found.again.sum()),
            "box_left_out": int((shows & ~of_box(counts)).sum()),
            "min_iou": min_iou,
            "rare_share": rare_share,
            "rare_categories": sorted(rare),
            "boxes": {n: int(b.sum()) for n, b in there.items()},
            "boxes_found": {n: int(p.sum()) for n, p in positive.items()},
        },
    )


def score_rows(
    scores: Mapping[str, np.ndarray], truth: ObjectTruth
) -> list[dict[str, Any]]:
    """Measures scores.

    Args:
        scores: name → (n,) float, higher = more worth mining; an object
            without one (NaN) comes last, as in a ranking
        truth: what the objects show

    Returns:
        rows with ``SCORE_COLUMNS``, for each truth that any object shows:
        among "all" objects that are judged, and among those "matched" to a
        box, where clutter that the detector made up does not count
    """
    rows = []
    for score, values in scores.items():
        if not np.isfinite(values).any():
            continue
        for name, positive in truth.positive.items():
            for among, use in (
                ("all", truth.judged[name]),
                ("matched", truth.judged[name] & truth.matched),
            ):
                right = positive[use]
                if not right.any():
                    continue
                auroc, ap = ranking_quality(values[use], right)
                cells = (
                    *(score, name, among, auroc, ap),
                    *(float(right.mean()), int(right.sum()), len(right)),
                )
                rows.append(dict(zip(SCORE_COLUMNS, cells, strict=True)))
    return rows


def object_scores(objects: ObjectTable) -> dict[str, np.ndarray]:
    """Returns the scores that the objects have, by name, higher = rarer."""
    found = {}
    for name in SCORES:
        column = name.removeprefix("-")
        values = np.asarray(objects[column], dtype=np.float64)
        found[name] = -values if name != column else values
    return found


def ranking_quality(
    score: np.ndarray, positive: np.ndarray
) -> tuple[float, float]:
    """Returns the area under the ROC curve and the average precision.

    The same numbers as scikit-learn's ``roc_auc_score`` and
    ``average_precision_score``: equal scores are one threshold.

    Args:
        score: (n,) float, NaN counts as the lowest
        positive: (n,) bool

    Returns:
        AUROC, NaN if all or none are positive; AP, NaN if none is
    """
    values = np.where(np.isnan(score), -np.inf, score)
    order = np.argsort(-values, kind="stable")
    values, hit = values[order], positive[order]
    last = np.ones(len(values), dtype=bool)
    last[:-1] = values[1:] != values[:-1]
    right = np.concatenate([[0], np.cumsum(hit)[last]])
    taken = np.concatenate([[0], np.flatnonzero(last) + 1])
    wrong = taken - right
    total, others = int(right[-1]), int(wrong[-1])
    if not total:
        return float("nan"), float("nan")
    precision = right[1:] / taken[1:]
    ap = float((np.diff(right) * precision).sum() / total)
    if not others:
        return float("nan"), ap
    area = (np.diff(wrong) * (right[1:] + right[:-1]) / 2).sum()
    return float(area / (total * others)), ap


def categories(boxes: ObjectTable) -> list[str]:
    """Returns each box's finest name: its category, or else its label."""
    labels = [class_name(label) for label in boxes["label"]]
    return [
        name if isinstance(name, str) and name else label
        for name, label in zip(
            boxes.columns.get("category", [None] * len(boxes)),
            labels,
            strict=True,
        )
    ]


def _rare(
    category: Sequence[str], counts: np.ndarray, share: float
) -> set[str]:
    number = Counter(
        name for name, is_in in zip(category, counts, strict=True) if is_in
    )
    total = sum(number.values())
    return {
        name
        for name, times in number.items()
        if name != IGNORE and times < share * total
    }
