"""What lies in a nuScenes dataroot, as far as a form can look at once."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from raremine.brain.errors import DatarootError
from raremine.brain.nuscenes.splits import scene_splits

_LARGEST = 16 << 20
"""Bytes of a table that a form reads; trainval's scenes take 0.3 MB."""


@dataclass(frozen=True)
class Contents:
    """The scenes and sensors of one version.

    Attributes:
        frames: keyframes by scene name
        splits: split by scene name, "" = none
        channels: sensor channels
    """

    frames: dict[str, int]
    splits: dict[str, str]
    channels: tuple[str, ...]

    def count(self, given: dict[str, Any]) -> tuple[int, int]:
        """Counts what a load would take.

        Args:
            given: answers: split, scenes, max_scenes

        Returns:
            scenes and keyframes
        """
        names = sorted(self.frames)
        if given.get("split"):
            names = [n for n in names if self.splits[n] in given["split"]]
        if given.get("scenes"):
            names = [n for n in names if n in given["scenes"]]
        names = names[: given.get("max_scenes") or len(names)]
        return len(names), sum(self.frames[n] for n in names)

    @property
    def split_names(self) -> list[str]:
        """The splits that scenes belong to."""
        return sorted({split for split in self.splits.values() if split})


def find_versions(dataroot: str) -> list[str]:
    """Returns the version folders of a dataroot, [] if there is none."""
    try:
        return sorted(
            folder.name
            for folder in Path(dataroot).expanduser().iterdir()
            if (folder / "scene.json").is_file()
        )
    except OSError:
        return []


def look_into(dataroot: str, version: str) -> Contents | None:
    """Reads the small tables of a version, None if they cannot be read.

    Args:
        dataroot: the folder
        version: its version folder
    """
    folder = Path(dataroot).expanduser() / version
    scenes = folder / "scene.json"
    try:
        changed = scenes.stat()
    except OSError:
        return None
    if changed.st_size > _LARGEST:
        return None
    return _look_into(folder, version, changed.st_mtime_ns)


@lru_cache(maxsize=8)
def _look_into(folder: Path, version: str, changed: int) -> Contents | None:
    try:
        scenes = json.loads((folder / "scene.json").read_bytes())
        sensors = json.loads((folder / "sensor.json").read_bytes())
        frames: Counter[str] = Counter()
        for scene in scenes:
            frames[scene["name"]] += int(scene.get("nbr_samples") or 0)
        splits = scene_splits(folder, version, frames)
        channels = sorted({sensor["channel"] for sensor in sensors})
    except (OSError, ValueError, KeyError, TypeError, DatarootError):
        # the load itself tells what is wrong with the tables
        return None
    return Contents(dict(frames), splits, tuple(channels))
