"""Measured sizes as evidence of a concept."""

from __future__ import annotations

import numpy as np

from raremine.brain.concepts.sizes import SeenSize, Size, size_evidence

CAR = Size((1.35, 2.1), (1.5, 5.2))
TRUCK = Size((1.7, 4.0), (1.8, 12.0))
BICYCLE = Size((0.9, 1.9), (0.4, 2.0))


def seen(*sizes: tuple[float, float], cut: bool = False) -> SeenSize:
    height, width = np.array(sizes, dtype=float).reshape(-1, 2).T
    return SeenSize(
        height, width, np.full(len(height), cut), np.full(len(height), cut)
    )


def test_what_no_car_can_be_is_a_truck() -> None:
    found = size_evidence(
        seen((3.0, 6.0), (1.5, 4.4), (1.1, 1.7)), [CAR, TRUCK, BICYCLE]
    )
    assert found is not None
    assert found.argmax(axis=1).tolist() == [1, 0, 2]
    assert found.max(axis=1).min() > 0.6
    np.testing.assert_allclose(found.sum(axis=1), 1)


def test_a_part_of_a_truck_may_be_small() -> None:
    # as high as a car: a hidden truck is possible, a bicycle is not
    whole, cut = (
        size_evidence(seen((1.0, 3.0), cut=cut), [CAR, TRUCK, BICYCLE])
        for cut in (False, True)
    )
    assert whole is not None
    assert cut is not None
    assert cut[0, 1] > whole[0, 1]
    # but what is seen is never larger than all of it
    large = size_evidence(seen((3.5, 3.0), cut=True), [CAR, TRUCK])
    assert large is not None
    assert large[0, 1] > 0.9


def test_no_measure_and_no_size_say_nothing() -> None:
    found = size_evidence(
        seen((np.nan, np.nan), (0.0, 2.0), (1.5, 4.4)), [CAR, TRUCK, None]
    )
    assert found is not None
    assert np.isnan(found[:2]).all()
    # a concept without a size is neither helped nor harmed
    row = found[2]
    assert row[1] < row[2] < row[0]
    np.testing.assert_allclose(row[2] ** 2, row[0] * row[1])
    assert size_evidence(seen((1.5, 4.4)), [None, None]) is None


def test_one_side_alone_may_be_given() -> None:
    tall, flat = Size(height=(2.5, 4.0)), Size(height=(0.5, 1.0))
    found = size_evidence(seen((3.0, 1.0), (0.7, 9.0)), [tall, flat])
    assert found is not None
    assert found.argmax(axis=1).tolist() == [0, 1]


def test_evidence_is_never_certain() -> None:
    rng = np.random.default_rng(0)
    sizes = [
        (float(h), float(w)) for h, w in np.exp(rng.normal(0, 3, (200, 2)))
    ]
    found = size_evidence(seen(*sizes), [CAR, TRUCK, BICYCLE])
    assert found is not None
    assert np.isfinite(found).all()
    assert found.min() > 0
