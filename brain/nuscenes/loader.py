"""nuScenes dataroot to grouped FiftyOne dataset."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import fiftyone as fo
import fiftyone.core.storage as fos

from raremine.brain.errors import DatarootError, RaremineError
from raremine.brain.nuscenes.check import Fault, missing_files
from raremine.brain.nuscenes.conversion import with_scenes
from raremine.brain.nuscenes.garbage import collection_paused
from raremine.brain.nuscenes.image_copy import copy_images
from raremine.brain.nuscenes.problems import Problems
from raremine.brain.nuscenes.records import Tables
from raremine.brain.nuscenes.samples import SampleMaker
from raremine.brain.nuscenes.splits import Splits
from raremine.brain.nuscenes.store import (
    BATCH,
    INFO_KEY,
    LOADING,
    create_dataset,
    new_frames,
    record_load,
    set_state,
    slice_3d,
    undo_load,
)
from raremine.brain.nuscenes.tables import read_tables
from raremine.brain.nuscenes.writer import GroupWriter

_log = logging.getLogger(__name__)

Progress = bool | Callable[[int, int], Any] | None


def load_nuscenes(
    dataroot: str | Path,
    version: str,
    name: str,
    *,
    scenes: Sequence[str] | str | None = None,
    split: Sequence[str] | str | None = None,
    splits: Splits | None = None,
    max_scenes: int | None = None,
    channels: Sequence[str] | str | None = None,
    radar: bool = False,
    sweeps: int = 0,
    ground_truth: bool = True,
    missing: str = "skip",
    append: bool = False,
    overwrite: bool = False,
    progress: Progress = None,
    media: str = "link",
    media_dir: str | Path | None = None,
    follow_links: bool = False,
    workers: int | None = None,
) -> fo.Dataset:
    """Loads a nuScenes dataroot as a persistent grouped dataset.

    One group per keyframe (nuScenes ``sample``): a slice per camera, named by
    its channel, and one 3D slice, LIDAR_TOP, with a ``.fo3d`` scene. Images
    stay where they are; clouds are converted to ``.pcd`` in ``media_dir``,
    where a later load of the same dataroot finds them again.

    A scene's "world" frame is one per keyframe: origin at the ego's place at
    the time of the LiDAR sweep, x along its heading, z up. Clouds, cuboids
    and ``sensor_to_world`` use it, so the App draws camera frustums and
    projects cuboids onto the images.

    Every sample has ``sample_token``, ``sample_data_token``, ``scene_token``,
    ``scene_name``, ``scene_description``, ``location``, ``logfile``,
    ``vehicle``, ``date_captured``, ``is_night``, ``is_rain``, ``split`` ("" if
    in none), ``timestamp`` (of this sensor's data, microseconds),
    ``frame_idx`` (of the keyframe in its scene), ``ego_pose``
    (``StaticTransform`` "ego" to "global" at that time; it, ``world_pose``
    and labels are None where the tables do not have it), ``world_pose``
    ("world" to "global"), and

    - ``load_status``: "ok", "missing" (no such file) or "unreadable"
    - ``load_reason``: why it is not "ok", or what an "ok" cloud lacks

    Cameras have ``sensor_to_world`` (channel to "world") and the dataset's
    ``camera_intrinsics`` of their slice; images whose intrinsics differ from
    those have their own in ``intrinsics``. 3D samples have a bird's-eye
    picture in ``orthographic_projection_metadata``, which the grid shows.

    ``ground_truth`` holds 2D detections on cameras and cuboids on the 3D
    slice. Both have ``label`` (detection class or "ignore"), ``category``,
    ``attribute_names``, ``visibility`` (such as "v80-100", "" = unknown),
    ``num_lidar_pts``, ``num_radar_pts``, ``ann_token``, ``instance_token``,
    ``instance`` (the same wherever the instance is), ``index`` (track number
    in the scene), ``distance`` (m from the ego, on the ground plane) and
    ``velocity`` (m/s in the world frame, None where unknown; by the rule of
    the devkit's ``box_velocity``). Cuboids also have ``quaternion``
    (x, y, z, w). A label has the same id in every load of the same tables.

    Args:
        dataroot: folder that holds the version folder and the media
        version: name of the version folder, such as "v1.0-trainval"
        name: name of the dataset
        scenes (None): names or tokens of scenes; None = all
        split (None): only scenes of this split, or these: "train", "val",
            "test", "mini_train", "mini_val", or those of ``splits``; None =
            all
        splits (None): scene names by split, or a JSON file of them, to go
            by instead of nuScenes' own; None = ``splits.json`` in the
            version folder, if there is one, then nuScenes' own
        max_scenes (None): load no more than this many of the chosen scenes,
            the first by name
        channels (None): channels to load; None = all cameras and LiDARs.
            The 3D slice is LIDAR_TOP, or else the first LiDAR (or radar) by
            name; other LiDARs and radars are further clouds in its scenes
        radar (False): add all radars, filtered by the devkit's default
            rules, with RCS and velocities turned into the world frame
        sweeps (0): number of LiDAR sweeps before each keyframe to add to its
            cloud, compensated for the ego's motion, told apart by the
            column ``time_lag`` (seconds before the keyframe). As in the
            devkit's ``from_file_multisweep``, a sweep leaves out its points
            within 1 m of the LiDAR; the keyframe's own cloud stays whole
        ground_truth (True): whether to load annotations
        missing ("skip"): what to do about what tables refer to but does
            not exist: "skip" leaves out rows that refer to no row, and the
            sample of an absent image (that of an absent cloud stays for its
            cuboids, with status "missing"), and warns; "error" refuses to
            load
        append (False): add to an existing dataset the keyframes that it does
            not have; also finishes a load that was killed
        overwrite (False): replace a dataset of this name, once the new one
            is complete
        progress (None): True or False to show a bar or not, None for
            FiftyOne's default, or a function that is called with the number
            of keyframes done and in total
        media ("link"): "link" leaves images where they are, "copy" copies
            them into ``media_dir``
        media_dir (None): folder for converted clouds, scenes and thumbnails;
            None = "<name>-raremine" in FiftyOne's default dataset folder
        follow_links (False): allow symbolic links in the dataroot that lead
            out of it
        workers (None): processes that convert clouds; None = one per core,
            at most eight, and only this one for a few keyframes

    Returns:
        the dataset; ``dataset.info["raremine"]`` tells what was loaded,
        which files were skipped, and what is wrong with the dataroot

    Raises:
        DatarootError: if the dataroot, the version or a table is absent or
            malformed, or a file name leads out of the dataroot; the error
            lists all there is, and nothing has been written then
        RaremineError: if the name is taken or an argument does not fit
    """
    _check_arguments(missing, media, append, overwrite, sweeps, max_scenes)
    exists = fo.dataset_exists(name)
    if exists and not (append or overwrite):
        raise RaremineError(_taken(name))
    problems = Problems(strict=missing == "error")
    tables = read_tables(
        dataroot,
        version,
        scenes=scenes,
        split=split,
        splits=splits,
        max_scenes=max_scenes,
        channels=channels,
        radar=radar,
        sweeps=sweeps,
        ground_truth=ground_truth,
        problems=problems,
    )
    _check_extras(tables, radar, sweeps, problems)
    faults = missing_files(tables, problems, follow_links)
    problems.raise_fatal()
    if media_dir is None:
        folder = fo.config.default_dataset_dir or "."
        media_dir = Path(folder) / f"{name}-raremine"
    media_dir = Path(fos.normalize_path(str(media_dir)))

    appending = exists and append
    if appending:
        dataset = fo.load_dataset(name)
        absent = {f.sample_data_token for f in faults}
        frames = new_frames(dataset, tables, absent)
    else:
        # an older dataset of the name is replaced when this one is whole
        temporary = f"{name}-loading-{uuid4().hex[:8]}" if exists else name
        dataset = create_dataset(temporary, tables, ground_truth)
        frames = tables.frames
    tables.frames = [f for f in frames if f.data]
    before = dict(dataset.info.get(INFO_KEY) or {})
    try:
        set_state(dataset, LOADING)
        faults += _write(
            *(dataset, tables, faults, media_dir),
            *(media == "copy", workers, progress),
        )
        record_load(dataset, tables, faults, problems.lines(), media_dir)
    except KeyboardInterrupt:
        # as after a kill: what is loaded can be completed with append
        if dataset.name != name:
            undo_load(dataset, tables, appending, before)
        raise
    except BaseException:
        undo_load(dataset, tables, appending, before)
        raise
    if exists and not append:
        _replace(fo.load_dataset(name), dataset)
    _warn(dataset, problems)
    return dataset


def _replace(old: fo.Dataset, new: fo.Dataset) -> None:
    """Gives the new dataset the place of the old one, which is deleted."""
    from raremine.brain.crop_index import delete_vectors

    name = old.name
    try:
        delete_vectors(old)
    finally:
        old.delete()
        new.name = name


def _warn(dataset: fo.Dataset, problems: Problems) -> None:
    if problems:
        _log.warning(
            "Dataset '%s' was loaded in spite of %d problems of its "
            "dataroot:\n%s",
            dataset.name,
            len(problems),
            "\n".join(f"- {line}" for line in problems.lines()),
        )


def _check_arguments(
    missing: str,
    media: str,
    append: bool,
    overwrite: bool,
    sweeps: int,
    max_scenes: int | None,
) -> None:
    if missing not in ("skip", "error"):
        raise RaremineError(
            f"missing={missing!r} is not a policy; choose 'skip' or 'error'."
        )
    if media not in ("link", "copy"):
        raise RaremineError(
            f"media={media!r} is not a policy; choose 'link' or 'copy'."
        )
    if append and overwrite:
        raise RaremineError(
            "append and overwrite exclude each other; choose one."
        )
    if sweeps < 0:
        raise RaremineError(f"sweeps={sweeps}; give 0 or more.")
    if max_scenes is not None and max_scenes < 1:
        raise RaremineError(f"max_scenes={max_scenes}; give 1 or more.")


def _taken(name: str) -> str:
    text = f"There is a dataset '{name}' already"
    info = fo.load_dataset(name).info.get(INFO_KEY) or {}
    if info.get("state") == LOADING:
        return (
            f"{text}, from a load that was interrupted (or still runs). "
            "Pass append=True to finish it or overwrite=True to start again."
        )
    return (
        f"{text}. Choose another name, or pass append=True to add scenes "
        "to it or overwrite=True to replace it."
    )


def _check_extras(
    tables: Tables, radar: bool, sweeps: int, problems: Problems
) -> None:
    kinds = {tables.modality[c] for c in tables.channels}
    if radar and "radar" not in kinds:
        raise RaremineError(
            f"radar=True, but the chosen keyframes in {tables.dataroot} have "
            "no radar data; load without it."
        )
    if sweeps and not any(any(f.sweeps.values()) for f in tables.frames):
        raise RaremineError(
            f"sweeps={sweeps}, but the tables of {tables.dataroot} have no "
            "LiDAR data between the chosen keyframes; load with sweeps=0."
        )
    if not tables.channels:
        found = "".join(f"\n- {line}" for line in problems.lines())
        raise DatarootError(
            f"No keyframe of the chosen scenes in {tables.dataroot} has any "
            f"sensor data, so there is nothing to load.{found}"
        )


def _write(
    dataset: fo.Dataset,
    tables: Tables,
    faults: list[Fault],
    media_dir: Path,
    copy: bool,
    workers: int | None,
    progress: Progress,
) -> list[Fault]:
    """Writes the samples; returns the faults of files that exist."""
    absent = frozenset(f.sample_data_token for f in faults)
    maker = SampleMaker(
        *(tables, slice_3d(tables), dict(dataset.camera_intrinsics), absent),
        image_root=media_dir if copy else None,
    )
    writer = GroupWriter(dataset)
    total, done = len(tables.frames), 0
    bar = False if callable(progress) else progress
    batches = with_scenes(
        *(tables, maker.channel_3d, media_dir, maker.absent),
        batch_size=BATCH,
        workers=workers,
    )
    with (
        # so that no worker outlives an error
        closing(batches),
        fo.ProgressBar(total=total, progress=bar) as shown,
    ):
        for batch in batches:
            if copy:
                frames = [frame for frame, _ in batch]
                maker.unread.update(
                    copy_images(frames, absent, tables.dataroot, media_dir)
                )
            with collection_paused():
                writer.write(maker.groups(batch))
            done += len(batch)
            shown.update(len(batch))
            if callable(progress):
                progress(done, total)
    return maker.faults
