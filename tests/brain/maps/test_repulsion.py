"""Repulsion by FFT: the same as summing all pairs, within a known error."""

from __future__ import annotations

import numpy as np
import pytest

from raremine.brain.maps import repulsion
from raremine.brain.maps.repulsion import Repulsion


def summed(
    points: np.ndarray, others: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The definition, pair by pair: forces and weights."""
    apart = points[:, None] - others
    weight = 1 / (1 + (apart**2).sum(axis=2))
    return (apart * (weight**2)[..., None]).sum(axis=1), weight.sum(axis=1)


def cloud(n: int, width: float, seed: int = 0) -> np.ndarray:
    """Clusters and single points, as on a map."""
    rng = np.random.default_rng(seed)
    centres = rng.uniform(-1, 1, (12, 2))
    points = centres[rng.integers(0, 12, n)] + rng.normal(0, 0.06, (n, 2))
    return points * width


def error(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


@pytest.mark.parametrize("n", [2, 40, 300, 301, 2000])
@pytest.mark.parametrize("width", [1e-4, 1.0, 20.0, 80.0])
def test_forces_and_weights_are_those_of_all_pairs(
    n: int, width: float
) -> None:
    points = cloud(n, width)
    forces, pairs = Repulsion().among(points)
    expected, weights = summed(points, points)
    # few points far apart are the worst case, most are below 0.03
    assert error(forces, expected) < 0.04
    assert pairs == pytest.approx(weights.sum() - n, rel=0.002)


def test_forces_cancel_and_a_mirrored_map_feels_mirrored_forces() -> None:
    points = cloud(1000, 30)
    forces, _ = Repulsion().among(points)
    assert np.abs(forces.sum(axis=0)).max() < 0.01 * np.abs(forces).sum()
    swapped, _ = Repulsion().among(points[:, ::-1])
    np.testing.assert_allclose(swapped[:, ::-1], forces, atol=1e-4)


def test_kernels_of_another_grid_are_not_used() -> None:
    one = Repulsion()
    for width in (1.0, 60.0, 1.0):
        points = cloud(500, width)
        np.testing.assert_array_equal(
            one.among(points)[0], Repulsion().among(points)[0]
        )


def test_blocks_of_points_change_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    points = cloud(1000, 30)
    expected = Repulsion().among(points)
    monkeypatch.setattr(repulsion, "POINTS_AT_ONCE", 64)
    forces, pairs = Repulsion().among(points)
    np.testing.assert_allclose(forces, expected[0], atol=1e-6)
    assert pairs == pytest.approx(expected[1])


def test_one_far_point_does_not_fill_the_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    points = np.vstack([cloud(500, 10), [[1e7, 0]]])
    grid = repulsion.grid_around(points)
    assert grid.nodes < 5000
    monkeypatch.setattr(repulsion, "MOST_NODES", 256)
    assert np.isfinite(Repulsion().among(points)[0]).all()


@pytest.mark.parametrize("width", [1.0, 60.0])
def test_points_that_stay_act_everywhere(width: float) -> None:
    points = cloud(1500, width)
    near = cloud(50, width, seed=5)
    forces, weights = Repulsion().field_of(points).at(near)
    expected, expected_weights = summed(near, points)
    assert error(forces, expected) < 0.04
    np.testing.assert_allclose(weights, expected_weights, rtol=0.01)
    far = np.array([[1e3, 0.0], [-1e9, 1e9]])
    forces, weights = Repulsion().field_of(points).at(far)
    assert np.isfinite(forces).all()
    assert (weights > 0).all()
