"""Checking the files that the tables name, before anything is written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from raremine.brain.errors import DatarootError
from raremine.brain.nuscenes.problems import Problems
from raremine.brain.nuscenes.records import Frame, SensorData, Tables


@dataclass(frozen=True, slots=True)
class Fault:
    """A file that could not be loaded, and why.

    ``reason`` starts with "missing" or "unreadable".
    """

    sample_token: str
    sample_data_token: str
    channel: str
    filename: str
    reason: str

    def as_dict(self) -> dict[str, str]:
        """Returns the fault as plain values."""
        return asdict(self)


def fault(frame: Frame, data: SensorData, reason: str) -> Fault:
    """Returns the fault of one file of a keyframe."""
    channel = data.calibration.channel
    return Fault(frame.token, data.token, channel, data.filename, reason)


def missing_files(
    tables: Tables, problems: Problems, follow_links: bool = False
) -> list[Fault]:
    """Finds the chosen files that do not exist.

    Every folder is listed once, so the cost does not grow with slow single
    look-ups on a network disk.

    Args:
        tables: what was chosen of a dataroot
        problems: grows by the files that do not exist, and by names that
            lead out of the dataroot, which are fatal
        follow_links (False): allow symbolic links that lead out of the
            dataroot, for media kept on another disk

    Returns:
        one fault per absent file
    """
    search = _Search(tables.dataroot, follow_links)
    faults = []
    for frame, data in _chosen(tables):
        names = [data.filename, *filter(None, [data.lidarseg])]
        wrong = [search.refusal(name, data.token) for name in names]
        for text in filter(None, wrong):
            problems.add("file names", text, fatal=True)
        if any(wrong) or search.holds(data.filename):
            continue
        faults.append(fault(frame, data, "missing: there is no such file"))
        problems.add(
            f"absent files of {data.calibration.channel}",
            f"{data.filename} (sample_data {data.token!r}) does not exist in "
            f"{tables.dataroot}. Unpack it, or load without it with "
            'missing="skip".',
        )
    return faults


def _chosen(tables: Tables) -> Iterator[tuple[Frame, SensorData]]:
    for frame in tables.frames:
        for channel, data in frame.data.items():
            yield frame, data
            for sweep in frame.sweeps.get(channel, ()):
                yield frame, sweep


class _Search:
    """Looks for files of a dataroot in listings of its folders."""

    def __init__(self, dataroot: Path, follow_links: bool) -> None:
        self._dataroot = dataroot
        self._root = os.path.realpath(dataroot)
        self._follow_links = follow_links
        self._folders: dict[str, tuple[set[str], set[str], str]] = {}

    def refusal(self, name: object, token: str) -> str:
        """Returns why a file must not be read, "" if it may."""
        if not _stays_inside(name):
            return (
                f"sample_data {token!r} names the file {name!r}, which lies "
                f"outside the dataroot {self._dataroot}. Tables from an "
                "honest source have no such names."
            )
        folder, _, base = str(name).rpartition("/")
        _, links, target = self._listed(folder)
        if self._follow_links:
            return ""
        if not target and base in links:
            target = self._outside(self._dataroot / str(name))
        if not target:
            return ""
        return (
            f"{self._dataroot / str(name)} (sample_data {token!r}) is, or "
            f"lies in, a symbolic link to {target}, outside the dataroot. "
            "Pass follow_links=True if you keep the media there."
        )

    def holds(self, name: str) -> bool:
        """Whether there is such a file."""
        folder, _, base = name.rpartition("/")
        return base in self._listed(folder)[0]

    def _listed(self, folder: str) -> tuple[set[str], set[str], str]:
        if folder not in self._folders:
            path = self._dataroot / folder
            target = "" if self._follow_links else self._outside(path)
            listing = (set(), set()) if target else _listing(path)
            self._folders[folder] = (*listing, target)
        return self._folders[folder]

    def _outside(self, path: Path) -> str:
        """Returns where a path leads, if that is outside the dataroot."""
        real = os.path.realpath(path)
        inside = os.path.commonpath([real, self._root]) == self._root
        return "" if inside else real


def _stays_inside(name: object) -> bool:
    if not isinstance(name, str) or not name or "\0" in name:
        return False
    windows = PureWindowsPath(name)
    return not (
        PurePosixPath(name).is_absolute()
        or windows.drive
        or windows.root
        or ".." in windows.parts
    )


def _listing(folder: Path) -> tuple[set[str], set[str]]:
    """Returns the names of files and, among them, of symbolic links."""
    files, links = set(), set()
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_file():
                    files.add(entry.name)
                if entry.is_symlink():
                    links.add(entry.name)
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        raise DatarootError(
            f"Cannot list {folder}: {error.strerror}."
        ) from error
    return files, links
