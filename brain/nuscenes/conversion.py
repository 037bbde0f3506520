"""Writing the 3D scenes of many keyframes, in several processes."""

from __future__ import annotations

import functools
from collections.abc import Collection, Generator, Iterable
from contextlib import closing
from pathlib import Path

from raremine.brain.errors import RaremineError
from raremine.brain.nuscenes.lidar import READERS
from raremine.brain.nuscenes.pcd import clear_abandoned
from raremine.brain.nuscenes.pool import in_order, pool_size
from raremine.brain.nuscenes.records import Frame, Tables, scene_data
from raremine.brain.nuscenes.scene3d import plan_scene
from raremine.brain.nuscenes.scene_writer import SceneResult, write_scene

Batch = list[tuple[Frame, SceneResult | None]]


def with_scenes(
    tables: Tables,
    channel: str | None,
    media_dir: Path,
    absent: Collection[str] = (),
    *,
    batch_size: int = 32,
    workers: int | None = None,
) -> Generator[Batch, None, None]:
    """Yields keyframes in batches, with their 3D scenes written.

    While a batch is being used, workers write the next ones.

    Args:
        tables: the tables
        channel: the channel of the 3D slice, None = there is none
        media_dir: where scenes, clouds and thumbnails are written
        absent: sample_data tokens whose files do not exist
        batch_size (32): keyframes in a batch
        workers (None): processes; 1 = only this one, None = one per
            available core, at most ``MAX_WORKERS``, and only this one for a
            few keyframes

    Yields:
        up to ``batch_size`` keyframes, in order, with what became of their
        scene (None: it has no cloud)

    Raises:
        RaremineError: if a file cannot be written, or a worker was killed
    """
    _check_media_dir(tables, media_dir)
    has_scene = [
        scene_data(frame, channel) is not None for frame in tables.frames
    ]
    frames = [
        f for f, has in zip(tables.frames, has_scene, strict=True) if has
    ]
    clear_abandoned(_folders(frames, media_dir))
    plan = functools.partial(
        plan_scene,
        tables,
        channel=channel,
        media_dir=media_dir,
        absent=frozenset(absent),
        swept=any(any(f.sweeps.values()) for f in frames),
        labeled=bool(tables.lidarseg)
        or any(d.lidarseg for f in frames for d in f.data.values()),
    )
    jobs = (plan(frame) for frame in frames)
    processes = pool_size(workers, len(frames))
    with closing(in_order(write_scene, jobs, processes)) as results:
        for start in range(0, len(tables.frames), batch_size):
            end = start + batch_size
            yield [
                (frame, next(results) if has else None)
                for frame, has in zip(
                    tables.frames[start:end], has_scene[start:end], strict=True
                )
            ]


def _check_media_dir(tables: Tables, media_dir: Path) -> None:
    if media_dir.exists() and media_dir.samefile(tables.dataroot):
        raise RaremineError(
            f"media_dir={media_dir} is the dataroot; converted clouds would "
            "take the place of its radar files. Give another folder."
        )


def _folders(frames: Iterable[Frame], media_dir: Path) -> set[Path]:
    names = {
        data.filename.rpartition("/")[0]
        for frame in frames
        for data in frame.data.values()
        if data.calibration.modality in READERS
    }
    return {media_dir / name for name in names}
