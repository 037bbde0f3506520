"""Lays all object crops out on a two-dimensional map for the App.

``map_objects`` works over the crops of all image slices and stores its result
as FiftyOne's own visualization run, so that the Embeddings panel, ``rename``,
``delete`` and export know what to do with it.

- ``umap`` and ``tsne`` start from one neighbour graph (Euclidean distances of
  the stored vectors; with normalized ones these order neighbours as cosines
  do). ``k`` is UMAP's number of neighbours, the object itself counted;
  ``perplexity`` is t-SNE's. ``exact`` says how neighbours are searched.
- ``pca`` needs no graph.
- An object whose vector is not finite gets no point.
- ``onto`` names a map whose points are kept: only objects that have no point
  on it yet are placed, see ``placing``. The result holds all points of that
  map, of objects outside ``samples`` too, and its layout records which method
  made the first ones and how many were placed. To write it under the same key
  is to extend the map; with another ``brain_key`` the first map stays.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import fiftyone as fo
import fiftyone.brain as fob
import numpy as np
from bson import ObjectId
from fiftyone import ViewField as F

from raremine.brain.columns import Scope, read_objects, resolve
from raremine.brain.crop_vectors import NOT_FINITE, finite_vectors_of
from raremine.brain.errors import MissingStageError, RaremineError
from raremine.brain.maps.pca import pca_map
from raremine.brain.maps.placing import METHODS, place
from raremine.brain.maps.tsne import tsne_map, tsne_neighbors
from raremine.brain.maps.umap import NEIGHBORS, umap_map
from raremine.brain.neighbors.stored_graph import stored_graph
from raremine.brain.progress import checkpoint
from raremine.brain.runs import fingerprint
from raremine.brain.summary import StageSummary

CHECKED_VECTORS = 16
"""Vectors whose checksums a run keeps, to notice that they have changed."""


@dataclass(frozen=True)
class Settings:
    """How a map is made.

    Args:
        method: "umap", "tsne" or "pca"
        seed: seed of the layout
        exact: how neighbours are searched, see ``neighbor_graph``
        k: UMAP's neighbours, None = its default
        perplexity: t-SNE's, None = by the number of objects
    """

    method: str
    seed: int
    exact: bool | None
    k: int | None
    perplexity: float | None

    def check(self) -> None:
        """Raises RaremineError where values are not possible."""
        if self.method not in METHODS:
            raise RaremineError(
                f"Unknown map method '{self.method}'; choose "
                f"{', '.join(METHODS)}."
            )
        for name, value, method, least in (
            ("k", self.k, "umap", 2),
            ("perplexity", self.perplexity, "tsne", 1),
        ):
            if value is None:
                continue
            if method != self.method:
                raise RaremineError(
                    f"{name}={value} is a setting of method '{method}', not "
                    f"of '{self.method}'; leave it out."
                )
            if not value >= least:
                raise RaremineError(
                    f"{name}={value} is not possible; pass {least} or more."
                )


def lay_out(
    samples: Any,
    *,
    field: str = "objects",
    embeddings: str = "objects_clip",
    method: str | None = None,
    brain_key: str = "objects_map",
    seed: int = 51,
    exact: bool | None = None,
    k: int | None = None,
    perplexity: float | None = None,
    onto: str | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Makes FiftyOne's own visualization run over the crops of all slices.

    See :func:`raremine.brain.map_objects`.
    """
    summary = StageSummary("map_objects")
    scope = resolve(samples, field)
    dataset = scope.dataset
    recorded = _recorded_layout(dataset, brain_key)
    base = None if onto is None else _reference(dataset, onto, method)
    if base is not None:
        made_by = str(base.layout["method"])
        settings = Settings(
            made_by, seed, exact, base.layout.get("k"), perplexity
        )
    else:
        settings = Settings(method or "umap", seed, exact, k, perplexity)
    settings.check()
    table = read_objects(scope, field)
    if base is not None:
        # the map's own objects belong to the result wherever they are
        everything = read_objects(resolve(dataset, field), field)
        wanted = np.union1d(table.label_id, base.label_ids)
        table = everything.take(np.isin(everything.label_id, wanted))
    vectors, rows, status = finite_vectors_of(dataset, embeddings, table)
    label_ids = table.label_id[rows]
    layout: dict[str, Any] = {
        "method": settings.method,
        "embeddings": embeddings,
        "embedded_by": dataset.get_brain_info(embeddings).config.params,
        "seed": seed,
        "exact": exact,
        "k": settings.k,
        "perplexity": perplexity,
        "objects": fingerprint(label_ids),
        "vectors": checksums(label_ids, vectors),
    }
    summary.count(
        method=settings.method, not_finite=int((status == NOT_FINITE).sum())
    )
    if base is None:
        if recorded == layout and not overwrite:
            summary.count(objects=0, placed=0, skipped=len(rows))
            return summary.to_dict()
        points = _points(vectors, settings)
        summary.count(objects=len(rows), placed=0, skipped=0)
    else:
        _check_same_vectors(base, layout, label_ids, vectors)
        points, new = _onto(base, label_ids, vectors, settings)
        kept = len(rows) - new
        layout["placed"] = int(base.layout.get("placed") or 0) + new
        layout["onto"] = onto
        summary.count(objects=new, placed=new, skipped=kept)
        if not new and onto == brain_key and kept == len(base.label_ids):
            return summary.to_dict()
    # an earlier run under this key goes only when the new one is there
    key = brain_key if recorded is None else f"{brain_key}_{ObjectId()}"
    if len(rows):
        # on top of a map its whole extent counts, not the view asked for
        whole = scope if base is None else resolve(dataset, field)
        _register(whole, field, label_ids, points, key, layout)
    if recorded is not None:
        dataset.delete_brain_run(brain_key)
        if len(rows):
            dataset.rename_brain_run(key, brain_key)
    return summary.to_dict()


