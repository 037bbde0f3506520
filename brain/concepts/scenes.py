"""How sure an object's group is, given what looks alike in its scene.

A scene shows the same things again and again: in the next keyframe, in the
next camera. One crop of a truck may be dark, cut or far away and be taken
for a car; its other sightings are not. What one crop says is therefore
weighed with what the crops that look like it say, in the same scene only: a
truck elsewhere tells nothing about this one.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from raremine.brain.concepts.evidence import BLOCK, CropVectors
from raremine.brain.concepts.term_vectors import unit_rows

NEIGHBOURS = 20
"""Crops of a scene that are listened to, the crop itself among them."""

SHARPNESS = 5.0
"""Decay of the weight with distance. Chosen on rendered worlds, where 3 to 8
do about the same."""

PAIRS_AT_ONCE = 1 << 24
"""Pairs of crops compared together: bounds the memory to 64 MB."""


def pool_in_scenes(
    scores: np.ndarray,
    crops: CropVectors,
    scene: np.ndarray,
    *,
    neighbours: int = NEIGHBOURS,
    sharpness: float = SHARPNESS,
) -> np.ndarray:
    """Averages scores over the crops of a scene that look alike.

    The Nadaraya-Watson estimate (Nadaraya, Theory Prob. Appl. 9, 1964) over
    the nearest crops of the scene, with the weight exp(-s (1 - c) / (1 - m)):
    c is the cosine of two crops and m that of two crops of the data set on
    average. So the weight is about how much more alike two crops are than
    any two, and the same setting does for embeddings that lie close together
    and for those that do not.

    Args:
        scores: (n, k) float, NaN rows for objects that are not judged: they
            stay NaN and are not listened to
        crops: the objects' vectors. An object without one keeps its scores.
        scene: (n,) str. An object without a scene ("") keeps its scores.
        neighbours (20): how many crops are listened to at most
        sharpness (5.0): s

    Returns:
        (n, k) float64
    """
    out = np.array(scores, dtype=np.float64)
    scene = np.asarray(scene).astype(str)
    judged = np.isfinite(out).all(axis=1) & (scene != "")
    place = np.flatnonzero(judged[crops.row])
    if not len(place):
        return out
    spread = 1 - _mean_cosine(crops.vectors, place)
    if spread < np.finfo(np.float32).eps:
        return out
    known = out.copy()
    for own in _by_scene(place, scene[crops.row[place]]):
        rows = crops.row[own]
        units = unit_rows(crops.vectors[own]).astype(np.float32)
        size = max(PAIRS_AT_ONCE // len(own), 1)
        for start in range(0, len(own), size):
            block = slice(start, start + size)
            cosine = units[block] @ units.T
            near = _largest(cosine, neighbours)
            distance = 1 - np.take_along_axis(cosine, near, axis=1)
            weight = np.exp(-sharpness * distance / spread, dtype=np.float64)
            weight /= weight.sum(axis=1, keepdims=True)
            out[rows[block]] = np.einsum(
                "bn,bnk->bk", weight, known[rows[near]]
            )
    return out


def _mean_cosine(vectors: np.ndarray, place: np.ndarray) -> float:
    """Returns the mean cosine of all pairs: the mean vector's length, squared.

    It is taken over blocks, so that a memory map is read forward.
    """
    total = np.zeros(vectors.shape[1])
    for start in range(0, len(place), BLOCK):
        units = unit_rows(vectors[place[start : start + BLOCK]])
        total += units.sum(axis=0, dtype=np.float64)
    mean = total / len(place)
    return float(mean @ mean)


def _by_scene(place: np.ndarray, scene: np.ndarray) -> Iterator[np.ndarray]:
    """Yields the places of each scene, ascending."""
    order = np.argsort(scene, kind="stable")
    _, starts = np.unique(scene[order], return_index=True)
    yield from np.split(place[order], starts[1:])


def _largest(values: np.ndarray, count: int) -> np.ndarray:
    """Returns the columns of each row's largest values, in any order."""
    if count >= values.shape[1]:
        return np.broadcast_to(np.arange(values.shape[1]), values.shape)
    found = np.argpartition(-values, count - 1, axis=1)
    return np.asarray(found[:, :count])
