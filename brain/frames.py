"""The keyframe table: object results aggregated over each keyframe."""

from __future__ import annotations

from collections.abc import Mapping

import fiftyone as fo
import numpy as np

from raremine.brain.columns import all_slices, read_objects, write_frames
from raremine.brain.objects import FrameTable, ObjectTable, object_array

GROUPS = ("common", "rare", "target")
"""Mining groups, from the least to the most wanted."""

SIGNALS = (
    "outlier_score",
    "isolation_forest",
    "lof",
    "class_lof",
    "knn",
    "tsne_knn",
    "class_rarity",
    "novelty",
)
"""Object scores, higher = more unusual, that a frame takes its maximum of."""

CONCEPT_COLUMNS = (
    *("mining_group", "target_concepts", "rare_concepts"),
    *("target_concept_scores", "rare_concept_scores"),
    *("target_score", "rare_score", "mining_score"),
)
"""Frame columns that mean nothing before objects have a group."""

_OBJECT_COLUMNS = (
    *("label", "confidence", "concept", "concept_score", "group"),
    *("target_score", "rare_score", "target_evidence", "rare_evidence"),
    *("pareto_front", "pareto_order"),
    *SIGNALS,
)


def read_frames(
    dataset: fo.Dataset,
    field: str = "objects",
    *,
    also: Mapping[str, str] | None = None,
) -> FrameTable:
    """Reads one row per keyframe of the whole dataset, with its objects.

    Args:
        dataset: the root dataset
        field: the detections field
        also (None): prefix → another detections field, mined in another way.
            Its columns bear the prefix: ``{"paper": "objects_paper"}`` gives
            ``paper.mining_score`` and so on.

    Returns:
        a ``FrameTable`` sorted by sample token, with the columns of
        ``aggregate_frames``
    """
    keyframes = read_keyframes(dataset)
    frames = aggregate_frames(
        keyframes, read_objects(dataset, field, _OBJECT_COLUMNS)
    )
    for prefix, other in (also or {}).items():
        found = aggregate_frames(
            keyframes, read_objects(dataset, other, _OBJECT_COLUMNS)
        )
        for name, values in found.columns.items():
            frames.columns[f"{prefix}.{name}"] = values
    return frames


def read_keyframes(dataset: fo.Dataset) -> FrameTable:
    """Reads one row per keyframe of the whole dataset.

    Args:
        dataset: the root dataset

    Returns:
        a ``FrameTable`` sorted by sample token, without further columns
    """
    names = ["sample_token", "scene_name", "split", "timestamp"]
    samples = all_slices(dataset)
    known = [n for n in names if dataset.get_field(n) is not None]
    values = dict(zip(known, samples.values(known), strict=True))
    tokens = values.get("sample_token") or samples.values("id")
    rows: dict[str, tuple[str, str, int]] = {}
    blank = [None] * len(tokens)
    for token, scene, split, stamp in zip(
        tokens,
        values.get("scene_name", blank),
        values.get("split", blank),
        values.get("timestamp", blank),
        strict=True,
    ):
        if token is None:
            continue
        stamp = int(stamp or 0)
        if token not in rows or stamp < rows[token][2]:
            rows[token] = (scene or "", split or "", stamp)
    order = sorted(rows)
    return FrameTable(
        np.array(order, dtype=str),
        np.array([rows[t][0] for t in order], dtype=str),
        np.array([rows[t][1] for t in order], dtype=str),
        np.array([rows[t][2] for t in order], dtype=np.int64),
    )


def aggregate_frames(frames: FrameTable, objects: ObjectTable) -> FrameTable:
    """Adds object results to a frame table.

    Numbers are the maximum over a frame's objects, NaN where no object has
    one. ``uncertainty`` is one minus the confidence, ``entropy`` that of the
    confidence as a probability, in bits, both with their mean over the
    objects too. ``pareto_rank`` is minus the best place in the Pareto order,
    or minus the best front where objects have fronts alone.

    ``target_score`` and ``rare_score`` weigh how sure the group is (an
    object's ``target_evidence``, or else its ``target_score``) by how
    unusual the object is (its percentile in ``outlier_score``),
    ``target_concept_scores`` do so for each of ``target_concepts``, and
    ``mining_score`` puts target frames before rare before common ones:
    group level (0, 1, 2) plus the group's own score, which is below 1.

    Args:
        frames: keyframes, any order
        objects: objects with ``sample_token`` and any of ``group``,
            ``concept``, ``concept_score``, ``target_score``, ``rare_score``,
            ``target_evidence``, ``rare_evidence``, ``confidence``,
            ``pareto_front``, ``pareto_order`` and the names in ``SIGNALS``

    Returns:
        the frames with columns ``objects``, ``mining_group``,
        ``target_concepts``, ``rare_concepts``, ``target_concept_scores``,
        ``rare_concept_scores``, ``target_score``, ``rare_score``,
        ``mining_score``, ``uncertainty``,
        ``uncertainty_mean``, ``entropy``, ``entropy_mean``, ``pareto_rank``
        and every signal that at least one object has
    """
    row_of = {token: row for row, token in enumerate(frames.sample_token)}
    row = np.array(
        [row_of.get(t, -1) for t in objects["sample_token"]], dtype=np.int64
    )
    objects, row = objects.take(row >= 0), row[row >= 0]
    n = len(frames)
    columns = dict(frames.columns)
    columns["objects"] = np.bincount(row, minlength=n)

    for name in SIGNALS:
        numbers = _numbers(objects, name)
        if np.isfinite(numbers).any():
            columns[name] = _max(numbers, row, n)
    doubt = 1 - _numbers(objects, "confidence")
    for name, numbers in (
        ("uncertainty", doubt),
        ("entropy", binary_entropy(doubt)),
    ):
        columns[name] = _max(numbers, row, n)
        columns[f"{name}_mean"] = _mean(numbers, row, n)
    place = _numbers(objects, "pareto_order")
    if not np.isfinite(place).any():
        place = _numbers(objects, "pareto_front")
    columns["pareto_rank"] = _max(-place, row, n)

    group = objects.columns.get("group", object_array([None] * len(objects)))
    concept = objects.columns.get(
        "concept", object_array([None] * len(objects))
    )
    unusual = _numbers(objects, "outlier_score")
    level = np.zeros(n, dtype=np.int64)
    for rank, name in enumerate(GROUPS):
        of_group = group == name
        if rank:
            sure = _numbers(objects, f"{name}_evidence")
            own = _numbers(objects, f"{name}_score")
            sure = np.where(np.isnan(sure), own, sure)
            evidence = object_evidence(
                np.where(
                    np.isnan(sure) & of_group,
                    _numbers(objects, "concept_score"),
                    sure,
                ),
                unusual,
            )
            columns[f"{name}_score"] = _max(
                np.where(of_group | np.isfinite(sure), evidence, np.nan),
                row,
                n,
            )
            names, scores = _concepts(
                concept[of_group], evidence[of_group], row[of_group], n
            )
            columns[f"{name}_concepts"] = names
            columns[f"{name}_concept_scores"] = scores
        np.maximum.at(level, row[of_group], rank)
    columns["mining_group"] = np.array(GROUPS, dtype=object)[level]
    own = np.select(
        [level == 2, level == 1],
        [columns["target_score"], columns["rare_score"]],
        default=percentile(columns.get("outlier_score", np.full(n, np.nan))),
    )
    columns["mining_score"] = level + 0.999 * np.nan_to_num(own)
    return FrameTable(
        frames.sample_token,
        frames.scene,
        frames.split,
        frames.timestamp,
        columns,
    )


