"""Saved views that show what was mined.

They match on plain fields and tags that sit on every slice of a keyframe, so
a hit shows the whole group with all its cameras whatever slice is active.
(``select_groups`` would do the same in Python, but the App answers it with
an error, and it would fix the ids at the time of saving.)
"""

from __future__ import annotations

import fiftyone as fo
from fiftyone import ViewField as F

from raremine.brain.columns import all_slices
from raremine.brain.errors import MissingStageError
from raremine.brain.selection.result import Selection

TARGET_VIEW = "Target"
RARE_VIEW = "Rare"
SELECTION_VIEW = "Target/Rare selection"

_COLORS = {
    TARGET_VIEW: "#D62728",
    RARE_VIEW: "#FF9F1C",
    SELECTION_VIEW: "#2CA02C",
}


def save_mining_views(
    dataset: fo.Dataset,
    selection: Selection | None = None,
    field: str = "objects",
) -> list[str]:
    """Creates or renews the saved views of a mined dataset.

    - ``Target``: keyframes with at least one Target object
    - ``Rare``: keyframes with a Rare object and no Target object
    - ``Target/Rare selection``: the keyframes of the selection; without one,
      all that are Target or Rare

    Args:
        dataset: the dataset
        selection (None): a selection that ``select_frames`` has made
        field ("objects"): the mined detections, for the descriptions

    Returns:
        the names of the saved views

    Raises:
        MissingStageError: if the keyframes have no mining group yet, or the
            samples not the selection's tag
    """
    dataset = dataset._root_dataset
    if dataset.get_field("mining_group") is None:
        raise MissingStageError(
            f"Dataset '{dataset.name}' has no field 'mining_group'; run "
            "match_concepts first."
        )
    group = F("mining_group")
    if selection is None:
        chosen = dataset.match(group.is_in(["target", "rare"]))
        what = f"Keyframes with Target or Rare objects in '{field}'"
    else:
        if selection.tokens and not len(
            all_slices(dataset).match_tags(selection.name).limit(1)
        ):
            raise MissingStageError(
                f"No sample of dataset '{dataset.name}' has the tag "
                f"'{selection.name}'; run select_frames on it first."
            )
        chosen = dataset.match_tags(selection.name)
        what = (
            f"The {len(selection)} keyframes of selection "
            f"'{selection.name}', all cameras"
        )
    views = {
        TARGET_VIEW: (
            dataset.match(group == "target"),
            f"Keyframes with Target objects in '{field}'",
        ),
        RARE_VIEW: (
            dataset.match(group == "rare"),
            f"Keyframes with Rare and no Target objects in '{field}'",
        ),
        SELECTION_VIEW: (chosen, what),
    }
    for name, (view, description) in views.items():
        dataset.save_view(
            name,
            view,
            description=description,
            color=_COLORS[name],
            overwrite=True,
        )
    return list(views)
