"""What an operator gives back and how the App shows it.

Values of plain types, because results travel as JSON and delegated ones are
stored in the database.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import fiftyone.operators.types as types

from raremine.operators.next_steps import Step

_UNSHOWN = {"stage", "shown"}
"""What a result says to programs only."""

_STAGE_COLUMNS = ("stage", "images", "objects", "failures", "seconds")


def plain(value: Any) -> Any:
    """Turns tuples, paths, sets and NumPy values into JSON's types."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, (set, frozenset)):
        return sorted(plain(v) for v in value)
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    json.dumps(value)
    return value


def show(
    results: Mapping[str, Any] | None,
    steps: Sequence[Step] = (),
    title: str = "Done",
) -> types.Property:
    """Lays out an operator's result.

    Args:
        results: numbers and texts become lines, dicts a block of lines,
            lists of dicts a table; ``error`` is shown as an error
        steps (()): become buttons below
        title ("Done"): what is finished

    Returns:
        what ``resolve_output`` has to return
    """
    outputs = types.Object()
    failed = (results or {}).get("error")
    if results and not failed:
        outputs.view("title", types.Success(label=title))
    if steps:
        _add_buttons(outputs, steps)
    for name, value in (results or {}).items():
        if name == "error":
            outputs.view(
                "error", types.Error(label="What is wrong", description=value)
            )
        elif name not in _UNSHOWN and not _is_told_elsewhere(name, value):
            _add(outputs, name, value)
    label = "Not done" if failed else "Done"
    return types.Property(outputs, view=types.View(label=label))


def _add_buttons(outputs: types.Object, steps: Sequence[Step]) -> None:
    """Adds a row of buttons; the last one, the next step, stands out."""
    row = outputs.h_stack("steps", gap=1)
    for step in steps:
        row.btn(
            step.name,
            step.label,
            on_click=step.operator,
            params=dict(step.params),
            prompt=step.prompt,
            variant="contained" if step is steps[-1] else "outlined",
        )


def _add(outputs: types.Object, name: str, value: Any) -> None:
    label = name.replace("_", " ").capitalize()
    if isinstance(value, Mapping):
        block = types.Object()
        for key, entry in value.items():
            _add(block, key, entry)
        if block.properties:
            outputs.define_property(name, block, label=label)
    elif _is_rows(value):
        table = types.TableView()
        for column in _columns(value):
            table.add_column(column, label=column.replace("_", " "))
        outputs.list(name, types.Object(), label=label, view=table)
    elif isinstance(value, list):
        if value:
            outputs.list(name, types.String(), label=label)
    elif isinstance(value, bool):
        outputs.bool(name, label=label)
    elif isinstance(value, int):
        outputs.int(name, label=label)
    elif isinstance(value, float):
        outputs.float(name, label=label)
    elif value is not None:
        outputs.str(name, label=label)


def _is_told_elsewhere(name: str, value: Any) -> bool:
    """Whether the stages' table or the buttons tell the same."""
    by_stage = name == "seconds" and isinstance(value, Mapping)
    return by_stage or name == "views"


def _is_rows(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(row, Mapping) for row in value)
    )


def _columns(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    if all("stage" in row for row in rows):
        return [c for c in _STAGE_COLUMNS if any(c in row for row in rows)]
    return list(dict.fromkeys(key for row in rows for key in row))
