"""Loading the tests' dataroots, and looking at what came of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fiftyone as fo

from raremine.brain.nuscenes.loader import load_nuscenes
from raremine.brain.nuscenes.store import all_slices

from .conftest import VERSION, Dataroot

NAME = "loader-test"
STAMPS = ("created_at", "last_modified_at")


def load(root: Dataroot, **options: Any) -> fo.Dataset:
    options = {"media_dir": root.path.parent / "media", **options}
    return load_nuscenes(root.path, VERSION, NAME, **options)


def by_slice(dataset: fo.Dataset) -> dict[str, int]:
    counts: dict[str, int] = all_slices(dataset).count_values("group.name")
    return counts


def contents(dataset: fo.Dataset) -> dict[str, dict[str, Any]]:
    """All values of all samples but what differs from load to load."""

    def strip(value: Any) -> Any:
        if isinstance(value, dict):
            drop = ("_id", "_rand", "_dataset_id", *STAMPS)
            return {k: strip(v) for k, v in value.items() if k not in drop}
        if isinstance(value, list):
            return [strip(v) for v in value]
        return value

    return {
        s.sample_data_token: strip(s.to_mongo_dict())
        for s in all_slices(dataset)
    }


def files(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(p.relative_to(folder)): (p.read_bytes(), p.stat().st_mtime_ns)
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }
