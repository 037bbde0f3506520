"""Format ``fiftyone``: the chosen keyframes as a FiftyOne dataset.

FiftyOne's own exporter writes it. It is given the samples of all slices in
one flat view: of a grouped view it would lose the keyframes that lack the
slice which happens to be active.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import fiftyone as fo
from bson import json_util

from raremine.brain.columns import all_slices
from raremine.brain.errors import MissingStageError, RaremineError
from raremine.brain.progress import Progress
from raremine.brain.selection.exporters.job import ExportJob, Written
from raremine.brain.selection.exporters.media import (
    HARDLINK,
    check_way,
    media_bytes,
    place,
)
from raremine.brain.selection.stage import (
    STAGE,
    load_selection,
    token_field,
)

DATASET = "dataset"
"""The folder in the export that ``Dataset.from_dir`` is pointed to."""

LISTED = 100

_CHANGING = ("last_loaded_at", "last_modified_at", "last_deletion_at")
"""What FiftyOne notes of a dataset whenever it is opened or worked with."""

_JSON_FOR_BSON = 4
"""JSON of a document takes less than so many times its size in MongoDB."""

_MODES: dict[str, bool | str] = {
    "symlink": "symlink",
    # linked first; FiftyOne has no hard links
    "hardlink": "symlink",
    "copy": True,
    "none": False,
}


@dataclass
class _Samples:
    """The samples of an export.

    Attributes:
        view: those whose files are there, flat, all slices
        files: their files, with what 3D scenes refer to
        left_out: file and reason of the others
        by_slice: number of samples by slice
    """

    view: Any
    files: list[str] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    by_slice: dict[str, int] = field(default_factory=dict)


class FiftyOneExporter:
    """Samples, labels, groups and media as a ``FiftyOneDataset``.

    In a folder of its own, which ``fo.Dataset.from_dir`` reads.
    """

    summary = "the chosen keyframes, all slices, as a FiftyOne dataset"

    def space(
        self,
        job: ExportJob,
        *,
        evaluation: bool = False,
        media: str = "symlink",
    ) -> int:
        """Returns the bytes that the export will need on disk, at most."""
        check_way("fiftyone", media, tuple(_MODES))
        samples = _samples(job, evaluation)
        documents = samples.view._aggregate(
            post_pipeline=[
                {
                    "$group": {
                        "_id": None,
                        "bytes": {"$sum": {"$bsonSize": "$$ROOT"}},
                    }
                }
            ]
        )
        total = sum(int(row["bytes"]) for row in documents)
        listed = sum(len(path) + 200 for path in samples.files)
        return (
            1_000_000
            + _JSON_FOR_BSON * total
            + 8 * listed
            + media_bytes(samples.files, media)
        )

    def write(
        self,
        job: ExportJob,
        *,
        evaluation: bool = False,
        media: Literal["symlink", "hardlink", "copy", "none"] = "symlink",
    ) -> Written:
        """Writes the keyframes with all their slices and fields.

        Args:
            job: the export
            evaluation (False): write the keyframes of the evaluation
                splits, too
            media ("symlink"): "symlink", "hardlink", "copy", or "none": the
                samples name the files where they are
        """
        check_way("fiftyone", media, tuple(_MODES))
        samples = _samples(job, evaluation)
        if samples.left_out and not samples.by_slice:
            path, reason = samples.left_out[0]
            raise RaremineError(
                f"Not one file of the keyframes can be exported; the first "
                f"is {path}: {reason}. Check that the data set is where it "
                "was when it was loaded."
            )
        folder = job.folder / DATASET
        total = sum(samples.by_slice.values())
        with Progress(total, "Exporting samples", job.progress) as bar:
            samples.view.export(
                export_dir=str(folder),
                dataset_type=fo.types.FiftyOneDataset,
                export_media=_MODES[media],
                progress=_told(bar),
            )
        if media == HARDLINK:
            _harden(folder)
        _settle(job, folder)
        facts = {
            "samples": samples.by_slice,
            "media": media,
            "files_left_out": [
                {"file": path, "reason": reason}
                for path, reason in samples.left_out[:LISTED]
            ],
        }
        notes = []
        if samples.left_out:
            path, reason = samples.left_out[0]
            notes.append(
                f"{len(samples.left_out)} samples are left out, the first is "
                f"{path}: {reason}."
            )
        return Written(folder, facts, tuple(notes))


def _samples(job: ExportJob, evaluation: bool) -> _Samples:
    return job.once(
        f"samples, evaluation={evaluation}", lambda: _find(job, evaluation)
    )


def _find(job: ExportJob, evaluation: bool) -> _Samples:
    """Finds the samples of the keyframes and looks for their files."""
    tokens = list(job.train_tokens)
    if evaluation:
        for of_split in job.evaluation_tokens.values():
            tokens += of_split
    wanted = set(tokens)
    dataset = job.dataset
    samples = all_slices(dataset)
    slices = f"{dataset.group_field or 'group'}.name"
    grouped = dataset.get_field(slices) is not None
    rows = zip(
        *samples.values(
            [
                *("id", token_field(dataset), "filepath"),
                slices if grouped else "id",
            ]
        ),
        strict=True,
    )
    # the order in which MongoDB happens to find them is no order
    found = _Samples(None)
    usable = []
    for sample_id, token, path, channel in sorted(rows):
        if token not in wanted:
            continue
        files, reason = _files(path)
        if reason:
            found.left_out.append((path, reason))
            continue
        usable.append(sample_id)
        found.files += files
        name = channel if grouped else "(none)"
        found.by_slice[name] = found.by_slice.get(name, 0) + 1
    # found by their ids, which are indexed, and not by a list of tokens
    found.view = samples.select(usable).sort_by("id")
    found.by_slice = dict(sorted(found.by_slice.items()))
    return found


def _files(path: str) -> tuple[list[str], str]:
    """Returns a sample's file and what a 3D scene refers to, or a reason."""
    if not Path(path).is_file():
        return [], "no such file"
    if not path.endswith(".fo3d"):
        return [path], ""
    try:
        assets = fo.Scene.from_fo3d(path).get_asset_paths()
    except Exception as error:
        # whatever its parser stumbles over
        return [], f"not a 3D scene that can be read ({error!r})"
    files = [str(Path(path).parent / name) for name in assets]
    absent = [name for name in files if not Path(name).is_file()]
    if absent:
        return [], f"its scene refers to {absent[0]}, which does not exist"
    return [path, *files], ""


