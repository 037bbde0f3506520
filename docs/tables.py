"""Writes those tables of the documentation that are made from code.

``python docs/tables.py`` brings all pages up to date. Prose is by hand; what
stands between ``<!-- options: NAME -->`` or ``<!-- presets -->`` and
``<!-- end -->`` is not. A test says when a table is stale.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent

BODIES = {
    "load_nuscenes": "raremine.brain.nuscenes.loader",
    "select_frames": "raremine.brain.selection.stage",
    "compare_selections": "raremine.brain.selection.compare",
    "export_selection": "raremine.brain.selection.export",
}
"""Functions of the SDK whose options their module documents in full."""

COLLECTIONS = ("samples", "dataset")

_ENTRY = re.compile(r"^ {4}\**(?P<name>\w+)(?: \(.*?\)+)?: (?P<text>.*)$")
_REGION = re.compile(
    r"(<!-- (?P<kind>options: (?P<name>\w+)|presets) -->\n)"
    r".*?(<!-- end -->)",
    re.S,
)


def documented(name: str) -> Callable[..., Any]:
    """Returns the function that documents an operator's options."""
    module = importlib.import_module(BODIES.get(name, "raremine.brain"))
    function: Callable[..., Any] = getattr(module, name)
    return function


def argument_texts(function: Callable[..., Any]) -> dict[str, str]:
    """Returns what a docstring says of each argument, on one line each."""
    lines = inspect.cleandoc(function.__doc__ or "").splitlines()
    texts: dict[str, str] = {}
    name = ""
    for line in lines[lines.index("Args:") + 1 :]:
        if line and not line.startswith(" "):
            break
        match = _ENTRY.match(line)
        if match:
            name = match["name"]
            texts[name] = match["text"].strip()
        elif name:
            texts[name] = f"{texts[name]} {line.strip()}".strip()
    return texts


def option_table(function: Callable[..., Any]) -> str:
    """Lays a function's options out as a table in Markdown.

    Args:
        function: a function with a Google style docstring

    Returns:
        a row for each argument but the collection: name, default, meaning
    """
    texts = argument_texts(function)
    rows = ["| option | default | meaning |", "|---|---|---|"]
    for name, parameter in inspect.signature(function).parameters.items():
        if name in COLLECTIONS or parameter.kind in (
            inspect.Parameter.VAR_KEYWORD,
            inspect.Parameter.VAR_POSITIONAL,
        ):
            continue
        default = "required"
        if parameter.default is not inspect.Parameter.empty:
            default = _shown(parameter.default)
        text = texts[name].replace("``", "`").replace("|", "\\|")
        rows.append(f"| `{name}` | {default} | {text} |")
    return "\n".join(rows) + "\n"


def preset_table() -> str:
    """Lays out which settings of a stage the presets differ in."""
    from raremine.brain.presets import PRESETS

    names = list(PRESETS)
    rows = [
        f"| stage | setting | {' | '.join(f'`{name}`' for name in names)} |",
        f"|---|---|{'---|' * len(names)}",
    ]
    stages = dict.fromkeys(s for name in names for s in PRESETS[name])
    for stage in stages:
        used = [PRESETS[name].get(stage, {}) for name in names]
        for setting in dict.fromkeys(s for given in used for s in given):
            values = [_shown(given.get(setting, _UNSET)) for given in used]
            if len(set(values)) > 1:
                cells = " | ".join(values)
                rows.append(f"| {stage} | `{setting}` | {cells} |")
    return "\n".join(rows) + "\n"


_UNSET = object()


def _shown(value: Any) -> str:
    if value is _UNSET:
        return "not set"
    if isinstance(value, str):
        return f'`"{value}"`'
    return f"`{list(value) if isinstance(value, tuple) else value}`"


def refreshed(text: str) -> str:
    """Returns a page with its tables made anew."""

    def table(match: re.Match[str]) -> str:
        name = match["name"]
        made = option_table(documented(name)) if name else preset_table()
        return f"{match[1]}\n{made}\n{match[4]}"

    return _REGION.sub(table, text)


def pages() -> list[Path]:
    """Returns the pages that may hold such tables."""
    return sorted(FOLDER.rglob("*.md"))


def main() -> None:
    """Rewrites the pages whose tables are stale."""
    sys.path.insert(0, str(FOLDER.parent))
    for path in pages():
        text = path.read_text("utf-8")
        new = refreshed(text)
        if new != text:
            path.write_text(new, "utf-8")
            print(f"refreshed {path.relative_to(FOLDER)}")


if __name__ == "__main__":
    main()
