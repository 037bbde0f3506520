"""Writes a selection to disk, in one of the registered formats.

A format writes into a staging folder beside the destination and never sees
anything else. Only a finished export, with its datasheet, is renamed to its
place, in one step: a kill leaves no half-written export behind.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import fiftyone as fo
from fiftyone import ViewField as F

from raremine.brain.columns import all_slices
from raremine.brain.errors import RaremineError
from raremine.brain.pool import SplitLeakageError
from raremine.brain.progress import ProgressArgument
from raremine.brain.selection.exporters import exporter, formats
from raremine.brain.selection.exporters.datasheet import (
    datasheet_bytes,
    is_export,
    write_datasheet,
)
from raremine.brain.selection.exporters.job import (
    Exporter,
    ExportJob,
    check_options,
)
from raremine.brain.selection.result import Selection
from raremine.brain.selection.stage import load_selection

_log = logging.getLogger(__name__)

REMEMBERED = 60.0
"""Seconds for which plans of the same selection read the dataset once."""

_recent: list[tuple[Any, dict[str, Any]]] = []

STAGING = ".raremine-"
"""How the names of unfinished exports begin."""


@dataclass(frozen=True)
class ExportPlan:
    """What an export will do.

    Attributes:
        destination: the folder that it will make
        bytes: disk space that it needs, at most
        free: bytes that are free there now
        exists: whether the destination is there already
    """

    destination: Path
    bytes: int
    free: int
    exists: bool

    def check(self, overwrite: bool = False) -> None:
        """Refuses what ``export_selection`` would refuse.

        Raises:
            RaremineError: if the destination may not be written, or the disk
                is too small
        """
        _check_destination(self.destination, overwrite)
        if self.bytes > self.free:
            raise RaremineError(
                f"The export needs {size_text(self.bytes)}, and "
                f"{self.destination.parent} has {size_text(self.free)} left; "
                "free some space or choose another folder."
            )


def export_formats() -> list[str]:
    """Returns the names of the formats that can be exported."""
    return formats()


def plan_export(
    dataset: fo.Dataset,
    selection: Selection | str | None,
    format: str,
    out_dir: str | Path,
    **options: Any,
) -> ExportPlan:
    """Tells what an export would write and how much space it needs.

    Takes what ``export_selection`` takes and writes nothing.

    Raises:
        RaremineError: as ``export_selection``
    """
    for name in ("overwrite", "progress"):
        options.pop(name, None)
    how = exporter(format)
    check_options(format, how, options)
    job = _job(dataset, selection, format, out_dir)
    return _plan(replace(job, _read=_recently_read(job)), how, options)


def export_selection(
    dataset: fo.Dataset,
    selection: Selection | str | None,
    format: str,
    out_dir: str | Path,
    *,
    overwrite: bool = False,
    progress: ProgressArgument = None,
    **options: Any,
) -> Path:
    """Exports a selection.

    Makes one folder, ``<out_dir>/<selection>-<format>``, with a datasheet
    beside what the format writes; see docs/exports.md for the formats and
    their options.

    Args:
        dataset: the dataset
        selection: a ``Selection``, the name of one, or None for the last one
        format: name of the format
        out_dir: folder to write into, made if it does not exist
        overwrite (False): replace an earlier export of the same selection
            in the same format. A folder that is not such an export is never
            replaced.
        progress (None): None = FiftyOne's setting, a bool, or a function
            (done, total, label)
        **options: options of the format

    Returns:
        path of the file or folder that training code is pointed to

    Raises:
        RaremineError: if the format or an option is unknown, the export
            exists already, the disk is too small or cannot be written
        SplitLeakageError: if a chosen frame is in an evaluation split now
        MissingStageError: if there is no such selection
    """
    how = exporter(format)
    check_options(format, how, options)
    job = _job(dataset, selection, format, out_dir)
    job = replace(job, progress=progress)
    _check_destination(job.final, overwrite)
    _check_own_media(job)
    _check_leakage(job)
    _plan(job, how, options).check(overwrite)
    with _staging(job.final) as staging:
        job = replace(job, folder=staging)
        written = how.write(job, **options)
        main = written.main.relative_to(staging)
        write_datasheet(job, format, options, written)
        _check_destination(job.final, overwrite)
        if job.final.exists():
            # both renames or, at worst, the old export under its hidden name
            job.final.rename(staging.with_name(staging.name + "old"))
        staging.rename(job.final)
    for note in written.notes:
        _log.warning("%s: %s", job.final.name, note)
    return job.final / main


def file_stem(name: str) -> str:
    """Makes a selection's name safe as a file name in one folder."""
    stem = re.sub(r"[^\w.+-]+", "_", name).strip("._")
    return stem[:100] or "selection"


