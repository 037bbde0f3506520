"""Load a nuScenes dataroot as a grouped dataset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import raremine.brain as rmb
from raremine.operators.forms import Form
from raremine.operators.stage_operator import StageOperator

VERSIONS = ("v1.0-mini", "v1.0-trainval", "v1.0-test")
SPLITS = ("train", "val", "test", "mini_train", "mini_val")


class LoadNuscenes(StageOperator):
    """Load a nuScenes dataroot as a grouped dataset."""

    stage = "load_nuscenes"
    label = "Load nuScenes"
    description = (
        "Load a nuScenes dataroot as a grouped dataset: cameras, LiDAR, boxes"
    )
    icon = "folder_open"
    needs_dataset = False
    works_on_view = False
    positional = ("dataroot", "version", "name")

    def fill_form(self, form: Form, ctx: Any) -> None:
        """Asks for the dataroot and what to take of it."""
        form.text("dataroot")
        form.text("version", VERSIONS)
        form.text("name")
        form.texts("split", SPLITS)
        form.text("splits")
        form.texts("scenes")
        form.integer("max_scenes", 1)
        form.texts("channels")
        form.switch("radar")
        form.integer("sweeps", 0)
        form.switch("ground_truth")
        form.choice("media", ("link", "copy"))
        form.text("media_dir")
        form.choice("missing", ("skip", "error"))
        form.switch("append")
        form.switch("overwrite")

    def run(
        self, ctx: Any, arguments: dict[str, Any], progress: Any
    ) -> Mapping[str, Any]:
        """Loads; returns what the dataset holds and opens it."""
        dataset = rmb.load_nuscenes(**arguments, progress=progress)
        if not ctx.delegated:
            ctx.ops.open_dataset(dataset.name)
        return {
            "dataset": dataset.name,
            "frames": len(dataset),
            "slices": dataset.group_slices,
        }

    def __call__(
        self, *values: Any, delegate: bool = False, **arguments: Any
    ) -> Any:
        """Runs the operator from Python, which needs no dataset.

        Args:
            *values: dataroot, version and name
            delegate (False): queue the run instead of running it here
            **arguments: further parameters by name

        Returns:
            FiftyOne's ``ExecutionResult``

        Raises:
            DatarootError: if the dataroot is absent, incomplete or malformed
            RaremineError: if the name is taken
        """
        return self._call({}, values, arguments, delegate)
