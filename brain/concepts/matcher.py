"""Decides which concept a caption and a crop show: pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from raremine.brain.errors import RaremineError

WEIGHTINGS = ("calibrated", "fixed", "adaptive")

SURE = 0.95
"""Text probability of a concept that the caption names in so many words; the
rest is shared by the others, since a model can name the wrong thing."""


WEIGHTS = {"text": 0.5, "image": 1.0, "detector": 0.5, "size": 0.5}
"""Weights of the witnesses of a concept. A caption is made from the same crop
as the image's vector, so it counts half: it is no witness of its own. The
detector was trained for a few classes, and its confidence in one says little
of what else it could be; a size fits several concepts. Chosen on rendered
worlds."""

BLOCK = 65_536
"""Objects that are decided at a time."""

FLOOR = 0.01
"""Probability that every witness leaves to what it holds impossible."""


@dataclass(frozen=True)
class Match:
    """The decision for n objects.

    Attributes:
        best: (n,) int64 index of the best concept, -1 without evidence
        second: (n,) int64 index of the next, -1 without evidence
        score: (n,) float64 score of the best, NaN without evidence
        second_score: (n,) float64
        total: (n, c) float64 score of every concept, NaN without evidence
    """

    best: np.ndarray
    second: np.ndarray
    score: np.ndarray
    second_score: np.ndarray
    total: np.ndarray

    @property
    def margin(self) -> np.ndarray:
        """(n,) float64 best minus second score."""
        return self.score - self.second_score


def match(
    text_cosine: np.ndarray | None,
    image_cosine: np.ndarray | None,
    named: np.ndarray,
    *,
    weighting: str = "calibrated",
    logit_scale: float = 100.0,
    image_text_cosine: np.ndarray | None = None,
    weight: float = 0.5,
    detector: np.ndarray | None = None,
    size: np.ndarray | None = None,
    barred: np.ndarray | None = None,
) -> Match:
    """Joins text and image evidence and takes the best two concepts.

    ``fixed`` and ``adaptive`` are those of arXiv 2512.05482: s = w·cos(text,
    concept) + (1 − w)·cos(image, concept), with w = ``weight``, or
    w = clip(.2 + .6·clip((cos(image, text) + .2) / .7, 0, 1), .1, .8); a
    concept that the answer names exactly is taken as it is, with score 1.
    ``calibrated`` first turns each modality into probabilities, because
    text-text and image-text cosines live on different scales: a softmax with
    CLIP's own logit scale, and for the text ``SURE`` for a concept that it
    names. Where there is no caption, the detector's class is the text. Then
    text, image, detector and size are pooled as witnesses, see ``log_pool``.

    Args:
        text_cosine: (n, c) cosines of captions, NaN rows without one; None
            if text is no evidence
        image_cosine: (n, c) cosines of crops, NaN rows without a vector;
            None if images are no evidence
        named: (n,) int64 index of the concept that the answer names, or -1
        weighting: one of ``WEIGHTINGS``
        logit_scale: CLIP's
        image_text_cosine: (n,) cosine of crop and caption, for ``adaptive``
        weight: weight of the text against the image, for ``fixed``
        detector: (n, c) probabilities from ``detector_evidence``, NaN rows
            without; None if the detector is no evidence. Only
            ``calibrated`` uses them
        size: (n, c) probabilities from ``size_evidence``, NaN rows without;
            None if size is no evidence. Only ``calibrated`` uses them
        barred (None): (n, c) bool, concepts that a row cannot be

    Returns:
        a ``Match``

    Raises:
        RaremineError: if the weighting is unknown or there is no evidence
    """
    if weighting not in WEIGHTINGS:
        raise RaremineError(
            f"Unknown weighting '{weighting}'; choose {', '.join(WEIGHTINGS)}."
        )
    if text_cosine is None and image_cosine is None:
        raise RaremineError("There is neither text nor image evidence.")
    given = (
        *(text_cosine, image_cosine, named, image_text_cosine),
        *(detector, size, barred),
    )
    rows = len(named)
    blocks = []
    # every row is judged by itself: in blocks, its many intermediate
    # numbers do not all lie in memory for a million objects
    for start in range(0, max(rows, 1), BLOCK):
        text, image, name, agreement, detected, measured, never = (
            None if a is None else a[start : start + BLOCK] for a in given
        )
        assert name is not None
        if weighting == "calibrated":
            total = _calibrated(
                text, image, name, detected, measured, logit_scale
            )
        else:
            w: np.ndarray | float = weight
            if weighting == "adaptive" and agreement is not None:
                w = adaptive_weight(agreement)
            total = _published(text, image, name, w)
        if never is not None:
            total = _without(total, never, weighting)
        blocks.append(_top_two(total))
    return Match(
        *(
            np.concatenate([getattr(block, name) for block in blocks])
            for name in Match.__dataclass_fields__
        )
    )


def _calibrated(
    text_cosine: np.ndarray | None,
    image_cosine: np.ndarray | None,
    named: np.ndarray,
    detector: np.ndarray | None,
    size: np.ndarray | None,
    logit_scale: float,
) -> np.ndarray:
    witnesses = {}
    if text_cosine is not None:
        text = text_with_names(softmax(logit_scale * text_cosine), named)
        if detector is not None:
            text = np.where(np.isnan(text), detector, text)
        witnesses["text"] = text
    if image_cosine is not None:
        witnesses["image"] = softmax(logit_scale * image_cosine)
    if detector is not None:
        witnesses["detector"] = detector
    if size is not None:
        # a size tells which of two things it is, not what it is: without
        # any other witness there is no evidence
        seen = [np.isfinite(says).all(axis=1) for says in witnesses.values()]
        heard = np.any(seen, axis=0)[:, None]
        witnesses["size"] = np.where(heard, size, np.nan)
    return log_pool(witnesses)


def _published(
    text_cosine: np.ndarray | None,
    image_cosine: np.ndarray | None,
    named: np.ndarray,
    weight: np.ndarray | float,
) -> np.ndarray:
    parts: list[tuple[np.ndarray, np.ndarray | float]] = []
    if text_cosine is not None:
        parts.append((text_cosine, weight))
    if image_cosine is not None:
        parts.append((image_cosine, 1 - np.asarray(weight)))
    total = _weighted_mean(parts)
    rows = np.flatnonzero(named >= 0)
    total[rows, named[rows]] = 1.0
    return total


def _without(
    total: np.ndarray, barred: np.ndarray, weighting: str
) -> np.ndarray:
    """Takes concepts out; probabilities go to the others in proportion."""
    if weighting != "calibrated":
        # as far away as a cosine can be
        return np.where(barred & np.isfinite(total), -1.0, total)
    left = np.where(barred, 0.0, total)
    whole = left.sum(axis=1, keepdims=True)
    return np.asarray(left / np.where(whole > 0, whole, 1.0))


def detector_evidence(
    concept: np.ndarray, confidence: np.ndarray, count: int
) -> np.ndarray:
    """Turns the detector's class and confidence into probabilities.

    Args:
        concept: (n,) int64 concept of the detector's class, -1 = none
        confidence: (n,) detector's confidence in [0, 1], NaN counts as 0.5
        count: number of concepts

    Returns:
        (n, count) the confidence for that concept, the rest shared by the
        others; NaN rows where the class is no concept
    """
    sure = np.clip(np.nan_to_num(confidence, nan=0.5), 0, 1)
    out = np.repeat(((1 - sure) / max(count - 1, 1))[:, None], count, axis=1)
    rows = np.flatnonzero(concept >= 0)
    out[rows, concept[rows]] = sure[rows]
    out[concept < 0] = np.nan
    return np.asarray(out)


def log_pool(witnesses: Mapping[str, np.ndarray]) -> np.ndarray:
    """Pools what several witnesses say into one probability.

    The weighted sum of their logarithms (logarithmic opinion pool, Genest
    and Zidek, Statistical Science 1986): a concept must be plausible to all.
    ``FLOOR`` keeps one witness from ruling a concept out alone, and the
    weights of those that a row has are scaled so that its heaviest has 1.

    Args:
        witnesses: (n, c) probabilities by name in ``WEIGHTS``; a row of NaN
            has no such witness

    Returns:
        (n, c) probabilities, NaN rows without any witness
    """
    shape = next(iter(witnesses.values())).shape
    total, heaviest = np.zeros(shape), np.zeros((shape[0], 1))
    for name, says in witnesses.items():
        has = np.isfinite(says).all(axis=1, keepdims=True)
        weight = np.where(has, WEIGHTS[name], 0.0)
        total += weight * np.log(np.where(has, says, 1.0) + FLOOR)
        heaviest = np.maximum(heaviest, weight)
    total = np.where(heaviest > 0, total, np.nan)
    return softmax(total / np.where(heaviest > 0, heaviest, 1.0))


def adaptive_weight(image_text_cosine: np.ndarray) -> np.ndarray:
    """Returns the text's weight, larger when crop and caption agree.

    Args:
        image_text_cosine: (n,) cosine of crop and caption

    Returns:
        (n,) weights in [.1, .8] (arXiv 2512.05482)
    """
    q = np.clip((image_text_cosine + 0.2) / 0.7, 0, 1)
    return np.asarray(np.clip(0.2 + 0.6 * q, 0.1, 0.8))


def text_with_names(text: np.ndarray, named: np.ndarray) -> np.ndarray:
    """Gives ``SURE`` to the concept that a caption names.

    Args:
        text: (n, c) probabilities, NaN rows without a caption
        named: (n,) int64 index of the named concept, or -1

    Returns:
        (n, c) probabilities
    """
    out = text.copy()
    rows = np.flatnonzero(named >= 0)
    count = text.shape[1]
    out[rows] = (1 - SURE) / max(count - 1, 1)
    out[rows, named[rows]] = SURE
    return out


def softmax(logits: np.ndarray) -> np.ndarray:
    """Returns row-wise softmax; a row with NaN stays NaN."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


