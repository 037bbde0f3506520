"""Matching: exact words, published weightings, calibrated probabilities."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from raremine.brain.concepts.matcher import (
    SURE,
    WEIGHTINGS,
    adaptive_weight,
    log_pool,
    match,
    softmax,
)
from raremine.brain.concepts.term_vectors import term_vectors, unit_rows
from raremine.brain.concepts.vocabulary import load_vocabulary
from raremine.brain.errors import RaremineError

NONE = np.array([-1, -1])


TEXT = np.array([[0.9, 0.6, 0.1], [0.5, 0.7, 0.2]])
IMAGE = np.array([[0.2, 0.3, 0.1], [0.4, 0.1, 0.3]])


def test_the_fixed_weighting_of_the_paper() -> None:
    # row 0: .55 .45 .1, row 1: .45 .4 .25
    found = match(TEXT, IMAGE, NONE, weighting="fixed")
    assert found.best.tolist() == [0, 0]
    assert found.second.tolist() == [1, 1]
    np.testing.assert_allclose(found.score, [0.55, 0.45])
    np.testing.assert_allclose(found.margin, [0.1, 0.05])
    found = match(TEXT, IMAGE, NONE, weighting="fixed", weight=0.9)
    np.testing.assert_allclose(found.score, [0.83, 0.64])
    assert found.best.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("cosine", "weight"),
    [
        (-1.0, 0.2),
        (-0.2, 0.2),
        (0.15, 0.5),
        (0.29, 0.62),
        (0.5, 0.8),
        (1.0, 0.8),
    ],
)
def test_the_adaptive_weight_of_the_paper(
    cosine: float, weight: float
) -> None:
    np.testing.assert_allclose(adaptive_weight(np.array([cosine])), [weight])


def test_the_adaptive_weighting_of_the_paper() -> None:
    agreement = np.array([0.5, -0.2])  # weights .8 and .2
    found = match(
        TEXT, IMAGE, NONE, weighting="adaptive", image_text_cosine=agreement
    )
    # row 0: .76 .54 .1, row 1: .42 .22 .28
    assert found.best.tolist() == [0, 0]
    assert found.second.tolist() == [1, 2]
    np.testing.assert_allclose(found.score, [0.76, 0.42])
    np.testing.assert_allclose(found.second_score, [0.54, 0.28])


@pytest.mark.parametrize("weighting", ["fixed", "adaptive"])
def test_an_exact_answer_is_taken_as_the_concept(weighting: str) -> None:
    found = match(
        TEXT,
        IMAGE,
        np.array([2, -1]),
        weighting=weighting,
        image_text_cosine=np.array([0.3, 0.3]),
    )
    assert found.best[0] == 2
    assert found.score[0] == 1
    assert found.score[1] < 1


COSINES = arrays(
    float, st.tuples(st.integers(1, 6), st.just(4)), elements=st.floats(-1, 1)
)


@given(COSINES, st.floats(1, 100))
def test_calibrated_scores_are_probabilities(
    cosines: np.ndarray, scale: float
) -> None:
    named = np.full(len(cosines), -1)
    found = match(cosines, cosines[::-1], named, logit_scale=scale)
    assert ((found.score >= 0.25 - 1e-9) & (found.score <= 1 + 1e-9)).all()
    assert (found.margin >= 0).all()
    assert (found.score + found.second_score <= 1 + 1e-9).all()


@given(COSINES)
def test_calibration_knows_no_offset(cosines: np.ndarray) -> None:
    # text-text and image-text cosines differ by a shift above all
    named = np.full(len(cosines), -1)
    plain = match(cosines, None, named, logit_scale=20)
    shifted = match(cosines + 0.7, None, named, logit_scale=20)
    np.testing.assert_allclose(plain.score, shifted.score, atol=1e-9)


def test_calibrated_numbers() -> None:
    text, image = np.array([[0.3, 0.2, 0.1]]), np.array([[0.1, 0.3, 0.1]])
    e = np.exp
    text_p = np.array([e(3), e(2), e(1)]) / (e(3) + e(2) + e(1))
    image_p = np.array([e(1), e(3), e(1)]) / (e(1) + e(3) + e(1))
    # logarithmic pool: text counts half, the image once, floor .01
    pool = np.sqrt(text_p + 0.01) * (image_p + 0.01)
    pool = pool[0] if pool.ndim > 1 else pool
    found = match(text, image, np.array([-1]), logit_scale=10)
    assert found.best[0] == 1
    np.testing.assert_allclose(found.total[0], pool / pool.sum())
    np.testing.assert_allclose(found.score, pool[1] / pool.sum())
    np.testing.assert_allclose(found.second_score, pool[0] / pool.sum())
    # the caption names the third: .95 for it, the rest shared
    named_p = np.array([(1 - SURE) / 2, (1 - SURE) / 2, SURE])
    pool = np.sqrt(named_p + 0.01) * (image_p + 0.01)
    found = match(text, image, np.array([2]), logit_scale=10)
    np.testing.assert_allclose(found.total[0], pool / pool.sum())
    # a detector that is sure of the first counts half, and so does a size
    detector = np.array([[0.9, 0.05, 0.05]])
    pool = pool * np.sqrt(detector[0] + 0.01)
    found = match(
        text, image, np.array([2]), logit_scale=10, detector=detector
    )
    np.testing.assert_allclose(found.total[0], pool / pool.sum())
    size = np.array([[0.1, 0.1, 0.8]])
    pool = pool * np.sqrt(size[0] + 0.01)
    found = match(
        *(text, image, np.array([2])),
        **{"logit_scale": 10, "detector": detector, "size": size},
    )
    np.testing.assert_allclose(found.total[0], pool / pool.sum())


def test_no_witness_rules_a_concept_out_alone() -> None:
    says = {
        "image": np.array([[1.0, 0.0]]),
        "detector": np.array([[0.02, 0.98]]),
    }
    pooled = log_pool(says)
    first, second = 1.01 * np.sqrt(0.03), 0.01 * np.sqrt(0.99)
    np.testing.assert_allclose(
        pooled[0], np.array([first, second]) / (first + second)
    )


@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_a_barred_concept_is_as_if_it_was_not_there(weighting: str) -> None:
    rng = np.random.default_rng(3)
    text, image = rng.uniform(0, 1, (2, 6, 4))
    image[4] = text[4] = np.nan
    settings = {"weighting": weighting, "logit_scale": 5.0}
    named = np.full(6, -1)
    barred = np.zeros((6, 4), dtype=bool)
    barred[:3, 1] = True
    found = match(text, image, named, **settings, barred=barred)
    free = match(text, image, named, **settings)
    assert 1 not in found.best[:3]
    assert 1 not in found.second[:3]
    np.testing.assert_allclose(found.total[3:], free.total[3:])
    others = [0, 2, 3]
    left = free.total[:3, others]
    if weighting == "calibrated":
        left = left / left.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found.total[:3, others], left)


def test_a_size_alone_decides_nothing() -> None:
    nan = np.full((1, 3), np.nan)
    found = match(
        *(nan, nan, np.array([-1])),
        **{"detector": nan, "size": np.array([[0.1, 0.1, 0.8]])},
    )
    assert found.best[0] == -1
    assert np.isnan(found.total).all()


def test_a_row_is_judged_by_what_it_has() -> None:
    nan = np.full(3, np.nan)
    text = np.stack([TEXT[0], nan, nan])
    image = np.stack([nan, IMAGE[1], nan])
    named = np.array([-1, -1, -1])
    found = match(text, image, named, logit_scale=10)
    alone = match(TEXT[:1], None, named[:1], logit_scale=10)
    np.testing.assert_allclose(found.score[0], alone.score[0])
    image_alone = match(None, IMAGE[1:], named[:1], logit_scale=10)
    np.testing.assert_allclose(found.score[1], image_alone.score[0])
    assert found.best.tolist() == [0, 0, -1]
    assert found.second[2] == -1
    assert np.isnan(found.score[2])
    assert np.isnan(found.margin[2])


def test_of_equal_concepts_the_first_in_the_vocabulary_wins() -> None:
    found = match(np.ones((1, 3)), None, np.array([-1]))
    assert (found.best[0], found.second[0]) == (0, 1)


@pytest.mark.parametrize("weighting", ["calibrated", "fixed", "adaptive"])
def test_no_objects(weighting: str) -> None:
    none = np.empty((0, 3))
    found = match(
        none,
        none,
        np.empty(0, int),
        weighting=weighting,
        image_text_cosine=np.empty(0),
    )
    assert found.best.shape == (0,)


def test_mistakes_are_told() -> None:
    with pytest.raises(RaremineError, match="'magic'; choose calibrated"):
        match(TEXT, IMAGE, NONE, weighting="magic")
    with pytest.raises(RaremineError, match="neither text nor image"):
        match(None, None, NONE)


def test_the_best_term_of_a_concept_speaks_for_it() -> None:
    words = load_vocabulary(
        {
            "templates": ["a {}", "one {}"],
            "concepts": [{"name": "car"}, {"name": "tram", "fine": ["train"]}],
        }
    )
    seen = []

    def embed(texts: list[str]) -> np.ndarray:
        seen.extend(texts)
        angle = {"car": 0.0, "tram": 1.0, "train": 2.0}
        angles = [
            angle[text.split()[1]] + (0.2 if text[:3] == "one" else 0)
            for text in texts
        ]
        return np.column_stack([np.cos(angles), np.sin(angles)])

    terms = term_vectors(words, embed)
    assert seen[:2] == ["a car", "one car"]
    assert terms.concept.tolist() == [0, 1, 1]
    np.testing.assert_allclose(np.linalg.norm(terms.vectors, axis=1), 1)
    # the mean of the two templates lies half way between them
    query = np.array([[np.cos(2.1), np.sin(2.1)]])
    np.testing.assert_allclose(
        terms.cosines(query), [[np.cos(2.0), 1.0]], atol=1e-6
    )


def test_rows_of_length_one_and_softmax() -> None:
    rows = unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]]))
    np.testing.assert_allclose(rows, [[0.6, 0.8], [0, 0]])
    np.testing.assert_allclose(softmax(np.array([[1000.0, 1000.0]])), 0.5)


def test_a_concept_may_have_templates_of_its_own() -> None:
    words = load_vocabulary(
        {
            "templates": ["a {}", "the {}"],
            "concepts": [
                {"name": "car", "fine": ["van"]},
                {"name": "debris", "templates": ["{} lying on the road"]},
            ],
        }
    )
    asked: list[str] = []

    def embed(texts: list[str]) -> np.ndarray:
        asked.extend(texts)
        # each text has an axis of its own
        return np.eye(len(texts), dtype=np.float32)

    terms = term_vectors(words, embed)
    assert asked == [
        *("a car", "the car", "a van", "the van"),
        "debris lying on the road",
    ]
    half = np.sqrt(0.5)
    expected = [[half, half, 0, 0, 0], [0, 0, half, half, 0], [0, 0, 0, 0, 1]]
    np.testing.assert_allclose(terms.vectors, expected, rtol=1e-6)
    assert terms.concept.tolist() == [0, 0, 1]
    asked.clear()
    term_vectors(words, embed, templates=False)
    assert asked == ["car", "van", "debris"]
