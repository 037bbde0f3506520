"""The section about the selected keyframes."""

from __future__ import annotations

import numpy as np

from raremine.brain.report.charts import Bar, bars
from raremine.brain.report.content import Content
from raremine.brain.report.html import Html, count, element, join, percent
from raremine.brain.report.parts import empty, panel, section, words

SHOWN_SCENES = 60


def selection(content: Content) -> Html:
    """The selection, its shortages and its scenes."""
    title = "The selection"
    how = (
        "The keyframes to train on, taken from train scenes only: a random "
        "part, and a mined part by rank."
    )
    chosen = content.selection
    if chosen is None:
        return section(title, how, empty(content, "selection"), id="frames")
    parts = [
        Bar(
            words(name),
            [("plain" if name == "random" else "target", n / len(chosen))],
            f"{count(n)} frames",
        )
        for name, n in chosen.counts.items()
    ]
    notes = [
        f"{s.component}: {s.taken} of {s.asked} frames. {s.reason}"
        for s in chosen.shortages
    ] + list(chosen.notes)
    reached = content.reached
    return section(
        title,
        how,
        panel(
            element(
                "h3",
                f"“{chosen.name}”: {count(len(chosen))} of "
                f"{count(chosen.pool_size)} frames",
            ),
            bars(parts),
            [element("p", note, class_="note") for note in notes],
            element(
                "p",
                f"It holds {percent(reached.frame_recall)} of the train "
                "frames with a target and shows "
                f"{percent(reached.instance_recall)} of the target "
                f"instances; as many random frames would hold "
                f"{percent(reached.share)} of those frames.",
                class_="note",
            )
            if reached
            else None,
        ),
        panel(element("h3", "Scenes"), _scenes(content)),
        id="frames",
    )


def _scenes(content: Content) -> Html:
    assert content.selection is not None  # narrowed for the type checker
    chosen = set(content.selection.tokens)
    frames = content.frames
    by_scene: dict[str, list[int]] = {}
    for row in np.argsort(frames.timestamp, kind="stable").tolist():
        by_scene.setdefault(str(frames.scene[row]), []).append(row)
    is_target = frames["mining_group"] == "target"
    splits = {s: str(frames.split[r[0]]) for s, r in by_scene.items()}

    def cell(row: int) -> Html:
        classes = ["cell"]
        if frames.sample_token[row] in chosen:
            classes.append("on")
        if is_target[row]:
            classes.append("has")
        return element("i", class_=" ".join(classes))

    def line(scene: str) -> Html:
        rows = by_scene[scene]
        taken = sum(frames.sample_token[r] in chosen for r in rows)
        split = splits[scene]
        return element(
            "div",
            element("span", scene),
            element("span", map(cell, rows), class_="strip"),
            element(
                "span",
                f"{taken}/{len(rows)}" + (f" {split}" if split else ""),
                class_="bar-value",
            ),
        )

    touched = sum(
        any(frames.sample_token[r] in chosen for r in rows)
        for rows in by_scene.values()
    )
    names = sorted(by_scene)
    meanings = (
        ("cell on has", "selected, target found"),
        ("cell on", "selected"),
        ("cell has", "target found, not selected"),
        ("cell", "neither"),
    )
    return join(
        element("div", map(line, names[:SHOWN_SCENES]), class_="scenes"),
        element(
            "div",
            (
                element("span", element("i", class_=style), meaning)
                for style, meaning in meanings
            ),
            class_="key",
        ),
        element(
            "p",
            f"Frames of {count(touched)} of {count(len(names))} scenes were "
            "selected; each square is a keyframe."
            + (
                f" The first {SHOWN_SCENES} scenes are shown."
                if len(names) > SHOWN_SCENES
                else ""
            ),
            class_="note",
        ),
    )


