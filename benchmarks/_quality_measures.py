"""How well rankings and flags find what is rare: numbers by world."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks._quality_scores import (
    FLAG_RULES,
    FLAG_SETS,
    FUSIONS,
    NEIGHBORS,
    RANDOM,
    SHARE,
    WAYS,
    flags_of,
)
from benchmarks._quality_truth import CLUTTER, RARE_SHARES, rare_names
from benchmarks._quality_worlds import WorldObjects
from raremine.brain.evaluation.ground_truth import TARGET_CLASSES
from raremine.brain.outliers.thresholds import threshold_by_share

Row = dict[str, float | int | str | None]
Measure = Callable[[np.ndarray, np.ndarray], float]

TOP = "recall, top fifth"
TARGET = "target"
RARE = {f"category below {share:.0%}": share for share in RARE_SHARES}
TRUTHS = (TARGET, *RARE)
"""Names of the definitions of what is rare."""


@dataclass(frozen=True)
class World:
    """A world's truth and scores.

    Attributes:
        seed: of the world
        truths: name of a definition → (n,) bool, whether a crop is rare
        matched: (n,) bool, whether it shows any annotated object
        scores: name → (n,) float
    """

    seed: int
    truths: Mapping[str, np.ndarray]
    matched: np.ndarray
    scores: Mapping[str, np.ndarray]


def truths_of(objects: WorldObjects) -> dict[str, np.ndarray]:
    """Returns which crops show something rare, by each definition.

    *target*: the class of the object that the crop shows is one of the
    published target classes. *category below s*: its nuScenes category has
    less than that share of the annotated boxes on the world's images.
    """
    return {
        TARGET: np.isin(objects.truth, TARGET_CLASSES),
        **{
            name: np.isin(
                objects.category,
                sorted(rare_names(objects.true_category, share)),
            )
            for name, share in RARE.items()
        },
    }


def auroc(truth: np.ndarray, score: np.ndarray) -> float:
    """Returns the area under the ROC curve, NaN if one class is absent."""
    from sklearn.metrics import roc_auc_score

    if truth.all() or not truth.any():
        return float("nan")
    return float(roc_auc_score(truth, score))


def average_precision(truth: np.ndarray, score: np.ndarray) -> float:
    """Returns scikit-learn's average precision, NaN if nothing is rare."""
    from sklearn.metrics import average_precision_score

    if not truth.any():
        return float("nan")
    return float(average_precision_score(truth, score))


def top_recall(truth: np.ndarray, score: np.ndarray) -> float:
    """Returns the share of what is rare among the highest fifth of scores."""
    if not truth.any():
        return float("nan")
    return float((score > threshold_by_share(score, SHARE))[truth].mean())


def score_rows(
    worlds: Sequence[World], truth: str, names: Sequence[str]
) -> list[Row]:
    """Measures rankings; random's are its exact expectations.

    Args:
        worlds: the worlds
        truth: name of the definition
        names: names of scores
    """
    share = [float(w.truths[truth].mean()) for w in worlds]
    inside = [float(w.truths[truth][w.matched].mean()) for w in worlds]
    rows: list[Row] = [
        {
            "score": RANDOM,
            **_mean_min("AUROC", [0.5 for _ in worlds]),
            **_mean_min("AP", share),
            "AUROC, no clutter": 0.5,
            "AP, no clutter": _mean(inside),
            TOP: SHARE,
        }
    ]
    for name in names:
        rows.append(
            {
                "score": name,
                **_mean_min("AUROC", _each(auroc, worlds, truth, name)),
                **_mean_min(
                    "AP", _each(average_precision, worlds, truth, name)
                ),
                "AUROC, no clutter": _mean(
                    _each(auroc, worlds, truth, name, matched=True)
                ),
                "AP, no clutter": _mean(
                    _each(average_precision, worlds, truth, name, matched=True)
                ),
                TOP: _mean(_each(top_recall, worlds, truth, name)),
            }
        )
    return rows


