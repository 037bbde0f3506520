"""What each stage did, as rows: for the report and for a console."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TITLES = {
    "detect_and_embed": (
        ("detect_objects", "embed_objects"),
        "Detect and embed",
    ),
    "detect": (("detect_objects",), "Detect"),
    "embed": (("embed_objects",), "Embed"),
    "locate": (("locate_objects",), "Locate"),
    "outliers": (("score_outliers",), "Score outliers"),
    "map": (("map_objects",), "Map"),
    "caption": (("caption_objects",), "Caption"),
    "concepts": (("match_concepts",), "Match concepts"),
    "novelty": (("score_novelty",), "Score novelty"),
    "pareto": (("rank_pareto",), "Rank (Pareto)"),
    "select": (("select_frames",), "Select frames"),
    "views": (("save_mining_views",), "Save views"),
    "export": (("export_selection",), "Export"),
    "evaluate": (("evaluate_mining",), "Evaluate"),
}
"""Stage of the pipeline → whose summaries it has and what people call it."""

_NOT_COUNTS = {"stage", "failures", "failed", "seconds"}


@dataclass(frozen=True)
class StageRow:
    """One stage of a run.

    Attributes:
        name: its name in the pipeline
        title: its name for people
        outcome: its counts in words, such as "1,152 images, 9,034 objects"
        failures: inputs that it could not use
        failed: the first of them with the reason
        seconds: wall time
    """

    name: str
    title: str
    outcome: str
    failures: int
    failed: tuple[tuple[str, str], ...]
    seconds: float


def stage_rows(result: Mapping[str, Any]) -> list[StageRow]:
    """Lists the stages of a run in the order in which they ran.

    Args:
        result: what ``mine`` returned; further stages in ``seconds`` and
            ``stages`` are listed under their own names
    """
    summaries = {s["stage"]: s for s in result.get("stages", ())}
    rows = []
    for name, seconds in result.get("seconds", {}).items():
        functions, title = TITLES.get(name, ((name,), name.capitalize()))
        own = [summaries[f] for f in functions if f in summaries]
        rows.append(
            StageRow(
                name,
                title,
                "; ".join(filter(None, map(outcome, own)))
                or _other_outcome(name, result),
                sum(int(summary.get("failures", 0)) for summary in own),
                tuple(
                    (str(f["where"]), str(f["reason"]))
                    for summary in own
                    for f in summary.get("failed", ())
                ),
                float(seconds),
            )
        )
    return rows


def outcome(summary: Mapping[str, Any]) -> str:
    """Writes a summary's counts in words; zeros that say nothing are left."""
    parts = []
    for key, value in summary.items():
        if key in _NOT_COUNTS or value is None:
            continue
        if key == "dim":
            parts.append(f"{value} dimensions")
        elif isinstance(value, Mapping):
            parts += [f"{n:,} {_words(k)}" for k, n in value.items() if n]
        elif isinstance(value, bool) or not isinstance(value, (int, float)):
            parts.append(str(value))
        elif value or key == "objects":
            parts.append(f"{value:,} {_words(key)}")
    return ", ".join(parts)


def _other_outcome(name: str, result: Mapping[str, Any]) -> str:
    """Stages that return something else than a summary."""
    selection = result.get("selection") or {}
    if name == "select" and selection:
        picks = selection["picks"]
        chosen: dict[str, int] = {}
        for pick in picks:
            component = pick["component"]
            chosen[component] = chosen.get(component, 0) + 1
        parts = " + ".join(f"{n:,} {_words(c)}" for c, n in chosen.items())
        return f"{len(picks):,} of {selection['pool_size']:,} frames" + (
            f" ({parts})" if parts else ""
        )
    if name == "views":
        return ", ".join(result.get("views") or ())
    if name == "export":
        return "token list"
    if name == "evaluate":
        if not result.get("evaluation"):
            return str(result.get("evaluation_skipped") or "")
        return "against ground truth"
    return ""


def _words(key: str) -> str:
    if key.startswith("by_"):
        return f"by {_words(key[3:])}"
    return key.replace("_", " ")
