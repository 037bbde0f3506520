"""Format ``nuscenes``: a smaller dataroot that the devkit loads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from raremine.brain.errors import RaremineError
from raremine.brain.nuscenes.garbage import collection_paused
from raremine.brain.pool import EVALUATION_SPLITS
from raremine.brain.progress import Progress
from raremine.brain.selection.exporters.job import ExportJob, Written
from raremine.brain.selection.exporters.nuscenes_cut import (
    LOST,
    Cut,
    read_cut,
)
from raremine.brain.selection.exporters.nuscenes_media import (
    WAYS,
    Media,
    check_names,
    companions,
)
from raremine.brain.selection.exporters.nuscenes_rows import write_rows
from raremine.brain.selection.exporters.nuscenes_samples import (
    Wanted,
    raise_fatal,
)
from raremine.brain.selection.exporters.nuscenes_source import (
    LABELS,
    Source,
    find_source,
    splits_to_write,
)
from raremine.brain.selection.exporters.nuscenes_tables import (
    File,
    Output,
    data_files,
    label_rows,
    other_files,
    write_tables,
)
from raremine.brain.selection.exporters.tokens import write_json

SWEEPS = 10
"""Clouds before a keyframe that training code for nuScenes aggregates."""

_LISTED = 10


class NuscenesExporter:
    """A nuScenes dataroot of the chosen keyframes.

    See docs/exports.md for what stays, what is linked to what, and what
    that means for velocities and sweeps.
    """

    summary = "a smaller dataroot that nuscenes-devkit loads"

    def space(
        self,
        job: ExportJob,
        *,
        media: str = "folders",
        sweeps: bool | int = True,
        evaluation: bool = True,
        max_gap: float | None = None,
        missing: str = "skip",
        version: str | None = None,
        dataroot: str | Path | None = None,
        source_version: str | None = None,
        follow_links: bool = False,
    ) -> int:
        """Returns the bytes that the export will need on disk, at most.

        Takes what ``write`` takes.
        """
        _check(media, missing)
        source = _source(job, dataroot, source_version, version)
        wanted = _wanted(job, sweeps, evaluation, max_gap)
        with collection_paused():
            cut = _read(job, source, wanted)
            total = cut.table_bytes(source.folder)
            if media == "none":
                return total
            bring = Media(source.dataroot, job.folder, media, follow_links)
            files = other_files(source, cut.data)
            files += companions(source.dataroot, cut.scenes())
            if media == "copy":
                files += data_files(source, cut.data)
            elif media != "folders":
                total += len(cut.data.row) * bring.link_size()
            check_names(files, source.reserved())
            return total + bring.size(files)

    def write(
        self,
        job: ExportJob,
        *,
        media: str = "folders",
        sweeps: bool | int = True,
        evaluation: bool = True,
        max_gap: float | None = None,
        missing: str = "skip",
        version: str | None = None,
        dataroot: str | Path | None = None,
        source_version: str | None = None,
        follow_links: bool = False,
    ) -> Written:
        """Writes the dataroot.

        Args:
            job: the export
            media ("folders"): how files come into it: "folders" (symbolic
                links to the source's media folders), "symlink" (one to each
                file), "hardlink", "copy" or "none" (tables only)
            sweeps (True): for each chosen keyframe, keep the sensor data
                that the tables assign to it and this many LiDAR and radar
                clouds before its own, True = 10; False or 0 = keyframes only
            evaluation (True): add the scenes of the data set's evaluation
                splits, whole and untouched
            max_gap (None): longest time in seconds that prev and next of
                sensor data and annotations lead over; None = any, so that
                everything can be reached by them
            missing ("skip"): "skip" notes files that do not exist, "error"
                refuses to export then
            version (None): name of the version folder; None = the source's
            dataroot (None): the source; None = what the data set was loaded
                from
            source_version (None): its version folder; None = as loaded
            follow_links (False): let "hardlink" and "copy" take files that
                symbolic links in the source lead to outside of it

        Raises:
            DatarootError: if the source is absent or malformed, or a row
                names a file outside of it
            RaremineError: if an option does not fit, nothing stays, or files
                are missing and ``missing`` is "error"
        """
        _check(media, missing)
        source = _source(job, dataroot, source_version, version)
        wanted = _wanted(job, sweeps, evaluation, max_gap)
        bring = Media(source.dataroot, job.folder, media, follow_links)
        with collection_paused():
            cut = _read(job, source, wanted)
            output = _write_tables(job, source, cut)
            check_names(output.files, source.reserved())
            if media != "none":
                label, total = "Bringing files", len(output.files)
                with Progress(total, label, job.progress) as progress:
                    bring.place(output.files, progress.add)
                bring.bring_companions(cut.scenes())
                for name in filter(source.has, LABELS):
                    output.rows[name] = _bring_labels(source, name, cut, bring)
        raise_fatal(source.folder, cut.problems)
        if bring.missing and missing == "error":
            raise RaremineError(
                _missing_text(source, bring.missing)
                + ' Unpack them, or pass missing="skip".'
            )
        return Written(
            job.folder,
            _facts(source, cut, output, bring),
            tuple(_notes(job, source, cut, bring)),
        )


def _check(media: str, missing: str) -> None:
    if media not in WAYS:
        raise RaremineError(
            f"media={media!r} is no way to bring files; choose one of "
            f"{', '.join(WAYS)}."
        )
    if missing not in ("skip", "error"):
        raise RaremineError(
            f"missing={missing!r} is no policy; choose 'skip' or 'error'."
        )


def _source(
    job: ExportJob,
    dataroot: str | Path | None,
    source_version: str | None,
    version: str | None,
) -> Source:
    info = job.dataset.info.get("raremine") or {}
    return find_source(
        job.dataset.name, info, dataroot, source_version, version
    )


def _wanted(
    job: ExportJob, sweeps: bool | int, evaluation: bool, max_gap: float | None
) -> Wanted:
    if not isinstance(sweeps, int) or sweeps < 0:
        raise RaremineError(
            f"sweeps={sweeps!r}; give True, False or a number of clouds."
        )
    if max_gap is not None and not max_gap > 0:
        raise RaremineError(
            f"max_gap={max_gap!r}; give seconds above 0, or None."
        )
    frames = job.frames
    judged = np.isin(frames.split, sorted(EVALUATION_SPLITS))
    held_out = frozenset(frames.sample_token[judged].tolist())
    return Wanted(
        chosen=frozenset(job.train_tokens),
        evaluation=held_out if evaluation else frozenset(),
        other=frozenset(frames.sample_token[~judged].tolist()),
        sweeps=SWEEPS if sweeps is True else int(sweeps),
        max_gap=None if max_gap is None else round(max_gap * 1e6),
    )


def _read(job: ExportJob, source: Source, wanted: Wanted) -> Cut:
    """Reads what stays: once for the space it needs and for writing it."""
    options = (wanted.sweeps, bool(wanted.evaluation), wanted.max_gap)
    return job.once(
        f"nuscenes {source.folder} {options}",
        lambda: read_cut(source.folder, wanted),
    )


def _write_tables(job: ExportJob, source: Source, cut: Cut) -> Output:
    """Writes all tables but those of label files, and the splits."""
    target = job.folder / source.version
    target.mkdir()
    boxes = cut.boxes
    total = len(cut.data.row) + (0 if boxes is None else len(boxes.row))
    with Progress(total, "Writing tables", job.progress) as progress:
        output = write_tables(
            *(source.folder, target, cut.samples, cut.data, boxes),
            *(cut.problems, progress.add),
        )
    raise_fatal(source.folder, cut.problems)
    names = cut.scenes()
    split_of: dict[str, str] = {}
    for scene, split in zip(
        job.frames.scene.tolist(), job.frames.split.tolist(), strict=True
    ):
        if split and scene in names:
            split_of.setdefault(scene, split)
    splits = splits_to_write(source, names, split_of)
    if splits:
        write_json(splits, target / "splits.json")
    return output


def _bring_labels(source: Source, name: str, cut: Cut, bring: Media) -> int:
    """Brings label files, writes their table; returns its rows.

    The devkit counts the files and refuses a table with more or less rows.
    """
    rows = label_rows(source, name, cut.data, cut.problems)
    check_names([file for _, file in rows], source.reserved())
    (bring.folder / name / source.version).mkdir(parents=True, exist_ok=True)
    before = len(bring.missing)
    bring.place([file for _, file in rows])
    absent = {file.token for file in bring.missing[before:]}
    path = bring.folder / source.version / f"{name}.json"
    return write_rows(
        path, (row for row, file in rows if file.token not in absent)
    )


def _facts(
    source: Source, cut: Cut, output: Output, bring: Media
) -> dict[str, Any]:
    missing = sorted(file.source for file in bring.missing)
    folders = Counter(str(PurePosixPath(name).parent) for name in missing)
    return {
        "source": {
            "dataroot": str(source.dataroot),
            "version": source.folder.name,
        },
        "version": source.version,
        "rows": dict(sorted(output.rows.items())),
        "media": {
            "how": bring.way,
            "files": bring.placed,
            "missing": len(missing),
            "missing_in": dict(sorted(folders.items())),
            "first_missing": missing[:_LISTED],
        },
        **cut.velocities(),
    }


def _missing_text(source: Source, missing: Sequence[File]) -> str:
    first = ", ".join(sorted(file.source for file in missing)[:3])
    more = ", ..." if len(missing) > 3 else ""
    return (
        f"{len(missing)} files that the tables name are not in "
        f"{source.dataroot}: {first}{more}."
    )


def _notes(
    job: ExportJob, source: Source, cut: Cut, bring: Media
) -> Iterable[str]:
    if bring.missing:
        yield _missing_text(source, bring.missing)
    if any(file.table == "map" for file in bring.missing):
        yield "The devkit does not load a dataroot without its map masks."
    if bring.way == "none":
        yield (
            "The devkit loads the tables only where their media are: move "
            f"the version folder beside the one in {source.dataroot}, under "
            "a name of its own. Tables of LiDAR labels are left out."
        )
    if bring.way in ("folders", "symlink"):
        yield (
            f"The media are links into {source.dataroot}, which has to stay "
            "where it is."
        )
    if not job.evaluation_tokens:
        yield (
            f"Dataset '{job.dataset.name}' has no evaluation split, so the "
            "export has none."
        )
    facts = cut.velocities()
    if facts.get(LOST):
        yield (
            f"{facts[LOST]} of {facts['annotations_of_the_selection']} "
            "annotations have no velocity in the export, as the keyframes "
            "beside theirs were not selected; train velocities with format "
            "'mmdet3d' or 'openpcdet', which keep them."
        )
    if source.has("image_annotations"):
        yield (
            "image_annotations.json is left out; make it anew with the "
            "devkit's export_2d_annotations_as_json."
        )
    yield from cut.problems.lines()


EXPORTER = NuscenesExporter()
