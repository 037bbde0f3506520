"""Writes info files of a selection from the nuScenes tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raremine.brain.errors import RaremineError
from raremine.brain.nuscenes.problems import Problems
from raremine.brain.nuscenes.records import Frame, Tables
from raremine.brain.nuscenes.tables import read_tables
from raremine.brain.progress import Progress
from raremine.brain.selection.exporters.info_files import (
    Streamed,
    write_streamed,
)
from raremine.brain.selection.exporters.info_filter import (
    DATABASE_NOTE,
    copy_val,
    training_tokens,
)
from raremine.brain.selection.exporters.info_frames import (
    CAMERAS,
    InfoFrame,
    info_frame,
)
from raremine.brain.selection.exporters.job import ExportJob, Written
from raremine.brain.selection.exporters.nuscenes_source import (
    Source,
    find_source,
)

Entry = Callable[[InfoFrame, int], dict[str, Any]]
"""Makes the entry of a keyframe at a place of the list."""

_FRAME_BYTES = 14_000
_SWEEP_BYTES = 1400
_BOX_BYTES = 1200
"""Generous. A cuboid is in two images at a time, of one that surrounds the
vehicle there is no more than one in a keyframe."""


@dataclass(frozen=True)
class InfoTables:
    """The keyframes to write, and where they come from.

    Attributes:
        source: the dataroot
        tables: what was read of it
        frames: its keyframes by sample token
        problems: what is wrong with it
        parts: sample tokens to write, by "train", "val" and "test"
    """

    source: Source
    tables: Tables
    frames: Mapping[str, Frame]
    problems: Problems
    parts: Mapping[str, Sequence[str]]

    @property
    def bytes(self) -> int:
        """Bytes of the info files on disk, at most."""
        boxes = self.tables.annotations
        total = 10_000
        for tokens in self.parts.values():
            for token in tokens:
                frame = self.frames[token]
                sweeps = max(map(len, frame.sweeps.values()), default=0)
                total += _FRAME_BYTES + _SWEEP_BYTES * max(sweeps, 1)
                if boxes is not None:
                    rows = boxes.rows[token]
                    total += _BOX_BYTES * (rows.stop - rows.start)
        return total


def info_tables(
    job: ExportJob,
    val: str | Path | None,
    sweeps: int,
    dataroot: str | Path | None,
    source_version: str | None,
) -> InfoTables:
    """Reads the tables that a data set was loaded from.

    Args:
        job: the export
        val: the user's own validation infos; None = the evaluation splits
            are wanted from the tables, too
        sweeps: number of clouds before each keyframe to list
        dataroot: goes before what the load has noted
        source_version: goes before what the load has noted

    Raises:
        DatarootError: if they are absent or malformed
        RaremineError: if they lack some of the keyframes
    """
    if not isinstance(sweeps, int) or isinstance(sweeps, bool) or sweeps < 0:
        raise RaremineError(
            f"sweeps={sweeps!r}; give the number of clouds before each "
            "keyframe to list, such as 10."
        )
    info = job.dataset.info.get("raremine") or {}
    source = find_source(
        job.dataset.name, info, dataroot, source_version, None
    )
    evaluation = val is None
    parts = _parts(job, evaluation)
    return job.once(
        f"infos {source.folder} {sweeps} {evaluation}",
        lambda: _read(job, source, parts, sweeps),
    )


def _parts(job: ExportJob, evaluation: bool) -> dict[str, list[str]]:
    """Returns the sample tokens of each info file to write."""
    parts = {"train": training_tokens(job)}
    for split, tokens in job.evaluation_tokens.items() if evaluation else ():
        parts.setdefault(split.removeprefix("mini_"), []).extend(tokens)
    return parts


def _read(
    job: ExportJob,
    source: Source,
    parts: Mapping[str, Sequence[str]],
    sweeps: int,
) -> InfoTables:
    wanted = {token for tokens in parts.values() for token in tokens}
    scene_of = zip(
        job.frames.sample_token.tolist(),
        job.frames.scene.tolist(),
        strict=True,
    )
    scenes = sorted({scene for token, scene in scene_of if token in wanted})
    problems = Problems()
    tables = read_tables(
        source.dataroot,
        source.folder.name,
        scenes=scenes,
        sweeps=sweeps,
        problems=problems,
    )
    frames = {frame.token: frame for frame in tables.frames}
    absent = sorted(wanted - frames.keys())
    if absent:
        raise RaremineError(
            f"{source.folder} has no keyframe {absent[0]} and "
            f"{len(absent) - 1} more that are to be exported; was the data "
            "set loaded from another dataroot? Pass dataroot and "
            "source_version."
        )
    return InfoTables(source, tables, frames, problems, parts)


@dataclass
class WrittenInfos:
    """What info files were written from tables.

    Attributes:
        entries: number of entries by file name
        skipped: sample tokens without a cloud that can be used
        blind: sample tokens with fewer images than the rig has cameras
    """

    entries: dict[str, int]
    skipped: list[str]
    blind: list[str]


def write_infos(
    job: ExportJob,
    found: InfoTables,
    layout: str,
    head: dict[str, Any],
    entry: Entry,
    name: str,
    *,
    val: str | Path | None,
    called: str | None = None,
) -> Written:
    """Writes one info file for each part.

    Args:
        job: the export
        found: what to write
        layout: the layout of the files
        head: what is beside the entries
        entry: makes an entry
        name: file name, with {} for the part
        val: the user's own validation infos, copied beside; None = none
        called (None): what the datasheet calls the layout, None = its name
    """
    written = WrittenInfos({}, [], [])
    total = sum(map(len, found.parts.values()))
    with Progress(total, "Writing infos", job.progress) as progress:
        for part, tokens in found.parts.items():
            path = job.folder / name.format(part)
            each = _made(found, tokens, entry, written, progress)
            write_streamed(layout, head, Streamed(each), path)
            gone = len(set(tokens) & set(written.skipped))
            written.entries[path.name] = len(tokens) - gone
    if not any(written.entries.values()):
        raise RaremineError(
            f"None of the keyframes in {found.source.folder} has a LIDAR_TOP "
            "cloud with a known ego pose, which info files are made for; "
            "pass your own with infos, or choose another format."
        )
    facts = {
        "layout": called or layout,
        "entries": written.entries,
        "skipped": written.skipped,
        **copy_val(job, val),
    }
    notes = [*_notes(found, written, val), DATABASE_NOTE]
    return Written(job.folder / name.format("train"), facts, tuple(notes))


def _made(
    found: InfoTables,
    tokens: Sequence[str],
    entry: Entry,
    written: WrittenInfos,
    progress: Progress,
) -> Iterator[dict[str, Any]]:
    number = 0
    for token in tokens:
        frame = info_frame(found.tables, found.frames[token])
        progress.add()
        if frame is None:
            written.skipped.append(token)
            continue
        if not all(camera in frame.cameras for camera in CAMERAS):
            written.blind.append(token)
        yield entry(frame, number)
        number += 1


def _notes(
    found: InfoTables, written: WrittenInfos, val: str | Path | None
) -> list[str]:
    """Returns what the user should know about infos from tables."""
    notes = []
    if written.skipped:
        notes.append(
            f"{len(written.skipped)} keyframes have no LIDAR_TOP cloud with "
            "a known ego pose and are left out; the first is "
            f"{written.skipped[0]}."
        )
    if written.blind:
        notes.append(
            f"{len(written.blind)} keyframes lack images of some of the six "
            "cameras, which training on images may not accept; the first is "
            f"{written.blind[0]}."
        )
    if found.tables.annotations is None:
        notes.append(
            f"{found.source.folder} has no annotations, so the infos have "
            "no boxes: they serve to test, not to train."
        )
    if val is None and list(found.parts) == ["train"]:
        notes.append(
            "There are no validation infos, as the data set has no "
            "evaluation split."
        )
    notes += found.problems.lines()
    return notes
