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
from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
)
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath

from raremine.brain.errors import DatarootError, RaremineError
from raremine.brain.selection.exporters.nuscenes_source import LABELS
from raremine.brain.selection.exporters.nuscenes_tables import File

WAYS = ("folders", "symlink", "hardlink", "copy", "none")
"""How media come into an export: a symbolic link to each media folder of the
source, to each file, hard links, copies, or not at all."""

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


@dataclass
class Media:
    """Brings files from a dataroot into an export.

    Attributes:
        dataroot: the source
        folder: the export, as long as it is being written
        way: one of ``WAYS``
        follow_links: whether to hard-link and copy files to which symbolic
            links lead that lie outside of the dataroot
        missing: files that do not exist; no link to them is made
        placed: number of files that the export's tables name and it has
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
        tell: Callable[[int], None] | None = None,
    ) -> None:
        """Brings files, each once.

        Args:
            files: with names that ``check_names`` has let through
            tell (None): called with numbers of files that are done

        Raises:
            DatarootError: if a file is not to be read
            RaremineError: if the file system does not allow it
        """
        for folder, names in _by_folder(files).items():
            present = set(_listing(self.dataroot / folder, names))
            self.missing += [f for b, f in names.items() if b not in present]
            here = {b: f for b, f in names.items() if b in present}
            top = folder.partition("/")[0]
            # the devkit counts the files in the folders of labels
            if self.way == "folders" and top not in LABELS:
                self._link_folder(top)
            else:
                self._place_each(folder, here)
            self.placed += len(here)
            if tell is not None:
                tell(len(names))

    def bring_companions(self, scenes: Collection[str]) -> None:
        """Brings what no table names but code for nuScenes looks for.

        Args:
            scenes: names of the scenes that stay
        """
        if self.way == "folders":
            for top in ("maps", _CAN_BUS):
                self._link_folder(top)
            return
        others = list(companions(self.dataroot, scenes))
        for folder, names in _by_folder(others).items():
            self._place_each(folder, names)

    def size(self, files: Iterable[File]) -> int:
        """Returns the bytes that files will take on disk, at most."""
        total = 0
        for folder, names in _by_folder(files).items():
            total += len(names) * self.link_size()
            if self.way == "copy":
                for base in _listing(self.dataroot / folder, names):
                    size = (self.dataroot / folder / base).stat().st_size
                    total += -(-size // _BLOCK) * _BLOCK
        return total

    def link_size(self) -> int:
        """Returns the bytes that one more file takes without its content."""
        # file systems keep the target of a link, if long, in a block
        linked = self.way in ("folders", "symlink")
        return _ENTRY + _BLOCK if linked else _ENTRY

    def _link_folder(self, top: str) -> None:
        source, target = self.dataroot / top, self.folder / top
        if source.is_dir() and not target.is_symlink():
            target.symlink_to(source, target_is_directory=True)

    def _place_each(self, folder: str, files: Mapping[str, File]) -> None:
        """Brings files of one folder that are known to be there."""
        source = str(self.dataroot / folder)
        real = os.path.realpath(source)
        root = os.path.realpath(self.dataroot)
        goal = str(self.folder)
        made: set[str] = set()
        for base, file in files.items():
            parent = file.target.rpartition("/")[0]
            if parent not in made:
                (self.folder / parent).mkdir(parents=True, exist_ok=True)
                made.add(parent)
            target = f"{goal}/{file.target}"
            if self.way in ("folders", "symlink"):
                # of hundreds of thousands: paths as objects take as long as
                # the links
                os.symlink(f"{source}/{base}", target)  # noqa: PTH211
            else:
                path = self._allowed(file, f"{real}/{base}", root)
                self._bring(path, target)

    def _bring(self, source: str, target: str) -> None:
        try:
            if self.way == "hardlink":
                os.link(source, target, follow_symlinks=False)
            else:
                _copy(source, target)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise
            raise RaremineError(_refused(self.way, source, error)) from error

    def _allowed(self, file: File, source: str, root: str) -> str:
        """Returns where a file really lies, if it may be read there.

        Args:
            file: what is asked for
            source: the file, in a folder without symbolic links
            root: the dataroot, without symbolic links
        """
        real = source
        if Path(source).is_symlink():
            real = os.path.realpath(source)
        if self.follow_links or os.path.commonpath([real, root]) == root:
            return real
        raise DatarootError(
            f"{self.dataroot / file.source} ({file.table} {file.token!r}) "
            f"is, or lies in, a symbolic link to {real}, outside the "
            "dataroot. Pass follow_links=True if you keep the media there, "
            'or media="folders".'
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


def _refused(way: str, source: str, error: OSError) -> str:
    if way == "hardlink":
        return (
            f"{source} cannot be hard-linked into the export "
            f"({error.strerror}): both must lie on one file system, and the "
            'file must be yours. Choose media="folders" or "copy".'
        )
    return (
        f"{source} cannot be copied into the export ({error.strerror}); make "
        'it readable, or choose media="folders".'
    )


def _copy(source: str, target: str) -> None:
    """Copies a regular file; what it is is asked of what was opened."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)
    flags |= getattr(os, "O_NONBLOCK", 0)
    with open(os.open(source, flags), "rb") as file:  # noqa: PTH123
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        with Path(target).open("xb") as copy:
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