def _told(bar: Progress) -> Any:
    """FiftyOne's progress, told to ours."""

    def tell(progress: Any) -> None:
        bar.add(max(progress.iteration - bar.done, 0))

    return fo.report_progress(tell, dt=0.5)


def _harden(folder: Path) -> None:
    """Makes hard links of symbolic ones."""
    for path in [p for p in folder.rglob("*") if p.is_symlink()]:
        source = os.path.realpath(path)
        path.unlink()
        place(source, path, HARDLINK)


def _settle(job: ExportJob, folder: Path) -> None:
    """Makes the description repeatable and adds the selection's run.

    FiftyOne exports runs with whole datasets only, as it cannot know which
    of them make sense in a part. The selection does.
    """
    path = folder / "metadata.json"
    document = json_util.loads(path.read_text(encoding="utf-8"))
    for name in _CHANGING:
        document.pop(name, None)
    for key in _selection_keys(job):
        run = job.dataset._doc.get_brain_methods()[key]
        document["brain_methods"][key] = run.to_dict()
        results = job.dataset.load_brain_results(key)
        results.write_json(str(folder / "brain" / f"{key}.json"))
    path.write_text(json_util.dumps(document), encoding="utf-8")


def _selection_keys(job: ExportJob) -> Iterable[str]:
    """The run that recorded the selection, if there is one."""
    try:
        recorded = load_selection(job.dataset, job.selection.name)
    except MissingStageError:
        return []
    if recorded != job.selection:
        return []
    return [
        key
        for key in job.dataset.list_brain_runs(type=f"raremine_{STAGE}")
        if job.dataset.get_brain_info(key).config.params.get("name")
        == job.selection.name
    ]


EXPORTER = FiftyOneExporter()
