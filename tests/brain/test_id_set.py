"""Packed sets of ids behave like sets of texts."""

from __future__ import annotations

import numpy as np
from bson import ObjectId
from hypothesis import given
from hypothesis import strategies as st

from raremine.brain.id_set import IdSet

# ids that end in zero bytes are the trap: NumPy cuts those off
IDS = st.binary(min_size=1, max_size=2).map(
    lambda b: (b.ljust(6, b"\0") * 2).hex()
)


@given(st.lists(IDS), st.lists(IDS))
def test_it_is_a_set(ours: list[str], theirs: list[str]) -> None:
    a, b = IdSet(ours), IdSet(theirs)
    assert set(a) == set(ours)
    assert len(a) == len(set(ours))
    assert set(a & b) == set(ours) & set(theirs)
    assert set(a | b) == set(ours) | set(theirs)
    assert set(a - b) == set(ours) - set(theirs)
    asked = [ObjectId(one) for one in theirs]
    np.testing.assert_array_equal(
        a.has(asked), np.array([one in set(ours) for one in theirs], bool)
    )


def test_random_ids_are_told_apart() -> None:
    ids = [ObjectId() for _ in range(1000)]
    half = IdSet(str(one) for one in ids[::2])
    assert half.has(ids).tolist() == [True, False] * 500
    assert not IdSet().has(ids).any()
