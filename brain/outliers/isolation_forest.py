"""Isolation Forest (Liu, Ting, Zhou: Isolation Forest, ICDM 2008).

scikit-learn grows the forest; it is walked here, in plain arrays, so that a
fitted forest can be stored without pickles and scores the same afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from raremine.brain.neighbors.finite import score_finite

STEPS_AT_ONCE = 1 << 16
"""Pairs of vector and tree walked together: they fit a core's cache."""


@dataclass(frozen=True)
class IsolationTrees:
    """The trees of a forest, as arrays over all their nodes.

    Args:
        roots: (t,) int32 first node of each tree
        feature: (m,) int32 component a node splits by, 0 in leaves
        threshold: (m,) float64, a vector goes left if its component is <= it
        children: (m, 2) int32 left and right node, a leaf's is itself
        path_length: (m,) float64 of leaves: edges to the root plus the
            c(size) of equation 1 for the vectors left in it
        levels: edges of the longest path
        expected: c(size of a tree's sample)
    """

    roots: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    children: np.ndarray
    path_length: np.ndarray
    levels: int
    expected: float

    def scores(self, vectors: np.ndarray) -> np.ndarray:
        """Returns the paper's equation 2.

        Args:
            vectors: (n, d) finite float

        Returns:
            (n,) float64 in (0, 1], higher = more unusual
        """
        trees = len(self.roots)
        mean = np.empty(len(vectors))
        step = max(1, STEPS_AT_ONCE // trees)
        for start in range(0, len(vectors), step):
            # scikit-learn's trees compare float32 components as well
            block = np.ascontiguousarray(
                vectors[start : start + step], dtype=np.float32
            )
            width = block.shape[1]
            first = (np.arange(len(block)) * width)[:, None]
            components = block.ravel()
            node = np.broadcast_to(self.roots, (len(block), trees))
            for _ in range(self.levels):
                value = components[first + self.feature[node]]
                right = value > self.threshold[node]
                node = self.children[node, right.view(np.int8)]
            mean[start : start + step] = self.path_length[node].mean(axis=1)
        return np.asarray(2.0 ** (-mean / self.expected))


def grow_trees(
    vectors: np.ndarray, *, trees: int = 100, seed: int = 42
) -> IsolationTrees:
    """Grows a forest with scikit-learn.

    Args:
        vectors: (n, d) finite float, n >= 2
        trees (100): trees of the forest, each on up to 256 vectors
        seed (42): seed of the forest
    """
    from sklearn.ensemble import IsolationForest

    forest = IsolationForest(
        n_estimators=trees, max_samples="auto", random_state=seed
    ).fit(vectors)
    parts = [estimator.tree_ for estimator in forest.estimators_]
    sizes = np.array([tree.node_count for tree in parts])
    roots = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int32)
    children, lengths = [], []
    for root, tree in zip(roots, parts, strict=True):
        pair = np.stack([tree.children_left, tree.children_right], axis=1)
        leaf = pair[:, 0] < 0
        pair[leaf] = np.flatnonzero(leaf)[:, None]
        children.append(pair + root)
        lengths.append(
            _depths(pair, leaf) + _average_path(tree.n_node_samples)
        )
    return IsolationTrees(
        roots,
        np.maximum(np.concatenate([t.feature for t in parts]), 0).astype(
            np.int32
        ),
        np.concatenate([t.threshold for t in parts]),
        np.concatenate(children).astype(np.int32),
        np.concatenate(lengths),
        max(tree.max_depth for tree in parts),
        float(_average_path(np.array([forest.max_samples_]))[0]),
    )


def isolation_forest_scores(
    vectors: np.ndarray, *, trees: int = 100, seed: int = 42
) -> np.ndarray:
    """Scores each vector by how quickly random splits isolate it.

    Args:
        vectors: (n, d) float
        trees (100): trees of the forest, each on up to 256 vectors
        seed (42): seed of the forest

    Returns:
        (n,) float64 anomaly score s(x) of the paper's equation 2, in (0, 1],
        higher = more unusual; 0 where there is no other vector, NaN where
        the vector is not finite
    """

    def scores(known: np.ndarray) -> np.ndarray:
        if len(known) < 2:
            return np.zeros(len(known))
        return grow_trees(known, trees=trees, seed=seed).scores(known)

    return score_finite(vectors, scores)


def _depths(children: np.ndarray, leaf: np.ndarray) -> np.ndarray:
    """Returns the edges from the root to each node."""
    depth = np.zeros(len(children))
    # a parent is always stored before its children
    for node in np.flatnonzero(~leaf):
        depth[children[node]] = depth[node] + 1
    return depth


def _average_path(size: np.ndarray) -> np.ndarray:
    """Returns c(size) of equation 1: an unsuccessful search's mean path."""
    size = np.asarray(size, dtype=np.float64)
    length = np.zeros(len(size))
    length[size == 2] = 1.0
    more = size > 2
    length[more] = (
        2 * (np.log(size[more] - 1) + np.euler_gamma)
        - 2 * (size[more] - 1) / size[more]
    )
    return length
