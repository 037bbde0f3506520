"""Writing a ``.fo3d`` scene, its clouds and its thumbnail.

This runs in worker processes, which are to start fast: nothing here imports
the tables' side, FiftyOne or torch.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from raremine.brain.errors import RaremineError
from raremine.brain.nuscenes.fo3d import SceneTemplate, ShownCloud
from raremine.brain.nuscenes.lidar import (
    READERS,
    UNLABELED,
    CloudError,
    finite,
    read_labels,
    without_close,
)
from raremine.brain.nuscenes.pcd import is_converted, write_pcd, write_whole
from raremine.brain.nuscenes.thumbnails import (
    HeightMap,
    is_thumbnail,
    thumbnail_metadata,
    write_thumbnail,
)

LAG_COLUMN = "time_lag"
"""Column of clouds with sweeps: seconds before the keyframe's own points."""

LABEL_COLUMN = "lidarseg"
"""Column of labelled clouds: index of the point's class, -1 = no label."""

_FORMAT = "2"
"""Part of every stamp: raise it when what is written changes, so that files
of an older version are made again."""


@dataclass(frozen=True, slots=True, eq=False)
class CloudPart:
    """A source file of a cloud.

    ``pose`` is (4, 4), sensor to the keyframe's world frame; ``lag`` the
    seconds by which it was taken before the keyframe; ``labels`` the file of
    its points' classes.
    """

    path: Path
    pose: np.ndarray
    lag: float
    labels: Path | None = None