def _job(
    dataset: fo.Dataset,
    selection: Selection | str | None,
    format: str,
    out_dir: str | Path,
) -> ExportJob:
    dataset = dataset._root_dataset
    chosen = load_selection(dataset, selection)
    stem = file_stem(chosen.name)
    try:
        final = Path(out_dir).expanduser().resolve() / f"{stem}-{format}"
        final.exists()
    except (OSError, RuntimeError, ValueError) as error:
        raise RaremineError(
            f"{out_dir} cannot be written into ({error}); choose another "
            "folder."
        ) from error
    return ExportJob(dataset, chosen, final, stem, final)


def _recently_read(job: ExportJob) -> dict[str, Any]:
    """What was read for the last plan, while a user fills in a form.

    Reading it anew after every word takes seconds with a large dataset.
    """
    key = (job.dataset._doc.id, job.selection)
    found = next(iter(_recent), None)
    if found is None or found[0] != key:
        found = (key, {})
        _recent[:] = [found]
        # whoever leaves the form does not come back to free it
        timer = threading.Timer(REMEMBERED, _recent.clear)
        timer.daemon = True
        timer.start()
    return found[1]


def _plan(
    job: ExportJob, how: Exporter, options: dict[str, Any]
) -> ExportPlan:
    nearest = job.final
    while not nearest.exists():
        nearest = nearest.parent
    return ExportPlan(
        job.final,
        how.space(job, **options) + datasheet_bytes(job),
        shutil.disk_usage(nearest).free,
        job.final.exists(),
    )


def _check_destination(final: Path, overwrite: bool) -> None:
    if not final.exists() and not final.is_symlink():
        return
    if not overwrite:
        raise RaremineError(
            f"{final} exists already; pass overwrite=True to replace it, or "
            "choose another folder."
        )
    if final.is_symlink() or not is_export(final):
        raise RaremineError(
            f"{final} exists and is not an export of a selection, so it is "
            "not replaced; choose another folder."
        )


def _check_own_media(job: ExportJob) -> None:
    """Refuses to replace a folder that holds the dataset's own files."""
    if not job.final.exists():
        return
    inside = F("filepath").starts_with(f"{job.final}{os.sep}")
    count = len(all_slices(job.dataset).match(inside))
    if count:
        raise RaremineError(
            f"{job.final} holds {count} files of dataset "
            f"'{job.dataset.name}' itself, so it is not replaced; choose "
            "another folder."
        )


def _check_leakage(job: ExportJob) -> None:
    chosen = set(job.train_tokens)
    for split, tokens in job.evaluation_tokens.items():
        found = sorted(chosen & set(tokens))
        if found:
            raise SplitLeakageError(
                f"Frame {found[0]} of selection '{job.selection.name}' (and "
                f"{len(found) - 1} more) is in split '{split}' now; select "
                "the frames again."
            )


@contextmanager
def _staging(final: Path) -> Iterator[Path]:
    """Gives a hidden folder beside the destination; leaves none behind."""
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=STAGING, dir=final.parent))
        staging.chmod(0o755)
    except OSError as error:
        raise RaremineError(
            f"Cannot write into {final.parent} ({error.strerror}); choose "
            "another folder."
        ) from error
    try:
        yield staging
    except OSError as error:
        raise RaremineError(
            f"The export to {final} failed ({error}); free some space or "
            "choose another folder."
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        old = staging.with_name(staging.name + "old")
        if old.exists():
            if not final.exists():
                old.rename(final)
            shutil.rmtree(old, ignore_errors=True)


def size_text(count: int) -> str:
    """Returns a number of bytes as a person reads it."""
    size = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"
