"""What an object's size in metres says about its concept.

A caption and a crop know shapes and colours; that a "truck" is as high as a
car they cannot see. A size that was measured is a witness of its own: no
model is behind it that could have learnt the same mistake.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SPREAD = 0.12
"""Standard deviation of the logarithm of a measured size: a box by a
detector and a depth by LiDAR are a tenth off together."""

PARTLY = 0.2
"""Share of boxes that show a part of their object only, the rest being
hidden. Their size says no more than that the object is not smaller."""

CUT = 0.8
"""The same share where the image's edge cuts the box."""

ELSEWHERE = 0.03
"""Share of boxes whose size says nothing: points of something else, a box
around two objects."""

Range = tuple[float, float]


@dataclass(frozen=True)
class Size:
    """How large objects of a concept are, in metres, as seen from a street.

    Attributes:
        height: least and most, None = it says nothing
        width: least and most across the image, from whichever side
    """

    height: Range | None = None
    width: Range | None = None


@dataclass(frozen=True)
class SeenSize:
    """What is seen of n objects.

    Attributes:
        height: (n,) float metres, NaN = not measured
        width: (n,) float metres
        cut_above: (n,) bool, the image ends above or below the box
        cut_aside: (n,) bool, the image ends beside the box
    """

    height: np.ndarray
    width: np.ndarray
    cut_above: np.ndarray
    cut_aside: np.ndarray


def size_evidence(
    seen: SeenSize, sizes: Sequence[Size | None]
) -> np.ndarray | None:
    """Turns measured sizes into probabilities of the concepts.

    Every concept's logarithmic size is taken as even between its least and
    most, with normal flanks; some boxes show only a part (any part is equally
    likely), and some mislead. Height and width are taken as independent.

    Args:
        seen: the objects
        sizes: one a concept, None = the vocabulary does not say; such a
            concept gets what the others get on average

    Returns:
        (n, c) float64 probabilities, NaN rows for what was not measured;
        None if no concept has a size
    """
    known = np.array([s is not None for s in sizes], dtype=bool)
    if not known.any():
        return None
    total = np.full((len(seen.height), len(sizes)), np.nan)
    for place, size in enumerate(sizes):
        if size is not None:
            total[:, place] = _log_likelihood(
                seen.height, size.height, seen.cut_above
            ) + _log_likelihood(seen.width, size.width, seen.cut_aside)
    total[:, ~known] = total[:, known].mean(axis=1, keepdims=True)
    total -= total.max(axis=1, keepdims=True)
    likely = np.exp(total)
    return np.asarray(likely / likely.sum(axis=1, keepdims=True))


def _log_likelihood(
    value: np.ndarray, limits: Range | None, cut: np.ndarray
) -> np.ndarray:
    """Returns the log density of the logarithm of a size."""
    measured = np.where(np.isfinite(value) & (value > 0), value, np.nan)
    if limits is None:
        return np.where(np.isnan(measured), np.nan, np.log(ELSEWHERE))
    seen = np.log(measured)
    low, high = np.log(limits)
    off = np.maximum(np.maximum(low - seen, seen - high), 0.0)
    area = (high - low) + SPREAD * np.sqrt(2 * np.pi)
    whole = np.exp(-0.5 * (off / SPREAD) ** 2) / area
    # any part of it is equally likely: uniform in metres up to the most
    part = np.where(seen < high, np.exp(seen - high), 0.0)
    partly = np.where(cut, CUT, PARTLY)
    return np.asarray(
        np.log(
            (1 - partly - ELSEWHERE) * whole
            + partly * part
            + ELSEWHERE * _EVEN
        )
    )


_EVEN = 0.1
"""Density of sizes that say nothing: even over a factor of some 20,000."""
