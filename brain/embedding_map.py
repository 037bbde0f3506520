"""Lays all object crops out on a two-dimensional map for the App."""

from __future__ import annotations

from typing import Any

import fiftyone.brain as fob
import numpy as np

from raremine.brain.columns import read_objects, resolve
from raremine.brain.crop_index import vectors_of
from raremine.brain.errors import RaremineError
from raremine.brain.outliers.tsne_knn import tsne_map
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
    points = _points(vectors, method, seed)
    at = {
        str(label_id): point
        for label_id, point in zip(table.label_id[rows], points)
    }
    # FiftyOne pairs an array of points with the labels of the view in view
    # order, and a dict drops all slices but the active one: so the view is
    # cut to the labels that have a point, and the array follows its order.
    view = scope.images.select_labels(ids=list(at), fields=field)
    label_ids = view.values(f"{field}.detections.id", unwind=True)
    ordered = np.array([at[i] for i in label_ids]).reshape(-1, 2)
    if dataset.has_brain_run(brain_key):
        old = dataset.get_brain_info(brain_key).config
        if old.type != "visualization":
            raise RaremineError(
                f"Brain key '{brain_key}' of dataset '{dataset.name}' "
                f"belongs to a '{old.type}' run; choose another key."
            )
        dataset.delete_brain_run(brain_key)
    if len(ordered):
        try:
            fob.compute_visualization(
                view,
                patches_field=field,
                points=ordered,
                brain_key=brain_key,
                progress=False,
            )
        except BaseException:
            # FiftyOne leaves a key without results behind
            if dataset.has_brain_run(brain_key):
                dataset.delete_brain_run(brain_key)
            raise
    summary.count(objects=len(ordered), method=method)
    return summary.to_dict()


def _points(vectors: np.ndarray, method: str, seed: int) -> np.ndarray:
    n = len(vectors)
    if n < SMALLEST_UMAP or method == "pca":
        return _pca(vectors)
    if method == "tsne":
        return tsne_map(vectors, seed=seed)
    import umap

    layout = umap.UMAP(
        n_neighbors=min(15, n - 1), metric="cosine", random_state=seed
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
