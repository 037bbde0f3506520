"""Scores how unusual each object is and writes it on the object."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import fiftyone.core.fields as fof
import numpy as np

from raremine.brain.columns import (
    declare_columns,
    read_objects,
    resolve,
    write_objects,
)
from raremine.brain.crop_index import vectors_of
from raremine.brain.errors import RaremineError
from raremine.brain.outliers.class_rarity import class_rarity_scores
from raremine.brain.outliers.fusion import (
    fuse_flags,
    fuse_scores,
    threshold_by_share,
)
from raremine.brain.outliers.isolation_forest import isolation_forest_scores
from raremine.brain.outliers.knn import knn_scores
from raremine.brain.outliers.lof import class_lof_scores, lof_scores
from raremine.brain.outliers.tsne_knn import tsne_knn_scores
from raremine.brain.runs import (
    check_key,
    fingerprint,
    record_run,
    run_params,
)
from raremine.brain.summary import StageSummary

Scorer = Callable[[np.ndarray, np.ndarray, int, int], np.ndarray]

SCORERS: dict[str, Scorer] = {
    "isolation_forest": lambda x, y, k, seed: isolation_forest_scores(
        x, seed=seed
    ),
    "knn": lambda x, y, k, seed: knn_scores(x, k=k),
    "lof": lambda x, y, k, seed: lof_scores(x, k=k),
    "class_lof": lambda x, y, k, seed: class_lof_scores(x, y),
    "tsne_knn": lambda x, y, k, seed: tsne_knn_scores(x, k=k, seed=seed),
    "class_rarity": lambda x, y, k, seed: class_rarity_scores(y),
}
"""Method name → scores from (vectors, labels, k, seed)."""

RESULT_COLUMNS = ("outlier", "outlier_by", "outlier_score")


def score(
    samples: Any,
    *,
    field: str = "objects",
    embeddings: str = "objects_clip",
    methods: Sequence[str] = ("isolation_forest", "knn"),
    fusion: str = "union",
    share: float = 0.2,
    k: int = 20,
    seed: int = 42,
    brain_key: str = "objects_outliers",
    overwrite: bool = False,
) -> dict[str, Any]:
    """Scores every object that has a vector.

    See :func:`raremine.brain.score_outliers`.
    """
    summary = StageSummary("score_outliers")
    unknown = sorted(set(methods) - set(SCORERS))
    if unknown or not methods:
        raise RaremineError(
            f"Unknown outlier method {', '.join(unknown) or '(none given)'}; "
            f"choose from {', '.join(SCORERS)}."
        )
    scope = resolve(samples, field)
    dataset = scope.dataset
    check_key(dataset, brain_key, "outliers")
    everything = read_objects(scope, field, ["label"])
    vectors, rows = vectors_of(dataset, embeddings, everything)
    table = everything.take(rows)
    params = {
        "embeddings": embeddings,
        "embedded_by": dataset.get_brain_info(embeddings).config.params,
        "methods": list(methods),
        "fusion": fusion,
        "share": share,
        "k": k,
        "seed": seed,
        "objects": fingerprint(table.label_id),
    }
    unscored = len(everything) - len(table)
    if not overwrite and run_params(dataset, brain_key) == params:
        summary.count(objects=0, skipped=len(table), without_vector=unscored)
        return summary.to_dict()

    scores = {
        name: SCORERS[name](vectors, table["label"], k, seed)
        for name in methods
    }
    limits = {n: threshold_by_share(s, share) for n, s in scores.items()}
    flags = {name: scores[name] > limits[name] for name in methods}
    fused = fuse_flags(flags, scores, fusion, share)
    flagged_by = [
        [name for name in methods if flags[name][row]]
        for row in range(len(table))
    ]
    declare_columns(
        dataset,
        field,
        {"outlier": fof.BooleanField, "outlier_by": fof.ListField},
    )
    write_objects(
        dataset,
        field,
        table,
        {
            **scores,
            "outlier": list(map(bool, fused)),
            "outlier_by": flagged_by,
            "outlier_score": fuse_scores(scores),
        },
    )
    root = f"{field}.detections"
    record_run(
        dataset,
        brain_key,
        "outliers",
        field=field,
        fields=[f"{root}.{n}" for n in (*methods, *RESULT_COLUMNS)],
        params=params,
        results={
            "objects": len(table),
            "outliers": int(fused.sum()),
            "thresholds": limits,
            "flagged": {n: int(f.sum()) for n, f in flags.items()},
        },
    )
    summary.count(
        objects=len(table),
        outliers=int(fused.sum()),
        without_vector=unscored,
        **{f"by_{name}": int(flags[name].sum()) for name in methods},
    )
    return summary.to_dict()