def _points(vectors: np.ndarray, settings: Settings) -> np.ndarray:
    if settings.method == "pca" or not len(vectors):
        return pca_map(vectors)
    seed, exact = settings.seed, settings.exact
    if settings.method == "tsne":
        width = tsne_neighbors(len(vectors), settings.perplexity)
    else:
        width = (settings.k or NEIGHBORS) - 1
    # the seed of the layout is none of the graph's, which others share
    graph = stored_graph(vectors, width, exact=exact)
    checkpoint(f"Laying out {len(vectors):,} objects by {settings.method}")
    if settings.method == "tsne":
        return tsne_map(
            vectors, seed=seed, graph=graph, perplexity=settings.perplexity
        )
    return umap_map(vectors, seed=seed, graph=graph, neighbors=settings.k)


@dataclass(frozen=True)
class Reference:
    """A map whose points are kept.

    Args:
        key: its brain key
        layout: what made it
        label_ids: (n,) str, sorted
        points: (n, 2) float64
    """

    key: str
    layout: dict[str, Any]
    label_ids: np.ndarray
    points: np.ndarray

    def points_of(self, label_ids: np.ndarray) -> np.ndarray:
        """Returns (m, 2) points, NaN for labels that have none."""
        points = np.full((len(label_ids), 2), np.nan)
        if len(self.label_ids):
            at = np.searchsorted(self.label_ids, label_ids)
            at = np.minimum(at, len(self.label_ids) - 1)
            known = self.label_ids[at] == label_ids
            points[known] = self.points[at[known]]
        return points


def _reference(dataset: fo.Dataset, key: str, method: str | None) -> Reference:
    layout = _recorded_layout(dataset, key)
    results = dataset.load_brain_results(key) if layout else None
    if not layout or results is None:
        raise MissingStageError(
            f"Dataset '{dataset.name}' has no map of map_objects under brain "
            f"key '{key}' to place objects on; run map_objects without onto= "
            "first."
        )
    if method is not None and method != layout["method"]:
        raise RaremineError(
            f"Map '{key}' was made by {layout['method']}, so nothing can be "
            f"placed on it by {method}; leave method= out."
        )
    label_ids = np.array(results.label_ids, dtype=str)
    order = np.argsort(label_ids)
    points = np.asarray(results.points, dtype=np.float64)
    return Reference(key, layout, label_ids[order], points[order])


