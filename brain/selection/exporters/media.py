"""Files of a data set in an export: linked, copied or left where they are."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Collection, Iterable
from pathlib import Path

from raremine.brain.errors import RaremineError

SYMLINK, HARDLINK, COPY, NONE = "symlink", "hardlink", "copy", "none"
WAYS = (SYMLINK, HARDLINK, COPY, NONE)

BLOCK = 4096
"""Bytes that a small file takes on most disks."""

_NO_HARD_LINK = (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP)


def check_way(
    format: str, media: str, allowed: Collection[str] = WAYS
) -> None:
    """Checks the option ``media``.

    Raises:
        RaremineError: if it is none of those that the format has
    """
    if media not in allowed:
        raise RaremineError(
            f"media={media!r} is nothing that format '{format}' can do; "
            f"choose one of {', '.join(allowed)}."
        )


def place(source: str, target: Path, media: str) -> None:
    """Puts a file of the data set into an export.

    Args:
        source: the file
        target: what it is called in the export; nothing is there yet
        media: how, one of ``WAYS``

    Raises:
        RaremineError: if the disk cannot have hard links from there to here
        OSError: if the file cannot be read or written
    """
    if media == SYMLINK:
        target.symlink_to(Path(source).absolute())
    elif media == HARDLINK:
        try:
            os.link(os.path.realpath(source), target)
        except OSError as error:
            if error.errno not in _NO_HARD_LINK:
                raise
            raise RaremineError(
                f"{source} and {target.parent} cannot share a file "
                f"({error.strerror}); use media='symlink' or media='copy'."
            ) from error
    elif media == COPY:
        shutil.copyfile(source, target)


def media_bytes(paths: Iterable[str], media: str) -> int:
    """Returns the bytes that files need in an export, at most.

    Args:
        paths: the files; those that do not exist need nothing
        media: how they get there, one of ``WAYS``
    """
    if media == NONE:
        return 0
    total = 0
    for path in paths:
        # the entry, and a block for a link or as the rest of a copy
        total += BLOCK + 2 * len(path)
        if media == COPY:
            try:
                total += Path(path).stat().st_size
            except OSError:
                continue
    return total
