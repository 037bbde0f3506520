"""The frame table of a recipe: with the columns that its components need."""

from __future__ import annotations

import fiftyone as fo

from raremine.brain.errors import MissingStageError
from raremine.brain.frames import CONCEPT_COLUMNS, read_frames
from raremine.brain.objects import FrameTable
from raremine.brain.selection.components import strategy_names
from raremine.brain.selection.recipe import GROUP_COMPONENTS, Recipe
from raremine.brain.strategies import DETECTOR_CLASS, EMBEDDING, registered
from raremine.brain.target_classes import read_detector_class


def frames_for(
    dataset: fo.Dataset, recipe: Recipe, field: str, embeddings: str
) -> FrameTable:
    """Reads the keyframes of a dataset with what a recipe needs.

    Args:
        dataset: the root dataset
        recipe: the recipe
        field: the mined detections
        embeddings: brain key of the objects' vectors, read only where the
            recipe looks at frame embeddings

    Raises:
        MissingStageError: if a component needs a stage that has not run
    """
    wanted = [c for c in GROUP_COMPONENTS if recipe.shares.get(c)]
    has_groups = dataset.get_field(f"{field}.detections.group") is not None
    if wanted and not has_groups:
        raise MissingStageError(
            f"The recipe asks for {' and '.join(wanted)} frames, but the "
            f"objects in '{field}' of dataset '{dataset.name}' have no "
            "group; run match_concepts first."
        )
    frames = read_frames(dataset, field)
    if not has_groups:
        for name in CONCEPT_COLUMNS:
            frames.columns.pop(name, None)
    needs = _needed_columns(recipe, frames)
    if recipe.max_similarity is not None:
        needs.add(EMBEDDING)
    if DETECTOR_CLASS in needs:
        frames.columns[DETECTOR_CLASS] = read_detector_class(
            dataset, field, frames
        )
    if EMBEDDING in needs:
        from raremine.brain.frame_vectors import read_frame_vectors

        frames.columns[EMBEDDING] = read_frame_vectors(
            dataset, frames, embeddings
        )
    return frames


def _needed_columns(recipe: Recipe, frames: FrameTable) -> set[str]:
    columns = set(frames.columns)
    known = registered()
    return {
        column
        for component in recipe.components
        if component.share
        for name in strategy_names(component.name, columns)
        for column in known[name].needs
    }
