"""Writes a selection to disk, in one of the registered formats.

An exporter is a function from a job to the files that it wrote in the job's
staging folder; it never sees the destination. Only a finished export is
moved there, so a kill leaves no half-written file behind.
"""

from __future__ import annotations

import csv
import importlib.metadata
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fiftyone as fo

from raremine.brain.errors import RaremineError
from raremine.brain.selection.result import Selection
from raremine.brain.selection.stage import load_selection


@dataclass(frozen=True)
class ExportJob:
    """What an exporter gets.

    Attributes:
        dataset: the dataset
        selection: the selection
        folder: empty staging folder to write into
        stem: the selection's name, safe as a file name
    """

    dataset: fo.Dataset
    selection: Selection
    folder: Path
    stem: str


Exporter = Callable[..., Path]
"""``(job, **options)`` → the main file or folder it wrote in ``folder``."""

_EXPORTERS: dict[str, Exporter] = {}


def exporter(name: str) -> Callable[[Exporter], Exporter]:
    """Registers a function as the exporter of a format."""

    def register(function: Exporter) -> Exporter:
        _EXPORTERS[name] = function
        return function

    return register


def export_formats() -> list[str]:
    """Returns the names of the formats that can be exported."""
    return sorted(_EXPORTERS)


def export_selection(
    dataset: fo.Dataset,
    selection: Selection | str | None,
    format: str,
    out_dir: str | Path,
    *,
    overwrite: bool = False,
    **options: Any,
) -> Path:
    """Exports a selection.

    Formats: ``tokens`` writes ``<name>.json`` (the sample tokens and what
    made them) and ``<name>.csv`` (one row per token: why it is in).

    Args:
        dataset: the dataset
        selection: a ``Selection``, the name of one, or None for the last one
        format: name of the format
        out_dir: folder to write into, made if it does not exist
        overwrite (False): replace what an earlier export wrote
        **options: options of the format

    Returns:
        path of the main file

    Raises:
        RaremineError: if the format is unknown, a file exists already or
            the folder cannot be written
        MissingStageError: if there is no such selection
    """
    if format not in _EXPORTERS:
        raise RaremineError(
            f"There is no export format '{format}'; choose one of "
            f"{', '.join(export_formats())}."
        )
    dataset = dataset._root_dataset
    chosen = load_selection(dataset, selection)
    out_dir = Path(out_dir).expanduser().resolve()
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".raremine-", dir=out_dir))
    except OSError as error:
        raise RaremineError(
            f"Cannot write into {out_dir} ({error.strerror}); choose another "
            "folder."
        ) from error
    try:
        job = ExportJob(dataset, chosen, staging, file_stem(chosen.name))
        main = _EXPORTERS[format](job, **options)
        _move(staging, out_dir, overwrite)
        return out_dir / main.relative_to(staging)
    except OSError as error:
        raise RaremineError(
            f"The export to {out_dir} failed ({error}); free some space or "
            "choose another folder."
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def file_stem(name: str) -> str:
    """Makes a selection's name safe as a file name in one folder."""
    stem = re.sub(r"[^\w.+-]+", "_", name).strip("._")
    return stem[:100] or "selection"


def _move(staging: Path, out_dir: Path, overwrite: bool) -> None:
    entries = sorted(staging.iterdir())
    taken = [e.name for e in entries if os.path.lexists(out_dir / e.name)]
    if taken and not overwrite:
        raise RaremineError(
            f"{out_dir / taken[0]} exists already; pass overwrite=True to "
            "replace it, or choose another folder."
        )
    for entry in entries:
        target = out_dir / entry.name
        if target.is_dir() and not target.is_symlink():
            # a folder cannot be replaced in one step: move it away first,
            # it goes with the staging folder
            target.rename(staging / f"{entry.name}.old")
        entry.replace(target)


@exporter("tokens")
def _export_tokens(job: ExportJob) -> Path:
    selection = job.selection
    splits: dict[str, list[str]] = {}
    for pick in selection.picks:
        splits.setdefault(pick.split or "none", []).append(pick.sample_token)
    details = selection.to_dict()
    document = {
        "meta": {
            "name": selection.name,
            "dataset": job.dataset.name,
            "recipe": details["recipe"],
            "seed": selection.seed,
            "pool_size": selection.pool_size,
            "frames": len(selection),
            "counts": selection.counts,
            "shortages": details["shortages"],
            "notes": details["notes"],
            "raremine": importlib.metadata.version("raremine"),
        },
        "tokens": selection.tokens,
        "splits": splits,
    }
    path = job.folder / f"{job.stem}.json"
    with path.open("w", encoding="utf-8", newline="\n") as file:
        json.dump(document, file, indent=1, ensure_ascii=False)
        file.write("\n")
    _write_csv(selection, job.folder / f"{job.stem}.csv")
    return path


def _write_csv(selection: Selection, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(
            [
                "sample_token",
                "scene",
                "split",
                "component",
                "score",
                "concepts",
                "why",
            ]
        )
        for pick in selection.picks:
            writer.writerow(
                [
                    pick.sample_token,
                    pick.scene,
                    pick.split,
                    pick.component,
                    "" if pick.score is None else repr(pick.score),
                    ";".join(pick.concepts),
                    pick.why,
                ]
            )
