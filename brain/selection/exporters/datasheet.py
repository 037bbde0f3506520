"""The datasheet beside an export: what it is and how it came about.

It holds no date and not its own place: the same selection of the same dataset
in the same format has the same datasheet.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import fiftyone as fo
import numpy as np

from raremine.brain.errors import RaremineError
from raremine.brain.pool import EVALUATION_SPLITS, frame_pool
from raremine.brain.runs import library_versions, run_params
from raremine.brain.selection.exporters.checksums import write_inventory
from raremine.brain.selection.exporters.datasheet_text import as_markdown
from raremine.brain.selection.exporters.job import ExportJob, Written
from raremine.brain.selection.exporters.label_counts import (
    POOL,
    SELECTION,
    LabelCounts,
)
from raremine.brain.selection.stage import STAGE

DATASHEET = "datasheet.json"
DATASHEET_TEXT = "datasheet.md"

FORMAT = 1
"""Version of the datasheet's own form."""

GROUND_TRUTH = "ground_truth"

NUSCENES_VERSIONS = ("v1.0-mini", "v1.0-trainval", "v1.0-test")

_NO_SOURCES = (f"raremine_{STAGE}", "raremine_evaluation")
"""Types of runs that no field of the frames comes from."""


def datasheet_bytes(job: ExportJob) -> int:
    """Returns the bytes that a datasheet needs on disk, at most.

    Without the lists of files and links, which the format knows.
    """
    details = job.selection.to_dict()
    details.pop("picks")
    picks = sum(len(p.why) for p in job.selection.picks)
    scenes = len(np.unique(job.frames.scene))
    return (
        400_000
        + 4 * len(json.dumps(details))
        + 2 * picks
        + 100 * len(job.selection)
        + 200 * scenes
    )


def write_datasheet(
    job: ExportJob,
    format: str,
    options: Mapping[str, Any],
    written: Written,
) -> dict[str, Any]:
    """Writes the datasheet of an export into its folder.

    Beside it go the checksums of all files that are there, and the list of
    links, if there are any.

    Args:
        job: the export, with everything else written
        format: its format
        options: the format's options
        written: what the format says that it wrote

    Returns:
        the datasheet
    """
    chosen = job.train_tokens
    pool = _pool_tokens(job, chosen)
    selection = job.selection.to_dict()
    notes = list(written.notes)
    if job.missing_tokens:
        notes.append(
            f"{len(job.missing_tokens)} of {len(job.selection)} selected "
            "frames are in the dataset no longer and left out."
        )
    main = written.main.relative_to(job.folder)
    sheet = {
        "datasheet": FORMAT,
        "format": format,
        "options": {k: _plain(v) for k, v in sorted(options.items())},
        "main": "." if main == Path() else main.as_posix(),
        "selection": {
            "name": job.selection.name,
            "seed": job.selection.seed,
            "recipe": selection["recipe"],
            "by_component": job.selection.counts,
            "shortages": selection["shortages"],
            "notes": selection["notes"],
        },
        "dataset": _source(job.dataset),
        "frames": {
            POOL: len(pool),
            SELECTION: len(chosen),
            "missing": len(job.missing_tokens),
        },
        "splits": _splits(job, chosen),
        "scenes": _scenes(job, pool, chosen),
        "classes": _classes(job, pool, chosen),
        "written": _plain(written.facts),
        "notes": notes,
        "files": write_inventory(job.folder),
        "versions": {
            "raremine": _own_version(),
            **dict(sorted(library_versions().items())),
        },
        "runs": _runs(job.dataset),
        "terms": _terms(job.dataset),
        "why": {p.sample_token: p.why for p in job.selection.picks},
    }
    text = json.dumps(sheet, indent=1, ensure_ascii=False)
    (job.folder / DATASHEET).write_text(text + "\n", encoding="utf-8")
    (job.folder / DATASHEET_TEXT).write_text(
        as_markdown(sheet), encoding="utf-8"
    )
    return sheet


def is_export(folder: Path) -> bool:
    """Tells whether a folder is one that ``export_selection`` has made."""
    return folder.is_dir() and (folder / DATASHEET).is_file()


def read_datasheet(folder: str | Path) -> dict[str, Any]:
    """Returns the datasheet of an export.

    Args:
        folder: the export's folder, or a file or folder in it, such as
            ``export_selection`` returns it

    Raises:
        RaremineError: if it lies in no export
    """
    path = Path(folder)
    for parent in (path, *path.parents):
        if is_export(parent):
            text = (parent / DATASHEET).read_text(encoding="utf-8")
            found: dict[str, Any] = json.loads(text)
            return found
    raise RaremineError(
        f"{path} is not in an export; give the folder that "
        "export_selection has made."
    )


def _pool_tokens(job: ExportJob, chosen: Collection[str]) -> set[str]:
    """Tokens that the selection could choose from, as splits are now."""
    frames = job.frames
    try:
        mask, _ = frame_pool(frames, job.selection.recipe.get("pool"))
    except RaremineError:
        # the splits were changed since; whatever is not held out
        mask = ~np.isin(frames.split, list(EVALUATION_SPLITS))
    return set(frames.sample_token[mask].tolist()) | set(chosen)


