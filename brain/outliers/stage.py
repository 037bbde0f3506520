"""Scores how unusual each object is and writes it on the object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import fiftyone.core.fields as fof

from raremine.brain.columns import (
    declare_columns,
    read_objects,
    resolve,
    write_objects,
)
from raremine.brain.crop_index import vectors_of
from raremine.brain.outliers.finite import finite_rows
from raremine.brain.outliers.fusion import (
    check_fusion,
    fuse_flags,
    fuse_scores,
)
from raremine.brain.outliers.scoring import (
    SCORERS,
    ScoringInput,
    check_methods,
)
from raremine.brain.outliers.thresholds import threshold_rules
from raremine.brain.runs import (
    check_key,
    fingerprint,
    record_run,
    run_params,
)
from raremine.brain.summary import StageSummary

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
    thresholds: Mapping[str, Sequence[object]] | None = None,
    exact: bool | None = None,
    brain_key: str = "objects_outliers",
    overwrite: bool = False,
) -> dict[str, Any]:
    """Scores every object that has a finite vector.

    See :func:`raremine.brain.score_outliers`. Of what it does not name:
    ``thresholds`` (None) maps a method to its own (kind, value), with a kind
    of ``ThresholdRule``, instead of ``share``; ``exact`` (None) says how
    neighbours are searched, see ``neighbor_graph``; the summary's
    ``unscored`` counts objects whose vector holds NaN or infinity.
    """
    summary = StageSummary("score_outliers")
    check_methods(methods, tuple(SCORERS))
    check_fusion(fusion)
    rules = threshold_rules(methods, share, thresholds)
    scope = resolve(samples, field)
    dataset = scope.dataset
    check_key(dataset, brain_key, "outliers")
    everything = read_objects(scope, field, ["label"])
    vectors, rows = vectors_of(dataset, embeddings, everything)
    without_vector = len(everything) - len(rows)
    finite = finite_rows(vectors)
    if not finite.all():
        vectors, rows = vectors[finite], rows[finite]
    table = everything.take(rows)
    unscored = len(everything) - len(table) - without_vector
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
    # named only if given: runs without them stay as they were recorded
    if thresholds:
        params["thresholds"] = {
            name: [rules[name].kind, rules[name].number]
            for name in sorted(thresholds)
        }
    if exact is not None:
        params["exact"] = exact
    if not overwrite and run_params(dataset, brain_key) == params:
        summary.count(
            objects=0,
            skipped=len(table),
            without_vector=without_vector,
            unscored=unscored,
        )
        return summary.to_dict()

    inputs = ScoringInput(
        vectors, table["label"], k=k, seed=seed, exact=exact, methods=methods
    )
    scores = {name: SCORERS[name](inputs) for name in methods}
    limits = {name: rules[name].limit(scores[name]) for name in methods}
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
        without_vector=without_vector,
        unscored=unscored,
        **{f"by_{name}": int(flags[name].sum()) for name in methods},
    )
    return summary.to_dict()
