"""Frames are selected for training; selections are kept and compared."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import fiftyone as fo

    from raremine.brain.selection.comparison import SelectionComparison
    from raremine.brain.selection.result import Selection


def select_frames(
    dataset: fo.Dataset,
    recipe: Mapping[str, Any] | str | Path | None = None,
    *,
    name: str,
    seed: int | None = None,
    **kwargs: Any,
) -> Selection:
    """Selects the keyframes of a training split.

    Full documentation: :func:`raremine.brain.selection.stage.select_frames`.

    Args:
        dataset: the dataset
        recipe (None): shares of all train frames by component, such as
            ``{"random": .1, "target": .1}``, or a YAML file; None = repeat
            the selection of that name
        name: name of the selection, also its tag
        seed (None): seed of everything that is drawn, None = the recipe's,
            or else 0
        **kwargs: further options of the selection

    Returns:
        a ``Selection``

    Raises:
        RecipeError: if the recipe cannot be carried out
    """
    from raremine.brain.selection.stage import select_frames as select

    return select(dataset, recipe, name=name, seed=seed, **kwargs)


def list_selections(dataset: fo.Dataset) -> list[str]:
    """Returns the names of a dataset's selections, the oldest first.

    Args:
        dataset: the dataset
    """
    from raremine.brain.selection.stage import list_selections as names

    return names(dataset)


def load_selection(dataset: fo.Dataset, name: str | None = None) -> Selection:
    """Returns a selection of a dataset.

    Args:
        dataset: the dataset
        name (None): its name, None = the one that was made last

    Raises:
        MissingStageError: if there is no such selection
    """
    from raremine.brain.selection.stage import load_selection as load

    return load(dataset, name)


def compare_selections(
    dataset: fo.Dataset,
    a: Selection | str,
    b: Selection | str,
    *,
    field: str = "objects",
    classes: str | None = None,
) -> SelectionComparison:
    """Compares two selections: overlap, class balance, scene coverage.

    Full documentation:
    :func:`raremine.brain.selection.compare.compare_selections`.

    Args:
        dataset: the dataset
        a: name of the first selection
        b: name of the second selection
        field ("objects"): objects whose classes are counted: the mined ones,
            or annotations such as ``ground_truth``
        classes (None): the objects' attribute that holds the class, None =
            ``concept`` where the objects have one, else ``label``

    Returns:
        a ``SelectionComparison``

    Raises:
        MissingStageError: if there is no such selection, or no such objects
    """
    from raremine.brain.selection.compare import compare_selections as compare

    return compare(dataset, a, b, field=field, classes=classes)


def delete_selection(dataset: fo.Dataset, name: str) -> dict[str, Any]:
    """Deletes a selection: its tags, its saved views and its run.

    Args:
        dataset: the dataset
        name: name of the selection

    Returns:
        what went: ``selection``, ``frames``, ``views``

    Raises:
        MissingStageError: if there is no such selection
    """
    from raremine.brain.selection.stage import delete_selection as delete

    return delete(dataset, name)
