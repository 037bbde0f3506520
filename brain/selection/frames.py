"""The frame table of a recipe: with the columns that its components need."""

from __future__ import annotations

from collections.abc import Mapping

import fiftyone as fo

from raremine.brain.errors import MissingStageError
from raremine.brain.frame_columns import read_frames_with
from raremine.brain.objects import FrameTable
from raremine.brain.selection.components import meant_column, meant_strategy
from raremine.brain.selection.recipe import (
    GROUP_COMPONENTS,
    RANDOM,
    Recipe,
)
from raremine.brain.strategies import EMBEDDING, needed_columns


def frames_for(
    dataset: fo.Dataset,
    recipe: Recipe,
    *,
    field: str = "objects",
    embeddings: str | None = None,
    also: Mapping[str, str] | None = None,
) -> FrameTable:
    """Reads the keyframes of a dataset with what a recipe needs.

    Args:
        dataset: the root dataset
        recipe: the recipe
        field ("objects"): the mined detections
        embeddings (None): brain key of the vectors, read only where the
            recipe looks at frame embeddings; see ``read_frames_with``
        also (None): prefix → another detections field, see ``read_frames``

    Raises:
        MissingStageError: if a component needs a stage that has not run
    """
    wanted = [c for c in GROUP_COMPONENTS if recipe.shares.get(c)]
    if wanted and dataset.get_field(f"{field}.detections.group") is None:
        raise MissingStageError(
            f"The recipe asks for {' and '.join(wanted)} frames, but the "
            f"objects in '{field}' of dataset '{dataset.name}' have no "
            "group; run match_concepts first."
        )
    return read_frames_with(
        dataset,
        columns_of(dataset, recipe),
        field=field,
        embeddings=embeddings,
        also=also,
    )


def columns_of(dataset: fo.Dataset, recipe: Recipe) -> set[str]:
    """Returns the frame columns that a recipe's components look at."""
    needs = {EMBEDDING} if recipe.max_similarity is not None else set()
    for component in recipe.components:
        name = component.name
        if not component.share or name in (RANDOM, *GROUP_COMPONENTS):
            continue
        column = meant_column(name)
        strategy = meant_strategy(name)
        if column is not None:
            needs.add(column)
            # a field of the samples goes before a strategy of its name
            if dataset.get_field(column) is not None:
                continue
        if strategy is not None:
            needs |= needed_columns(strategy)
    return needs
