"""Scores how unusual each object is and writes it on the object."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import fiftyone.core.fields as fof
import numpy as np

from raremine.brain.columns import (
    declare_columns,
    read_objects,
    resolve,
    write_objects,
)
from raremine.brain.crop_vectors import (
    NO_VECTOR,
    NOT_FINITE,
    finite_vectors_of,
)
from raremine.brain.errors import RaremineError
from raremine.brain.objects import object_array
from raremine.brain.outliers.fusion import (
    check_fusion,
    fuse_flags,
    fuse_scores,
)
from raremine.brain.outliers.model import OutlierModel, fit
from raremine.brain.outliers.model_file import load_model, save_model
from raremine.brain.outliers.run import (
    OutlierScoringConfig,
    OutlierScoringResults,
    result_arrays,
)
from raremine.brain.outliers.scoring import (
    DEFAULT_K,
    DEFAULT_METHODS,
    SCORERS,
    ScoringInput,
    check_methods,
)
from raremine.brain.outliers.thresholds import (
    threshold_by_share,
    threshold_rules,
)
from raremine.brain.progress import checkpoint
from raremine.brain.runs import (
    check_key,
    fingerprint,
    load_results,
    mark_unfinished,
    record_run,
    run_params,
)
from raremine.brain.summary import StageSummary

RESULT_COLUMNS = ("outlier", "outlier_by", "outlier_score", "outlier_status")


def score(
    samples: Any,
    *,
    field: str = "objects",
    embeddings: str = "objects_clip",
    methods: Sequence[str] = DEFAULT_METHODS,
    fusion: str = "fisher",
    weights: Mapping[str, float] | None = None,
    share: float = 0.2,
    k: int = DEFAULT_K,
    seed: int = 42,
    thresholds: Mapping[str, Sequence[object]] | None = None,
    exact: bool | None = None,
    model: str | Path | None = None,
    brain_key: str = "objects_outliers",
    overwrite: bool = False,
) -> dict[str, Any]:
    """Scores every object that has a finite vector.

    See :func:`raremine.brain.score_outliers`.
    """
    summary = StageSummary("score_outliers")
    fitted = None if model is None else load_model(model)
    if fitted is not None:
        methods, thresholds, exact = fitted.methods, None, fitted.exact
        k, seed = fitted.k, fitted.seed
    check_methods(methods, tuple(SCORERS))
    check_fusion(fusion, weights)
    _check_weights(weights, methods)
    rules = threshold_rules(methods, share, thresholds)
    scope = resolve(samples, field)
    dataset = scope.dataset
    check_key(dataset, brain_key, "outliers")
    checkpoint("Reading objects and vectors")
    everything = read_objects(scope, field, ["label"])
    vectors, rows, status = finite_vectors_of(dataset, embeddings, everything)
    # a copy of a million rows is not for nothing
    complete = len(rows) == len(everything)
    table = everything if complete else everything.take(rows)
    without_vector = int((status == NO_VECTOR).sum())
    unscored = int((status == NOT_FINITE).sum())
    embedded_by = dataset.get_brain_info(embeddings).config.params
    params = {
        "embeddings": embeddings,
        "embedded_by": embedded_by,
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
    if weights is not None:
        params["weights"] = {name: weights[name] for name in sorted(weights)}
    if exact is not None:
        params["exact"] = exact
    if model is not None and fitted is not None:
        _check_embedder(fitted, embedded_by, embeddings)
        digest = hashlib.sha256(Path(model).read_bytes()).hexdigest()
        params["model"] = digest[:16]
    if not overwrite and run_params(dataset, brain_key) == params:
        found = load_results(dataset, brain_key)
        summary.count(
            objects=0,
            skipped=len(table),
            outliers=found["outliers"],
            without_vector=without_vector,
            unscored=unscored,
            **{f"by_{name}": found["flagged"][name] for name in methods},
        )
        return summary.to_dict()

    if fitted is not None:
        scores = fitted.score(vectors, table["label"])
        limits = fitted.limits
        fused_score, limit = fitted.fuse(scores, fusion, share, weights)
    else:
        inputs = ScoringInput(
            vectors,
            table["label"],
            k=k,
            seed=seed,
            exact=exact,
            methods=methods,
        )
        scores = {}
        for number, name in enumerate(methods):
            checkpoint(f"Scoring {name}", number, len(methods))
            scores[name] = SCORERS[name](inputs)
        limits = {name: rules[name].limit(scores[name]) for name in methods}
        fused_score = fuse_scores(scores, fusion, weights)
        limit = threshold_by_share(fused_score, share)
        # writing needs neither the graph nor the vectors
        del inputs
    del vectors
    flags = {name: scores[name] > limits[name] for name in methods}
    fused = fuse_flags(flags, fused_score, fusion, limit)
    flagged_by = [
        [name for name in methods if flags[name][row]]
        for row in range(len(table))
    ]
    limits = {name: float(limit) for name, limit in limits.items()}
    columns: dict[str, Sequence[Any] | np.ndarray] = {
        **scores,
        "outlier": list(map(bool, fused)),
        "outlier_by": flagged_by,
        "outlier_score": fused_score,
    }
    types: dict[str, type[fof.Field]] = dict.fromkeys(
        (*methods, "outlier_score"), fof.FloatField
    )
    types["outlier"] = fof.BooleanField
    types["outlier_by"] = fof.ListField
    types["outlier_status"] = fof.StringField
    declare_columns(dataset, field, types)
    # objects that could not be scored keep no score of an earlier run
    columns = {
        name: _everyone(values, rows, len(everything))
        for name, values in columns.items()
    }
    checkpoint("Writing scores")
    mark_unfinished(dataset, brain_key)
    write_objects(
        dataset, field, everything, {**columns, "outlier_status": status}
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
        arrays=result_arrays(table.label_id, scores, fused_score, fused),
        config_cls=OutlierScoringConfig,
        results_cls=OutlierScoringResults,
    )
    summary.count(
        objects=len(table),
        outliers=int(fused.sum()),
        without_vector=without_vector,
        unscored=unscored,
        **{f"by_{name}": int(flags[name].sum()) for name in methods},
    )
    return summary.to_dict()


def _everyone(
    values: Sequence[Any] | np.ndarray, rows: np.ndarray, count: int
) -> np.ndarray:
    """Returns values of some rows as values of all, None for the others."""
    if len(rows) == count:
        return object_array(values)
    everyone = np.full(count, None, dtype=object)
    for row, value in zip(rows, values, strict=True):
        everyone[row] = value
    return everyone


def fit_reference(
    samples: Any,
    path: str | Path,
    *,
    field: str = "objects",
    embeddings: str = "objects_clip",
    methods: Sequence[str] = DEFAULT_METHODS,
    share: float = 0.2,
    k: int = DEFAULT_K,
    seed: int = 42,
    thresholds: Mapping[str, Sequence[object]] | None = None,
    exact: bool | None = None,
) -> dict[str, Any]:
    """Fits outlier methods on a collection's objects and stores them.

    ``score(other_samples, model=path)`` then scores others against these.

    Args:
        samples: the reference set, any collection with embedded objects
        path: file of the model, an older one is replaced
        field ("objects"): detections field
        embeddings ("objects_clip"): brain key of the vectors
        methods (("knn", "class_rarity")): any of ``FITTED_METHODS``
        share (0.2): share of the reference objects above each method's limit
        k (100): neighbours of knn and lof
        seed (42): seed of whatever is random
        thresholds (None): method → (kind, value) instead of the share
        exact (None): how neighbours are searched, see ``neighbor_graph``

    Returns:
        summary with ``objects``, ``unscored``, ``without_vector``, ``path``

    Raises:
        MissingStageError: if there are no embeddings under that key
        RaremineError: if no object has a vector or a setting is wrong
    """
    summary = StageSummary("fit_outliers")
    scope = resolve(samples, field)
    everything = read_objects(scope, field, ["label"])
    vectors, rows, status = finite_vectors_of(
        scope.dataset, embeddings, everything
    )
    table = everything.take(rows)
    model = fit(
        vectors,
        table["label"],
        methods,
        k=k,
        seed=seed,
        exact=exact,
        share=share,
        thresholds=thresholds,
    )
    model.origin = {
        "dataset": scope.dataset.name,
        "embedded_by": scope.dataset.get_brain_info(embeddings).config.params,
        "objects": fingerprint(table.label_id),
    }
    path = save_model(model, path)
    summary.count(
        objects=len(model.vectors),
        unscored=int((status == NOT_FINITE).sum()),
        without_vector=int((status == NO_VECTOR).sum()),
        path=str(path),
    )
    return summary.to_dict()


def _check_weights(
    weights: Mapping[str, float] | None, methods: Sequence[str]
) -> None:
    unused = sorted(set(weights or ()) - set(methods))
    if unused:
        raise RaremineError(
            f"A weight is given for {', '.join(unused)}, which is not "
            f"scored; the methods are {', '.join(methods)}."
        )


def _check_embedder(
    model: OutlierModel, embedded_by: Mapping[str, Any], embeddings: str
) -> None:
    """Checks that new vectors come from where the reference set's came.

    Raises:
        RaremineError: if they do not
    """
    theirs = model.origin.get("embedded_by")
    if theirs is not None and theirs != embedded_by:
        raise RaremineError(
            f"The vectors of '{embeddings}' were made by {embedded_by}, those "
            f"of the model by {theirs}; embed the objects as the reference "
            "set was embedded, or fit a model on such vectors."
        )
