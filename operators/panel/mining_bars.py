"""Horizontal bars of the Mining panel; each row is a link."""

from __future__ import annotations

from collections.abc import Sequence

from raremine.brain.overview.counts import GROUPS, Bar, Counts
from raremine.brain.overview.runs import Keyword, SelectionSummary
from raremine.operators.panel import mining_links as links
from raremine.operators.panel.map_plot import COLORS, GREY, GROUP_COLORS
from raremine.operators.panel.mining_looks import (
    CLEAR,
    FONT,
    PLAIN,
    TEXT,
    Plot,
    Traces,
    base_layout,
    many,
    share,
    words,
)

MOST_BARS = 18
MOST_COMMON = 3


def funnel(counts: Counts) -> Plot:
    """Images, objects, and what the stages picked out of them."""
    steps = counts.funnel
    color = {"Rare": GROUP_COLORS["rare"], "Target": GROUP_COLORS["target"]}
    texts = []
    for step in steps:
        of = step.conditions and share(step.count, counts.objects)
        texts.append(f"{step.count:,}" + (f" · {of}" if of else ""))
    return _bars(
        [step.name for step in steps],
        [step.count for step in steps],
        texts,
        [color.get(step.name, PLAIN) for step in steps],
        [
            links.IMAGES
            if step.conditions is None
            else links.objects(step.conditions)
            for step in steps
        ],
    )


def keyframes(counts: Counts) -> Plot:
    """Keyframes by the highest group of their objects."""
    shown = [g for g in GROUPS if counts.frames.get(g)]
    return _bars(
        [g.capitalize() for g in shown],
        [counts.frames[g] for g in shown],
        [
            f"{counts.frames[g]:,} · "
            f"{share(counts.frames[g], counts.keyframes)}"
            for g in shown
        ],
        [GROUP_COLORS[g] for g in shown],
        [links.frames(g) for g in shown],
    )


def groups(counts: Counts) -> Plot:
    """Objects by group."""
    shown = [g for g in GROUPS if g in counts.groups]
    by_name = {b.group: b for b in counts.bars}
    return _bars(
        [g.capitalize() for g in shown],
        [counts.groups[g] for g in shown],
        [
            f"{counts.groups[g]:,} · {share(counts.groups[g], counts.objects)}"
            for g in shown
        ],
        [GROUP_COLORS[g] for g in shown],
        [
            links.objects(by_name[g].conditions[1:])
            if g in by_name
            else links.objects(())
            for g in shown
        ],
    )


def shown_concepts(bars: Sequence[Bar]) -> list[Bar]:
    """Chooses the concepts that are drawn: what is common comes last."""
    wanted = [b for b in bars if b.group in ("target", "rare")]
    others = [b for b in bars if b.group not in ("target", "rare")]
    if not wanted:
        return others[:MOST_BARS]
    return [*wanted[:MOST_BARS], *others[:MOST_COMMON]]


def concepts(bars: Sequence[Bar]) -> Plot:
    """Concepts, or the detector's classes before there are any."""
    shown = shown_concepts(bars)
    # the common ones would leave the others no length at all
    rare = [b.count for b in shown if b.group in ("target", "rare")]
    longest = max(rare or [b.count for b in shown] or [1])
    return _bars(
        [b.name for b in shown],
        [min(b.count, longest * 1.05) for b in shown],
        [f"{b.count:,}" for b in shown],
        [GROUP_COLORS.get(b.group, PLAIN) for b in shown],
        [links.objects(b.conditions) for b in shown],
    )


def keywords(found: Sequence[Keyword]) -> Plot:
    """Keywords by novelty."""
    return _bars(
        [k.word for k in found],
        [k.novelty for k in found],
        [
            f"{k.novelty:.2f} · {many(k.objects, 'object')} in "
            f"{many(k.scenes, 'scene')}"
            for k in found
        ],
        [COLORS[4]] * len(found),
        [links.objects(k.conditions) for k in found],
        room=0.75,
    )


