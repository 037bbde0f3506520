"""Signals of a Pareto ranking: any number on objects or their images.

``name`` is an attribute of the objects, or else a field of their image;
``object:name`` and ``frame:name`` say which. A minus in front turns a signal
around: ``-confidence``, ``-frame:mining_score``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import fiftyone.core.fields as fof
import numpy as np

from raremine.brain.columns import Scope, has_objects, read_objects
from raremine.brain.errors import MissingStageError, RaremineError
from raremine.brain.objects import ObjectTable

LEVELS = ("object", "frame")
"""Where a signal can stand; the first one that has the name wins."""


@dataclass(frozen=True)
class Signal:
    """One signal.

    Attributes:
        name: attribute of the objects or (dotted) field of their image
        level: one of ``LEVELS``
        lower: whether lower values are more worth mining
    """

    name: str
    level: str
    lower: bool = False


def find_signals(
    scope: Scope, field: str, texts: Sequence[str]
) -> list[Signal]:
    """Reads what a user wrote and finds where each signal stands.

    Args:
        scope: dataset and images
        field: the detections field
        texts: signals as written, see the module

    Raises:
        MissingStageError: if nothing of that name exists
        RaremineError: if there is no signal, one is named twice or holds no
            numbers
    """
    if isinstance(texts, str):
        raise RaremineError(
            f"Signals come as a list of names; got the text '{texts}'."
        )
    if not texts:
        raise RaremineError("rank_pareto needs at least one signal.")
    signals = [_find(scope, field, text) for text in texts]
    seen = set()
    for signal in signals:
        if (signal.level, signal.name) in seen:
            raise RaremineError(
                f"Signal '{signal.name}' is named twice; name each once, "
                "with or without a minus."
            )
        seen.add((signal.level, signal.name))
    return signals


def read_signals(
    scope: Scope, field: str, signals: Sequence[Signal]
) -> tuple[ObjectTable, np.ndarray]:
    """Reads the values of signals.

    Args:
        scope: dataset and images
        field: the detections field
        signals: what to read

    Returns:
        the objects, and (n, s) float64, higher = more worth mining, NaN where
        an object (or its image) has no value
    """
    names = [s.name for s in signals if s.level == "object"]
    table = read_objects(scope, field, names)
    columns = []
    for signal in signals:
        if signal.level == "object":
            values = np.asarray(table[signal.name], dtype=np.float64)
        else:
            values = _of_images(scope, table, signal.name)
        columns.append(-values if signal.lower else values)
    return table, np.column_stack(columns)


def numeric_names(dataset: Any, field: str) -> list[str]:
    """Lists what can be a signal, as ``rank_pareto`` takes it.

    Args:
        dataset: the root dataset
        field: the detections field
    """
    root = f"{field}.detections."
    schema = dataset.get_field_schema(
        ftype=(fof.FloatField, fof.IntField), flat=True
    )
    objects = sorted(
        path[len(root) :]
        for path in schema
        if path.startswith(root) and "." not in path[len(root) :]
    )
    frames = sorted(p for p in schema if not _in_list(dataset, p))
    return objects + [f"frame:{path}" for path in frames]


def _find(scope: Scope, field: str, text: str) -> Signal:
    rest = text.strip()
    lower = rest.startswith("-")
    rest = rest.removeprefix("-").strip()
    asked, colon, name = rest.partition(":")
    levels = (asked,) if colon and asked in LEVELS else LEVELS
    name = name if levels != LEVELS else rest
    for level in levels:
        path = name if level == "frame" else f"{field}.detections.{name}"
        if level == "object" and not has_objects(scope, field):
            continue
        ftype = scope.dataset.get_field(path) if name else None
        if ftype is None:
            continue
        if isinstance(ftype, (fof.FloatField, fof.IntField)) and not (
            level == "frame" and _in_list(scope.dataset, path)
        ):
            return Signal(name, level, lower)
        raise RaremineError(
            f"Signal '{name}' holds no numbers ({type(ftype).__name__} of "
            f"the {level}s); choose another"
            + (
                f", or write 'frame:{name}' if you mean the image's field."
                if level == "object" and len(levels) > 1
                else "."
            )
        )
    where = " and its images" if "frame" in levels else ""
    raise MissingStageError(
        f"Objects '{field}' of dataset '{scope.dataset.name}'{where} have no "
        f"'{name}'; run the stage that makes it (score_outliers, "
        "score_novelty), or choose another signal."
    )


def _in_list(dataset: Any, path: str) -> bool:
    """Whether a path goes through a list: many values an image."""
    parts = path.split(".")
    return any(
        isinstance(dataset.get_field(".".join(parts[:end])), fof.ListField)
        for end in range(1, len(parts))
    )


def _of_images(scope: Scope, table: ObjectTable, path: str) -> np.ndarray:
    """Returns each object's (n,) float64 value of its image, NaN if none."""
    ids, values = scope.images.values(["id", path])
    number = {
        sample_id: np.nan if value is None else float(value)
        for sample_id, value in zip(ids, values, strict=True)
    }
    return np.array([number[str(i)] for i in table.sample_id], dtype=float)
