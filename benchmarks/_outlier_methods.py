"""One way of scoring outliers, on made-up vectors, in a process of its own.

The vectors are synthetic: unit vectors around cluster centres of very unequal
sizes, with a share of points that belong to no cluster. Real crops differ.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

K = 20
"""scikit-learn's own default for LOF, for all that stand side by side."""

DEFAULT_METHODS = ("knn", "class_rarity")
DEFAULT_K = 100
"""What ``score_outliers`` does unless told otherwise."""

SEED = 42


def write_vectors(path: Path, count: int, dimensions: int = 512) -> None:
    """Writes clustered unit vectors, block by block.

    Args:
        path: a .npy file, (count, dimensions) float32
        count: vectors
        dimensions (512): as CLIP ViT-B/32's
    """
    rng = np.random.default_rng(SEED)
    centres = rng.normal(size=(200, dimensions)).astype(np.float32)
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    sizes = 1.0 / np.arange(1, len(centres) + 1)
    # crops of one kind differ in few ways: a subspace for each cluster
    ways = rng.normal(size=(len(centres), 16, dimensions)).astype(np.float32)
    ways /= np.sqrt(dimensions)
    vectors = np.lib.format.open_memmap(
        path, mode="w+", dtype=np.float32, shape=(count, dimensions)
    )
    for start in range(0, count, 10_000):
        rows = min(10_000, count - start)
        kind = rng.choice(len(centres), rows, p=sizes / sizes.sum())
        block = centres[kind]
        within = rng.normal(size=(rows, 16)).astype(np.float32) * 0.25
        for name in np.unique(kind):
            own = kind == name
            block[own] += within[own] @ ways[name]
        noise = rng.normal(size=(rows, dimensions)).astype(np.float32)
        spread = np.where(rng.random(rows) < 0.01, 0.04, 0.012)
        block += noise * spread[:, None].astype(np.float32)
        block /= np.linalg.norm(block, axis=1, keepdims=True)
        vectors[start : start + rows] = block
    vectors.flush()


def _graph(vectors: np.ndarray, exact: bool | None, k: int = K) -> Any:
    from raremine.brain.neighbors.graph import neighbor_graph

    return neighbor_graph(vectors, k, exact=exact)


def ours_graph(vectors: np.ndarray) -> dict[str, np.ndarray]:
    """The neighbour graph alone, as the size decides."""
    return {"kth": _graph(vectors, None).distances[:, -1]}


def ours_wide_graph(vectors: np.ndarray) -> dict[str, np.ndarray]:
    """A graph of the default's neighbours, which serves the maps too."""
    return {"kth": _graph(vectors, None, DEFAULT_K).distances[:, -1]}


def ours_exact_graph(vectors: np.ndarray) -> dict[str, np.ndarray]:
    """The neighbour graph alone, exact."""
    return {"kth": _graph(vectors, True).distances[:, -1]}


def ours(
    vectors: np.ndarray, *methods: str, exact: bool | None = None, k: int = K
) -> dict[str, np.ndarray]:
    """Methods over one graph, as the stage calls them."""
    from raremine.brain.outliers.scoring import SCORERS, ScoringInput

    labels = np.array(["car", "truck"], object)[np.arange(len(vectors)) % 2]
    inputs = ScoringInput(
        vectors, labels, k=k, seed=SEED, exact=exact, methods=methods
    )
    return {name: SCORERS[name](inputs) for name in methods}


def sklearn_knn(vectors: np.ndarray) -> dict[str, np.ndarray]:
    """scikit-learn's NearestNeighbors."""
    from sklearn.neighbors import NearestNeighbors

    search = NearestNeighbors(n_neighbors=K, n_jobs=-1).fit(vectors)
    return {"knn": search.kneighbors()[0].mean(axis=1)}


def sklearn_lof(vectors: np.ndarray) -> dict[str, np.ndarray]:
    """scikit-learn's LocalOutlierFactor."""
    from sklearn.neighbors import LocalOutlierFactor

    model = LocalOutlierFactor(n_neighbors=K, n_jobs=-1).fit(vectors)
    return {"lof": -model.negative_outlier_factor_}


