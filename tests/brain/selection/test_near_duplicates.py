"""Near duplicates: compared in blocks, exactly, on any machine."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raremine.brain.selection import near_duplicates
from raremine.brain.selection.near_duplicates import NearDuplicates


def clusters(n: int, d: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    centers = random.normal(size=(max(n // 6, 1), d))
    noise = 0.15 * random.normal(size=(n, d))
    return centers[random.integers(0, len(centers), n)] + noise


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 80),
    st.sampled_from([2, 16, 300]),
    st.integers(0, 1000),
    st.sampled_from([0.7, 0.9, 0.98]),
    st.integers(1, 20),
)
def test_greedy_choice_is_that_of_all_pairs(
    n: int, d: int, seed: int, limit: float, block: int
) -> None:
    vectors = clusters(n, d, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(near_duplicates, "BLOCK", block)
        near = NearDuplicates(vectors.astype(np.float32), limit)
        # some rows chosen by others, who ask about nobody
        chosen = list(range(0, n, 7))
        for row in chosen:
            near.choose(row)
        random = np.random.default_rng(seed)
        order = random.permutation(n)
        near.expect(order if seed % 2 else random.permutation(n))
        for row in order.tolist():
            if row not in chosen and not near.is_near(row):
                near.choose(row)
                chosen.append(row)

    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = units @ units.T
    taken = set(range(0, n, 7))
    for row in order.tolist():
        if row in taken:
            continue
        largest = max((cosines[row, t] for t in taken), default=-1.0)
        if abs(largest - limit) < 0.002:
            return  # within the rounding: both answers are right
        assert (row in chosen) == (largest <= limit)
        if largest <= limit:
            taken.add(row)


def test_a_block_holds_rows_that_know_of_the_same_choices(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A row that comes along must not miss what was chosen before."""
    monkeypatch.setattr(near_duplicates, "BLOCK", 3)
    vectors = np.eye(11)
    vectors[3] = vectors[0]
    near = NearDuplicates(vectors, 0.9)
    near.expect(np.array([1, 2, 3]))
    for row in (0, 4, 5, 6):
        near.choose(row)
    assert not near.is_near(1)  # row 2 comes along, row 3 does not
    for row in (7, 8, 9, 10):
        near.choose(row)
    assert not near.is_near(2)
    assert near.is_near(3)


def test_sums_are_whole_numbers_that_float32_holds() -> None:
    """So a cosine does not depend on the order of a machine's sums."""
    vectors = clusters(50, 512, 1)
    codes = NearDuplicates(vectors, 0.9)._codes
    assert codes.dtype == np.float32
    assert (codes == np.rint(codes)).all()
    sums = codes.astype(np.float64) @ codes.T.astype(np.float64)
    assert np.abs(sums).max() < 2**24
    for turn in range(5):
        mixed = np.random.default_rng(turn).permutation(512)
        again = codes[:, mixed] @ codes[:, mixed].T
        assert (again == sums).all()
    lengths = np.linalg.norm(vectors, axis=1)
    true = (vectors @ vectors.T) / np.outer(lengths, lengths)
    lengths = np.linalg.norm(codes.astype(np.float64), axis=1)
    assert np.abs(sums / np.outer(lengths, lengths) - true).max() < 0.001


def test_equal_vectors_are_near_at_any_limit() -> None:
    vector = np.random.default_rng(0).normal(size=(1, 512))
    near = NearDuplicates(np.repeat(vector, 2, axis=0), 0.99999)
    near.choose(0)
    assert near.is_near(1)


def test_lengths_do_not_matter() -> None:
    near = NearDuplicates(np.array([[1e-3, 0], [50, 0.1], [0, 7]]), 0.9)
    near.choose(0)
    assert near.is_near(1)
    assert not near.is_near(2)
