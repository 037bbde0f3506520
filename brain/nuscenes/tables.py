"""The tables of a nuScenes dataroot, cut down to what a load needs.

The devkit holds every row of every table (7.5 GB for trainval). A load needs
the keyframes' sample_data with their ego poses, and the annotations; the
tables are therefore read row by row and only these are kept.
"""

from __future__ import annotations

import itertools
from collections.abc import (
    Collection,
    Iterable,
    Mapping,
    Sequence,
)
from pathlib import Path

import msgspec

from raremine.brain.errors import DatarootError, RaremineError
from raremine.brain.nuscenes.annotations import read_annotations
from raremine.brain.nuscenes.garbage import collection_paused
from raremine.brain.nuscenes.problems import Problems
from raremine.brain.nuscenes.records import (
    Frame,
    Scene,
    Tables,
    reference_channel,
    slice_order,
)
from raremine.brain.nuscenes.rows import Table
from raremine.brain.nuscenes.sensor_data import (
    read_calibrations,
    read_ego_poses,
    read_lidarseg,
    read_sample_data,
)
from raremine.brain.nuscenes.splits import Splits, scene_splits


class _Log(msgspec.Struct, gc=False):
    token: str
    location: str = ""
    logfile: str = ""
    vehicle: str = ""
    date_captured: str = ""


class _SceneRow(msgspec.Struct, gc=False):
    token: str
    name: str
    description: str = ""
    log_token: str = ""


class _SampleRow(msgspec.Struct, gc=False):
    token: str
    timestamp: int
    scene_token: str
    prev: str = ""
    next: str = ""


def read_tables(
    dataroot: str | Path,
    version: str,
    *,
    scenes: Sequence[str] | str | None = None,
    split: Sequence[str] | str | None = None,
    splits: Splits | None = None,
    max_scenes: int | None = None,
    channels: Sequence[str] | str | None = None,
    radar: bool = False,
    sweeps: int = 0,
    ground_truth: bool = True,
    problems: Problems | None = None,
) -> Tables:
    """Reads and checks the tables of a nuScenes dataroot.

    Args:
        dataroot: folder that holds the version folder and the media
        version: name of the version folder, such as "v1.0-trainval"
        scenes (None): names or tokens of the scenes to load; None = all
        split (None): load only scenes of this split, or of these
        splits (None): scene names by split, or a JSON file of them; None =
            ``splits.json`` of the version folder, then nuScenes' own
        max_scenes (None): load this many of the chosen scenes, by name
        channels (None): channels to load; None = all cameras and LiDARs
        radar (False): load the radar channels as well
        sweeps (0): number of LiDAR sweeps before each keyframe to list
        ground_truth (True): whether to read the annotations
        problems (None): grows by what is wrong but can be done without

    Returns:
        the chosen part of the tables

    Raises:
        DatarootError: if a table is absent or malformed; it lists all that
            is wrong
        RaremineError: if something was asked for that is not there
    """
    problems = Problems() if problems is None else problems
    with collection_paused():
        tables = _read(
            Path(dataroot).expanduser().absolute(),
            version,
            _listed(scenes),
            _listed(split),
            splits,
            max_scenes,
            _listed(channels),
            radar,
            sweeps,
            ground_truth,
            problems,
        )
    return tables


