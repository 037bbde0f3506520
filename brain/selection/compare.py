"""Comparing two selections of a dataset."""

from __future__ import annotations

import fiftyone as fo
import numpy as np

from raremine.brain.columns import read_objects
from raremine.brain.errors import MissingStageError
from raremine.brain.frames import read_keyframes
from raremine.brain.pool import frame_pool
from raremine.brain.selection.comparison import SelectionComparison, compare
from raremine.brain.selection.result import Selection
from raremine.brain.selection.stage import load_selection


def compare_selections(
    dataset: fo.Dataset,
    a: Selection | str,
    b: Selection | str,
    *,
    field: str = "objects",
    classes: str | None = None,
) -> SelectionComparison:
    """Compares two selections: overlap, class balance, scene coverage.

    Args:
        dataset: the dataset
        a: a ``Selection`` or the name of one
        b: another
        field ("objects"): the objects whose classes are counted: the mined
            ones, or annotations such as ``ground_truth``
        classes (None): the objects' attribute that holds the class; None =
            ``concept`` where the objects have one, else ``label``

    Returns:
        the comparison

    Raises:
        MissingStageError: if there is no such selection, or no such objects
    """
    dataset = dataset._root_dataset
    first, second = load_selection(dataset, a), load_selection(dataset, b)
    root = f"{field}.detections"
    if classes is None:
        known = dataset.get_field(f"{root}.concept") is not None
        classes = "concept" if known else "label"
    if dataset.get_field(f"{root}.{classes}") is None:
        raise MissingStageError(
            f"Dataset '{dataset.name}' has no '{root}.{classes}' to count "
            "classes by; name another field or attribute."
        )
    frames = read_keyframes(dataset)
    pool = np.zeros(len(frames), dtype=bool)
    for selection in (first, second):
        pool |= frame_pool(frames, selection.recipe.get("pool"))[0]
    objects = read_objects(dataset, field, [classes])
    return compare(
        first,
        second,
        frames,
        pool,
        objects["sample_token"],
        objects[classes],
    )
