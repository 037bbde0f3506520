"""Puts the files of a smaller nuScenes dataroot in their places.

File names come from tables that others wrote. Nothing is read or linked that
a name leads to outside of the dataroot, and nothing is written but below the
folder of the export.
"""

from __future__ import annotations

import errno
import os
import posixpath
import re
import shutil
import stat
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath

from raremine.brain.errors import DatarootError, RaremineError
from raremine.brain.selection.exporters.nuscenes_tables import File

WAYS = ("symlink", "hardlink", "copy", "none")
"""How media come into an export."""

_BLOCK = 4096
_ENTRY = 512
"""An entry in a folder and what the file system keeps of a file; generous."""

_ODD = re.compile(r"[\0\\:]")
_MAP_FOLDERS = ("expansion", "basemap", "prediction")
_CAN_BUS = "can_bus"


def check_names(files: Iterable[File], reserved: Collection[str]) -> None:
    """Refuses file names that lead out of a dataroot.

    Args:
        files: what the tables name
        reserved: first parts of names that no media may have

    Raises:
        DatarootError: naming the first such row, and how many there are
    """
    known: dict[str, bool] = {}

    def allowed(name: str) -> bool:
        folder, slash, base = name.rpartition("/")
        if folder not in known:
            known[folder] = _stays_inside(f"{folder}{slash}x", reserved)
        plain = base not in ("", ".", "..") and not _ODD.search(base)
        return known[folder] and (plain or _stays_inside(name, reserved))

    wrong = [
        file
        for file in files
        if not (allowed(file.source) and allowed(file.target))
    ]
    if wrong:
        first = wrong[0]
        raise DatarootError(
            f"{first.table} {first.token!r} names the file {first.source!r}, "
            "which is no file in a media folder of the dataroot, such as "
            f"'samples/CAM_FRONT/1.jpg' ({len(wrong)} such rows). Tables "
            "from an honest source have no such names; nothing was exported."
        )


def _stays_inside(name: str, reserved: Collection[str]) -> bool:
    if not name or "\0" in name:
        return False
    windows, parts = PureWindowsPath(name), PurePosixPath(name).parts
    return not (
        PurePosixPath(name).is_absolute()
        or windows.drive
        or windows.root
        or ".." in windows.parts
        # a file beside the folders could pass for one of the export's own
        or len(parts) < 2
        or parts[0] in reserved
    )


def companions(dataroot: Path, scenes: Collection[str]) -> Iterator[File]:
    """Yields files that no table names but code for nuScenes looks for.

    These are the map expansion and the CAN bus messages of the scenes.

    Args:
        dataroot: the source
        scenes: names of the scenes that stay
    """
    for part in _MAP_FOLDERS:
        for name in _listing(dataroot / "maps" / part):
            path = f"maps/{part}/{name}"
            yield File(path, path, "map expansion", name)
    for name in _listing(dataroot / _CAN_BUS):
        if any(name[:at] in scenes for at, c in enumerate(name) if c == "_"):
            path = f"{_CAN_BUS}/{name}"
            yield File(path, path, _CAN_BUS, name)


