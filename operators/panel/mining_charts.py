"""Histogram, scatter and curves of the Mining panel as Plotly traces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from raremine.brain.overview.histogram import Axis, Grid, bin_conditions
from raremine.brain.overview.rows import ObjectRow
from raremine.brain.overview.runs import Evaluation
from raremine.operators.panel import mining_links as links
from raremine.operators.panel.map_plot import COLORS, GREY, GROUP_COLORS
from raremine.operators.panel.mining_looks import (
    CLEAR,
    PLAIN,
    TEXT,
    Plot,
    Traces,
    base_layout,
    legend,
    many,
    number,
    words,
)

CUT = "#FF6D04"
"""Colour of a threshold."""

_STRATEGY_COLORS = {
    "default": GROUP_COLORS["target"],
    "paper": GROUP_COLORS["rare"],
    "random": TEXT,
    "oracle": "#3FBF7F",
}
_OTHERS = (PLAIN, COLORS[4], COLORS[5], COLORS[6], COLORS[1])
_FRONT_COLORS = ("#D62728", "#FF9F1C", "#F2C14E", "#3FBF7F")


def histogram(grid: Grid, at: int, cut: float | None) -> Plot:
    """One score of all objects by group, with its threshold."""
    axis = grid.axes[at]
    places = [axis.place(b) + axis.step / 2 for b in range(axis.bins)]
    by_group = grid.histogram(at)
    total = grid.totals(at)
    ids = [links.objects(bin_conditions(axis, b)) for b in range(axis.bins)]
    shared = {"type": "bar", "x": places, "width": axis.step}
    hover = [
        f"{_range(axis, b)}: {many(int(total[b]), 'object')}"
        for b in range(axis.bins)
    ]
    top = max(float(total.max()), 1.0) * 1.6
    traces: Traces = [
        {
            **shared,
            "y": [top] * axis.bins,
            # of all traces this one is clicked, however small the others
            "ids": ids,
            "marker": {"color": CLEAR},
            "hovertext": hover,
            "hoverinfo": "text",
            "name": "any",
            "showlegend": False,
        }
    ]
    for group in ("common", "", "rare", "target"):
        if group not in by_group:
            continue
        traces.append(
            {
                **shared,
                "y": by_group[group].tolist(),
                "marker": {"color": GROUP_COLORS.get(group, PLAIN)},
                "opacity": 0.9,
                "hoverinfo": "skip",
                "name": group.capitalize() or "no group",
            }
        )
    layout = base_layout()
    layout |= {
        "barmode": "overlay",
        "bargap": 0.05,
        "showlegend": len(traces) > 2,
        "legend": legend(),
        "margin": {"t": 22, "r": 8, "b": 36, "l": 48, "pad": 0},
    }
    layout["xaxis"] |= {"title": {"text": words(axis.name)}, "showgrid": False}
    layout["yaxis"] |= {
        "type": "log",
        "title": {"text": "objects (log)"},
        "range": [-0.15, float(np.log10(top))],
        "dtick": 1,
    }
    if cut is not None:
        right = places[-1] + axis.step / 2
        layout["shapes"] = [
            _shape(
                cut, right, fillcolor="rgba(128,128,128,0.22)", layer="below"
            ),
            _shape(cut, cut, line={"color": CUT, "width": 2}),
        ]
    return traces, layout


def pareto(points: Sequence[ObjectRow], x: str, y: str) -> Plot:
    """Objects by two signals; the first fronts in colour."""
    layers: dict[str, list[ObjectRow]] = {}
    seen: set[str] = set()
    for point in points:
        if point.label_id in seen or not {x, y} <= set(point.numbers):
            continue
        seen.add(point.label_id)
        front = int(point.numbers.get("pareto_front", 1e9))
        known = front < len(_FRONT_COLORS)
        layers.setdefault(f"front {front}" if known else "later", []).append(
            point
        )
    traces: Traces = []
    for name in ["later", *(f"front {n}" for n in range(4))][::1]:
        if name not in layers:
            continue
        color = GREY if name == "later" else _FRONT_COLORS[int(name[-1])]
        traces.append(_points(layers[name], x, y, name, color))
    layout = base_layout()
    layout |= {
        "dragmode": "lasso",
        "hovermode": "closest",
        "showlegend": True,
        "legend": {**legend(), "itemsizing": "constant"},
        "margin": {"t": 30, "r": 8, "b": 40, "l": 52, "pad": 0},
    }
    layout["xaxis"]["title"] = {"text": words(x)}
    layout["yaxis"]["title"] = {"text": words(y)}
    return traces, layout


def curves(evaluation: Evaluation) -> Plot:
    """Recall of the strategies against the budget."""
    names = [c.strategy for c in evaluation.curves]
    traces: Traces = []
    others = [n for n in names if n not in _STRATEGY_COLORS]
    for curve in evaluation.curves:
        name = curve.strategy
        color = _STRATEGY_COLORS.get(name)
        color = color or _OTHERS[others.index(name) % len(_OTHERS)]
        other = _compared_with(name, names)
        hover = (
            f"<b>{words(name)}</b>: %{{y:.0f}} % of the target frames with "
            f"%{{x:.1f}} % of all frames<br>click: what it finds and "
            f"{words(other)} does not<extra></extra>"
        )
        area = evaluation.areas.get(name)
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "x": [round(100 * b, 2) for b in curve.budget],
                "y": [round(100 * m, 2) for m in curve.mean],
                "ids": [links.found(name, other, b) for b in curve.budget],
                "name": name if area is None else f"{words(name)} {area:.2f}",
                "hovertemplate": hover,
                "line": {
                    "color": color,
                    "width": 3 if name == "default" else 1.5,
                    "dash": "dot" if name in ("random", "oracle") else "solid",
                },
                "marker": {"size": 5, "color": color},
            }
        )
    layout = base_layout()
    layout |= {
        "hovermode": "closest",
        "showlegend": True,
        "legend": legend(),
        "margin": {"t": 44, "r": 8, "b": 40, "l": 52, "pad": 0},
    }
    layout["xaxis"] |= {
        "title": {"text": "frames selected (%)"},
        "rangemode": "tozero",
    }
    layout["yaxis"] |= {
        "title": {"text": "target frames found (%)"},
        "rangemode": "tozero",
    }
    return traces, layout


def _points(
    points: Sequence[ObjectRow], x: str, y: str, name: str, color: str
) -> dict[str, Any]:
    later = name == "later"
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [float(number(p.numbers[x])) for p in points],
        "y": [float(number(p.numbers[y])) for p in points],
        "ids": [p.label_id for p in points],
        "text": [
            f"{p.texts['concept'] or p.texts['label']} · {p.camera}"
            for p in points
        ],
        "hoverinfo": "text+x+y",
        "name": name,
        "marker": {
            "color": color,
            "size": 5 if later else 9,
            "opacity": 0.45 if later else 0.95,
        },
    }


def _shape(left: float, right: float, **looks: Any) -> dict[str, Any]:
    kind = "line" if left == right else "rect"
    return {
        "type": kind,
        "xref": "x",
        "yref": "paper",
        "x0": left,
        "x1": right,
        "y0": 0,
        "y1": 1,
        "line": {"width": 0},
        **looks,
    }


def _range(axis: Axis, bin_: int) -> str:
    if bin_ == axis.bins - 1:
        return f"≥ {number(axis.place(bin_))}"
    end = number(axis.place(bin_ + 1))
    return f"< {end}" if bin_ == 0 else f"{number(axis.place(bin_))} – {end}"


def _compared_with(name: str, names: Sequence[str]) -> str:
    """What a strategy's finds are compared with: random, or else ours."""
    wanted = ("default", "random") if name == "random" else ("random",)
    others = [n for n in (*wanted, *names) if n != name and n in names]
    return others[0] if others else name