def parts(selection: SelectionSummary) -> Plot:
    """Keyframes of a selection by the component that chose them."""
    names = list(selection.parts)
    return _bars(
        [words(n) for n in names],
        [selection.parts[n] for n in names],
        [
            f"{selection.parts[n]:,} · "
            f"{share(selection.parts[n], selection.pool)} of the pool"
            for n in names
        ],
        [GROUP_COLORS.get(n, GREY if n == "random" else PLAIN) for n in names],
        [links.selection(selection.name, n) for n in names],
        room=0.6,
    )


def class_balance(inside: Sequence[Bar], everywhere: Counts, tag: str) -> Plot:
    """Share of each concept in a selection, and in all objects."""
    total = sum(b.count for b in inside) or 1
    key = {(b.name, b.group): b.count for b in inside}
    shown = shown_concepts(everywhere.bars)
    shares = [key.get((b.name, b.group), 0) / total for b in shown]
    before = [b.count / max(everywhere.objects, 1) for b in shown]
    rare = [
        max(s, o)
        for b, s, o in zip(shown, shares, before, strict=True)
        if b.group in ("target", "rare")
    ]
    longest = max(rare or [*shares, *before, 0.01])
    texts = []
    for bar, now, then in zip(shown, shares, before, strict=True):
        count = key.get((bar.name, bar.group), 0)
        times = f" · ×{now / then:.1f}" if then else ""
        texts.append(f"{count:,}{times}")
    traces, layout = _bars(
        [b.name for b in shown],
        [min(s, longest * 1.05) for s in shares],
        texts,
        [GROUP_COLORS.get(b.group, PLAIN) for b in shown],
        [links.objects(b.conditions, tag) for b in shown],
        room=0.35,
        at_end=True,
    )
    traces.append(
        {
            "type": "bar",
            "orientation": "h",
            "y": traces[0]["y"],
            "base": [min(o, longest * 1.05) for o in before],
            "x": [longest * 0.012] * len(shown),
            "width": 0.9,
            "marker": {"color": TEXT},
            "hoverinfo": "skip",
            "name": "all objects",
        }
    )
    return traces, layout


def _bars(
    names: Sequence[str],
    values: Sequence[float],
    texts: Sequence[str],
    colors: Sequence[str],
    ids: Sequence[str],
    room: float = 0.5,
    at_end: bool = False,
) -> Plot:
    """Horizontal bars; the whole row of each can be clicked."""
    places = list(range(len(names)))
    longest = max([*values, 1e-9])
    end = longest * (1 + room)
    shared = {"type": "bar", "orientation": "h", "y": places}
    traces: Traces = [
        {
            **shared,
            # a bar of three among a million could not be hit otherwise
            "x": [end] * len(places),
            "width": 1,
            "ids": list(ids),
            "hovertext": [
                f"{n}: {t}" for n, t in zip(names, texts, strict=True)
            ],
            "hoverinfo": "text",
            "marker": {"color": CLEAR},
            "text": list(texts) if at_end else None,
            "textposition": "inside",
            "insidetextanchor": "end",
            "textfont": {"size": FONT, "color": TEXT},
            "name": "row",
        },
        {
            **shared,
            "x": list(values),
            "width": 0.72,
            "marker": {"color": list(colors)},
            "text": None if at_end else list(texts),
            "textposition": "outside",
            "textfont": {"size": FONT},
            "cliponaxis": False,
            "hoverinfo": "skip",
            "name": "count",
        },
    ]
    layout = base_layout()
    layout |= {
        "barmode": "overlay",
        "margin": {"t": 2, "r": 4, "b": 2, "l": 8, "pad": 4},
    }
    layout["xaxis"] |= {"visible": False, "range": [0, end]}
    layout["yaxis"] |= {
        "tickvals": places,
        "ticktext": [_short(name) for name in names],
        "range": [len(places) - 0.4, -0.6],
        "showgrid": False,
        "zeroline": False,
    }
    return traces, layout


def _short(name: str) -> str:
    return name if len(name) <= 22 else name[:21] + "…"