def _splits(
    job: ExportJob, chosen: Collection[str]
) -> dict[str, dict[str, int]]:
    wanted = set(chosen)
    dataset: Counter[str] = Counter()
    selection: Counter[str] = Counter()
    for token, split in zip(
        job.frames.sample_token.tolist(),
        job.frames.split.tolist(),
        strict=True,
    ):
        dataset[split or "(none)"] += 1
        selection[split or "(none)"] += token in wanted
    return {
        split: {"dataset": dataset[split], SELECTION: selection[split]}
        for split in sorted(dataset)
    }


def _scenes(
    job: ExportJob, pool: Collection[str], chosen: Collection[str]
) -> dict[str, Any]:
    """Frames of each scene, and what share of the scenes has any."""
    wanted, allowed = set(chosen), set(pool)
    before: Counter[str] = Counter()
    after: Counter[str] = Counter()
    for token, scene in zip(
        job.frames.sample_token.tolist(),
        job.frames.scene.tolist(),
        strict=True,
    ):
        if token in allowed:
            before[scene] += 1
            after[scene] += token in wanted
    used = sorted(n for n in after.values() if n)
    return {
        POOL: len(before),
        SELECTION: len(used),
        "coverage": round(len(used) / len(before), 4) if before else 0.0,
        "frames_per_scene": {
            "least": used[0] if used else 0,
            "median": float(np.median(used)) if used else 0.0,
            "most": used[-1] if used else 0,
        },
        "frames": {
            scene: {POOL: before[scene], SELECTION: after[scene]}
            for scene in sorted(before)
        },
    }


def _classes(
    job: ExportJob, pool: Collection[str], chosen: Collection[str]
) -> dict[str, Any]:
    """Counts by class of the ground truth, and by concept of what is mined."""
    dataset = job.dataset
    counts = LabelCounts(dataset, pool, chosen)
    found: dict[str, Any] = {}
    if _has(dataset, GROUND_TRUTH, "label"):
        rows = counts.by(GROUND_TRUTH, "label")
        for name, numbers in counts.instances(GROUND_TRUTH).items():
            rows[name]["instances"] = numbers
        found[f"{GROUND_TRUTH}.label"] = rows
    field = _mined_field(job)
    if field == GROUND_TRUTH:
        return found
    mined = [a for a in ("concept", "group") if _has(dataset, field, a)]
    if not mined and _has(dataset, field, "label"):
        mined = ["label"]
    for attribute in mined:
        found[f"{field}.{attribute}"] = counts.by(field, attribute)
    return found


def _has(dataset: fo.Dataset, field: str, attribute: str) -> bool:
    return dataset.get_field(f"{field}.detections.{attribute}") is not None


def _mined_field(job: ExportJob) -> str:
    """The field of the mined objects that the selection went by."""
    dataset = job.dataset
    for key in dataset.list_brain_runs(type=f"raremine_{STAGE}"):
        config = dataset.get_brain_info(key).config
        if config.params.get("name") == job.selection.name:
            return str(config.field or "objects")
    return "objects"


def _runs(dataset: fo.Dataset) -> dict[str, Any]:
    """What made the fields, as the brain runs have recorded it."""
    runs: dict[str, Any] = {}
    for key in sorted(dataset.list_brain_runs()):
        config = dataset.get_brain_info(key).config
        if config.type in _NO_SOURCES:
            continue
        facts: dict[str, Any] = {"type": config.type, "method": config.method}
        for name in ("field", "patches_field", "model"):
            if getattr(config, name, None):
                facts[name] = str(getattr(config, name))
        if run_params(dataset, key):
            facts["params"] = _plain(run_params(dataset, key))
        if getattr(config, "versions", None):
            facts["versions"] = dict(sorted(config.versions.items()))
        runs[key] = facts
    return runs


def _source(dataset: fo.Dataset) -> dict[str, Any]:
    loaded = dataset.info.get("raremine") or {}
    facts = {"name": dataset.name, "version": loaded.get("version")}
    return {name: value for name, value in facts.items() if value}


def _terms(dataset: fo.Dataset) -> str:
    version = (dataset.info.get("raremine") or {}).get("version")
    if version in NUSCENES_VERSIONS:
        return (
            f"This is a part of nuScenes {version}, or made from it, and "
            "stays under the terms of nuScenes: non-commercial use only, "
            "https://www.nuscenes.org/terms-of-use."
        )
    return (
        f"This is a part of dataset '{dataset.name}', or made from it, and "
        "stays under the terms of that data. Those of nuScenes are at "
        "https://www.nuscenes.org/terms-of-use (non-commercial use only)."
    )


def _own_version() -> str:
    import importlib.metadata

    return importlib.metadata.version("raremine")


def _plain(value: Any) -> Any:
    """Turns a value into what JSON has; what it has not becomes text."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, (set, frozenset)):
        return sorted(_plain(v) for v in value)
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    return str(value)