def _read(
    dataroot: Path,
    version: str,
    scenes: list[str] | None,
    split: list[str] | None,
    splits: Splits | None,
    max_scenes: int | None,
    channels: list[str] | None,
    radar: bool,
    sweeps: int,
    ground_truth: bool,
    problems: Problems,
) -> Tables:
    folder = version_folder(dataroot, version)
    every_scene = _read_scenes(folder, version, splits, problems)
    all_frames = _read_samples(folder, every_scene, problems)
    calibrations = read_calibrations(folder, problems)
    try:
        chosen = _choose_scenes(
            *(folder, every_scene, scenes, split, max_scenes)
        )
        modality = {c.channel: c.modality for c in calibrations.values()}
        wanted = _choose_channels(modality, channels, radar)
    except DatarootError:
        raise
    except RaremineError:
        # what was asked for may be missing because a table is broken
        if problems.lines(fatal=True):
            _tell_absent(folder, ("sample_data", "ego_pose"), problems)
        problems.raise_fatal()
        raise
    tokens = {scene.token for scene in chosen}
    frames = {t: f for t, f in all_frames.items() if f.scene.token in tokens}
    present, pose_index = read_sample_data(
        folder,
        frames,
        all_frames.keys(),
        calibrations,
        set(wanted),
        reference_channel(modality),
        sweeps,
        problems,
    )
    ordered = list(frames.values())
    ego_poses = read_ego_poses(folder, pose_index, problems)
    labels = read_lidarseg(folder, ordered, problems)
    annotations = None
    if ground_truth:
        stamps = {token: frame.timestamp for token, frame in frames.items()}
        annotations = read_annotations(
            folder, stamps, all_frames.keys(), problems
        )
    problems.raise_fatal()
    absent = [c for c in wanted if c not in present]
    if channels is not None and absent:
        raise RaremineError(
            f"No keyframe of the chosen scenes has data of {absent[0]}; "
            f"{folder / 'sample_data.json'} has: "
            f"{', '.join(sorted(present)) or 'none'}."
        )
    return Tables(
        dataroot=dataroot,
        version=version,
        channels=[c for c in wanted if c in present],
        modality=modality,
        scenes=chosen,
        frames=ordered,
        ego_poses=ego_poses,
        annotations=annotations,
        lidarseg=labels,
    )


def _tell_absent(
    folder: Path, names: Iterable[str], problems: Problems
) -> None:
    """Tells which tables do not exist, of those not yet looked at."""
    for name in names:
        table = Table(folder, name, msgspec.Struct, problems)
        if not table.path.is_file():
            next(table.batches(), None)


def version_folder(dataroot: Path, version: str) -> Path:
    """Returns the folder of the tables.

    Raises:
        DatarootError: if the dataroot or the version does not exist
    """
    if not dataroot.is_dir():
        raise DatarootError(
            f"{dataroot} is not a folder. Give the nuScenes dataroot: the "
            "folder that holds 'samples' and a version folder such as "
            "'v1.0-mini'."
        )
    folder = dataroot / version
    if not version or not (folder / "sample.json").is_file():
        have = sorted(p.parent.name for p in dataroot.glob("*/sample.json"))
        raise DatarootError(
            f"{dataroot} has no version '{version}' (a folder with the "
            "nuScenes tables). It has: "
            f"{', '.join(have) or 'none; is this the dataroot?'}."
        )
    return folder


def _listed(value: Sequence[str] | str | None) -> list[str] | None:
    if value is None:
        return None
    return [value] if isinstance(value, str) else list(value)


def _read_scenes(
    folder: Path,
    version: str,
    splits: Splits | None,
    problems: Problems,
) -> list[Scene]:
    logs = {}
    if (folder / "log.json").is_file():
        table = Table(folder, "log", _Log, problems)
        logs = {row.token: row for row in table}
    else:
        problems.add(
            "log.json",
            f"Table {folder / 'log.json'} does not exist; scenes are loaded "
            "without location and date.",
        )
    scene_table = Table(folder, "scene", _SceneRow, problems)
    rows = []
    for row in scene_table:
        if logs and row.log_token not in logs:
            scene_table.dangling(
                *("log_token", row.log_token, "log"),
                token=row.token,
                cost="Such scenes have no location and date",
            )
        rows.append(row)
    names = [row.name for row in rows]
    split_of = scene_splits(folder, version, names, splits)
    scenes = []
    for row in rows:
        log = logs.get(row.log_token, _Log(""))
        scenes.append(
            Scene(
                *(row.token, row.name, row.description),
                *(log.location, split_of[row.name]),
                *(log.logfile, log.vehicle, log.date_captured),
            )
        )
    return scenes


