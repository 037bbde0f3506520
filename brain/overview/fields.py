"""Which fields were mined, how far, and what there is to look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import fiftyone as fo
import fiftyone.core.fields as fof

FIRST_FIELD = "objects"

FIRST_SCORES = ("outlier_score", "novelty", "concept_score", "target_score")
"""Scores that are offered before all others."""

_NO_SCORES = {
    *("index", "crop_index", "pareto_order", "pareto_front", "mask"),
    # where an object is and how large makes it neither rare nor usual
    *("distance", "seen_width", "seen_height", "lidar_points"),
}

_TRUTH_ATTRIBUTES = ("num_lidar_pts", "ann_token", "instance_token")


@dataclass(frozen=True)
class MinedField:
    """How far a field of objects has been mined.

    Attributes:
        name: the detections field
        attributes: names of what stands on its objects
        scores: those of them that are scores, the usual ones first
        described: whether the keyframes' ``mining_group`` was last written
            from this field
    """

    name: str
    attributes: frozenset[str]
    scores: tuple[str, ...]
    described: bool = False

    def has(self, name: str) -> bool:
        """Whether a stage has written this attribute."""
        return name in self.attributes


def mined_fields(dataset: fo.Dataset) -> list[str]:
    """Returns the detections fields that hold objects to mine.

    Fields that a stage of ours has worked on, ``objects`` first; without
    any, all detections except ground truth.

    Args:
        dataset: the root dataset
    """
    schema = dataset.get_field_schema(embedded_doc_type=fo.Detections)
    ours = {
        str(config.field)
        for config in _run_configs(dataset)
        if getattr(config, "field", None) in schema
        and config.type != "raremine_evaluation"
    }
    others = {name for name in schema if not _is_truth(dataset, name)}
    return sorted(ours or others, key=lambda n: (n != FIRST_FIELD, n))


def read_field(dataset: fo.Dataset, name: str) -> MinedField:
    """Looks up what stands on the objects of a field.

    Args:
        dataset: the root dataset
        name: a detections field
    """
    schema = _attributes(dataset, name)
    numbers = {
        attribute
        for attribute, ftype in schema.items()
        if isinstance(ftype, (fof.FloatField, fof.IntField))
        and attribute not in _NO_SCORES
    }
    first = [s for s in FIRST_SCORES if s in numbers]
    return MinedField(
        name,
        frozenset(schema),
        (*first, *sorted(numbers - set(first))),
        _described_field(dataset) == name,
    )


def latest_run(
    dataset: fo.Dataset, stage: str, field: str | None = None
) -> str | None:
    """Returns the key of a stage's latest run, None if it never ran.

    Args:
        dataset: the root dataset
        stage: name of the stage, such as "novelty"
        field (None): only runs on that field
    """
    keys = [
        key
        for key in dataset.list_brain_runs(type=f"raremine_{stage}")
        if field in (None, dataset.get_brain_info(key).config.field)
    ]
    return max(keys, key=lambda k: _time(dataset, k), default=None)


def _described_field(dataset: fo.Dataset) -> str | None:
    """The field whose objects the fields of the keyframes describe."""
    if dataset.get_field("mining_group") is None:
        return None
    keys = [
        key
        for stage in ("concepts", "pareto", "corrections")
        for key in dataset.list_brain_runs(type=f"raremine_{stage}")
    ]
    if not keys:
        return FIRST_FIELD
    last = max(keys, key=lambda key: _time(dataset, key))
    return str(dataset.get_brain_info(last).config.field)


def _time(dataset: fo.Dataset, key: str) -> Any:
    return dataset.get_brain_info(key).timestamp


def _run_configs(dataset: fo.Dataset) -> list[Any]:
    configs = (
        dataset.get_brain_info(key).config for key in dataset.list_brain_runs()
    )
    return [c for c in configs if str(c.type).startswith("raremine_")]


def _attributes(dataset: fo.Dataset, name: str) -> dict[str, Any]:
    detections = dataset.get_field(f"{name}.detections")
    if detections is None:
        return {}
    return dict(detections.field.get_field_schema())


def _is_truth(dataset: fo.Dataset, name: str) -> bool:
    known = _attributes(dataset, name)
    return name == "ground_truth" or any(a in known for a in _TRUTH_ATTRIBUTES)
