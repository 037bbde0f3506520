"""Charts as inline SVG and HTML bars: pure functions on numbers.

Colours are classes whose values the style sheet sets for light and dark, so
a chart follows the reader's theme without being drawn twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from raremine.brain.report.html import Html, element, join, percent

WIDTH, HEIGHT = 640, 390
LEFT, RIGHT, TOP, BOTTOM = 70, 22, 14, 60


@dataclass(frozen=True)
class Line:
    """A line of a chart with its band.

    Attributes:
        label: its name
        style: class of the style sheet, such as "default" or "other-1"
        x: (p,) abscissae, ascending
        y: (p,) means
        low: (p,) lower edge of the band, NaN where there is none
        high: (p,) upper edge
        value (""): what stands behind its name
    """

    label: str
    style: str
    x: np.ndarray
    y: np.ndarray
    low: np.ndarray
    high: np.ndarray
    value: str = ""


def line_chart(
    lines: Sequence[Line],
    *,
    x_max: float,
    x_title: str,
    y_title: str,
    mark: float | None = None,
    description: str,
) -> Html:
    """Draws shares against shares, with a key of the lines.

    Args:
        lines: what to draw, the most important last
        x_max: right end of the axis
        x_title: what is below
        y_title: what is at the left
        mark (None): abscissa of a vertical rule
        description: what a reader who cannot see the chart is told
    """
    plot_w, plot_h = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def at(x: float, y: float) -> tuple[float, float]:
        return LEFT + x / x_max * plot_w, TOP + (1 - y) * plot_h

    parts: list[Html] = []
    for tick in np.linspace(0, 1, 6):
        _, y = at(0, tick)
        parts.append(_rule(LEFT, y, WIDTH - RIGHT, y, "grid"))
        parts.append(_label(LEFT - 8, y + 4, percent(tick), "end"))
    for tick in _ticks(x_max):
        x, y = at(tick, 0)
        parts.append(_label(x, y + 22, percent(tick), "middle"))
        parts.append(_rule(x, y, x, y + 5, "axis"))
    parts.append(
        _label(LEFT + plot_w / 2, HEIGHT - 6, x_title, "middle", "title")
    )
    parts.append(
        element(
            "text",
            y_title,
            class_="title upright",
            text_anchor="middle",
            transform=f"translate(14 {TOP + plot_h / 2:.1f}) rotate(-90)",
        )
    )
    if mark is not None and mark < x_max:
        x, bottom = at(mark, 0)
        parts.append(_rule(x, TOP, x, bottom, "mark"))
    for line in lines:
        shown = np.isfinite(line.y) & (line.x <= x_max + 1e-9)
        if not shown.any():
            continue
        x, y = line.x[shown], np.clip(line.y[shown], 0, 1)
        edges = np.stack([line.low[shown], line.high[shown]])
        edges = np.where(np.isfinite(edges), edges, y)
        if (edges[0] < edges[1]).any():
            top = [at(*p) for p in _pairs(x, edges[1])]
            low = [at(*p) for p in _pairs(x, edges[0])]
            parts.append(
                element(
                    "polygon",
                    points=_points([*top, *low[::-1]]),
                    class_=f"band {line.style}",
                )
            )
        parts.append(
            element(
                "polyline",
                points=_points([at(*p) for p in _pairs(x, y)]),
                class_=f"line {line.style}",
            )
        )
    key = element(
        "div",
        (
            element(
                "span",
                element(
                    "svg",
                    _rule(0, 6, 26, 6, f"line {line.style}"),
                    viewBox="0 0 26 12",
                    class_="swatch",
                    aria_hidden="true",
                ),
                line.label,
                element("b", line.value),
            )
            for line in reversed(lines)
        ),
        class_="key",
    )
    return join(_svg(parts, description), key)


def histogram(
    edges: np.ndarray,
    stacks: Mapping[str, np.ndarray],
    *,
    x_title: str,
    y_title: str,
    description: str,
) -> Html:
    """Draws stacked counts of equal-width bins.

    Args:
        edges: (b + 1,) edges of the bins
        stacks: (b,) counts by class of the style sheet, the lowest first
        x_title: what is below
        y_title: what is at the left
        description: what a reader who cannot see the chart is told
    """
    plot_w, plot_h = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    total = np.sum(list(stacks.values()), axis=0)
    highest = max(float(total.max(initial=0)), 1.0)
    ticks = _ticks(highest)
    low, span = float(edges[0]), float(edges[-1] - edges[0]) or 1.0
    parts: list[Html] = []
    for tick in ticks:
        y = TOP + (1 - tick / highest) * plot_h
        parts.append(_rule(LEFT, y, WIDTH - RIGHT, y, "grid"))
        parts.append(_label(LEFT - 8, y + 4, f"{tick:,.0f}", "end"))
    bars = len(edges) - 1
    base = np.zeros(bars)
    for style, counts in stacks.items():
        for number in np.flatnonzero(counts):
            x = LEFT + number / bars * plot_w
            y = base[number] + counts[number]
            parts.append(
                element(
                    "rect",
                    x=f"{x + 0.5:.1f}",
                    width=f"{plot_w / bars - 1:.1f}",
                    y=f"{TOP + (1 - y / highest) * plot_h:.1f}",
                    height=f"{counts[number] / highest * plot_h:.1f}",
                    class_=f"fill {style}",
                )
            )
        base = base + counts
    for tick in np.linspace(0, 1, 5):
        parts.append(
            _label(
                LEFT + tick * plot_w,
                HEIGHT - BOTTOM + 22,
                f"{low + tick * span:.2f}",
                "middle",
            )
        )
    parts.append(
        _label(LEFT + plot_w / 2, HEIGHT - 6, x_title, "middle", "title")
    )
    parts.append(
        element(
            "text",
            y_title,
            class_="title upright",
            text_anchor="middle",
            transform=f"translate(14 {TOP + plot_h / 2:.1f}) rotate(-90)",
        )
    )
    return _svg(parts, description)


@dataclass(frozen=True)
class Bar:
    """One bar.

    Attributes:
        label: its name
        parts: style and length (0 to 1) of each part, from the left
        value: what stands behind it
        mark: place of a rule across the bar (0 to 1), to compare with
        note: what a pointer over it shows
        between: ends of a whisker (0 to 1), None for none
    """

    label: str
    parts: Sequence[tuple[str, float]]
    value: str
    mark: float | None = None
    note: str | None = None
    between: tuple[float, float] | None = None


def bars(rows: Sequence[Bar], class_: str = "bars") -> Html:
    """Draws horizontal bars as HTML, so that they fit any width."""
    return element(
        "div",
        (
            part
            for row in rows
            for part in (
                element("span", row.label, class_="bar-label"),
                element(
                    "span",
                    (_part(style, share) for style, share in row.parts),
                    None
                    if row.mark is None
                    else element(
                        "i",
                        class_="bar-mark",
                        style=f"left:{_clip(row.mark):.2f}%",
                    ),
                    _whisker(row.between),
                    class_="bar-track",
                    title=row.note,
                ),
                element("span", row.value, class_="bar-value"),
            )
        ),
        class_=class_,
    )


def stacked_bar(shares: Sequence[tuple[str, str, float]]) -> Html:
    """Draws one bar of several parts, with a key below.

    Args:
        shares: class of the style sheet, label, share
    """
    return element(
        "div",
        element(
            "div",
            (_part(style, share) for style, _, share in shares),
            class_="stack",
        ),
        element(
            "div",
            (
                element(
                    "span",
                    element("i", class_=f"dot {style}"),
                    f"{label} · {percent(share, 1)}",
                )
                for style, label, share in shares
            ),
            class_="key",
        ),
    )


def _ticks(largest: float) -> list[float]:
    """Returns round numbers from 0 up to ``largest``, about five."""
    rough = largest / 5
    power = 10.0 ** np.floor(np.log10(rough))
    step = next(
        power * m for m in (1, 2, 2.5, 5, 10) if power * m >= rough - 1e-12
    )
    number = int(np.floor(largest / step + 1e-9))
    return [i * step for i in range(number + 1)]


def _svg(parts: Sequence[Html], description: str) -> Html:
    return element(
        "div",
        element(
            "svg",
            *parts,
            viewBox=f"0 0 {WIDTH} {HEIGHT}",
            role="img",
            aria_label=description,
        ),
        class_="chart",
    )


def _rule(x1: float, y1: float, x2: float, y2: float, style: str) -> Html:
    return element(
        "line",
        x1=f"{x1:.1f}",
        y1=f"{y1:.1f}",
        x2=f"{x2:.1f}",
        y2=f"{y2:.1f}",
        class_=style,
    )


def _label(
    x: float, y: float, what: str, anchor: str, style: str = "tick"
) -> Html:
    return element(
        "text",
        what,
        x=f"{x:.1f}",
        y=f"{y:.1f}",
        text_anchor=anchor,
        class_=style,
    )


def _pairs(x: np.ndarray, y: np.ndarray) -> list[tuple[float, float]]:
    return list(zip(x.tolist(), np.clip(y, 0, 1).tolist(), strict=True))


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _part(style: str, share: float) -> Html:
    width = f"width:{_clip(share):.2f}%"
    return element("span", class_=f"bar {style}", style=width)


def _whisker(ends: tuple[float, float] | None) -> Html | None:
    if ends is None or not np.isfinite(ends).all():
        return None
    low, high = (_clip(end) for end in ends)
    style = f"left:{low:.2f}%;width:{max(high - low, 0):.2f}%"
    return element("i", class_="bar-between", style=style)


def _clip(share: float) -> float:
    return 100 * min(max(share, 0.0), 1.0) if share == share else 0.0