def sklearn_isolation_forest(vectors: np.ndarray) -> dict[str, np.ndarray]:
    """scikit-learn's IsolationForest."""
    from sklearn.ensemble import IsolationForest

    forest = IsolationForest(random_state=SEED).fit(vectors)
    return {"isolation_forest": -forest.score_samples(vectors)}


def ours_map(vectors: np.ndarray, method: str) -> dict[str, np.ndarray]:
    """A map, its neighbour graph included."""
    from raremine.brain.maps.pca import pca_map
    from raremine.brain.maps.tsne import tsne_map
    from raremine.brain.maps.umap import umap_map

    if method == "pca":
        return {"points": pca_map(vectors)}
    if method == "tsne":
        return {"points": tsne_map(vectors, seed=SEED)}
    return {"points": umap_map(vectors, seed=SEED)}


def sklearn_tsne(vectors: np.ndarray) -> dict[str, np.ndarray]:
    """scikit-learn's t-SNE as it comes, 1000 iterations of Barnes-Hut."""
    from sklearn.manifold import TSNE

    return {"points": TSNE(random_state=SEED).fit_transform(vectors)}


def umap_learn(vectors: np.ndarray) -> dict[str, np.ndarray]:
    """umap-learn as it comes, with a seed as ours."""
    import umap

    model = umap.UMAP(random_state=SEED, n_jobs=1)
    return {"points": model.fit_transform(vectors)}


Way = Callable[[np.ndarray], Mapping[str, np.ndarray]]

WAYS: dict[str, Way] = {
    "graph": ours_graph,
    "graph of 100": ours_wide_graph,
    "exact graph": ours_exact_graph,
    "isolation_forest": lambda x: ours(x, "isolation_forest"),
    "knn": lambda x: ours(x, "knn"),
    "lof": lambda x: ours(x, "lof"),
    "class_lof": lambda x: ours(x, "class_lof"),
    "class_rarity": lambda x: ours(x, "class_rarity"),
    "default": lambda x: ours(x, *DEFAULT_METHODS, k=DEFAULT_K),
    "set": lambda x: ours(x, "isolation_forest", "knn", "lof"),
    "exact set": lambda x: ours(
        x, "isolation_forest", "knn", "lof", exact=True
    ),
    "tsne_knn": lambda x: ours(x, "tsne_knn"),
    "umap_knn": lambda x: ours(x, "umap_knn"),
    "map pca": lambda x: ours_map(x, "pca"),
    "map tsne": lambda x: ours_map(x, "tsne"),
    "map umap": lambda x: ours_map(x, "umap"),
    "sklearn tsne": sklearn_tsne,
    "umap-learn": umap_learn,
    "sklearn knn": sklearn_knn,
    "sklearn lof": sklearn_lof,
    "sklearn isolation_forest": sklearn_isolation_forest,
}
"""Names of ways; those of scikit-learn begin with its name, maps of ours with
"map"."""


def _import_first(way: str) -> None:
    """Imports are no part of scoring."""
    import scipy.spatial  # noqa: F401
    import sklearn.ensemble
    import sklearn.neighbors

    if not way.startswith("sklearn"):
        import faiss  # noqa: F401

        import raremine.brain.outliers.scoring
    if way.startswith("map"):
        import raremine.brain.maps.placing  # noqa: F401
    if "umap" in way:
        import umap  # noqa: F401
    if "tsne" in way:
        import openTSNE  # noqa: F401
        import sklearn.manifold  # noqa: F401


def main() -> None:
    """Scores a file of vectors in one way and keeps the scores."""
    from benchmarks._measure import tell

    way, path, scores_path = sys.argv[1:]
    _import_first(way)
    vectors = np.load(path, mmap_mode="r")
    kept: dict[str, np.ndarray] = {}

    def work() -> dict[str, Any]:
        kept.update(WAYS[way](vectors))
        return {"objects": len(vectors)}

    tell(work)
    np.savez(scores_path, **kept)


if __name__ == "__main__":
    main()
