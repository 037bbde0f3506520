"""Lays all object crops out on a two-dimensional map for the App."""

from __future__ import annotations

from typing import Any

import fiftyone as fo
import fiftyone.brain as fob
import numpy as np
from fiftyone import ViewField as F

from raremine.brain.columns import Scope, read_objects, resolve
from raremine.brain.crop_vectors import vectors_of
from raremine.brain.errors import RaremineError
from raremine.brain.outliers.tsne_knn import tsne_map
from raremine.brain.runs import fingerprint
from raremine.brain.summary import StageSummary

METHODS = ("umap", "tsne", "pca")

SMALLEST_UMAP = 6
"""Points below which UMAP's spectral start fails; PCA is used instead."""


def lay_out(
    samples: Any,
    *,
    field: str = "objects",
    embeddings: str = "objects_clip",
    method: str = "umap",
    brain_key: str = "objects_map",
    seed: int = 51,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Makes FiftyOne's own visualization run over the crops of all slices.

    See :func:`raremine.brain.map_objects`.
    """
    summary = StageSummary("map_objects")
    if method not in METHODS:
        raise RaremineError(
            f"Unknown map method '{method}'; choose {', '.join(METHODS)}."
        )
    scope = resolve(samples, field)
    dataset = scope.dataset
    table = read_objects(scope, field)
    vectors, rows = vectors_of(dataset, embeddings, table)
    layout = {
        "method": method,
        "embeddings": embeddings,
        "embedded_by": dataset.get_brain_info(embeddings).config.params,
        "seed": seed,
        "objects": fingerprint(table.label_id[rows]),
    }
    recorded = _recorded_layout(dataset, brain_key)
    if recorded == layout and not overwrite:
        summary.count(objects=0, skipped=len(rows), method=method)
        return summary.to_dict()
    points = _points(vectors, method, seed)
    at = {
        str(label_id): point
        for label_id, point in zip(
            table.label_id[rows], points, strict=True
        )
    }
    if recorded is not None:
        dataset.delete_brain_run(brain_key)
    if at:
        _register(scope, field, at, brain_key, layout)
    summary.count(objects=len(at), skipped=0, method=method)
    return summary.to_dict()


def _recorded_layout(
    dataset: fo.Dataset, brain_key: str
) -> dict[str, Any] | None:
    """Returns what made an earlier map, None if there is no run."""
    if not dataset.has_brain_run(brain_key):
        return None
    config = dataset.get_brain_info(brain_key).config
    if config.type != "visualization":
        raise RaremineError(
            f"Brain key '{brain_key}' of dataset '{dataset.name}' belongs "
            f"to a '{config.type}' run; choose another key."
        )
    return dict(getattr(config, "layout", None) or {})


def _register(
    scope: Scope,
    field: str,
    at: dict[str, np.ndarray],
    brain_key: str,
    layout: dict[str, Any],
) -> None:
    # FiftyOne pairs an array of points with the labels of the view in view
    # order, and a dict drops all slices but the active one: so the view is
    # cut to the labels that have a point, and the array follows its order.
    # A filter is stored with the run in a few bytes, a list of ids is not.
    view = scope.images.filter_labels(field, F("embedding_status") == "ok")
    label_ids = view.values(f"{field}.detections.id", unwind=True)
    if set(label_ids) != set(at):
        view = scope.images.select_labels(ids=list(at), fields=field)
        label_ids = view.values(f"{field}.detections.id", unwind=True)
    try:
        fob.compute_visualization(
            view,
            patches_field=field,
            points=np.array([at[i] for i in label_ids]),
            brain_key=brain_key,
            progress=False,
            layout=layout,
        )
    except BaseException:
        # FiftyOne leaves a key without results behind
        if scope.dataset.has_brain_run(brain_key):
            scope.dataset.delete_brain_run(brain_key)
        raise


def _points(vectors: np.ndarray, method: str, seed: int) -> np.ndarray:
    n = len(vectors)
    if n < SMALLEST_UMAP or method == "pca":
        return _pca(vectors)
    if method == "tsne":
        return tsne_map(vectors, seed=seed)
    import umap

    layout = umap.UMAP(
        n_neighbors=min(15, n - 1),
        metric="cosine",
        random_state=seed,
        # a seeded layout is single-threaded anyway; saying so avoids a warning
        n_jobs=1,
    )
    return np.asarray(layout.fit_transform(vectors), dtype=np.float64)


def _pca(vectors: np.ndarray) -> np.ndarray:
    centred = vectors - vectors.mean(axis=0) if len(vectors) else vectors
    points = np.zeros((len(vectors), 2))
    if len(vectors) > 1:
        u, s, _ = np.linalg.svd(centred, full_matrices=False)
        width = min(2, u.shape[1])
        points[:, :width] = u[:, :width] * s[:width]
    return points
