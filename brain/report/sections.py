"""The sections of a report: each turns the content into markup."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np

from raremine.brain.report.charts import Bar, bars, histogram, stacked_bar
from raremine.brain.report.content import Content
from raremine.brain.report.evaluation_section import (
    headline_budget,
    recall_at,
)
from raremine.brain.report.examples import Example
from raremine.brain.report.html import (
    Html,
    count,
    element,
    percent,
    seconds,
)
from raremine.brain.report.parts import empty, panel, section
from raremine.brain.strategies import DEFAULT, RANDOM

GROUPS = ("common", "rare", "target")
BINS = 40
SHOWN_KEYWORDS = 36
SHOWN_CONCEPTS = 18


def header(content: Content) -> Html:
    """What was mined, and the headline numbers."""
    frames = len(content.frames)
    scenes = len(set(content.frames.scene.tolist()))
    groups = content.groups
    preset = content.result.get("preset")
    made = sum(content.result.get("seconds", {}).values())
    cards = []
    if content.evaluation is not None:
        target = recall_at(content.evaluation, DEFAULT)
        random = recall_at(content.evaluation, RANDOM)
        budget = headline_budget(content.evaluation)
        if target is not None and random is not None:
            times = f", {target / random:.1f}×" if random else ""
            cards.append(
                _card(
                    percent(target),
                    f"of the frames with a target are in the first "
                    f"{percent(budget)} mined; random finds "
                    f"{percent(random)}{times}",
                    main=True,
                )
            )
    cards.append(_card(count(len(content.objects)), "objects found"))
    if "groups" not in content.missing:
        cards.append(
            _card(
                f"{count(groups['target'])} + {count(groups['rare'])}",
                "Target and Rare objects",
            )
        )
    if content.selection is not None:
        cards.append(
            _card(
                count(len(content.selection)),
                f"of {count(content.selection.pool_size)} train frames "
                "selected",
            )
        )
    if made:
        cards.append(_card(seconds(made), "for everything"))
    with_preset = f" with the preset “{preset}”" if preset else ""
    return element(
        "header",
        element("p", "raremine · mining report", class_="eyebrow"),
        element("h1", content.name),
        element(
            "p",
            f"{count(content.images)} images of {count(frames)} keyframes "
            f"in {count(scenes)} scenes, mined{with_preset}: what was found, "
            "why it counts as rare, and whether the frames it leads to are "
            "worth more than random ones.",
            class_="lede",
        ),
        element("div", cards, class_="cards"),
    )


def funnel(content: Content) -> Html:
    """Images → objects → outliers → captions → Rare and Target."""
    objects = len(content.objects)
    if not objects:
        return section(
            "From images to rare objects",
            "What each step left over.",
            empty(content, "objects"),
            id="funnel",
        )
    mined = content.objects
    groups = content.groups
    rows = [("objects on all images", objects, "common")]
    if "outliers" not in content.missing:
        flagged = sum(1 for o in mined["outlier"] if o is True)
        rows.append(("flagged as outliers", flagged, "plain"))
    if "captions" not in content.missing:
        named = sum(1 for s in mined["caption_status"] if s == "ok")
        rows.append(("captioned", named, "plain"))
    if "groups" not in content.missing:
        rows.append(("Rare", groups["rare"], "rare"))
        rows.append(("Target", groups["target"], "target"))
    return section(
        "From images to rare objects",
        "How many of the objects each step picked out. The steps overlap: "
        "an object can be a target without being an outlier.",
        panel(
            bars(
                [
                    Bar(
                        label,
                        [(style, number / objects)],
                        f"{count(number)} · {percent(number / objects, 1)}",
                    )
                    for label, number, style in rows
                ]
            ),
            element(
                "p",
                f"{count(content.images)} images gave "
                f"{objects / max(content.images, 1):.1f} objects each.",
                class_="note",
            ),
        ),
        id="funnel",
    )


def concepts(content: Content) -> Html:
    """Groups and concepts."""
    title = "Concepts and groups"
    how = (
        "Each object got the concept its caption and crop are closest to; "
        "the vocabulary says which concepts are targets, and which are "
        "common. What is neither is rare."
    )
    if "groups" in content.missing:
        return section(title, how, empty(content, "groups"), id="concepts")
    total = max(len(content.objects), 1)
    groups = content.groups
    names = {"common": "Common", "rare": "Rare", "target": "Target"}
    by_concept: dict[str, Counter[str]] = {}
    for concept, group in zip(
        content.objects["concept"], content.objects["group"], strict=True
    ):
        name = str(concept or "no concept")
        by_concept.setdefault(name, Counter())[str(group)] += 1
    wanted = {
        name: n["rare"] + n["target"]
        for name, n in by_concept.items()
        if n["rare"] + n["target"]
    }
    ranked = sorted(wanted, key=lambda c: (-wanted[c], c))
    rows = [
        Bar(
            name,
            [
                (g, by_concept[name][g] / wanted[ranked[0]])
                for g in ("rare", "target")
            ],
            count(wanted[name]),
            note=", ".join(f"{n} {g}" for g, n in by_concept[name].items()),
        )
        for name in ranked[:SHOWN_CONCEPTS]
    ]
    unsure = sum(1 for a in content.objects["ambiguous"] if a is True)
    more = len(ranked) - len(rows)
    common = [
        f"{name} {count(n['common'])}"
        for name, n in sorted(
            by_concept.items(), key=lambda item: -item[1]["common"]
        )
        if n["common"]
    ]
    return section(
        title,
        how,
        panel(
            stacked_bar([(g, names[g], groups[g] / total) for g in GROUPS]),
        ),
        panel(
            element("h3", "Concepts of the Rare and Target objects"),
            bars(rows)
            if rows
            else element("p", "There are none.", class_="empty"),
            element(
                "p",
                (f"{more} rarer concepts are not shown. " if more else "")
                + "A common concept is among them where the detector’s own "
                "class is a target. "
                f"{count(unsure)} objects are ambiguous: their two best "
                "concepts are too close to tell.",
                class_="note",
            ),
            element(
                "p",
                "The Common objects: " + ", ".join(common[:SHOWN_CONCEPTS]),
                class_="note",
            )
            if common
            else None,
        ),
        id="concepts",
    )


def unusual(content: Content) -> Html:
    """Histogram of the outlier scores."""
    title = "How unusual the objects are"
    how = (
        "Outlier scores of all objects, higher = further from everything "
        "else. The tail at the right is where rare things are looked for; "
        "colours show what they turned out to be."
    )
    if "outliers" in content.missing:
        return section(title, how, empty(content, "outliers"), id="scores")
    scores = np.asarray(content.objects["outlier_score"], dtype=np.float64)
    finite = np.isfinite(scores)
    edges = np.histogram_bin_edges(scores[finite], bins=BINS)
    groups = content.objects["group"]
    if "groups" in content.missing:
        stacks = {"common": np.histogram(scores[finite], edges)[0]}
    else:
        stacks = {
            g: np.histogram(scores[finite & (groups == g)], edges)[0]
            for g in GROUPS
        }
    key = element(
        "div",
        (
            element("span", element("i", class_=f"dot {g}"), g.capitalize())
            for g in stacks
        ),
        class_="key",
    )
    return section(
        title,
        how,
        panel(
            histogram(
                edges,
                stacks,
                x_title="outlier score",
                y_title="objects",
                description="Histogram of the outlier scores by group",
            ),
            key if len(stacks) > 1 else None,
        ),
        id="scores",
    )


def keywords(content: Content) -> Html:
    """The most novel keywords."""
    title = "Rarest words of the captions"
    how = (
        "Words that the fewest captions use, the most novel first, with the "
        "number of objects behind them. A word seen once may be a slip of "
        "the captioner, so those come last."
    )
    if not content.keywords:
        return section(title, how, empty(content, "captions"), id="words")
    again = [k for k in content.keywords if k.objects > 1]
    once = [k for k in content.keywords if k.objects == 1]
    shown = (again + once)[:SHOWN_KEYWORDS]
    return section(
        title,
        how,
        element(
            "div",
            (
                element(
                    "span",
                    element("bdi", k.word),
                    element("small", f"{count(k.objects)}×"),
                    class_="word",
                    title=f"novelty {k.novelty:.2f}: “{k.caption}”",
                )
                for k in shown
            ),
            class_="words",
        ),
        element(
            "p",
            f"{count(len(shown))} of {count(len(content.keywords))} words.",
            class_="note",
        ),
        id="words",
    )


def examples(content: Content) -> Html:
    """Crops with what was decided about them."""
    title = "What it found"
    how = (
        "Crops from different scenes, one concept after the other, each "
        "with its concept and score, its caption, and the reason recorded "
        "on the object."
    )
    if not content.examples:
        return section(title, how, empty(content, "objects"), id="examples")
    blocks: list[Html] = []
    for group in content.examples:
        blocks.append(
            element("h3", f"{group.title} ({count(group.total)} objects)")
        )
        blocks.append(
            element("div", map(_figure, group.examples), class_="crops")
        )
    return section(title, how, *blocks, id="examples")


def _figure(example: Example) -> Html:
    score = "" if math.isnan(example.score) else f"{example.score:.2f}"
    view = (
        element(
            "img",
            src=example.image,
            alt=f"{example.concept or example.label}: {example.caption}",
            loading="lazy",
        )
        if example.image
        else element("span", "image not readable", class_="empty")
    )
    return element(
        "figure",
        element("div", view, class_="view"),
        element(
            "figcaption",
            element(
                "div",
                element("bdi", example.concept or example.label or "?"),
                element("span", score),
                class_="what",
            ),
            element("q", element("bdi", example.caption))
            if example.caption
            else None,
            element("div", element("bdi", example.reason), class_="why"),
            element("div", example.scene, class_="where"),
        ),
        class_=example.group or "common",
    )


def _card(number: str, meaning: str, *, main: bool = False) -> Html:
    return element(
        "div",
        element("b", number),
        element("span", meaning),
        class_="card main" if main else "card",
    )
