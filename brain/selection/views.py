"""Saved views that show what was mined and what was selected.

They match on plain fields and tags that sit on every slice of a keyframe, so
a hit shows the whole group with all its cameras whatever slice is active.
(``select_groups`` would do the same in Python, but the App answers it with
an error, and it would fix the ids at the time of saving.)
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Any

import fiftyone as fo
import fiftyone.core.utils as fou
from fiftyone import ViewField as F

from raremine.brain.columns import all_slices
from raremine.brain.errors import MissingStageError
from raremine.brain.selection.result import Selection

TARGET_VIEW = "Target"
RARE_VIEW = "Rare"
SELECTION_VIEW = "Target/Rare selection"

_OURS = re.compile(
    r"Keyframes with (Target|Rare)|The (\d+ )?keyframes of selection"
)
"""How the descriptions of these views begin."""

_COLORS = {
    TARGET_VIEW: "#D62728",
    RARE_VIEW: "#FF9F1C",
    SELECTION_VIEW: "#2CA02C",
}
_CHOSEN_COLOR = "#2CA02C"
_UNTOUCHED_COLOR = "#7F7F7F"
_NO_SPLIT = "no split"


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
    if not has_groups(dataset):
        raise MissingStageError(
            f"Dataset '{dataset.name}' has no field 'mining_group'; run "
            "match_concepts first."
        )
    names = mining_view_names(dataset)
    group = F("mining_group")
    if selection is None:
        _save(
            dataset,
            names[SELECTION_VIEW],
            dataset.match(group.is_in(["target", "rare"])),
            f"Keyframes with Target or Rare objects in '{field}'",
            _COLORS[SELECTION_VIEW],
        )
    else:
        if selection.tokens and not len(
            all_slices(dataset).match_tags(selection.name).limit(1)
        ):
            raise MissingStageError(
                f"No sample of dataset '{dataset.name}' has the tag "
                f"'{selection.name}'; run select_frames on it first."
            )
        save_selection_view(dataset, selection.name, len(selection))
    _save(
        dataset,
        names[TARGET_VIEW],
        dataset.match(group == "target"),
        f"Keyframes with Target objects in '{field}'",
        _COLORS[TARGET_VIEW],
    )
    _save(
        dataset,
        names[RARE_VIEW],
        dataset.match(group == "rare"),
        f"Keyframes with Rare and no Target objects in '{field}'",
        _COLORS[RARE_VIEW],
    )
    return list(names.values())


def mining_view_names(dataset: fo.Dataset) -> dict[str, str]:
    """Returns what the three views of a mined dataset are called there.

    They keep away from views of the user's own, which FiftyOne would
    replace: beside one called "target" ours is "Target (mined)".

    Args:
        dataset: the root dataset
    """
    theirs = {
        fou.to_slug(view["name"])
        for view in dataset.list_saved_views(info=True)
        if not _OURS.match(view["description"] or "")
    }
    return {
        name: f"{name} (mined)" if fou.to_slug(name) in theirs else name
        for name in _COLORS
    }


def has_groups(dataset: fo.Dataset) -> bool:
    """Whether keyframes have a mining group that views can match on."""
    return dataset.get_field("mining_group") is not None


def save_selection_view(
    dataset: fo.Dataset, name: str, frames: int | None
) -> None:
    """Lets ``Target/Rare selection`` show a selection.

    Args:
        dataset: the root dataset
        name: name of the selection
        frames: how many keyframes it has, for the description
    """
    count = "" if frames is None else f"{frames} "
    _save(
        dataset,
        mining_view_names(dataset)[SELECTION_VIEW],
        dataset.match_tags(name),
        f"The {count}keyframes of selection '{name}', all cameras",
        _COLORS[SELECTION_VIEW],
    )


def split_view_names(
    dataset: fo.Dataset, name: str, splits: Iterable[str], own: Iterable[str]
) -> dict[str, str]:
    """Chooses names for a selection's views, one for each split.

    ``<selection> · <split>``, with a short hash behind where FiftyOne would
    not tell the name from that of another view.

    Args:
        dataset: the root dataset
        name: name of the selection
        splits: names of splits, "" for frames without one
        own: views of the selection from an earlier run

    Returns:
        name of the view by split
    """
    own = set(own)
    taken = {
        fou.to_slug(view)
        for view in dataset.list_saved_views()
        if view not in own
    }
    chosen: dict[str, str] = {}
    for split in splits:
        view = f"{name} · {split or _NO_SPLIT}"
        if _slug(view) in taken | {"", None}:
            digest = hashlib.sha256(view.encode()).hexdigest()[:6]
            view = f"{view} ({digest})"
        taken.add(fou.to_slug(view))
        chosen[split] = view
    return chosen


def save_split_views(
    dataset: fo.Dataset,
    selection: Selection,
    names: dict[str, str],
) -> None:
    """Creates or renews a selection's views.

    Of a split that frames were selected from, the view shows those; of any
    other split, all frames: what can be evaluated on.

    Args:
        dataset: the root dataset
        selection: the selection, tagged
        names: name of the view by split, from ``split_view_names``
    """
    selected = {pick.split for pick in selection.picks}
    has_splits = dataset.get_field("split") is not None
    for split, name in names.items():
        view = dataset.view()
        if has_splits:
            values: list[Any] = [split] if split else [None, ""]
            view = dataset.match(F("split").is_in(values))
        of_split = f"split '{split}'" if split else "no split"
        if split in selected:
            count = sum(pick.split == split for pick in selection.picks)
            _save(
                dataset,
                name,
                view.match_tags(selection.name),
                f"The {count} keyframes of {of_split} in selection "
                f"'{selection.name}'",
                _CHOSEN_COLOR,
            )
        else:
            _save(
                dataset,
                name,
                view,
                f"All keyframes of {of_split}, which selection "
                f"'{selection.name}' leaves untouched",
                _UNTOUCHED_COLOR,
            )


def _slug(name: str) -> str | None:
    try:
        return str(fou.to_slug(name))
    except ValueError:
        return None


def _save(
    dataset: fo.Dataset,
    name: str,
    view: Any,
    description: str,
    color: str,
) -> None:
    dataset.save_view(
        name, view, description=description, color=color, overwrite=True
    )