def _weighted_mean(
    parts: Sequence[tuple[np.ndarray, np.ndarray | float]],
) -> np.ndarray:
    """Sums the parts that a row has, NaN where it has none.

    A row without text is judged by its image alone and the other way round.
    """
    n, count = parts[0][0].shape
    total, found = np.zeros((n, count)), np.zeros((n, 1), dtype=bool)
    for values, weight in parts:
        has = np.isfinite(values).all(axis=1, keepdims=True)
        w = np.broadcast_to(np.asarray(weight, float).reshape(-1, 1), (n, 1))
        total += np.where(has, np.nan_to_num(values) * w, 0)
        found |= has
    return np.where(found, total, np.nan)


def _top_two(total: np.ndarray) -> Match:
    n = len(total)
    rows = np.arange(n)
    known = np.isfinite(total).all(axis=1)
    filled = np.where(np.isfinite(total), total, -np.inf)
    # stable: of equal concepts the earlier in the vocabulary wins
    order = np.argsort(-filled, axis=1, kind="stable")[:, :2]
    best, second = order[:, 0], order[:, 1]
    return Match(
        np.where(known, best, -1),
        np.where(known, second, -1),
        np.where(known, total[rows, best], np.nan),
        np.where(known, total[rows, second], np.nan),
        total,
    )
