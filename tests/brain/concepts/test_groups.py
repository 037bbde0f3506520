from __future__ import annotations

import numpy as np

from raremine.brain.concepts.groups import group_score, groups_by_score

TARGETS = np.array([True, True, False])


def test_probabilities_of_a_group_add_up() -> None:
    total = np.array([[0.4, 0.35, 0.25], [np.nan] * 3])
    scores = group_score(total, TARGETS, "calibrated")
    np.testing.assert_allclose(scores, [0.75, np.nan])


def test_of_cosines_the_highest_counts_within_bounds() -> None:
    total = np.array([[0.3, 0.2, 0.9], [-0.4, -0.1, 0.2], [1.0, 1.2, 0.0]])
    scores = group_score(total, TARGETS, "fixed")
    np.testing.assert_allclose(scores, [0.3, 0.0, 1.0])


def test_a_group_without_concepts_scores_nothing() -> None:
    total = np.array([[0.5, 0.3, 0.2], [np.nan] * 3])
    nobody = np.zeros(3, dtype=bool)
    np.testing.assert_allclose(
        group_score(total, nobody, "calibrated"), [0.0, np.nan]
    )


def test_only_what_is_sure_enough_enters_a_group() -> None:
    target = np.array([0.7, 0.4, 0.4, 0.1, np.nan])
    rare = np.array([0.1, 0.35, 0.2, 0.8, np.nan])
    assert groups_by_score(target, rare, 0.7) == [
        *("target", "rare", "common", "rare", "common")
    ]
