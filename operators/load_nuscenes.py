"""Load a nuScenes dataroot as a grouped dataset."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import fiftyone as fo
import fiftyone.operators.types as types
from fiftyone.operators.executor import ExecutionOptions

import raremine.brain as rmb
from raremine.brain.columns import all_slices
from raremine.operators.checks import (
    check_file,
    check_folder_to_write,
    check_names,
)
from raremine.operators.dataroot import Contents, find_versions, look_into
from raremine.operators.estimates import Estimate, advice, estimate
from raremine.operators.forms import Form, answers
from raremine.operators.next_steps import steps_after
from raremine.operators.results import show
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
    # overwrite deletes a dataset, with everything that was mined in it
    risk = types.RiskLevel.HIGH
    needs_dataset = False
    works_on_view = False
    positional = ("dataroot", "version", "name")

    def fill_form(self, form: Form, ctx: Any) -> None:
        """Asks for the dataroot and what to take of it."""
        given = answers(ctx.params)
        dataroot = given.get("dataroot") or ""
        versions = find_versions(dataroot) if form.live else []
        version = given.get("version") or (versions[0] if versions else "")
        inside = look_into(dataroot, version) if form.live else None
        form.text("dataroot")
        form.pick("version", versions or VERSIONS, default=version or None)
        form.text("name")
        form.texts("split", inside.split_names if inside else SPLITS)
        form.integer("max_scenes", 1)
        if inside is not None:
            _tell(form, given, inside)
        form.switch("append")
        form.switch("overwrite")
        with form.section("Scenes and own splits"):
            form.texts("scenes", sorted(inside.frames) if inside else ())
            form.text("splits")
        with form.section("Sensors and annotations"):
            form.texts("channels", inside.channels if inside else ())
            form.switch("radar")
            form.integer("sweeps", 0)
            form.switch("ground_truth")
        with form.section("Files"):
            form.choice("media", ("link", "copy"))
            form.text("media_dir")
            form.choice("missing", ("skip", "error"))

    def tell_work(self, form: Form, ctx: Any) -> None:
        """Says nothing of the open dataset: it plays no part."""

    def resolve_execution_options(self, ctx: Any) -> ExecutionOptions:
        """Offers both ways to run, and prefers scheduling of long runs."""
        given = answers(ctx.params)
        inside = look_into(
            given.get("dataroot") or "", given.get("version") or ""
        )
        took = None if inside is None else _estimate(given, inside)
        return ExecutionOptions(
            allow_immediate_execution=True,
            allow_delegated_execution=True,
            default_choice_to_delegated=took is not None and took.long,
        )

    def check_form(
        self, form: Form, given: Mapping[str, Any], ctx: Any
    ) -> None:
        """Checks the folder, the version, the name and what is chosen."""
        _check_source(form, given)
        _check_name(form, given)
        check_file(form, "splits", given.get("splits"))
        check_folder_to_write(form, "media_dir", given.get("media_dir"))

    def run(
        self, ctx: Any, arguments: dict[str, Any], progress: Any
    ) -> Mapping[str, Any]:
        """Loads; returns what the dataset holds and opens it."""
        dataset = rmb.load_nuscenes(**arguments, progress=progress)
        if not ctx.delegated:
            ctx.ops.open_dataset(dataset.name)
        return {
            "stage": self.stage,
            "dataset": dataset.name,
            "frames": len(dataset),
            "slices": dataset.group_slices,
            "failures": _failures(dataset),
        }

    def _output(self, ctx: Any, results: Mapping[str, Any]) -> types.Property:
        name = results.get("dataset")
        loaded = fo.load_dataset(name) if name else None
        steps = steps_after(self.stage, loaded, results, "objects")
        return show(results, steps, f"{self.label}: done")

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


def _failures(dataset: fo.Dataset) -> int:
    """Counts the files that were missing or could not be read."""
    if dataset.get_field("load_status") is None:
        return 0
    statuses = all_slices(dataset).count_values("load_status")
    return sum(n for status, n in statuses.items() if status != "ok")


def _tell(form: Form, given: Mapping[str, Any], inside: Contents) -> None:
    """Tells what would be loaded and how long it takes."""
    scenes, frames = inside.count(dict(given))
    if not scenes:
        form.missing(
            "Nothing would be loaded",
            "No scene of this version fits the split and scenes chosen.",
        )
        return
    cameras = [c for c in inside.channels if c.startswith("CAM")]
    chosen = [c for c in given.get("channels") or cameras if c in cameras]
    text = (
        f"Loads {frames:,} keyframes of {scenes:,} scenes: "
        f"{frames * len(chosen):,} images of {len(chosen)} cameras."
    )
    took = _estimate(given, inside)
    if took is not None:
        text += f" Takes {took}, longer where files come over a network."
        if took.long:
            text += f" {advice()}"
    form.notice("What will be done", text)


def _estimate(given: Mapping[str, Any], inside: Contents) -> Estimate | None:
    return estimate(None, "load_nuscenes", inside.count(dict(given))[1])


def _check_source(form: Form, given: Mapping[str, Any]) -> None:
    dataroot, version = given.get("dataroot"), given.get("version")
    if not dataroot:
        return
    if not Path(str(dataroot)).expanduser().is_dir():
        form.wrong(
            "dataroot", f"There is no folder '{dataroot}' on this machine."
        )
        return
    versions = find_versions(str(dataroot))
    if not versions:
        form.wrong(
            "dataroot",
            f"'{dataroot}' holds no version folder with tables, such as "
            "v1.0-mini/scene.json; choose the folder that holds it.",
        )
        return
    if version and version not in versions:
        check_names(form, "version", version, versions, "version")
        return
    inside = look_into(str(dataroot), str(version or versions[0]))
    if inside is None:
        return
    splits = inside.split_names
    if not given.get("splits"):
        check_names(form, "split", given.get("split"), splits, "split")
    check_names(
        form, "channels", given.get("channels"), inside.channels, "channel"
    )
    radars = [c for c in inside.channels if c.startswith("RADAR")]
    if given.get("radar") and not radars:
        form.wrong("radar", "This dataroot has no radar channel.")


def _check_name(form: Form, given: Mapping[str, Any]) -> None:
    name = given.get("name")
    append, overwrite = given.get("append"), given.get("overwrite")
    if append and overwrite:
        form.wrong("append", "Append and overwrite exclude each other.")
    if not name:
        return
    taken = fo.dataset_exists(str(name))
    if taken and not append and not overwrite:
        form.wrong(
            "name",
            f"There is a dataset '{name}' already; choose another name, "
            "append to it or overwrite it.",
        )
    elif overwrite and taken:
        form.notice(
            "It will be replaced",
            f"Dataset '{name}', with everything that was mined in it, goes "
            "when the new one is loaded.",
        )
