"""Where a nuScenes export comes from, and which splits its scenes are in."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from raremine.brain.errors import RaremineError
from raremine.brain.nuscenes.splits import scene_splits
from raremine.brain.nuscenes.tables import version_folder

LABELS = ("lidarseg", "panoptic")
"""Tables of label files, which not every dataroot has."""

_NAME = re.compile(r"[A-Za-z0-9][\w.+-]*")
_MEDIA_FOLDERS = ("samples", "sweeps", "maps", "can_bus", *LABELS)


@dataclass(frozen=True)
class Source:
    """A dataroot to take from.

    Attributes:
        dataroot: its folder, absolute
        folder: its version folder
        version: what the version folder of the export is called
    """

    dataroot: Path
    folder: Path
    version: str

    def has(self, table: str) -> bool:
        """Whether there is such a table."""
        return (self.folder / f"{table}.json").is_file()

    def reserved(self) -> tuple[str, str]:
        """First parts of file names that no media may have."""
        return self.version, self.folder.name

    def renamed(self, label_file: str) -> str:
        """Returns the name of a label file in the export.

        The devkit looks for label files in a folder with the version's name.
        """
        parts = PurePosixPath(label_file).parts
        if len(parts) < 3 or parts[0] not in LABELS:
            return label_file
        if self.version == self.folder.name or parts[1] != self.folder.name:
            return label_file
        return str(PurePosixPath(parts[0], self.version, *parts[2:]))


def find_source(
    name: str,
    info: Mapping[str, Any],
    dataroot: str | Path | None,
    source_version: str | None,
    version: str | None,
) -> Source:
    """Finds the dataroot that a data set was loaded from.

    Args:
        name: the data set's name
        info: what its load has noted
        dataroot: goes before what was noted
        source_version: goes before what was noted
        version: of the export; None = the source's

    Raises:
        DatarootError: if it does not exist
        RaremineError: if nothing was noted, or a name does not fit
    """
    root = dataroot or info.get("dataroot")
    loaded = source_version or info.get("version")
    if not root or not loaded:
        raise RaremineError(
            f"Dataset '{name}' does not tell which nuScenes dataroot it was "
            "loaded from; pass dataroot and source_version."
        )
    version = version or loaded
    if not _NAME.fullmatch(version) or version in _MEDIA_FOLDERS:
        raise RaremineError(
            f"version={version!r} is no name for a version folder; choose "
            "one such as 'v1.0-trainval'."
        )
    path = Path(root).expanduser().absolute()
    return Source(path, version_folder(path, loaded), version)


def splits_to_write(
    source: Source,
    names: Collection[str],
    split_of: Mapping[str, str],
) -> dict[str, list[str]]:
    """Returns what ``splits.json`` of an export has to say.

    That is what the source's says of the scenes that stay. Where the splits
    of the data set follow neither from it nor from the version's name, they
    come first, as the first split that names a scene is its own.

    Args:
        source: the dataroot
        names: the scenes that stay
        split_of: split by scene in the data set

    Returns:
        scene names by split; empty where no such file is needed
    """
    splits: dict[str, list[str]] = {}
    path = source.folder / "splits.json"
    if path.is_file():
        # raises where the file is not one of splits
        scene_splits(source.folder, source.folder.name, ())
        given: dict[str, Sequence[str]]
        given = json.loads(path.read_text(encoding="utf-8"))
        splits = {
            s: [n for n in own if n in names] for s, own in given.items()
        }
    official = scene_splits(Path("no folder"), source.version, names)
    told = {n: s for n, s in official.items() if s}
    for split, own in reversed(splits.items()):
        told.update(dict.fromkeys(own, split))
    if all(told.get(name) == split for name, split in split_of.items()):
        return splits
    loaded: dict[str, list[str]] = {}
    for name, its in sorted(split_of.items()):
        loaded.setdefault(its, []).append(name)
    rest = {s: own for s, own in splits.items() if s not in loaded}
    return {**dict(sorted(loaded.items())), **rest}
