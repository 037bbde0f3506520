"""Copying images out of the dataroot, for those who will not keep it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from raremine.brain.errors import RaremineError
from raremine.brain.nuscenes.pcd import write_whole
from raremine.brain.nuscenes.records import Frame, SensorData

_WORKERS = 8


def copy_images(
    frames: Iterable[Frame],
    absent: frozenset[str],
    dataroot: Path,
    media_dir: Path,
) -> dict[str, str]:
    """Copies the images of keyframes, whole or not at all.

    Those that are there with the same size and time are left as they are.

    Args:
        frames: the keyframes
        absent: sample_data tokens whose files do not exist
        dataroot: where the images are
        media_dir: where to copy them, under the names that the tables have

    Returns:
        why an image could not be read, by sample_data token

    Raises:
        RaremineError: if a copy cannot be written
    """
    images = [
        data
        for frame in frames
        for data in frame.data.values()
        if data.calibration.modality == "camera" and data.token not in absent
    ]

    def copy(data: SensorData) -> str:
        return _copy(dataroot / data.filename, media_dir / data.filename)

    with ThreadPoolExecutor(_WORKERS, "raremine-copy") as pool:
        reasons = list(pool.map(copy, images))
    return {
        data.token: reason
        for data, reason in zip(images, reasons, strict=True)
        if reason
    }


def _copy(source: Path, target: Path) -> str:
    """Copies a file; returns why it could not be read, "" if it could."""
    try:
        own = source.stat()
        if target.is_file() and _version(target.stat()) == _version(own):
            return ""
        content = source.read_bytes()
    except OSError as error:
        return f"the image cannot be read ({error.strerror})"
    try:
        write_whole(target, content)
        os.utime(target, ns=(own.st_atime_ns, own.st_mtime_ns))
    except OSError as error:
        raise RaremineError(
            f"Cannot copy {source} to {target}: {error.strerror}. Free some "
            'space, choose another media_dir, or load with media="link".'
        ) from error
    return ""


def _version(file: os.stat_result) -> tuple[int, int]:
    """Tells a file from an earlier one of the same name."""
    return file.st_size, file.st_mtime_ns
