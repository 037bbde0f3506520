"""The tables of a nuScenes dataroot, cut down to what a load needs.

The devkit holds every row of every table (7.5 GB for trainval). A load needs
the keyframes' sample_data with their ego poses, and the annotations; the
tables are therefore read row by row and only these are kept.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import numpy as np

from raremine.brain.errors import DatarootError, RaremineError
from raremine.brain.nuscenes.annotations import read_annotations
from raremine.brain.nuscenes.geometry import pose_matrix, rotation_matrices
from raremine.brain.nuscenes.records import (
    Calibration,
    Frame,
    Scene,
    SensorData,
    Tables,
    reference_channel,
    slice_order,
)
from raremine.brain.nuscenes.rows import Table
from raremine.brain.nuscenes.splits import scene_splits

TABLES = {
    "log": ("token", "location"),
    "scene": ("token", "name", "description", "log_token"),
    "sample": ("token", "timestamp", "scene_token"),
    "sensor": ("token", "channel", "modality"),
    "calibrated_sensor": (
        "token",
        "sensor_token",
        "translation",
        "rotation",
        "camera_intrinsic",
    ),
    "sample_data": (
        "token",
        "sample_token",
        "ego_pose_token",
        "calibrated_sensor_token",
        "timestamp",
        "is_key_frame",
        "filename",
    ),
    "ego_pose": ("token", "translation", "rotation"),
}
"""Keys that rows must have, by table."""


def read_tables(
    dataroot: str | Path,
    version: str,
    *,
    scenes: Sequence[str] | str | None = None,
    split: Sequence[str] | str | None = None,
    channels: Sequence[str] | str | None = None,
    radar: bool = False,
    sweeps: int = 0,
    ground_truth: bool = True,
) -> Tables:
    """Reads and checks the tables of a nuScenes dataroot.

    Args:
        dataroot: folder that holds the version folder and the media
        version: name of the version folder, such as "v1.0-trainval"
        scenes (None): names or tokens of the scenes to load; None = all
        split (None): load only scenes of this split, or of these
        channels (None): channels to load; None = all cameras and LiDARs
        radar (False): load the radar channels as well
        sweeps (0): number of LiDAR sweeps before each keyframe to list
        ground_truth (True): whether to read the annotations

    Returns:
        the chosen part of the tables

    Raises:
        DatarootError: if a table is absent, malformed or refers to a row
            that does not exist
        RaremineError: if something was asked for that is not there
    """
    dataroot = Path(dataroot).expanduser().absolute()
    folder = version_folder(dataroot, version)
    chosen = _read_scenes(folder, version, _listed(scenes), _listed(split))
    frames, all_samples = _read_samples(folder, chosen)
    calibrations = _read_calibrations(folder)
    modality = {c.channel: c.modality for c in calibrations.values()}
    wanted = _choose_channels(modality, _listed(channels), radar)
    reference = reference_channel(modality)

    ego_index: dict[str, int] = {}
    present = _read_sample_data(
        folder,
        frames,
        all_samples,
        calibrations,
        set(wanted),
        reference,
        sweeps,
        ego_index,
    )
    absent = [c for c in wanted if c not in present]
    if channels is not None and absent:
        raise RaremineError(
            f"No keyframe of the chosen scenes has data of {absent[0]}; "
            f"{folder / 'sample_data.json'} has: "
            f"{', '.join(sorted(present)) or 'none'}."
        )
    annotations = None
    if ground_truth:
        annotations = read_annotations(
            folder, {t: f.timestamp for t, f in frames.items()}, all_samples
        )
    ordered = list(frames.values())
    return Tables(
        dataroot=dataroot,
        version=version,
        channels=[c for c in wanted if c in present],
        modality=modality,
        scenes=chosen,
        frames=ordered,
        ego_poses=_read_ego_poses(folder, ego_index),
        annotations=annotations,
    )


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


def _table(folder: Path, name: str) -> Table:
    return Table(folder, name, TABLES[name])


def _read_scenes(
    folder: Path,
    version: str,
    names: list[str] | None,
    splits: list[str] | None,
) -> list[Scene]:
    location = {r["token"]: r["location"] for r in _table(folder, "log")}
    table = _table(folder, "scene")
    rows = []
    for row in table:
        if row["log_token"] not in location:
            raise table.dangling(row, "log_token", "log")
        rows.append(row)
    split_of = scene_splits(folder, version, [r["name"] for r in rows])
    scenes = [
        Scene(
            row["token"],
            row["name"],
            row["description"],
            location[row["log_token"]],
            split_of[row["name"]],
        )
        for row in rows
    ]
    _check_known(
        "scene",
        names,
        [s.name for s in scenes],
        table.path,
        also={s.token for s in scenes},
    )
    _check_known("split", splits, {s.split for s in scenes} - {""}, table.path)
    chosen = [
        s
        for s in sorted(scenes, key=lambda s: (s.name, s.token))
        if (names is None or s.name in names or s.token in names)
        and (splits is None or s.split in splits)
    ]
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
    folder: Path, scenes: Iterable[Scene]
) -> tuple[dict[str, Frame], set[str]]:
    """Returns the chosen keyframes by token, in order, and all tokens."""
    scene_of = {scene.token: scene for scene in scenes}
    scene_tokens = {r["token"] for r in _table(folder, "scene")}
    table = _table(folder, "sample")
    frames, tokens = [], set()
    for row in table:
        if row["scene_token"] not in scene_tokens:
            raise table.dangling(row, "scene_token", "scene")
        tokens.add(row["token"])
        scene = scene_of.get(row["scene_token"])
        if scene is not None:
            stamp = table.integer(row, "timestamp")
            frames.append(Frame(row["token"], scene, stamp, 0))
    frames.sort(key=lambda f: (f.scene.name, f.scene.token, f.timestamp))
    for before, frame in itertools.pairwise(frames):
        if frame.scene is before.scene:
            frame.index = before.index + 1
    return {frame.token: frame for frame in frames}, tokens


def _read_calibrations(folder: Path) -> dict[str, Calibration]:
    sensors = {
        r["token"]: (r["channel"], r["modality"])
        for r in _table(folder, "sensor")
    }
    table = _table(folder, "calibrated_sensor")
    calibrations = {}
    for row in table:
        if row["sensor_token"] not in sensors:
            raise table.dangling(row, "sensor_token", "sensor")
        channel, modality = sensors[row["sensor_token"]]
        intrinsic = None
        if modality == "camera":
            matrix = np.array(row["camera_intrinsic"], dtype=object)
            if matrix.shape != (3, 3):
                raise table.fault(
                    row,
                    f"camera_intrinsic of {channel} is "
                    f"{row['camera_intrinsic']!r}, expected a 3x3 matrix.",
                )
            flat = {"token": row["token"], "camera_intrinsic": matrix.ravel()}
            intrinsic = np.array(
                table.numbers(flat, "camera_intrinsic", 9)
            ).reshape(3, 3)
        pose = pose_matrix(
            table.numbers(row, "translation", 3), table.rotation(row)
        )
        calibrations[row["token"]] = Calibration(
            channel, modality, pose, intrinsic
        )
    return calibrations


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


def _read_sample_data(
    folder: Path,
    frames: dict[str, Frame],
    all_samples: set[str],
    calibrations: dict[str, Calibration],
    wanted: set[str],
    reference: str | None,
    sweeps: int,
    ego_index: dict[str, int],
) -> set[str]:
    """Fills the frames' sensor data; returns the channels that have any."""
    table = _table(folder, "sample_data")
    present: set[str] = set()
    history: dict[tuple[str, str], list[SensorData]] = {}
    for row in table:
        frame = frames.get(row["sample_token"])
        if frame is None:
            if row["sample_token"] not in all_samples:
                raise table.dangling(row, "sample_token", "sample")
            continue
        calibration = calibrations.get(row["calibrated_sensor_token"])
        if calibration is None:
            raise table.dangling(
                row, "calibrated_sensor_token", "calibrated_sensor"
            )
        channel = calibration.channel
        key = bool(row["is_key_frame"])
        sweep = bool(sweeps) and calibration.modality == "lidar"
        if not (key or sweep):
            continue
        if channel not in wanted and not (key and channel == reference):
            continue
        data = SensorData(
            row["token"],
            calibration,
            row["filename"],
            table.integer(row, "timestamp"),
            table.integer(row, "width") if row.get("width") else 0,
            table.integer(row, "height") if row.get("height") else 0,
            ego_index.setdefault(row["ego_pose_token"], len(ego_index)),
        )
        if sweep:
            history.setdefault((frame.scene.token, channel), []).append(data)
        if key and channel == reference:
            frame.reference = data
        if key and channel in wanted:
            frame.data[channel] = data
            present.add(channel)
    for frame in frames.values():
        frame.data = {
            c: frame.data[c] for c in sorted(frame.data, key=slice_order)
        }
        if frame.reference is None:
            frame.reference = next(iter(frame.data.values()), None)
    _attach_sweeps(frames.values(), history, sweeps)
    return present


