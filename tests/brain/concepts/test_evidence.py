"""Captions and crops against concepts: blocks and gaps change nothing."""

from __future__ import annotations

import numpy as np
import pytest

from raremine.brain.concepts import evidence, matcher
from raremine.brain.concepts.evidence import CropVectors, caption_cosines
from raremine.brain.concepts.matcher import match
from raremine.brain.concepts.term_vectors import TermVectors, unit_rows

TERMS = TermVectors(
    np.array([[1, 0], [0, 1], [0.6, 0.8]], np.float32), np.array([0, 1, 1]), 2
)


class Texts:
    """Encodes "a b" as the direction (a, b) and counts what it encoded."""

    logit_scale = 100.0

    def __init__(self) -> None:
        self.encoded: list[str] = []

    def embed_texts(self, texts: list[str]) -> np.ndarray:
        self.encoded += texts
        return unit_rows(np.array([t.split() for t in texts], float))


CAPTIONS = ["3 4", None, "1 0", "3 4", "0 1", "1 0"]
CROPS = CropVectors(
    np.array([[2.0, 0], [0, 5], [3, 4], [0.5, 0]]), np.array([0, 2, 3, 5]), 6
)


@pytest.mark.parametrize("block", [1, 2, 4, 100])
def test_known_cosines_in_any_block(
    monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(evidence, "BLOCK", block)
    nan = [np.nan] * 2
    np.testing.assert_allclose(
        CROPS.cosines(TERMS),
        [[1, 0.6], nan, [0, 1], [0.6, 1], nan, [1, 0.6]],
    )
    texts = Texts()
    cosine, agreement = caption_cosines(CAPTIONS, TERMS, texts, CROPS)
    np.testing.assert_allclose(
        cosine, [[0.6, 1], nan, [1, 0.6], [0.6, 1], [0, 1], [1, 0.6]]
    )
    # crop 0 is (1, 0): cosine to (.6, .8); crop 2 is (0, 1) to (1, 0); …
    np.testing.assert_allclose(agreement, [0.6, 0, 0, 1, 0, 1])
    if block > len(CAPTIONS):
        assert sorted(texts.encoded) == ["0 1", "1 0", "3 4"]


def test_no_vectors_and_no_captions() -> None:
    crops = CropVectors(np.zeros((0, 2)), np.zeros(0, np.int64), 3)
    assert np.isnan(crops.cosines(TERMS)).all()
    cosine, agreement = caption_cosines([None] * 3, TERMS, Texts(), crops)
    assert np.isnan(cosine).all() and cosine.shape == (3, 2)
    assert agreement is not None and agreement.tolist() == [0, 0, 0]
    cosine, agreement = caption_cosines(["1 0"], TERMS, Texts(), crops)
    assert agreement is not None and agreement.tolist() == [0]
    assert caption_cosines([], TERMS, Texts())[0].shape == (0, 2)


@pytest.mark.parametrize("weighting", ["calibrated", "fixed", "adaptive"])
def test_objects_are_decided_one_by_one(
    monkeypatch: pytest.MonkeyPatch, weighting: str
) -> None:
    rng = np.random.default_rng(0)
    text, image = rng.uniform(-1, 1, (2, 9, 4))
    text[3] = np.nan
    given = {
        "weighting": weighting,
        "image_text_cosine": rng.uniform(-1, 1, 9),
        "detector": rng.dirichlet(np.ones(4), 9),
    }
    named = np.array([-1, 2, -1, -1, 0, -1, -1, -1, 3])
    whole = match(text, image, named, **given)
    monkeypatch.setattr(matcher, "BLOCK", 2)
    blocks = match(text, image, named, **given)
    for name in whole.__dataclass_fields__:
        np.testing.assert_array_equal(
            getattr(whole, name), getattr(blocks, name)
        )