def checksums(label_ids: np.ndarray, vectors: np.ndarray) -> dict[str, int]:
    """Returns checksums of a few vectors, by label id.

    Args:
        label_ids: (n,) str
        vectors: (n, d) float32
    """
    count = min(CHECKED_VECTORS, len(label_ids))
    chosen = np.unique(np.linspace(0, len(label_ids) - 1, count).astype(int))
    return {str(label_ids[row]): _checksum(vectors[row]) for row in chosen}


def _checksum(vector: np.ndarray) -> int:
    return zlib.crc32(np.ascontiguousarray(vector, np.float32).tobytes())


def _check_same_vectors(
    base: Reference,
    layout: Mapping[str, Any],
    label_ids: np.ndarray,
    vectors: np.ndarray,
) -> None:
    """Raises RaremineError if the map was made of other vectors."""
    made_of = base.layout["embeddings"]
    if made_of != layout["embeddings"]:
        raise RaremineError(
            f"Map '{base.key}' was made of the vectors '{made_of}', not "
            f"'{layout['embeddings']}'; pass embeddings='{made_of}', or make "
            "a new map."
        )
    known: Mapping[str, int] = base.layout.get("vectors") or {}
    changed = base.layout["embedded_by"] != layout["embedded_by"]
    for row in np.flatnonzero(np.isin(label_ids, list(known))):
        changed |= known[str(label_ids[row])] != _checksum(vectors[row])
    if changed:
        raise RaremineError(
            f"The vectors '{made_of}' have been made anew, in another way, "
            f"since map '{base.key}' was made of them, so new objects have "
            "no place on it; run map_objects without onto=."
        )


def _onto(
    base: Reference,
    label_ids: np.ndarray,
    vectors: np.ndarray,
    settings: Settings,
) -> tuple[np.ndarray, int]:
    """Returns points of all vectors, and how many of them are new."""
    points = base.points_of(label_ids)
    new = ~np.isfinite(points).all(axis=1)
    if new.any():
        points[new] = place(
            vectors[~new],
            points[~new],
            vectors[new],
            settings.method,
            seed=settings.seed,
            exact=settings.exact,
            neighbors=settings.k,
        )
    return points, int(new.sum())


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
    label_ids: np.ndarray,
    points: np.ndarray,
    brain_key: str,
    layout: dict[str, Any],
) -> None:
    # FiftyOne pairs an array of points with the labels of the view in view
    # order, and a dict drops all slices but the active one: so the view is
    # cut to the labels that have a point, and the array follows its order.
    view, in_view = _view_of(scope, field, label_ids)
    order = np.argsort(label_ids)
    at = order[np.searchsorted(label_ids, in_view, sorter=order)]
    try:
        fob.compute_visualization(
            view,
            patches_field=field,
            points=points[at],
            brain_key=brain_key,
            progress=False,
            layout=layout,
        )
    except BaseException:
        # FiftyOne leaves a key without results behind
        if scope.dataset.has_brain_run(brain_key):
            scope.dataset.delete_brain_run(brain_key)
        raise


def _view_of(
    scope: Scope, field: str, label_ids: np.ndarray
) -> tuple[Any, np.ndarray]:
    """Returns a view of exactly these labels, and them in its order.

    The view is stored with the run: a filter takes a few bytes there, a
    million ids more than a document may hold. So ids are named only of
    those who are fewer, the labels that are in or those that are not.
    """
    path = f"{field}.detections.id"
    view = scope.images.filter_labels(field, F("embedding_status") == "ok")
    in_view = np.array(view.values(path, unwind=True), dtype=str)
    extra = np.setdiff1d(in_view, label_ids)
    complete = len(in_view) - len(extra) == len(label_ids)
    if complete and not len(extra):
        return view, in_view
    if complete and len(extra) < len(label_ids):
        view = view.exclude_labels(ids=extra.tolist(), fields=field)
        return view, in_view[~np.isin(in_view, extra)]
    view = scope.images.select_labels(ids=label_ids.tolist(), fields=field)
    return view, np.array(view.values(path, unwind=True), dtype=str)
