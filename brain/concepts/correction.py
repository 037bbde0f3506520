"""What a human decided about an object, which no rerun takes away."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import fiftyone as fo
import fiftyone.core.fields as fof
import numpy as np

from raremine.brain.columns import (
    Scope,
    declare_columns,
    read_objects,
    require_objects,
    resolve,
    write_objects,
)
from raremine.brain.concepts.vocabulary import (
    GROUPS,
    load_vocabulary,
    normalize,
)
from raremine.brain.decisions import (
    corrections_key,
    read_decisions,
    record_decisions,
    set_aside,
)
from raremine.brain.errors import RaremineError
from raremine.brain.frames import write_frame_summary
from raremine.brain.objects import ObjectTable
from raremine.brain.runs import check_key, run_params
from raremine.brain.summary import StageSummary

BY_HUMAN = "human"
BY_EVIDENCE = "evidence"

_WRITTEN: dict[str, type[fof.Field]] = {
    "human_concept": fof.StringField,
    "human_group": fof.StringField,
    "concept": fof.StringField,
    "group": fof.StringField,
    "concept_score": fof.FloatField,
    "concept_margin": fof.FloatField,
    "ambiguous": fof.BooleanField,
    "runner_up": fof.StringField,
    "target_score": fof.FloatField,
    "rare_score": fof.FloatField,
    "target_evidence": fof.FloatField,
    "rare_evidence": fof.FloatField,
    "concept_source": fof.StringField,
    "reason": fof.StringField,
}


def correct(
    samples: Any,
    concept: str | None = None,
    *,
    group: str | None = None,
    labels: Iterable[str] | None = None,
    field: str = "objects",
    vocabulary: Any = None,
    clear: bool = False,
) -> dict[str, Any]:
    """Sets concept and group of objects by hand, or takes that back.

    See :func:`raremine.brain.correct_objects`.
    """
    summary = StageSummary("correct_objects")
    scope = resolve(samples, field)
    dataset = scope.dataset
    require_objects(scope, field)
    check_key(dataset, corrections_key(field), "corrections")
    concept = normalize(concept) if concept else None
    if clear == bool(concept or group):
        raise RaremineError(
            "Say which concept or group the objects have, or clear=True to "
            "take earlier corrections back; not both and not neither."
        )
    groups = _known_groups(dataset, field, vocabulary)
    _check(concept, group, groups)
    table = _chosen(scope, field, labels)
    if clear:
        columns = _taken_back(table)
        said = read_decisions(table)
        rows = np.array([pair is not None for pair in said], dtype=bool)
        table = table.take(rows)
        columns = {n: values[rows] for n, values in columns.items()}
    else:
        own = concept or None
        decided = {
            "human_concept": np.full(len(table), own, dtype=object),
            "human_group": np.full(len(table), group, dtype=object),
        }
        table.columns.update(decided)
        columns = {name: table[name].copy() for name in _WRITTEN}
        apply_corrections(columns, table, groups)
    declare_columns(dataset, field, _WRITTEN)
    write_objects(dataset, field, table, columns)
    write_frame_summary(dataset, field)
    total = record_decisions(dataset, field, set_aside(dataset, field))
    summary.count(objects=len(table), corrected_in_all=total)
    return summary.to_dict()


def apply_corrections(
    columns: Mapping[str, Any], table: ObjectTable, groups: Mapping[str, str]
) -> int:
    """Puts human decisions in place of what the evidence says.

    Args:
        columns: what is going to be written, changed in place: ``concept``,
            ``group``, ``reason`` and the scores, each with one value a row;
            ``concept_source`` among them tells whose word each row is
        table: objects with ``human_concept`` and ``human_group``
        groups: concept → group; a concept that has none needs a human group

    Returns:
        number of objects that a human decided
    """
    count = 0
    for row, decided in enumerate(read_decisions(table)):
        if decided is None:
            continue
        concept, group = decided
        machine = columns["concept"][row]
        count += 1
        columns["concept"][row] = concept or machine
        group = group or groups.get(concept or "", "rare")
        columns["group"][row] = group
        columns["concept_score"][row] = 1.0 if concept else None
        columns["concept_margin"][row] = 1.0 if concept else None
        columns["ambiguous"][row] = False
        if concept and columns["runner_up"][row] == concept:
            columns["runner_up"][row] = None
        for name in ("target", "rare"):
            for kind in ("score", "evidence"):
                if f"{name}_{kind}" in columns:
                    columns[f"{name}_{kind}"][row] = float(group == name)
        columns["concept_source"][row] = BY_HUMAN
        said = f"{concept}, {group}" if concept else group
        columns["reason"][row] = f"a human says {said}"
    return count


def _taken_back(table: ObjectTable) -> dict[str, np.ndarray]:
    columns = {
        name: np.full(len(table), None, dtype=object) for name in _WRITTEN
    }
    columns["group"][:] = "common"
    columns["reason"][:] = (
        "a human's word was taken back; run match_concepts again"
    )
    return columns


def _chosen(
    scope: Scope, field: str, labels: Iterable[str] | None
) -> ObjectTable:
    table = read_objects(scope, field, tuple(_WRITTEN))
    for name in _WRITTEN:
        # numbers and texts alike become what can hold None
        table.columns[name] = np.array(
            [None if v != v else v for v in table[name]], dtype=object
        )
    if labels is None:
        return table
    rows = table.rows_of([str(i) for i in labels])
    if (rows < 0).any():
        raise RaremineError(
            f"{int((rows < 0).sum())} of {len(rows)} label ids are no objects "
            f"of field '{field}' here; nothing was changed."
        )
    return table.take(np.unique(rows))


def _known_groups(
    dataset: fo.Dataset, field: str, vocabulary: Any
) -> dict[str, str]:
    """Returns concept → group of the last match, or of the vocabulary."""
    recorded = run_params(dataset, f"{field}_concepts")
    if vocabulary is None and recorded and recorded.get("concepts"):
        return dict(recorded["concepts"])
    return load_vocabulary(vocabulary).groups()


def _check(
    concept: str | None, group: str | None, groups: Mapping[str, str]
) -> None:
    if group is not None and group not in GROUPS:
        raise RaremineError(
            f"Unknown group '{group}'; choose {', '.join(GROUPS)}."
        )
    if concept and concept not in groups and group is None:
        raise RaremineError(
            f"Concept '{concept}' is not in the vocabulary "
            f"({', '.join(groups)}); choose one of these, or say the group "
            "of the new concept."
        )
