"""New points on a map that is there: the others do not move.

New points look only at their nearest neighbours among the vectors that have a
point already, not at one another.

- t-SNE: openTSNE's partial embedding (Poličar et al., Machine Learning 2023):
  from the median of the neighbours' points, 250 steps in which only the new
  point moves, with its own affinities (perplexity 5) and the repulsion of all
  points that stay.
- UMAP: what umap-learn's ``transform`` does after its own search: from the
  weighted mean of the neighbours' points, a third of the epochs in which only
  new points move. Its search index is not kept with a map, ours needs none.
- PCA: the linear map that gave the others their points, found from them by
  least squares, so that no axes have to be kept.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from raremine.brain.errors import RaremineError
from raremine.brain.maps import pca, tsne, umap
from raremine.brain.maps.repulsion import Field, Repulsion
from raremine.brain.neighbors.approximate_search import ClusteredIndex
from raremine.brain.neighbors.exact_search import exact_neighbors
from raremine.brain.neighbors.finite import finite_rows
from raremine.brain.neighbors.graph import EXACT_LIMIT

METHODS = ("umap", "tsne", "pca")

PERPLEXITY = 5
MEDIAN_OF = 25
STEPS = 250
STEP_SIZE = 0.1
EXAGGERATION = 1.5
LARGEST_GRADIENT = 0.25
"""openTSNE's own settings of a partial embedding."""


def place(
    vectors: np.ndarray,
    points: np.ndarray,
    new: np.ndarray,
    method: str,
    *,
    seed: int = 42,
    exact: bool | None = None,
    neighbors: int | None = None,
) -> np.ndarray:
    """Places new vectors on the map of others.

    Args:
        vectors: (n, d) float that the map was made of, may be a memory map
        points: (n, 2) float, their map
        new: (m, d) float, may be a memory map
        method: "umap", "tsne" or "pca", what made the map
        seed (42): seed of whatever is random
        exact (None): how neighbours are searched, see ``neighbor_graph``
        neighbors (None): of a UMAP map, see ``umap_map``

    Returns:
        (m, 2) float64, NaN where the new vector is not finite

    Raises:
        RaremineError: if shapes do not match, the method is unknown, or no
            vector of the map is finite
    """
    known = _check(vectors, points, new, method)
    finite = finite_rows(new)
    if method == "pca":
        axes = _axes_of(vectors, points, known)
        return pca.project(new, axes, finite) + points[known].mean(axis=0)
    placed = np.full((len(new), 2), np.nan)
    if not finite.any():
        return placed
    base = vectors if known.all() else vectors[known]
    queries = new if finite.all() else new[finite]
    map_points = np.asarray(points[known], dtype=np.float64)
    count = umap.NEIGHBORS if neighbors is None else neighbors
    wanted = count if method == "umap" else MEDIAN_OF
    indices, distances = _search(
        queries, base, min(wanted, len(base)), exact, seed
    )
    if method == "tsne":
        placed[finite] = _place_tsne(map_points, indices, distances)
    else:
        placed[finite] = _place_umap(map_points, indices, distances, seed)
    return placed


def _check(
    vectors: np.ndarray, points: np.ndarray, new: np.ndarray, method: str
) -> np.ndarray:
    """Returns which rows have a vector and a point."""
    if method not in METHODS:
        raise RaremineError(
            f"Unknown map method '{method}'; choose {', '.join(METHODS)}."
        )
    if points.shape != (len(vectors), 2):
        raise RaremineError(
            f"A map of shape {points.shape} does not belong to "
            f"{len(vectors)} vectors; pass one point each."
        )
    if len(new) and new.shape[1] != vectors.shape[1]:
        raise RaremineError(
            f"Vectors of {new.shape[1]} dimensions have no place on a map of "
            f"vectors of {vectors.shape[1]}; embed the new objects with the "
            "embedder of the map, or make a new map."
        )
    known = finite_rows(vectors) & np.isfinite(points).all(axis=1)
    if not known.any():
        raise RaremineError(
            f"None of {len(vectors)} objects has a vector and a point, so "
            "there is no map to place others on; make a new map."
        )
    return known


