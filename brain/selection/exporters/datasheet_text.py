"""The datasheet as a page that a person reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

from raremine.brain.selection.exporters.checksums import LINKS, SUMS
from raremine.brain.selection.exporters.label_counts import POOL, SELECTION

_KINDS = ("frames", "boxes", "cuboids", "instances")


def as_markdown(sheet: Mapping[str, Any]) -> str:
    """Returns a datasheet as Markdown.

    Args:
        sheet: the datasheet, as ``write_datasheet`` makes it
    """
    sections = [
        _head(sheet),
        _recipe(sheet["selection"]),
        _frames(sheet),
        *(_classes(*item) for item in sheet["classes"].items()),
        _written(sheet),
        _origin(sheet),
    ]
    return "\n\n".join(sections) + "\n"


def _head(sheet: Mapping[str, Any]) -> str:
    frames, scenes = sheet["frames"], sheet["scenes"]
    share = _percent(frames[SELECTION], frames[POOL])
    lines = [
        f"# Selection “{sheet['selection']['name']}” as {sheet['format']}",
        "",
        f"{frames[SELECTION]} of {frames[POOL]} keyframes{share}, from "
        f"{scenes[SELECTION]} of {scenes[POOL]} scenes, of dataset "
        f"“{sheet['dataset']['name']}”.",
        "",
        sheet["terms"],
    ]
    if sheet["notes"]:
        lines += ["", "To know:", "", *_bullets(sheet["notes"])]
    return "\n".join(lines)


def _recipe(selection: Mapping[str, Any]) -> str:
    recipe = {
        k: v for k, v in selection["recipe"].items() if v not in (None, [], {})
    }
    lines = [
        "## How it was selected",
        "",
        _block({**recipe, "seed": selection["seed"]}, open_up=True),
        "",
        *_table(
            ("component", "frames"), sorted(selection["by_component"].items())
        ),
    ]
    short = [
        f"{s['component']}: {s['taken']} of {s['asked']} frames. {s['reason']}"
        for s in selection["shortages"]
    ]
    if short or selection["notes"]:
        lines += ["", *_bullets([*short, *selection["notes"]])]
    lines += [
        "",
        "Why each frame is in stands in datasheet.json, under `why`.",
    ]
    return "\n".join(lines)


def _frames(sheet: Mapping[str, Any]) -> str:
    scenes = sheet["scenes"]
    per_scene = scenes["frames_per_scene"]
    splits = sheet["splits"].items()
    return "\n".join(
        [
            "## Frames and scenes",
            "",
            *_table(
                ("split", "frames in the dataset", "selected"),
                [(s, n["dataset"], n[SELECTION]) for s, n in splits],
            ),
            "",
            f"Scene coverage: {scenes['coverage']:.1%}. Of the scenes that "
            f"have any, the fewest frames are {per_scene['least']}, the "
            f"median {per_scene['median']:g}, the most {per_scene['most']}.",
        ]
    )


def _classes(name: str, rows: Mapping[str, Mapping[str, Any]]) -> str:
    kinds = [k for k in _KINDS if any(k in row for row in rows.values())]
    header = ["class"]
    for kind in kinds:
        header += [f"{kind} before", "after"]
    table = []
    for label, row in rows.items():
        cells: list[Any] = [label]
        for kind in kinds:
            numbers = row.get(kind, {POOL: 0, SELECTION: 0})
            cells += [numbers[POOL], numbers[SELECTION]]
        table.append(cells)
    return "\n".join(
        [
            f"## `{name}`, before and after",
            "",
            "Before: in the frames that there were to choose from. After: in "
            "the chosen ones.",
            "",
            *(_table(header, table) if table else ["There are none."]),
        ]
    )


def _written(sheet: Mapping[str, Any]) -> str:
    files = sheet["files"]
    lines = [
        "## What was written",
        "",
        f"{files['files']} files, {files['bytes']} bytes"
        + _links(files)
        + f". Check them with `sha256sum --check {SUMS}`; the checksum of "
        f"that list is `{files['sha256']}`.",
    ]
    if sheet["options"]:
        lines += ["", "Options:", "", _block(sheet["options"])]
    if sheet["written"]:
        lines += ["", _block(sheet["written"])]
    return "\n".join(lines)


def _links(files: Mapping[str, Any]) -> str:
    parts = []
    if files["links"]:
        parts.append(f"{files['links']} links (see {LINKS})")
    if files["hard_links"]:
        parts.append(f"{files['hard_links']} hard links")
    return "".join(f", {part}" for part in parts)


def _origin(sheet: Mapping[str, Any]) -> str:
    versions = [f"{k} {v}" for k, v in sheet["versions"].items()]
    lines = ["## Made with", "", ", ".join(versions) + "."]
    if sheet["runs"]:
        lines += ["", "The fields come from these runs:", ""]
        lines.append(_block(sheet["runs"]))
    return "\n".join(lines)


def _percent(part: int, whole: int) -> str:
    return f" ({part / whole:.1%})" if whole else ""


def _bullets(texts: Iterable[str]) -> list[str]:
    return [f"- {text}" for text in texts]


def _block(values: Any, open_up: bool = False) -> str:
    text = yaml.safe_dump(
        values,
        sort_keys=False,
        allow_unicode=True,
        width=1000,
        # what is innermost takes one line
        default_flow_style=False if open_up else None,
    )
    return f"```yaml\n{text.rstrip()}\n```"


def _table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    """A table; all columns but the first are numbers."""
    lines = [list(header), ["---", *["---:"] * (len(header) - 1)]]
    lines += [[_cell(value) for value in row] for row in rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def _cell(value: Any) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")
