"""How much a selection repeats itself, and how even its classes are."""

from __future__ import annotations

import numpy as np
import pytest

from raremine.brain.evaluation import redundancy as module
from raremine.brain.evaluation.balance import class_divergence
from raremine.brain.evaluation.redundancy import Redundancy


def plain(vectors: np.ndarray, rows: np.ndarray) -> float:
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosine = units[rows] @ units[rows].T
    np.fill_diagonal(cosine, -np.inf)
    return float(cosine.max(axis=1).mean())


@pytest.mark.parametrize("neighbors", [1, 5, 64])
def test_as_if_all_were_compared(
    neighbors: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where hardly any selected frame is a neighbour of another."""
    monkeypatch.setattr(module, "NEIGHBORS", neighbors)
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(300, 12)) * rng.gamma(2, 2, size=(300, 1))
    order = rng.permutation(300)
    found = Redundancy(vectors).of(order, [2, 10, 90, 300])
    expected = [plain(vectors, order[:k]) for k in (2, 10, 90, 300)]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_same_picture_twice() -> None:
    vectors = np.eye(5)[[0, 0, 1, 2, 3]] * 7
    found = Redundancy(vectors).of(np.arange(5), [0, 1, 2, 3, 5])
    np.testing.assert_allclose(
        found, [np.nan, np.nan, 1, 2 / 3, 2 / 5], atol=1e-6
    )


def test_frames_without_an_embedding_do_not_count() -> None:
    vectors = np.eye(4, 3)
    vectors[[1, 3]] = [[np.nan] * 3, [0, 0, 0]]
    found = Redundancy(vectors).of(np.arange(4), [2, 4])
    np.testing.assert_allclose(found, [np.nan, 0], atol=1e-6)
    nothing = Redundancy(np.full((3, 2), np.nan)).of(np.arange(3), [3])
    assert np.isnan(nothing).all()


def test_class_divergence_by_hand() -> None:
    assert class_divergence(np.array([3, 3, 3])) == 0
    assert class_divergence(np.array([9, 0, 0])) == pytest.approx(np.log(3))
    # ln 2 - H(1/4)
    entropy = -(0.25 * np.log(0.25) + 0.75 * np.log(0.75))
    assert class_divergence(np.array([1, 3])) == pytest.approx(
        np.log(2) - entropy
    )
    assert np.isnan(class_divergence(np.zeros(3)))
    table = np.array([[1, 1], [5, 0]])
    np.testing.assert_allclose(class_divergence(table), [0, np.log(2)])
