"""How the Mining panel writes numbers and what its plots have in common."""

from __future__ import annotations

from typing import Any

Traces = list[dict[str, Any]]
Plot = tuple[Traces, dict[str, Any]]

PLAIN = "#4C9BE8"
TEXT = "#9A9A9A"
CLEAR = "rgba(0,0,0,0)"
FONT = 12


def words(name: str) -> str:
    """Returns a column's name as people read it."""
    return name.replace("_", " ")


def number(value: float) -> str:
    """Writes a score in at most four digits."""
    return f"{value:.4g}"


def share(part: float, whole: float) -> str:
    """Writes a share in percent, tiny ones as such."""
    if not whole:
        return ""
    ratio = part / whole
    if 0 < ratio < 0.001:
        return "< 0.1 %"
    return f"{ratio:.1%}".replace("%", " %")


def base_layout() -> dict[str, Any]:
    """Returns what all layouts begin with."""
    # fixed axes: a drag that zooms by accident hides bars
    axis = {"fixedrange": True, "zeroline": False}
    return {
        "font": {"size": FONT},
        "paper_bgcolor": CLEAR,
        "plot_bgcolor": CLEAR,
        "showlegend": False,
        "dragmode": False,
        "hovermode": "closest",
        "hoverlabel": {
            "align": "left",
            "bgcolor": "#303030",
            "bordercolor": "#606060",
            "font": {"size": FONT, "color": "#F0F0F0"},
        },
        "xaxis": dict(axis),
        "yaxis": dict(axis),
    }


def legend() -> dict[str, Any]:
    """Returns a legend above the plot."""
    return {
        "orientation": "h",
        "x": 0,
        "y": 1.02,
        "yanchor": "bottom",
        "font": {"size": FONT},
        "bgcolor": CLEAR,
    }


def many(count: int, thing: str) -> str:
    """Writes a number of things."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"
