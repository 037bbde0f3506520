"""Cuts the user's own info files down to a selection."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from raremine.brain.errors import RaremineError
from raremine.brain.progress import Progress
from raremine.brain.selection.exporters.info_files import (
    OPENPCDET,
    Filtered,
    filter_file,
)
from raremine.brain.selection.exporters.job import ExportJob, Written

Paths = str | Path | Sequence[str | Path]

DATABASE_NOTE = (
    "A database of ground truth objects (dbinfos) that was made from all "
    "frames still pastes objects of frames that were not selected into "
    "training; make it anew from the exported info file."
)


def training_tokens(job: ExportJob) -> list[str]:
    """Returns the selection's sample tokens, by scene and time.

    Raises:
        RaremineError: if the data set has none of them any more
    """
    if not job.train_tokens:
        raise RaremineError(
            f"Selection '{job.selection.name}' has no frame in dataset "
            f"'{job.dataset.name}'; select again."
        )
    return job.train_tokens


def _listed(infos: Paths, val: str | Path | None) -> list[Path]:
    """Returns the info files to filter, after a look at all of them.

    Raises:
        RaremineError: if one does not exist or cannot be told from another
    """
    given = [infos] if isinstance(infos, str | Path) else list(infos)
    paths = [_existing(path) for path in given]
    if not paths:
        raise RaremineError(
            "infos is empty; pass the path of your info file, or None to "
            "have one written from the tables."
        )
    names = [path.name for path in paths]
    names += [_existing(val).name] if val is not None else []
    for name in names:
        if names.count(name) > 1:
            raise RaremineError(
                f"Two of the info files are called {name}, and exported ones "
                "keep their names; rename one of them."
            )
    return paths


def _existing(path: str | Path) -> Path:
    path = Path(path).expanduser()
    if not path.is_file():
        raise RaremineError(
            f"There is no info file {path}; pass the path of the one that "
            "your training code reads, or none to have one written from the "
            "tables."
        )
    if path.suffix not in (".pkl", ".pickle"):
        raise RaremineError(
            f"{path} does not end in .pkl, as info files do; rename it, or "
            "pass another file."
        )
    return path


def val_bytes(val: str | Path | None) -> int:
    """Returns the bytes of the user's validation infos, if there are any."""
    return 0 if val is None else _existing(val).stat().st_size


def copy_val(job: ExportJob, val: str | Path | None) -> dict[str, str]:
    """Copies the user's validation infos, and tells what they are called."""
    if val is None:
        return {}
    path = _existing(val)
    target = job.folder / path.name
    if target.exists():
        raise RaremineError(
            f"The training infos are called {path.name}, like the ones of "
            "the option val; rename those."
        )
    shutil.copyfile(path, target)
    return {"val": path.name}


def filtered_bytes(infos: Paths, val: str | Path | None) -> int:
    """Returns the bytes that filtered info files need on disk, at most.

    The pickler may spend one more byte on a value than another did who
    wrote none that could be pointed to, so twice as much as is there.
    """
    sizes = [path.stat().st_size for path in _listed(infos, val)]
    return val_bytes(val) + 2 * sum(sizes)


def filter_infos(
    job: ExportJob,
    infos: Paths,
    val: str | Path | None,
    layouts: Collection[str],
) -> Written:
    """Writes the entries of a selection from the user's own info files.

    Args:
        job: the export
        infos: path of the training infos, or several
        val: path of the validation infos, which are copied byte by byte
        layouts: the layouts that are wanted

    Raises:
        RaremineError: if a file cannot be read, is of another layout, or has
            none of the selection's frames
    """
    wanted = training_tokens(job)
    paths = _listed(infos, val)
    facts: dict[str, Any] = {"infos": {}}
    found: set[str] = set()
    with Progress(len(paths), "Filtering infos", job.progress) as progress:
        for path in paths:
            info = filter_file(path, frozenset(wanted), job.folder / path.name)
            _check(job, path, info, layouts)
            found.update(info.tokens)
            facts["infos"][path.name] = {
                "layout": info.layout,
                "entries": len(info.tokens),
                "entries_before": info.total,
            }
            progress.add()
    facts.update(copy_val(job, val))
    absent = [token for token in wanted if token not in found]
    facts["not_in_infos"] = len(absent)
    notes = [DATABASE_NOTE]
    if absent:
        names = " or ".join(path.name for path in paths)
        notes.insert(
            0,
            f"{len(absent)} of the selection's {len(wanted)} frames are not "
            f"in {names}, and so not in the export; the first is "
            f"{absent[0]}.",
        )
    if val is None:
        notes.append(
            "Validation infos were not given (option val); keep using your "
            "own: a selection changes the training data only."
        )
    return Written(job.folder / paths[0].name, facts, tuple(notes))


def _check(
    job: ExportJob, path: Path, info: Filtered, layouts: Collection[str]
) -> None:
    """Refuses a file of another layout or without any selected frame."""
    if info.layout not in layouts:
        other = OPENPCDET if info.layout == OPENPCDET else "mmdet3d"
        raise RaremineError(
            f"{path} is of layout '{info.layout}', not of "
            f"{' or '.join(sorted(layouts))}; export it with format "
            f"'{other}' and without the option layout."
        )
    if not info.tokens:
        splits = " and ".join(job.evaluation_tokens)
        hint = f" Infos of {splits} go into the option val." if splits else ""
        raise RaremineError(
            f"None of the {len(job.train_tokens)} selected frames is among "
            f"the {info.total} entries of {path}. Entries are found by "
            "nuScenes sample token; the selection's first is "
            f"{job.train_tokens[0]!r}. Is it of another version of the "
            f"data?{hint}"
        )