@dataclass(frozen=True, slots=True, eq=False)
class CloudJob:
    """A cloud to write: its keyframe's own part first, then its sweeps."""

    channel: str
    modality: str
    parts: tuple[CloudPart, ...]
    target: Path
    with_lag: bool
    with_labels: bool

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns that it will have."""
        extra = (LAG_COLUMN,) * self.with_lag
        extra += (LABEL_COLUMN,) * self.with_labels
        columns: tuple[str, ...] = READERS[self.modality][0]
        return columns + extra


@dataclass(frozen=True, slots=True, eq=False)
class SceneJob:
    """A ``.fo3d`` scene to write."""

    target: Path
    clouds: tuple[CloudJob, ...]
    template: SceneTemplate


@dataclass(frozen=True, slots=True)
class SceneResult:
    """What became of a scene: reasons by channel, only where there is one.

    ``failed`` are the clouds that could not be read, ``partial`` those that
    lack a sweep, labels or some points. ``thumbnail_metadata`` are the
    values of its FiftyOne ``OrthographicProjectionMetadata``.
    """

    path: Path
    failed: dict[str, str]
    partial: dict[str, str]
    thumbnail_metadata: dict[str, Any] | None = None


def write_scene(job: SceneJob) -> SceneResult:
    """Writes a scene, its clouds and its thumbnail.

    What is there from before and still right is kept. A cloud that cannot
    be read is left out of the scene.

    Raises:
        RaremineError: if a file cannot be written
    """
    try:
        return _write_scene(job)
    except OSError as error:
        raise RaremineError(
            f"Cannot write {error.filename or job.target}: "
            f"{error.strerror or error}. Make room there, or give another "
            "folder as media_dir."
        ) from error


def _write_scene(job: SceneJob) -> SceneResult:
    failed, partial, shown = {}, {}, []
    stamps = {cloud: _stamp(cloud) for cloud in job.clouds}
    pictured = _pictured(job.clouds)
    thumbnail = job.target.with_suffix(".png")
    whole = _digest(stamps[cloud] for cloud in pictured)
    picture = None
    if not is_thumbnail(thumbnail, whole):
        picture = HeightMap(_spread(pictured))
    for cloud in job.clouds:
        seen = picture if cloud in pictured else None
        try:
            reason = _write_cloud(cloud, stamps[cloud], seen)
        except CloudError as error:
            failed[cloud.channel] = str(error)
            continue
        path = os.path.relpath(cloud.target, job.target.parent)
        shown.append(ShownCloud(cloud.channel, cloud.modality, path))
        if reason:
            partial[cloud.channel] = reason
    if picture is not None:
        faults = any(c.channel in failed | partial for c in pictured)
        write_thumbnail(thumbnail, picture, "partial" if faults else whole)
    content = json.dumps(job.template.fill(job.target.name, shown)).encode()
    if not (job.target.is_file() and job.target.read_bytes() == content):
        write_whole(job.target, content)
    metadata = thumbnail_metadata(thumbnail)
    return SceneResult(job.target, failed, partial, metadata)


def _pictured(clouds: Iterable[CloudJob]) -> list[CloudJob]:
    """Returns the clouds that a thumbnail shows: LiDAR if there is any."""
    clouds = list(clouds)
    return [c for c in clouds if c.modality == "lidar"] or clouds


def _spread(clouds: Iterable[CloudJob]) -> int:
    """Returns how large points are drawn: a radar has but a hundred."""
    return 2 if any(c.modality == "lidar" for c in clouds) else 5


def _write_cloud(job: CloudJob, stamp: str, picture: HeightMap | None) -> str:
    """Writes a cloud, if it is not there yet, and adds it to a picture.

    Returns:
        what the cloud lacks, "" if nothing
    """
    converted = is_converted(job.target, job.columns, stamp)
    if converted and picture is None:
        return ""
    _keep_sources(job)
    clouds: list[np.ndarray] = []
    reasons: list[str] = []
    for part in job.parts:
        try:
            clouds.append(_read_part(job, part, reasons))
        except CloudError as error:
            if part is job.parts[0]:
                raise
            reasons.append(f"sweep {part.path.name} left out: {error}")
    points = clouds[0] if len(clouds) == 1 else np.concatenate(clouds)
    if picture is not None:
        picture.add(points)
    if reasons:
        # a later load must see the fault again, so this is not reusable
        stamp += " partial"
    if reasons or not converted:
        write_pcd(job.target, job.columns, points, stamp)
    return "; ".join(reasons)


def _read_part(
    job: CloudJob, part: CloudPart, reasons: list[str]
) -> np.ndarray:
    """Returns a source file's points in the world frame, all columns.

    ``reasons`` grows by what they lack.
    """
    if not np.isfinite(part.pose).all():
        raise CloudError(
            "the tables have no ego pose at its time, so its place is not "
            "known"
        )
    _, read, move = READERS[job.modality]
    points = read(part.path)
    columns = [points]
    # before any point is left out, as labels are found by position only
    if job.with_lag:
        columns.append(np.full((len(points), 1), part.lag, np.float32))
    if job.with_labels:
        columns.append(_labels(part, len(points), reasons))
    if len(columns) > 1:
        points = np.hstack(columns)
    good = finite(points)
    if len(good) < len(points):
        lost = len(points) - len(good)
        reasons.append(
            f"{lost} points of {part.path.name} that are not finite left out"
        )
    if part is not job.parts[0]:
        good = without_close(good)
    return np.asarray(move(good, part.pose))


def _labels(part: CloudPart, count: int, reasons: list[str]) -> np.ndarray:
    if part.labels is not None:
        try:
            return read_labels(part.labels, count)
        except CloudError as error:
            name = part.labels.name
            reasons.append(f"labels of {name} left out: {error}")
    return np.full((count, 1), UNLABELED, np.float32)


def _keep_sources(job: CloudJob) -> None:
    """Refuses to write over a file of the dataroot."""
    if job.target.exists() and any(
        part.path.exists() and job.target.samefile(part.path)
        for part in job.parts
    ):
        raise RaremineError(
            f"{job.target} is a file of the dataroot, and its conversion "
            "would take its place. Give another folder as media_dir."
        )


def _stamp(job: CloudJob) -> str:
    """Identifies what a cloud is made from: sources, sizes and poses."""
    digest = hashlib.sha1(_FORMAT.encode())
    for part in job.parts:
        name, size = part.path.name, _size(part.path)
        digest.update(f"{name} {size} {part.lag:.6f}".encode())
        digest.update(np.round(part.pose, 9).tobytes())
        if part.labels is not None:
            name, size = part.labels.name, _size(part.labels)
            digest.update(f"{name} {size}".encode())
    return digest.hexdigest()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def _digest(stamps: Iterable[str]) -> str:
    return hashlib.sha1(" ".join(stamps).encode()).hexdigest()
