"""Charts draw the numbers they are given, also odd ones."""

from __future__ import annotations

import re

import numpy as np
import pytest

from raremine.brain.report.charts import (
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Bar,
    Line,
    bars,
    histogram,
    line_chart,
    stacked_bar,
)


def a_line(y: list[float], spread: list[float]) -> Line:
    x, means = np.linspace(0, 1, len(y)), np.array(y)
    low, high = means - np.array(spread), means + np.array(spread)
    return Line("<ours>", "default", x, means, low, high, "50%")


def test_a_line_goes_from_corner_to_corner() -> None:
    nan = float("nan")
    chart = line_chart(
        [a_line([0, 0.5, 1], [nan] * 3)],
        x_max=1,
        x_title="x",
        y_title="y",
        description="d",
    )
    points = re.findall(r'polyline points="([^"]+)"', chart)[0].split()
    first, last = (tuple(map(float, p.split(","))) for p in points[::2])
    assert first[0] == LEFT
    assert last == (WIDTH - RIGHT, TOP)
    assert "polygon" not in chart
    assert "&lt;ours&gt;" in chart


def test_a_band_stays_inside_the_axes() -> None:
    chart = line_chart(
        [a_line([0, 1], [0.5, 0.5])],
        x_max=1,
        x_title="x",
        y_title="y",
        description="d",
    )
    points = re.findall(r'polygon points="([^"]+)"', chart)[0].split()
    heights = [float(p.split(",")[1]) for p in points]
    assert min(heights) >= TOP
    assert "nan" not in chart


def test_a_line_without_a_number_is_left_out() -> None:
    chart = line_chart(
        [a_line([float("nan")] * 3, [0, 0, 0])],
        x_max=0.45,
        x_title="x",
        y_title="y",
        description="d",
    )
    assert "polyline" not in chart


@pytest.mark.parametrize("value", [0.0, 1.0, 3.0, 12345.0])
def test_bars_of_a_histogram_add_up(value: float) -> None:
    edges = np.array([0.0, 1.0, 2.0])
    stacks = {
        "common": np.array([value, 0]),
        "target": np.array([value, value]),
    }
    chart = histogram(
        edges, stacks, x_title="x", y_title="y", description="d"
    )
    rects = re.findall(r"<rect [^>]+>", chart)
    heights = [
        float(h) for r in rects for h in re.findall(r' height="([^"]+)"', r)
    ]
    if not value:
        assert not heights
        return
    # the first bin is twice the second, and fills the chart
    assert heights[0] == pytest.approx(heights[1], abs=0.2)
    assert heights[1] == pytest.approx(heights[2], abs=0.2)


def test_lengths_stay_within_their_track() -> None:
    drawn = bars(
        [Bar("a", [("target", 1.7)], "1"), Bar("b", [("rare", -1)], "2"),
         Bar("c", [("rare", float("nan"))], "3", 0.25)]
    )
    assert re.findall(r"width:([\d.]+)%", drawn) == ["100.00", "0.00", "0.00"]
    assert "left:25.00%" in drawn


def test_parts_of_a_whole_are_named() -> None:
    drawn = stacked_bar([("rare", "R&D", 0.25), ("common", "rest", 0.75)])
    assert "R&amp;D · 25.0%" in drawn