def _search(
    queries: np.ndarray,
    base: np.ndarray,
    k: int,
    exact: bool | None,
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    if exact is None:
        # a few queries are answered before clusters are found
        exact = len(queries) * len(base) <= EXACT_LIMIT**2
    if exact:
        return exact_neighbors(queries, base, k)
    return ClusteredIndex(base, seed=seed).neighbors(queries, k)


def _place_tsne(
    points: np.ndarray, indices: np.ndarray, distances: np.ndarray
) -> np.ndarray:
    from openTSNE import PartialTSNEEmbedding, TSNEEmbedding
    from openTSNE.affinity import (
        PrecomputedAffinities,
        joint_probabilities_nn,
    )
    from scipy import sparse

    count, n = indices.shape[1], len(points)
    start = np.median(points[indices], axis=1)
    if n < tsne.SMALLEST:
        # these have no t-SNE map, only principal components
        return np.asarray(start)
    near = min(count, 3 * PERPLEXITY)
    matrix = joint_probabilities_nn(
        indices[:, :near],
        distances[:, :near],
        [min(PERPLEXITY, (near - 1) / 1.01)],
        symmetrize=False,
        normalization="point-wise",
        n_reference_samples=n,
    )
    middle = (points.max(axis=0) + points.min(axis=0)) / 2
    reference = TSNEEmbedding(
        points - middle, PrecomputedAffinities(sparse.eye_array(n).tocsr())
    )
    partial = PartialTSNEEmbedding(
        start - middle,
        reference,
        matrix.tocsr(),
        negative_gradient_method=PartialGradient(
            Repulsion().field_of(points - middle), points - middle
        ),
    )
    partial.optimize(
        STEPS,
        exaggeration=EXAGGERATION,
        learning_rate=STEP_SIZE,
        momentum=0.8,
        max_grad_norm=LARGEST_GRADIENT,
        max_step_norm=None,
        inplace=True,
        propagate_exception=True,
    )
    return np.asarray(partial) + middle


class PartialGradient:
    """Gradient of points that move among others that stay.

    Args:
        field: what the others exert
        others: (n, 2) float64, their points
    """

    def __init__(self, field: Field, others: np.ndarray) -> None:
        self._field = field
        self._others = np.ascontiguousarray(others)

    def __call__(
        self,
        embedding: np.ndarray,
        P: object,
        **_: object,
    ) -> tuple[float, np.ndarray]:
        """Returns 0 for the divergence, which nobody asks, and gradient."""
        matrix: Any = P
        points = np.ascontiguousarray(embedding).view(np.ndarray)
        force, weights = self._field.at(points)
        gradient = tsne.attraction()(
            matrix.indptr, matrix.indices, matrix.data, points, self._others
        )
        return 0.0, gradient - force / weights[:, None]


def _place_umap(
    points: np.ndarray,
    indices: np.ndarray,
    distances: np.ndarray,
    seed: int,
) -> np.ndarray:
    from scipy import sparse
    from umap.layouts import optimize_layout_euclidean
    from umap.umap_ import (
        compute_membership_strengths,
        make_epochs_per_sample,
        smooth_knn_dist,
    )

    m, count = indices.shape
    far = np.ascontiguousarray(distances, dtype=np.float32)
    sigmas, rhos = smooth_knn_dist(far, float(count), local_connectivity=0.0)
    rows, columns, values, _ = compute_membership_strengths(
        np.ascontiguousarray(indices, dtype=np.int32),
        far,
        sigmas,
        rhos,
        bipartite=True,
    )
    weights = sparse.coo_matrix(
        (values, (rows, columns)), shape=(m, len(points))
    )
    sums = np.asarray(weights.sum(axis=1)).ravel()
    start = (weights.tocsr() @ points) / np.maximum(sums, 1e-12)[:, None]
    # a vector that the map has already is where that one is
    same = far[:, 0] == 0
    start[same | (sums == 0)] = points[indices[same | (sums == 0), 0]]
    if len(points) < umap.SMALLEST:
        # these have no UMAP map, only principal components
        return np.asarray(start)
    epochs = 100 if m <= 10_000 else 30
    weights.data[weights.data < weights.data.max() / epochs] = 0
    weights.eliminate_zeros()
    a, b = umap.curve()
    state = np.random.RandomState(seed).randint(
        np.iinfo(np.int32).min + 1, np.iinfo(np.int32).max, 3
    )
    moved = optimize_layout_euclidean(
        start.astype(np.float32),
        points.astype(np.float32),
        weights.row,
        weights.col,
        epochs,
        len(points),
        make_epochs_per_sample(weights.data, epochs),
        a,
        b,
        state.astype(np.int64),
        1.0,
        0.25,
        umap.NEGATIVES,
        parallel=False,
        move_other=False,
    )
    moved = np.asarray(moved, dtype=np.float64)
    moved[same] = start[same]
    return moved


def _axes_of(
    vectors: np.ndarray, points: np.ndarray, known: np.ndarray
) -> pca.Axes:
    """Returns the axes that give vectors their points, by least squares.

    In the directions in which the vectors do not vary nothing is known, and
    the shortest axes have nothing there, as principal ones.
    """
    from scipy.linalg import eigh

    mean = pca.mean_of(vectors, known)
    middle = points[known].mean(axis=0)
    covariance = pca.cross_product(vectors, vectors, mean, mean, known)
    together = pca.cross_product(vectors, points, mean, middle, known)
    values, directions = eigh(covariance)
    real = values > max(values[-1], 0) * 1e-10
    directions = directions[:, real]
    axes = directions @ ((directions.T @ together) / values[real, None])
    return mean, axes