def neighbor_rows(worlds: Sequence[World], truth: str) -> list[Row]:
    """Measures ways to score by neighbours, at each number of them."""
    rows = []
    for k in NEIGHBORS:
        row: Row = {"neighbours": k}
        for head, measure in (("AUROC", auroc), ("AP", average_precision)):
            for way, text in WAYS.items():
                values = _each(measure, worlds, truth, f"{way}, k = {k}")
                row[f"{head}, {text}"] = _mean(values)
        rows.append(row)
    return rows


def fusion_rows(worlds: Sequence[World], truth: str) -> list[Row]:
    """Measures fusions, also against the best of their parts by world."""
    rows = []
    for fusion in FUSIONS:
        row: Row = {"fusion": fusion.name}
        losses: Row = {}
        for head, measure in (("AUROC", auroc), ("AP", average_precision)):
            fused = [
                measure(w.truths[truth], fusion.fuse(w.scores)) for w in worlds
            ]
            parts = [_each(measure, worlds, truth, p) for p in fusion.parts]
            row.update(_mean_min(head, fused))
            losses[f"{head}, worst against best part"] = worst_difference(
                fused, parts
            )
        recall = [
            top_recall(w.truths[truth], fusion.fuse(w.scores)) for w in worlds
        ]
        rows.append({**row, **losses, TOP: _mean(recall)})
    return rows


def worst_difference(
    fused: Sequence[float], parts: Sequence[Sequence[float]]
) -> float:
    """Returns the least over worlds of fused minus the best part there.

    Args:
        fused: by world
        parts: of each part, by world
    """
    best = np.max(np.asarray(parts, dtype=np.float64), axis=0)
    return float(np.min(np.asarray(fused) - best))


def flag_rows(worlds: Sequence[World], truth: str) -> list[Row]:
    """Measures fused flags, each part flagging a fifth of the objects."""
    rows: list[Row] = []
    for parts in FLAG_SETS:
        for rule in FLAG_RULES:
            flags = [flags_of(w.scores, parts, rule) for w in worlds]
            rows.append(
                _flag_row(
                    f"{rule}: {' + '.join(parts)}",
                    flags,
                    [w.truths[truth] for w in worlds],
                )
            )
    return rows


def _flag_row(
    name: str, flags: Sequence[np.ndarray], truths: Sequence[np.ndarray]
) -> Row:
    pairs = list(zip(flags, truths, strict=True))
    recall = [float(f[t].mean()) for f, t in pairs if t.any()]
    flagged = _mean([float(f.mean()) for f in flags])
    return {
        f"flags, share {SHARE}": name,
        "flagged": flagged,
        "precision": _mean(
            [float(t[f].mean()) if f.any() else 0.0 for f, t in pairs]
        ),
        **_mean_min("recall", recall),
        "recall, times random": _mean(recall) / flagged,
    }


def world_row(seed: int, objects: WorldObjects) -> Row:
    """Counts what a world holds."""
    row: Row = {
        "seed": seed,
        "objects": len(objects),
        "clutter": float((objects.truth == CLUTTER).mean()),
    }
    for name, truth in truths_of(objects).items():
        row[name] = int(truth.sum())
        row[f"{name} instances"] = len(set(objects.instance[truth].tolist()))
    one = np.isin(objects.paired_truth, TARGET_CLASSES)
    row["target, matched one to one"] = int(one.sum())
    return row


def _each(
    measure: Measure,
    worlds: Sequence[World],
    truth: str,
    name: str,
    matched: bool = False,
) -> list[float]:
    return [
        measure(w.truths[truth][w.matched], w.scores[name][w.matched])
        if matched
        else measure(w.truths[truth], w.scores[name])
        for w in worlds
    ]


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def _mean_min(head: str, values: Sequence[float]) -> Row:
    return {head: _mean(values), f"{head} min": float(np.min(values))}
