"""Reads trainval's tables by one of the ways that ``load`` compares."""

from __future__ import annotations

import sys
from typing import Any


def devkit(dataroot: str, version: str) -> dict[str, Any]:
    """Reads with nuscenes-devkit."""
    from nuscenes import NuScenes

    loaded = NuScenes(version, dataroot, verbose=False)
    return {
        "frames": len(loaded.sample),
        "files": len(loaded.sample_data),
        "annotations": len(loaded.sample_annotation),
    }


def raremine(dataroot: str, version: str, **options: Any) -> dict[str, Any]:
    """Reads what a load needs."""
    from raremine.brain.nuscenes.tables import read_tables

    tables = read_tables(dataroot, version, **options)
    return {
        "frames": len(tables.frames),
        "files": sum(len(frame.data) for frame in tables.frames)
        + sum(len(s) for f in tables.frames for s in f.sweeps.values()),
        "annotations": len(tables.annotations or ()),
    }


WAYS: dict[str, tuple[Any, dict[str, Any]]] = {
    "devkit": (devkit, {}),
    "default": (raremine, {}),
    "all-sensors": (raremine, {"radar": True}),
    "sweeps": (raremine, {"radar": True, "sweeps": 10}),
}


def _import_first(way: str) -> None:
    """Imports are not part of reading."""
    if way == "devkit":
        import nuscenes  # noqa: F401
    else:
        import scipy.spatial.transform  # noqa: F401

        import raremine.brain.nuscenes.tables  # noqa: F401


if __name__ == "__main__":
    from benchmarks._measure import tell

    chosen, root, name = sys.argv[1:]
    function, keywords = WAYS[chosen]
    _import_first(chosen)
    tell(lambda: function(root, name, **keywords))