@dataclass
class Media:
    """Brings files from a dataroot into an export.

    Attributes:
        dataroot: the source
        folder: the export, as long as it is being written
        way: one of ``WAYS``
        follow_links: whether to hard-link and copy files to which symbolic
            links lead that lie outside of the dataroot
        missing: files that do not exist, in the order in which they were
            asked for; links to them are not made
        placed: number of files in the export
    """

    dataroot: Path
    folder: Path
    way: str
    follow_links: bool = False
    missing: list[File] = field(default_factory=list)
    placed: int = 0

    def place(
        self,
        files: Iterable[File],
        tell: Callable[[], None] | None = None,
    ) -> None:
        """Brings files, each once.

        Args:
            files: with names that ``check_names`` has let through
            tell (None): called for each file that there is

        Raises:
            DatarootError: if a file is not to be read
            RaremineError: if the file system does not allow it
        """
        for folder, names in _by_folder(files).items():
            source = self.dataroot / folder
            present = set(_listing(source, names))
            self.missing += [f for b, f in names.items() if b not in present]
            real = os.path.realpath(source)
            made: set[str] = set()
            for base, file in names.items():
                if base not in present:
                    continue
                target = self.folder / file.target
                parent = str(target.parent)
                if parent not in made:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    made.add(parent)
                if self.way == "symlink":
                    target.symlink_to(source / base)
                else:
                    self._bring(file, Path(real, base), target)
                self.placed += 1
                if tell is not None:
                    tell()

    def size(self, files: Iterable[File]) -> int:
        """Returns the bytes that files will take on disk, at most."""
        if self.way == "none":
            return 0
        total = 0
        for folder, names in _by_folder(files).items():
            total += len(names) * _ENTRY
            if self.way == "symlink":
                # file systems keep a long target in a block of its own
                total += len(names) * _BLOCK
            if self.way == "copy":
                for base in _listing(self.dataroot / folder, names):
                    size = (self.dataroot / folder / base).stat().st_size
                    total += -(-size // _BLOCK) * _BLOCK
        return total

    def _bring(self, file: File, source: Path, target: Path) -> None:
        real = self._allowed(file, source)
        try:
            if self.way == "hardlink":
                os.link(real, target, follow_symlinks=False)
            else:
                _copy(real, target)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise
            raise RaremineError(_refused(self.way, real, error)) from error

    def _allowed(self, file: File, source: Path) -> Path:
        """Returns where a file really lies, if it may be read there.

        Args:
            file: what is asked for
            source: the file, in a folder without symbolic links
        """
        real = source
        if source.is_symlink():
            real = Path(os.path.realpath(source))
        root = os.path.realpath(self.dataroot)
        if self.follow_links or os.path.commonpath([real, root]) == root:
            return real
        raise DatarootError(
            f"{self.dataroot / file.source} ({file.table} {file.token!r}) "
            f"is, or lies in, a symbolic link to {real}, outside the "
            "dataroot. Pass follow_links=True if you keep the media there, "
            'or media="symlink".'
        )


def _refused(way: str, source: Path, error: OSError) -> str:
    if way == "hardlink":
        return (
            f"{source} cannot be hard-linked into the export "
            f"({error.strerror}): both must lie on one file system, and the "
            'file must be yours. Choose media="symlink" or "copy".'
        )
    return (
        f"{source} cannot be copied into the export ({error.strerror}); make "
        'it readable, or choose media="symlink".'
    )


def _copy(source: Path, target: Path) -> None:
    """Copies a regular file; what it is is asked of what was opened."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)
    flags |= getattr(os, "O_NONBLOCK", 0)
    with open(os.open(source, flags), "rb") as file:  # noqa: PTH123
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        with target.open("xb") as copy:
            shutil.copyfileobj(file, copy, 1 << 20)


def _by_folder(files: Iterable[File]) -> dict[str, dict[str, File]]:
    """Returns files by folder and name, each once.

    A folder is listed once, so that the cost does not grow with single
    look-ups on a network disk.
    """
    found: dict[str, dict[str, File]] = {}
    spelled: dict[str, dict[str, File]] = {}
    for file in files:
        folder, _, base = file.source.rpartition("/")
        if folder not in spelled:
            normal = posixpath.normpath(folder)
            spelled[folder] = found.setdefault(normal, {})
        spelled[folder].setdefault(base, file)
    return found


def _listing(folder: Path, wanted: Collection[str] | None = None) -> list[str]:
    """Returns names of the regular files in a folder, in order.

    Args:
        folder: may be absent
        wanted (None): the names to look for; None = all
    """
    try:
        with os.scandir(folder) as entries:
            return sorted(
                entry.name
                for entry in entries
                if (wanted is None or entry.name in wanted) and entry.is_file()
            )
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise DatarootError(
            f"Cannot list {folder}: {error.strerror}."
        ) from error
