"""Two scores of all objects, counted in one pass on a grid.

The grid gives both histograms, and for any pair of thresholds on it how many
objects lie beyond one, the other, or both: nothing is asked again while a
threshold moves.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import fiftyone as fo
import numpy as np

from raremine.brain.overview.conditions import AT_LEAST, BELOW, Condition
from raremine.brain.overview.counts import GROUPS
from raremine.brain.overview.fields import MinedField
from raremine.brain.overview.parts import run_in_parts
from raremine.brain.overview.pipelines import images_with, objects, run

BINS = 80
SAMPLED_IMAGES = 4_000
"""The grid's range is seen on so many images at random, or on all there
are: the tail of a score with far outliers would squeeze all others into one
bin."""

TAIL = 0.002
"""Share of the sampled values that may lie beyond either end."""

LEAST = -1e308
"""Below any score; infinity is no number in JSON."""

_NO_GROUP = len(GROUPS)


@dataclass(frozen=True)
class Axis:
    """The bins of one score.

    The first and the last bin also hold what lies beyond the grid.

    Attributes:
        name: the score
        low: lower end of the first bin
        step: width of a bin
        bins: how many
        edges: (bins,) float64, the smallest number that falls into each bin:
            ``score >= edges[b]`` is true for exactly the objects of bin b
            and above
    """

    name: str
    low: float
    step: float
    bins: int
    edges: tuple[float, ...]

    def place(self, number: int) -> float:
        """Returns where a bin begins, as it is written for people."""
        return float(f"{self.low + number * self.step:.10g}")

    def nearest(self, value: float) -> int:
        """Returns the bin that begins nearest to a number."""
        number = round((value - self.low) / self.step)
        return min(max(number, 0), self.bins - 1)


@dataclass(frozen=True)
class Grid:
    """Objects by their bins of two scores and by group.

    Attributes:
        axes: one or two axes
        counts: (a + 1, b + 1, 4) int64; the last row and column are objects
            without that score, the last layer those without a group
    """

    axes: tuple[Axis, ...]
    counts: np.ndarray

    def histogram(self, at: int) -> dict[str, np.ndarray]:
        """Returns the histogram of one score by group.

        Args:
            at: 0 or 1, which axis

        Returns:
            group → (bins,) int64; "" = without a group; groups without any
            object are left out
        """
        of_axis = self.counts.sum(axis=1 - at)[:-1]
        names = (*GROUPS, "")
        return {
            name: of_axis[:, layer]
            for layer, name in enumerate(names)
            if of_axis[:, layer].any()
        }

    def totals(self, at: int) -> np.ndarray:
        """Returns the (bins,) int64 objects of each bin, all groups."""
        found: np.ndarray = self.counts.sum(axis=(1 - at, 2))[:-1]
        return found

    def beyond(self, *bins: int | None) -> int:
        """Counts the objects at or above a bin of each score.

        Args:
            *bins: the first bin that counts on each axis, None = any, also
                objects without that score
        """
        cut = self.counts
        for at, first in enumerate(bins):
            if first is not None:
                stop = self.axes[at].bins
                cut = np.take(cut, range(first, stop), axis=at)
        return int(cut.sum())

    def scored(self, at: int) -> int:
        """Counts the objects that have a score at all."""
        return int(self.totals(at).sum())


def make_axis(name: str, values: np.ndarray, bins: int = BINS) -> Axis:
    """Lays out the bins of a score.

    Args:
        name: the score
        values: some or all of its values; NaN is left out
        bins (80): about how many bins, at most twice as many

    Returns:
        an axis whose step is 1, 2 or 5 times a power of ten
    """
    finite = values[np.isfinite(values)]
    low, high = 0.0, 1.0
    if len(finite):
        low, high = np.quantile(finite, [0.0, 1.0])
        # only a tail that is far away is cut off
        inner = np.quantile(finite, [TAIL, 1 - TAIL])
        spread = inner[1] - inner[0]
        if spread > 0:
            low = max(low, inner[0] - spread)
            high = min(high, inner[1] + spread)
    step = _nice_step(float(high - low) / bins)
    start = math.floor(low / step)
    count = max(math.floor(high / step) - start + 1, 1)
    edges = [_first_of(start * step, step, at) for at in range(count)]
    return Axis(name, start * step, step, count, tuple(edges))


def count_grid(
    dataset: fo.Dataset, field: MinedField, names: Sequence[str]
) -> Grid:
    """Counts one or two scores of all objects.

    Args:
        dataset: the root dataset
        field: the mined field
        names: one or two scores
    """
    sampled = _sample(dataset, field, names)
    axes = tuple(make_axis(name, sampled[name]) for name in names)
    path = f"{field.name}.detections"
    group = f"${path}.group" if field.has("group") else None
    keys: dict[str, Any] = {
        f"b{at}": _bin(f"${path}.{axis.name}", axis)
        for at, axis in enumerate(axes)
    }
    rows = run_in_parts(
        dataset,
        [
            *objects(field.name, [*names, "group"]),
            {"$group": {"_id": {**keys, "g": group}, "n": {"$sum": 1}}},
        ],
    )
    shape = [axis.bins + 1 for axis in axes] + [1] * (2 - len(axes))
    counts = np.zeros((*shape, len(GROUPS) + 1), dtype=np.int64)
    layers = {name: layer for layer, name in enumerate(GROUPS)}
    for row in rows:
        # objects without a score stand last, which is what -1 addresses
        place = [int(row["_id"][key]) for key in keys]
        place += [0] * (2 - len(axes))
        layer = layers.get(row["_id"].get("g"), _NO_GROUP)
        cell = (*place, layer)
        counts[cell] += row["n"]
    return Grid(axes, counts)


def bin_conditions(axis: Axis, number: int) -> tuple[Condition, ...]:
    """Returns what an object of one bin has to be.

    Args:
        axis: of the score
        number: the bin
    """
    conditions = []
    if number > 0:
        edge = axis.edges[number]
        conditions.append(Condition(axis.name, AT_LEAST, edge))
    if number < axis.bins - 1:
        edge = axis.edges[number + 1]
        conditions.append(Condition(axis.name, BELOW, edge))
    return tuple(conditions) or beyond_conditions(axis, 0)


def beyond_conditions(axis: Axis, number: int) -> tuple[Condition, ...]:
    """Returns what an object of a bin or above has to be."""
    edge = axis.edges[number] if number else LEAST
    return (Condition(axis.name, AT_LEAST, edge),)


def _sample(
    dataset: fo.Dataset, field: MinedField, names: Sequence[str]
) -> dict[str, np.ndarray]:
    path = f"{field.name}.detections"
    stages: list[dict[str, Any]] = [
        {"$match": images_with(field.name)},
        {"$project": {f"{path}.{name}": 1 for name in names}},
    ]
    samples = dataset._sample_collection.estimated_document_count()
    if samples > SAMPLED_IMAGES:
        # a little more: slices without images are among those drawn
        stages.insert(0, {"$sample": {"size": SAMPLED_IMAGES}})
    values: dict[str, list[float]] = {name: [] for name in names}
    for row in run(dataset, stages):
        for one in row[field.name]["detections"]:
            for name in names:
                value = one.get(name)
                values[name].append(math.nan if value is None else value)
    return {name: np.array(column) for name, column in values.items()}


def _bin(value: str, axis: Axis) -> dict[str, Any]:
    """The bin of a score as MongoDB works it out, -1 without a number."""
    place = {
        "$floor": {"$divide": [{"$subtract": [value, axis.low]}, axis.step]}
    }
    inside = {"$max": [0, {"$min": [axis.bins - 1, place]}]}
    # NaN and missing values sort below every number
    return {"$cond": [{"$gte": [value, LEAST]}, inside, -1]}


def _first_of(low: float, step: float, number: int) -> float:
    """Returns the smallest number that falls into a bin or above.

    Rounding puts it a little beside ``low + number * step``. Bins grow with
    the score, so halving finds it.
    """
    below = low + (number - 0.5) * step
    above = low + (number + 0.5) * step
    while True:
        middle = below + (above - below) / 2
        if middle in (below, above):
            return above
        if math.floor((middle - low) / step) >= number:
            above = middle
        else:
            below = middle


def _nice_step(width: float) -> float:
    if not width > 0:
        return 1e-3
    power = 10.0 ** math.floor(math.log10(width))
    return next(power * f for f in (1, 2, 5, 10) if width <= power * f * 1.001)
