"""The map of objects as Plotly traces."""

from __future__ import annotations

from typing import Any

import numpy as np

from raremine.brain.maps.show import (
    MISSING,
    OTHER,
    ColoredMap,
    categories,
    is_scale,
    rows_to_draw,
)

MOST_POINTS = 30_000
"""A browser draws more, but they have to be sent to it, and back when a
colour is chosen."""

GROUP_COLORS = {
    "target": "#D62728",
    "rare": "#FF9F1C",
    "common": "#7C93B2",
}
GREY = "#6B6B6B"
# Neighbours in the list differ in hue and lightness, so that the frequent
# categories, which come first, are told apart best.
COLORS = (
    *("#4C9BE8", "#F2C14E", "#3FBF7F", "#E4572E", "#B07CE8"),
    *("#29C5C7", "#F28AB2", "#9BC53D", "#C98B4A", "#8D99F2"),
    *("#F25F5C", "#A6E3E9", "#6B8F3A", "#D9A5F2", "#FFD9A0"),
    *("#2E86AB", "#C73E8A", "#78E08F", "#B33939", "#DDE3EA"),
)


def traces(colored: ColoredMap, most: int = MOST_POINTS) -> list[Any]:
    """Draws a map.

    Args:
        colored: the map with its colour column
        most (30000): points to draw at most; Target and Rare objects come
            first, then a random share of the others

    Returns:
        one Plotly trace a category, the most frequent first and thus below
        the others, or one with a colour scale; objects without a value are a
        grey trace of their own. A point's ``ids`` entry is its label id
    """
    rare = np.isin(colored.group.astype(str), ["target", "rare"])
    rows = rows_to_draw(rare, most)
    if is_scale(colored.values):
        return _scale(colored, rows)
    codes, names = categories(colored.values)
    drawn = []
    for code, name in [(-1, MISSING), *enumerate(names)]:
        chosen = rows[codes[rows] == code]
        if len(chosen):
            count = int((codes == code).sum())
            color = _color(name, code)
            trace = _trace(colored, chosen, len(rows), {"color": color})
            drawn.append({**trace, "name": f"{name} ({count:,})"})
    return drawn


def layout(colored: ColoredMap) -> dict[str, Any]:
    """Returns the plot's Plotly layout; axes of a map mean nothing."""
    axis = {"visible": False, "showgrid": False, "zeroline": False}
    return {
        "dragmode": "lasso",
        "hovermode": "closest",
        "showlegend": not is_scale(colored.values),
        "legend": {
            "title": {"text": colored.color_by},
            "itemsizing": "constant",
        },
        "xaxis": axis,
        # a map stretched to the panel's shape would show false distances
        "yaxis": {**axis, "scaleanchor": "x"},
        # the tools stand above the plot, beside the legend otherwise
        "margin": {"t": 36, "b": 8, "l": 8, "r": 8},
        # keeps zoom and pan when another colour is chosen
        "uirevision": "map",
    }


def summary(colored: ColoredMap, most: int = MOST_POINTS) -> str:
    """Says in a sentence what is drawn."""
    n = len(colored.label_id)
    cameras = len({c for c in colored.camera if c is not None})
    where = f" of {cameras} cameras" if cameras else ""
    if n > most:
        return (
            f"{most:,} of {n:,} objects{where}: Target and Rare first, "
            "others at random"
        )
    return f"{n:,} objects{where}"


def _scale(colored: ColoredMap, rows: np.ndarray) -> list[Any]:
    values = colored.values[rows]
    missing = np.isnan(values)
    drawn = []
    if missing.any():
        trace = _trace(colored, rows[missing], len(rows), {"color": GREY})
        drawn.append({**trace, "name": MISSING})
    if not missing.all():
        # high scores are drawn last, above the others
        chosen = rows[~missing][np.argsort(values[~missing], kind="stable")]
        marker = {
            "color": _numbers(colored.values[chosen]),
            "colorscale": "Viridis",
            "showscale": True,
            "colorbar": {"title": {"text": colored.color_by}},
        }
        trace = _trace(colored, chosen, len(rows), marker)
        drawn.append({**trace, "name": colored.color_by})
    return drawn


def _trace(
    colored: ColoredMap,
    rows: np.ndarray,
    drawn: int,
    marker: dict[str, Any],
) -> dict[str, Any]:
    size = 8 if drawn < 2_000 else 5 if drawn < 20_000 else 3
    return {
        "type": "scattergl",
        "mode": "markers",
        "x": _numbers(colored.points[rows, 0]),
        "y": _numbers(colored.points[rows, 1]),
        "ids": colored.label_id[rows].tolist(),
        "text": [_hover(colored, row) for row in rows],
        "hoverinfo": "text",
        "marker": {"size": size, "opacity": 0.85, **marker},
        "selected": {"marker": {"opacity": 1}},
        "unselected": {"marker": {"opacity": 0.2}},
    }


def _hover(colored: ColoredMap, row: int) -> str:
    value = colored.values[row]
    if isinstance(value, float):
        value = MISSING if np.isnan(value) else f"{value:.4g}"
    parts = [colored.label[row], colored.camera[row]]
    if colored.color_by not in ("label", "camera"):
        parts.append(f"{colored.color_by}: {value}")
    return " · ".join(str(part) for part in parts if part is not None)


def _numbers(values: np.ndarray) -> list[float]:
    # five digits are finer than a screen, and half as many bytes
    return [float(f"{v:.5g}") for v in values.tolist()]


def _color(name: str, code: int) -> str:
    if name in (MISSING, OTHER):
        return GREY
    return GROUP_COLORS.get(name, COLORS[code % len(COLORS)])
