"""Checking the files that the tables name, before anything is written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from raremine.brain.errors import DatarootError
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


def missing_files(tables: Tables, follow_links: bool = False) -> list[Fault]:
    """Finds the chosen files that do not exist.

    Every folder is listed once, so the cost does not grow with slow single
    look-ups on a network disk.

    Args:
        tables: what was chosen of a dataroot
        follow_links (False): allow symbolic links that lead out of the
            dataroot, for media kept on another disk

    Returns:
        one fault per absent file

    Raises:
        DatarootError: if a file name leads out of the dataroot
    """
    folders: dict[str, tuple[set[str], set[str]]] = {}
    root = os.path.realpath(tables.dataroot)
    faults = []
    for frame, data in _chosen(tables):
        name = data.filename
        if not _stays_inside(name):
            raise DatarootError(
                f"sample_data {data.token!r} names the file {name!r}, which "
                f"lies outside the dataroot {tables.dataroot}. Tables from "
                "an honest source have no such names."
            )
        folder, _, base = name.rpartition("/")
        if folder not in folders:
            path = tables.dataroot / folder
            if not follow_links:
                _check_link(path, root, data.token)
            folders[folder] = _listing(path)
        files, links = folders[folder]
        if base in links and not follow_links:
            _check_link(tables.dataroot / name, root, data.token)
        if base not in files:
            faults.append(fault(frame, data, "missing: there is no such file"))
    return faults


def _chosen(tables: Tables) -> Iterator[tuple[Frame, SensorData]]:
    for frame in tables.frames:
        for channel, data in frame.data.items():
            yield frame, data
            for sweep in frame.sweeps.get(channel, ()):
                yield frame, sweep


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


def _check_link(path: Path, root: str, token: str) -> None:
    real = os.path.realpath(path)
    if os.path.commonpath([real, root]) != root:
        raise DatarootError(
            f"{path} (sample_data {token!r}) is a symbolic link to {real}, "
            "outside the dataroot. Pass follow_links=True if you keep the "
            "media there."
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