def _attach_sweeps(
    frames: Iterable[Frame],
    history: dict[tuple[str, str], list[SensorData]],
    sweeps: int,
) -> None:
    for rows in history.values():
        rows.sort(key=lambda d: -d.timestamp)
    for frame in frames:
        for channel, data in frame.data.items():
            rows = history.get((frame.scene.token, channel), [])
            before = (d for d in rows if d.timestamp < data.timestamp)
            frame.sweeps[channel] = list(itertools.islice(before, sweeps))


def _read_ego_poses(folder: Path, index: dict[str, int]) -> np.ndarray:
    translation = np.full((len(index), 3), np.nan)
    rotation = np.full((len(index), 4), np.nan)
    table = _table(folder, "ego_pose")
    for row in table:
        at = index.get(row["token"])
        if at is not None:
            translation[at] = table.numbers(row, "translation", 3)
            rotation[at] = table.rotation(row)
    lost = np.flatnonzero(np.isnan(translation[:, 0]))
    if len(lost):
        token = next(t for t, at in index.items() if at == lost[0])
        raise DatarootError(
            f"{len(lost)} ego poses that sample_data refers to are not in "
            f"{table.path}; the first is {token!r}. The tables do not belong "
            "together; take them all from the same download."
        )
    poses = np.tile(np.eye(4), (len(index), 1, 1))
    poses[:, :3, :3] = rotation_matrices(rotation)
    poses[:, :3, 3] = translation
    return poses
