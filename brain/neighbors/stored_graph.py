"""Neighbour graphs kept on the disk, so that each is computed once.

Scoring outliers, scoring them again with another threshold and laying out a
map need the same graph. It is kept under a digest of the vectors and of how
they were searched: other vectors, another place in the file or another
version of the search never find it.
"""

from __future__ import annotations

import hashlib
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np

from raremine.brain.home import raremine_home
from raremine.brain.neighbors.finite import ROWS_AT_ONCE
from raremine.brain.neighbors.graph import (
    EXACT_LIMIT,
    NeighborGraph,
    neighbor_graph,
)

FORMAT = 1
"""To be raised whenever the search changes: older files are not found."""

WORTH_KEEPING = 5000
"""Vectors below which a graph is computed faster than looked for."""

NARROWEST = 100
"""Neighbours that are always kept: as many as ``score_outliers`` asks for by
default, and enough for t-SNE and UMAP, so that one graph serves them all.

Cutting the same graph down gives the same neighbours whoever asked first; a
graph of just k, searched approximately, might differ in a few."""

KEPT = 4
"""Graphs kept; the one that was used longest ago goes first."""


def stored_graph(
    vectors: np.ndarray,
    k: int,
    *,
    exact: bool | None = None,
    seed: int = 42,
    folder: str | Path | None = None,
) -> NeighborGraph:
    """Returns what ``neighbor_graph`` returns, from the disk if it can.

    Args:
        vectors: (n, d) float32, may be a memory map
        k: neighbours
        exact (None): how to search, see ``neighbor_graph``
        seed (42): seed of the clusters
        folder (None): where graphs are kept, None = ``graphs`` in
            ``raremine_home()``

    Raises:
        RaremineError: if k is below 1
    """
    if len(vectors) < WORTH_KEEPING or k < 1:
        return neighbor_graph(vectors, k, exact=exact, seed=seed)
    width = max(k, NARROWEST)
    if exact is None:
        exact = len(vectors) <= EXACT_LIMIT
    home = raremine_home() / "graphs" if folder is None else Path(folder)
    path = home / f"{_digest(vectors, width, exact, seed)}.npz"
    graph = _read(path, len(vectors))
    if graph is None:
        graph = neighbor_graph(vectors, width, exact=exact, seed=seed)
        _write(path, graph)
    return graph.nearest(k)


def _digest(vectors: np.ndarray, k: int, exact: bool, seed: int) -> str:
    # an exact graph does not depend on a seed
    settings = (FORMAT, vectors.shape, k, exact, None if exact else seed)
    digest = hashlib.blake2b(repr(settings).encode(), digest_size=16)
    for start in range(0, len(vectors), ROWS_AT_ONCE):
        part = vectors[start : start + ROWS_AT_ONCE]
        block = np.ascontiguousarray(part, dtype=np.float32)
        digest.update(block.tobytes())
    return digest.hexdigest()


def _read(path: Path, count: int) -> NeighborGraph | None:
    """Returns a graph, None if there is none that can be read."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            graph = NeighborGraph(
                archive["indices"],
                archive["distances"],
                archive["finite"],
                bool(archive["exact"]),
            )
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile):
        return None
    if len(graph) != count or graph.indices.shape != graph.distances.shape:
        return None
    path.touch()
    return graph


def _write(path: Path, graph: NeighborGraph) -> None:
    """Keeps a graph; a full disk or a folder without rights is no error."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            dir=path.parent, suffix=".partial", delete=False
        ) as partial:
            try:
                np.savez(
                    partial,
                    indices=graph.indices,
                    distances=graph.distances,
                    finite=graph.finite,
                    exact=np.array(graph.exact),
                )
                partial.close()
                Path(partial.name).replace(path)
            except BaseException:
                Path(partial.name).unlink(missing_ok=True)
                raise
        kept = sorted(
            path.parent.glob("*.npz"),
            key=lambda one: one.stat().st_mtime,
            reverse=True,
        )
        # what a killed process left; a living one ends within a day
        yesterday = time.time() - 86_400
        left = [
            one
            for one in path.parent.glob("*.partial")
            if one.stat().st_mtime < yesterday
        ]
        for old in (*kept[KEPT:], *left):
            old.unlink(missing_ok=True)
    except OSError:
        return
