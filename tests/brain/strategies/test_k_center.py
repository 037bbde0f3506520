"""k-center greedy: against the plain loop, on known worlds, degenerate."""

from __future__ import annotations

import numpy as np
import pytest

from raremine.brain.strategies import k_center as module
from raremine.brain.strategies.k_center import (
    covering_radius,
    k_center,
    on_grid,
    unit_rows,
    usable_rows,
)


def world(
    n: int = 600, d: int = 12, *, scenes: int = 30, noise: float = 0.2
) -> np.ndarray:
    """Frames around the place of each one's scene."""
    rng = np.random.default_rng(0)
    place = rng.normal(size=(scenes, d))[np.arange(n) * scenes // n]
    return np.asarray(place + rng.normal(0, noise, (n, d)))


def plain_loop(vectors: np.ndarray, first: list[int], count: int) -> list[int]:
    """The greedy as it is published, in exact whole numbers."""
    points = on_grid(vectors).astype(np.int64)
    chosen = list(first)
    gap = np.full(len(points), np.iinfo(np.int64).max)
    for row in chosen:
        gap = np.minimum(gap, ((points - points[row]) ** 2).sum(axis=1))
    while len(chosen) < len(first) + count:
        chosen.append(int(gap.argmax()))
        new = ((points - points[chosen[-1]]) ** 2).sum(axis=1)
        gap = np.minimum(gap, new)
    return chosen[len(first) :]


@pytest.fixture
def few_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cells already for few vectors, so that most rows know few centers."""
    monkeypatch.setattr(module, "DIRECT", 100)
    monkeypatch.setattr(module, "POOL", 24)
    monkeypatch.setattr(module, "PIVOTS", 20)
    monkeypatch.setattr(module, "NEAR", 2)


@pytest.mark.parametrize("pool", [4, 32, 1024])
def test_rounds_choose_what_the_plain_loop_chooses(
    monkeypatch: pytest.MonkeyPatch, pool: int
) -> None:
    monkeypatch.setattr(module, "POOL", pool)
    assert_greedy(world())


@pytest.mark.parametrize("scenes", [5, 30, 200])
def test_bounds_choose_what_the_plain_loop_chooses(
    few_told: None, scenes: int
) -> None:
    assert_greedy(world(scenes=scenes))


def assert_greedy(vectors: np.ndarray) -> None:
    order = k_center(vectors, 300, seed=3)
    first = int(order[0])
    assert order.tolist() == [first, *plain_loop(vectors, [first], 299)]
    for chosen in ([5, 77, 300], list(range(0, 600, 9))):
        given = k_center(vectors, 100, chosen=chosen)
        assert given.tolist() == plain_loop(vectors, chosen, 100)


@pytest.mark.parametrize("exact", [True, False])
def test_a_smaller_count_is_a_prefix_of_a_larger_one(
    few_told: None, exact: bool
) -> None:
    vectors = world(500)
    order = k_center(vectors, exact=exact, seed=1)
    assert sorted(order) == list(range(500))
    for count in (0, 1, 2, 19, 20, 21, 150):
        part = k_center(vectors, count, exact=exact, seed=1)
        assert part.tolist() == order[:count].tolist()


def test_the_fast_order_covers_nearly_as_well() -> None:
    vectors = world(6000, 32, scenes=300, noise=0.8)
    exact = k_center(vectors, 1800)
    fast = k_center(vectors, 1800, exact=False)
    assert fast[:512].tolist() == exact[:512].tolist()
    assert fast.tolist() != exact.tolist()
    for count in (600, 800, 1200, 1800):
        ratio = covering_radius(vectors, fast[:count]) / covering_radius(
            vectors, exact[:count]
        )
        assert ratio < 1.05
    # drawing as many covers far worse, so the ratio says something
    drawn = np.random.default_rng(0).permutation(6000)[:1200]
    assert covering_radius(vectors, drawn) > 1.1 * covering_radius(
        vectors, fast[:1200]
    )


def test_fast_with_more_centers_given_than_there_are_pivots() -> None:
    vectors = world(6000, 32, scenes=300, noise=0.8)
    chosen = np.arange(0, 6000, 7)
    exact = k_center(vectors, 300, chosen=chosen)
    fast = k_center(vectors, 300, chosen=chosen, exact=False)
    assert not set(fast) & set(chosen)
    assert len(set(fast)) == 300
    radius = [
        covering_radius(vectors, np.concatenate([chosen, order]))
        for order in (fast, exact)
    ]
    assert radius[1] <= radius[0] < 1.1 * radius[1]


def test_known_places() -> None:
    """Four directions; the duplicates of a chosen one are never wanted."""
    corner = np.eye(4, 3)
    corner[3] = [-1, 0, 0]
    vectors = np.repeat(corner, 3, axis=0) * ([[1.0], [5.0], [0.1]] * 4)
    order = k_center(vectors, chosen=[0])
    # opposite to the given one first, then the other two, then nobody
    assert order[0] // 3 == 3
    assert sorted(order // 3) == [1, 2, 3]
    assert covering_radius(vectors, np.array([0])) == pytest.approx(2)
    assert covering_radius(vectors, np.append(order, 0)) == pytest.approx(
        0, abs=1e-7
    )


def test_the_seed_draws_the_first_and_ties() -> None:
    firsts = {int(k_center(world(50), 1, seed=s)[0]) for s in range(40)}
    assert len(firsts) > 15
    alike = np.ones((30, 4))
    assert len({int(k_center(alike, 5, seed=s)[0]) for s in range(40)}) > 10


@pytest.mark.parametrize("exact", [True, False])
def test_degenerate_inputs(exact: bool) -> None:
    def order(vectors: np.ndarray, **more: object) -> list[int]:
        return k_center(vectors, exact=exact, **more).tolist()  # type: ignore[arg-type]

    assert order(np.zeros((0, 4))) == []
    assert order(np.ones((1, 4))) == [0]
    assert order(np.ones((1, 4)), chosen=[0]) == []
    assert sorted(order(np.eye(2))) == [0, 1]
    assert len(order(np.ones((5, 3)))) == 1
    assert order(np.zeros((3, 2))) == []
    broken = np.array([[1, 0], [np.nan, 1], [0, 1], [np.inf, 0], [0, 0]])
    assert sorted(order(broken)) == [0, 2]
    assert order(broken, chosen=[1, 3]) in ([0, 2], [2, 0])
    assert order(broken, chosen=[2, 0]) == []
    huge = np.array([[1e30, 0], [0, 1e-30]], dtype=np.float32)
    assert sorted(order(huge)) == [0, 1]
    assert order(np.eye(3), count=0) == []


def test_grid_products_are_exact_integers_in_any_order() -> None:
    rng = np.random.default_rng(0)
    for d in (2, 512, 1152):
        points = on_grid(rng.normal(size=(64, d)))
        squares = (points.astype(np.int64) ** 2).sum(axis=1)
        assert squares.max() <= 4096**2
        exact = points.astype(np.int64) @ points.T.astype(np.int64)
        np.testing.assert_array_equal(points @ points.T, exact)
        moved = points / np.linalg.norm(points, axis=1, keepdims=True)
        again = unit_rows(points)
        np.testing.assert_allclose(moved, again, atol=1e-6)
    # all numbers alike is where rounding lengthens a row the most
    points = on_grid(np.ones((1, 1000)))
    assert (points.astype(np.int64) ** 2).sum() <= 4096**2


def test_usable_rows() -> None:
    rows = np.array([[1.0, 0], [0, 0], [np.nan, 1], [np.inf, 1]])
    assert usable_rows(rows).tolist() == [True, False, False, False]
    assert np.isnan(covering_radius(rows, np.array([1])))