def _choose_scenes(
    folder: Path,
    scenes: list[Scene],
    names: list[str] | None,
    splits: list[str] | None,
    max_scenes: int | None,
) -> list[Scene]:
    path = folder / "scene.json"
    _check_known(
        "scene",
        names,
        [s.name for s in scenes],
        path,
        also={s.token for s in scenes},
    )
    _check_known("split", splits, {s.split for s in scenes} - {""}, path)
    chosen = [
        s
        for s in sorted(scenes, key=lambda s: (s.name, s.token))
        if (names is None or s.name in names or s.token in names)
        and (splits is None or s.split in splits)
    ][:max_scenes]
    if not chosen:
        raise RaremineError(
            f"No scene is left to load from {folder}: of its {len(scenes)} "
            "scenes, none is among those chosen by name and by split."
        )
    return chosen


def _check_known(
    kind: str,
    asked: list[str] | None,
    known: Collection[str],
    path: Path,
    also: Collection[str] = (),
) -> None:
    for name in asked or ():
        if name not in known and name not in also:
            some = sorted(known)
            shown = ", ".join(some[:8] + ["..."] * (len(some) > 8))
            raise RaremineError(
                f"There is no {kind} '{name}' in {path} "
                f"(it has: {shown or 'none'})."
            )


def _read_samples(
    folder: Path, scenes: Iterable[Scene], problems: Problems
) -> dict[str, Frame]:
    """Returns all keyframes by token, by scene name and time."""
    scene_of = {scene.token: scene for scene in scenes}
    table = Table(folder, "sample", _SampleRow, problems)
    frames: dict[str, Frame] = {}
    links: dict[str, tuple[int, str, str]] = {}
    for at, row in enumerate(table):
        scene = scene_of.get(row.scene_token)
        if scene is None and not scene_of:
            # every row would be told, and why is told already
            continue
        if scene is None:
            table.dangling(
                "scene_token", row.scene_token, "scene", token=row.token
            )
        elif row.token in frames:
            table.twice("sample", row.token, at, row.token)
        else:
            frames[row.token] = Frame(row.token, scene, row.timestamp, 0)
            links[row.token] = (at, row.prev, row.next)
    _check_links(table, links)
    ordered = sorted(
        frames.values(),
        key=lambda f: (f.scene.name, f.scene.token, f.timestamp, f.token),
    )
    for before, frame in itertools.pairwise(ordered):
        if frame.scene is before.scene:
            frame.index = before.index + 1
    return {frame.token: frame for frame in ordered}


def _check_links(
    table: Table, links: Mapping[str, tuple[int, str, str]]
) -> None:
    """Tells of links that lead nowhere; keyframes are ordered by time."""
    for token, (at, before, after) in links.items():
        for key, value in (("prev", before), ("next", after)):
            if value and value not in links:
                table.dead_link(key, value, at, token)


def _choose_channels(
    modality: dict[str, str], asked: list[str] | None, radar: bool
) -> list[str]:
    if asked is None:
        chosen = {c for c, k in modality.items() if k in ("camera", "lidar")}
    else:
        for channel in asked:
            if channel not in modality:
                raise RaremineError(
                    f"There is no sensor channel '{channel}'; calibrated "
                    f"are: {', '.join(sorted(modality)) or 'none'}."
                )
            if modality[channel] not in ("camera", "lidar", "radar"):
                raise RaremineError(
                    f"Channel '{channel}' is of modality "
                    f"'{modality[channel]}'; only camera, lidar and radar "
                    "can be loaded."
                )
        chosen = set(asked)
    if radar:
        chosen |= {c for c, k in modality.items() if k == "radar"}
    return sorted(chosen, key=slice_order)