def object_evidence(
    group_score: np.ndarray, outlier_score: np.ndarray
) -> np.ndarray:
    """Joins how sure the group is with how unusual the object is.

    A product, because either can veto: a plain car that a model takes for a
    truck, and an odd crop that shows no target.

    Args:
        group_score: (n,) scores in [0, 1], NaN counts as 0.5
        outlier_score: (n,) raw outlier scores, NaN counts as the median

    Returns:
        (n,) score times outlier percentile, in [0, 1]
    """
    unusual = percentile(outlier_score)
    unusual = np.where(np.isnan(unusual), 0.5, unusual)
    sure = np.where(np.isnan(group_score), 0.5, group_score)
    return np.asarray(np.clip(sure, 0, 1) * unusual)


def binary_entropy(probability: np.ndarray) -> np.ndarray:
    """Returns the entropy of a yes or no, -p log₂ p - (1 - p) log₂ (1 - p).

    Args:
        probability: (n,) in [0, 1]; others count as the nearer end, NaN
            stays NaN

    Returns:
        (n,) float64 bits, 1 at a half and 0 at both ends
    """
    from scipy.special import entr

    p = np.clip(np.asarray(probability, dtype=np.float64), 0, 1)
    return np.asarray((entr(p) + entr(1 - p)) / np.log(2))


def percentile(scores: np.ndarray) -> np.ndarray:
    """Returns each score's mid-rank as a share of all finite ones.

    Args:
        scores: (n,) scores; ties share a rank, NaN stays NaN

    Returns:
        (n,) float64 in (0, 1)
    """
    from scipy.stats import rankdata

    out = np.full(len(scores), np.nan)
    finite = np.isfinite(scores)
    count = int(finite.sum())
    if count:
        out[finite] = (rankdata(scores[finite]) - 0.5) / count
    return out


def write_frame_summary(dataset: fo.Dataset, field: str = "objects") -> None:
    """Writes the group, target concepts and mining score of each keyframe."""
    frames = read_frames(dataset, field)
    write_frames(
        dataset,
        list(frames.sample_token),
        {
            "mining_group": frames["mining_group"],
            "target_concepts": frames["target_concepts"],
            "mining_score": frames["mining_score"],
        },
    )


def _numbers(objects: ObjectTable, name: str) -> np.ndarray:
    values = objects.columns.get(name)
    if values is None:
        return np.full(len(objects), np.nan)
    return np.asarray(values, dtype=np.float64)


def _max(values: np.ndarray, row: np.ndarray, n: int) -> np.ndarray:
    out = np.full(n, -np.inf)
    finite = np.isfinite(values)
    np.maximum.at(out, row[finite], values[finite])
    out[np.isneginf(out)] = np.nan
    return out


def _mean(values: np.ndarray, row: np.ndarray, n: int) -> np.ndarray:
    finite = np.isfinite(values)
    count = np.bincount(row[finite], minlength=n)
    total = np.bincount(row[finite], values[finite], minlength=n)
    return np.where(count, total / np.maximum(count, 1), np.nan)


def _concepts(
    concept: np.ndarray, score: np.ndarray, row: np.ndarray, n: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns each frame's concepts and, in their order, the best scores."""
    best: list[dict[str, float]] = [{} for _ in range(n)]
    for name, value, at in zip(concept, score.tolist(), row, strict=True):
        # NaN where the objects have a group and no stage has named concepts
        if name and isinstance(name, str):
            best[at][name] = max(best[at].get(name, 0.0), value)
    names = [tuple(sorted(found)) for found in best]
    scores = [
        tuple(found[name] for name in own)
        for found, own in zip(best, names, strict=True)
    ]
    return object_array(names), object_array(scores)
