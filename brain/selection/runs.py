"""A selection's brain run: it owns a tag and saved views besides its record.

Whoever deletes the run, by ``delete_selection``, FiftyOne's SDK or the App,
deletes these with it.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

import fiftyone as fo
import fiftyone.core.odm as odm

from raremine.brain.columns import take_in_changes
from raremine.brain.errors import MissingStageError, RaremineError
from raremine.brain.runs import MiningStage, MiningStageConfig, run_params
from raremine.brain.selection.views import SELECTION_VIEW, save_selection_view

STAGE = "selection"
LONGEST_NAME = 200


class SelectionRunConfig(MiningStageConfig):
    """Configuration of a selection; ``params["views"]`` are its views."""


class SelectionRun(MiningStage):
    """Life cycle of a selection's run."""

    def cleanup(self, samples: Any, key: str) -> None:
        """Deletes the tag, and the views that no other selection has."""
        dataset = samples._root_dataset
        others = selection_runs(dataset)
        others.pop(key, None)
        theirs = {v for p in others.values() for v in p.get("views", ())}
        mine = set(self.config.params.get("views", ()))
        for view in sorted(mine - theirs):
            if dataset.has_saved_view(view):
                dataset.delete_saved_view(view)
        if any(view.startswith(SELECTION_VIEW) for view in mine & theirs):
            last = max(others.values(), key=lambda p: p["number"])
            save_selection_view(dataset, last["name"], last.get("frames"))
        super().cleanup(samples, key)


def take_in_runs(dataset: fo.Dataset) -> None:
    """Takes in what other processes have selected since.

    As the App may have, beside a notebook that keeps the dataset open.

    Args:
        dataset: the root dataset
    """
    take_in_changes(dataset)
    stored = odm.get_db_conn().datasets.find_one(
        {"_id": dataset._doc.id}, {"brain_methods": 1}
    )
    known = {
        key: getattr(run, "id", None)
        for key, run in dataset._doc.brain_methods.items()
    }
    # a run that was replaced keeps its key and gets another document
    if stored is not None and (stored.get("brain_methods") or {}) != known:
        dataset._reload(hard=True)


def selection_runs(dataset: fo.Dataset) -> dict[str, dict[str, Any]]:
    """Returns the parameters of every selection run, by brain key."""
    keys = dataset.list_brain_runs(type=f"raremine_{STAGE}")
    return {key: run_params(dataset, key) or {} for key in keys}


def find_run(dataset: fo.Dataset, name: str | None) -> str:
    """Returns the brain key of a selection, which may have been renamed.

    Args:
        dataset: the root dataset
        name: name of the selection, None for the one that was made last

    Raises:
        MissingStageError: if there is no such selection
    """
    runs = selection_runs(dataset)
    if not runs:
        raise MissingStageError(
            f"Dataset '{dataset.name}' has no selection; run select_frames "
            "first."
        )
    if name is None:
        return max(runs, key=lambda key: runs[key]["number"])
    by_name = {params["name"]: key for key, params in runs.items()}
    if name not in by_name:
        raise MissingStageError(
            f"Dataset '{dataset.name}' has no selection '{name}' "
            f"(it has: {', '.join(sorted(by_name))})."
        )
    return by_name[name]


def run_key(name: str) -> str:
    """Returns the brain key of a selection: an identifier from its name.

    Args:
        name: any text; one that is no identifier gets a short hash of itself
            behind, so that "a-b" and "a b" do not collide
    """
    if not isinstance(name, str) or not name.strip():
        raise RaremineError("A selection needs a name that is not empty.")
    if len(name) > LONGEST_NAME:
        raise RaremineError(
            f"The name of the selection has {len(name)} characters; give one "
            f"of up to {LONGEST_NAME}."
        )
    slug = re.sub(r"[^0-9A-Za-z]+", "_", name).strip("_")
    if slug != name:
        digest = hashlib.sha256(name.encode()).hexdigest()[:6]
        slug = f"{slug}_{digest}" if slug else digest
    return f"{STAGE}_{slug}"
