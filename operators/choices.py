"""What a form can offer: the fields, runs and values that a dataset has."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, count

import fiftyone as fo

from raremine.brain.selection.runs import selection_runs


def detection_fields(dataset: fo.Dataset) -> list[str]:
    """Returns the fields of detections, mined ones before the ground truth.

    Args:
        dataset: the dataset
    """
    fields = dataset.get_field_schema(embedded_doc_type=fo.Detections)
    return sorted(fields, key=lambda name: (name == "ground_truth", name))


def mined_fields(dataset: fo.Dataset) -> list[str]:
    """Returns the fields of detections that are no ground truth."""
    return [f for f in detection_fields(dataset) if f != "ground_truth"]


def vector_keys(dataset: fo.Dataset, field: str) -> list[str]:
    """Returns the brain keys of the vectors of a field's objects."""
    return list(
        dataset.list_brain_runs(type="similarity", patches_field=field)
    )


def map_keys(dataset: fo.Dataset, field: str) -> list[str]:
    """Returns the brain keys of the maps of a field's objects."""
    return list(
        dataset.list_brain_runs(type="visualization", patches_field=field)
    )


def split_names(dataset: fo.Dataset) -> list[str]:
    """Returns the official splits that the dataset has frames of."""
    if dataset.get_field("split") is None:
        return []
    return [split for split in dataset.distinct("split") if split]


def class_names(
    dataset: fo.Dataset, field: str, attribute: str = "label"
) -> list[str]:
    """Returns the classes of a field's objects, to suggest them.

    Those of the active camera: a question of all cameras would take too long
    for a form.
    """
    path = f"{field}.detections.{attribute}"
    if dataset.get_field(path) is None:
        return []
    return [str(name) for name in dataset.distinct(path) if name]


def frame_vector_keys(dataset: fo.Dataset, field: str) -> list[str]:
    """Returns the keys of vectors that frames can be compared by.

    Those of a field's objects, which a frame is a set of, and those of whole
    images.
    """
    frames = dataset.list_brain_runs(type="similarity", patches_field=None)
    return list(dict.fromkeys((*vector_keys(dataset, field), *frames)))


def selection_sizes(dataset: fo.Dataset) -> dict[str, int]:
    """Returns how many keyframes each selection has, by its name."""
    runs = selection_runs(dataset._root_dataset).values()
    return {run["name"]: int(run.get("frames") or 0) for run in runs}


def free_name(names: Sequence[str], first: str = "selection") -> str:
    """Returns a name that is not taken: the first, or with a number behind.

    Args:
        names: those that are taken
        first ("selection"): the name to begin with
    """
    numbered = (f"{first}_{n}" for n in count(2))
    free = (n for n in chain([first], numbered) if n not in names)
    return next(free)
