"""Sensors and their files: calibrations, sample_data, ego poses, labels."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from raremine.brain.nuscenes.geometry import (
    not_rotations,
    pose_matrices,
)
from raremine.brain.nuscenes.problems import Problems
from raremine.brain.nuscenes.records import (
    Calibration,
    Frame,
    SensorData,
    slice_order,
)
from raremine.brain.nuscenes.rows import (
    Quaternion,
    Table,
    Vector,
    number_rows,
    read_vectors,
)


class _Sensor(msgspec.Struct, gc=False):
    token: str
    channel: str
    modality: str


class _CalibratedSensor(msgspec.Struct, gc=False):
    token: str
    sensor_token: str
    translation: Vector
    rotation: Quaternion
    camera_intrinsic: Any


class _SampleData(msgspec.Struct, gc=False):
    token: str
    sample_token: str
    ego_pose_token: str
    calibrated_sensor_token: str
    timestamp: int
    is_key_frame: bool
    filename: str
    width: int = 0
    height: int = 0


class _EgoPose(msgspec.Struct, gc=False):
    # raw, as one in six is needed
    token: str
    translation: msgspec.Raw
    rotation: msgspec.Raw


class _LidarSeg(msgspec.Struct, gc=False):
    sample_data_token: str
    filename: str
    token: str = ""


class _LabelClass(msgspec.Struct, gc=False):
    token: str
    name: str
    index: int | None = None


def read_calibrations(
    folder: Path, problems: Problems
) -> dict[str, Calibration]:
    """Returns the calibrated sensors by token.

    Args:
        folder: the version folder
        problems: grows by the rows that cannot be used
    """
    sensors = {
        row.token: (row.channel, row.modality)
        for row in Table(folder, "sensor", _Sensor, problems)
    }
    table = Table(folder, "calibrated_sensor", _CalibratedSensor, problems)
    rows, kinds = [], []
    for row in table:
        if row.sensor_token not in sensors:
            table.dangling(
                "sensor_token", row.sensor_token, "sensor", token=row.token
            )
            continue
        channel, modality = sensors[row.sensor_token]
        if not any(row.rotation):
            table.fault("rotation is the zero quaternion.", token=row.token)
            continue
        intrinsic = None
        if modality == "camera":
            intrinsic = _matrix(row.camera_intrinsic)
            if intrinsic is None:
                table.fault(
                    f"camera_intrinsic of {channel} is "
                    f"{row.camera_intrinsic!r}, expected a 3x3 matrix.",
                    token=row.token,
                )
                continue
        rows.append(row)
        kinds.append((channel, modality, intrinsic))
    poses = pose_matrices(
        np.array([row.translation for row in rows]),
        np.array([row.rotation for row in rows]),
    )
    return {
        row.token: Calibration(channel, modality, pose, intrinsic)
        for row, pose, (channel, modality, intrinsic) in zip(
            rows, poses, kinds, strict=True
        )
    }


def _matrix(value: Any) -> np.ndarray | None:
    try:
        matrix = np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        return None
    fits = matrix.shape == (3, 3) and np.isfinite(matrix).all()
    return matrix if fits else None


@dataclass
class PoseIndex:
    """The ego poses that sensor data refer to.

    Attributes:
        place: row in the array of ego poses, by ego pose token
        seen_at: number of the sample_data row that first refers to each
    """

    place: dict[str, int] = field(default_factory=dict)
    seen_at: list[int] = field(default_factory=list)

    def of(self, token: str, number: int) -> int:
        """Returns the place of a pose that a sample_data row refers to.

        Args:
            token: the ego pose's token
            number: number of the sample_data row
        """
        place = self.place.setdefault(token, len(self.seen_at))
        if place == len(self.seen_at):
            self.seen_at.append(number)
        return place


@dataclass
class _Reading:
    """What is looked for in sample_data, and what was found."""

    frames: dict[str, Frame]
    calibrations: dict[str, Calibration]
    wanted: Collection[str]
    reference: str | None
    sweeps: int
    poses: PoseIndex = field(default_factory=PoseIndex)
    present: set[str] = field(default_factory=set)
    history: dict[tuple[str, str], list[SensorData]] = field(
        default_factory=dict
    )


def read_sample_data(
    folder: Path,
    frames: dict[str, Frame],
    all_samples: Collection[str],
    calibrations: dict[str, Calibration],
    wanted: Collection[str],
    reference: str | None,
    sweeps: int,
    problems: Problems,
) -> tuple[set[str], PoseIndex]:
    """Fills the frames' sensor data.

    Args:
        folder: the version folder
        frames: the chosen keyframes by sample token
        all_samples: tokens of all keyframes, chosen or not
        calibrations: the calibrated sensors by token
        wanted: the channels to read
        reference: the channel whose ego pose defines the world frame
        sweeps: number of LiDAR sweeps before each keyframe to list
        problems: grows by the rows that cannot be used

    Returns:
        the channels that have any data, and the ego poses that the sensor
        data refer to
    """
    reading = _Reading(frames, calibrations, wanted, reference, sweeps)
    known = frozenset(all_samples)
    swept = {
        token
        for token, calibration in calibrations.items()
        if sweeps and calibration.modality == "lidar"
    }
    table = Table(folder, "sample_data", _SampleData, problems)
    for first, rows in table.batches():
        lost = {row.sample_token for row in rows} - known
        for at, row in enumerate(rows, start=first) if lost else ():
            if row.sample_token in lost:
                table.dangling(
                    *("sample_token", row.sample_token, "sample"),
                    row=at,
                    token=row.token,
                )
        for at, row in enumerate(rows, start=first):
            if (
                row.is_key_frame or row.calibrated_sensor_token in swept
            ) and row.sample_token in frames:
                _take(table, at, row, reading)
    for frame in frames.values():
        frame.data = {
            c: frame.data[c] for c in sorted(frame.data, key=slice_order)
        }
        if frame.reference is None:
            frame.reference = next(iter(frame.data.values()), None)
    _attach_sweeps(frames.values(), reading.history, sweeps)
    return reading.present, reading.poses


def _take(
    table: Table, number: int, row: _SampleData, reading: _Reading
) -> None:
    calibration = reading.calibrations.get(row.calibrated_sensor_token)
    if calibration is None:
        table.dangling(
            "calibrated_sensor_token",
            row.calibrated_sensor_token,
            "calibrated_sensor",
            row=number,
            token=row.token,
        )
        return
    channel = calibration.channel
    key = row.is_key_frame
    is_reference = key and channel == reading.reference
    if channel not in reading.wanted and not is_reference:
        return
    frame = reading.frames[row.sample_token]
    if key and channel in frame.data:
        table.twice(f"{channel} of sample", frame.token, number, row.token)
        return
    data = SensorData(
        row.token,
        calibration,
        row.filename,
        row.timestamp,
        row.width,
        row.height,
        reading.poses.of(row.ego_pose_token, number),
    )
    if reading.sweeps and calibration.modality == "lidar":
        place = (frame.scene.token, channel)
        reading.history.setdefault(place, []).append(data)
    if is_reference:
        frame.reference = data
    if key and channel in reading.wanted:
        frame.data[channel] = data
        reading.present.add(channel)


def _attach_sweeps(
    frames: Iterable[Frame],
    history: dict[tuple[str, str], list[SensorData]],
    sweeps: int,
) -> None:
    if not sweeps:
        return
    for rows in history.values():
        rows.sort(key=lambda d: -d.timestamp)
    for frame in frames:
        for channel, data in frame.data.items():
            rows = history.get((frame.scene.token, channel), [])
            before = (d for d in rows if d.timestamp < data.timestamp)
            frame.sweeps[channel] = list(itertools.islice(before, sweeps))


def read_ego_poses(
    folder: Path, index: PoseIndex, problems: Problems
) -> np.ndarray:
    """Reads the ego poses that sensor data refer to.

    Args:
        folder: the version folder
        index: which, and their rows in the result
        problems: grows by the rows that cannot be used

    Returns:
        (m, 4, 4) ego to global; NaN where the table has no such pose
    """
    table = Table(folder, "ego_pose", _EgoPose, problems)
    found = _poses_side_by_side(folder, index)
    if found is None:
        found = _poses_by_token(table, index)
    translation, rotation = found
    token_of = list(index.place)
    for at in not_rotations(rotation).tolist():
        problems.add(
            f"values in {table.name}.json",
            f"{table.path}, token {token_of[at]!r}: rotation is the zero "
            "quaternion.",
            fatal=True,
        )
    _tell_lost(table, token_of, translation, problems)
    known = np.isfinite(translation).all(1) & np.isfinite(rotation).all(1)
    known &= rotation.any(axis=1)
    poses = np.full((len(token_of), 4, 4), np.nan)
    poses[known] = pose_matrices(translation[known], rotation[known])
    return poses


def _poses_side_by_side(
    folder: Path, index: PoseIndex
) -> tuple[np.ndarray, np.ndarray] | None:
    """Reads ego poses that stand in the order of sample_data.

    nuScenes has one pose for each row of sample_data, in the same order. The
    row that is expected is compared with the token alone; looking up each of
    2.6 million tokens takes longer than reading them.

    Returns:
        translations (m, 3) in metres and quaternions (m, 4); None as soon as
        anything is not as expected
    """
    seen_at = np.array(index.seen_at, dtype=np.int64)
    token_of = list(index.place)
    translation = np.empty((len(token_of), 3))
    rotation = np.empty((len(token_of), 4))
    low = 0
    faults = Problems()
    table = Table(folder, "ego_pose", _EgoPose, faults)
    for first, rows in table.batches():
        high = int(np.searchsorted(seen_at, first + len(rows)))
        kept = [rows[at] for at in (seen_at[low:high] - first).tolist()]
        if [row.token for row in kept] != token_of[low:high]:
            return None
        for values, target in zip(
            _values(kept), (translation, rotation), strict=True
        ):
            if any(isinstance(value, str) for value in values):
                return None
            target[low:high] = number_rows(values, target.shape[1])
        low = high
    if faults or low < len(token_of):
        return None
    return translation, rotation


def _poses_by_token(
    table: Table[_EgoPose], index: PoseIndex
) -> tuple[np.ndarray, np.ndarray]:
    """Reads ego poses in whatever order they stand.

    Returns:
        translations (m, 3) in metres and quaternions (m, 4), NaN where the
        table has none
    """
    translation = np.full((len(index.place), 3), np.nan)
    rotation = np.full((len(index.place), 4), np.nan)
    for first, rows in table.batches():
        # as few steps a row as can be: five in six are not needed
        found = list(map(index.place.get, [row.token for row in rows]))
        numbers = [at for at, place in enumerate(found) if place is not None]
        if not numbers:
            continue
        places = [found[at] for at in numbers]
        kept = [rows[at] for at in numbers]
        for key, values, target in zip(
            ("translation", "rotation"),
            _values(kept),
            (translation, rotation),
            strict=True,
        ):
            for at, value in enumerate(values):
                if isinstance(value, str):
                    table.fault(
                        f"{key} is {value}.",
                        row=first + numbers[at],
                        token=kept[at].token,
                    )
                    values[at] = (math.nan,) * target.shape[1]
            target[places] = values
    return translation, rotation


def _values(rows: list[_EgoPose]) -> tuple[list[Any], list[Any]]:
    """Returns translations and rotations, or texts that say what is wrong."""
    return (
        read_vectors([row.translation for row in rows], Vector),
        read_vectors([row.rotation for row in rows], Quaternion),
    )


def _tell_lost(
    table: Table,
    token_of: list[str],
    translation: np.ndarray,
    problems: Problems,
) -> None:
    if table.broken:
        return
    lost = np.flatnonzero(np.isnan(translation[:, 0]))
    if len(lost) and len(lost) == len(token_of):
        problems.add(
            "ego_pose.json",
            f"{table.path} has none of the ego poses that sample_data refers "
            "to. Every keyframe is loaded in the vehicle's own frame, "
            "without poses and without ground truth.",
        )
        return
    for at in lost.tolist():
        problems.add(
            "ego_pose_token in sample_data.json",
            f"ego pose {token_of[at]!r} that sample_data refers to is not in "
            f"{table.path}. Such data are loaded without pose and without "
            "ground truth; if they are many, the tables do not belong "
            "together: take them all from the same download.",
        )


def read_lidarseg(
    folder: Path, frames: Iterable[Frame], problems: Problems
) -> dict[int, str]:
    """Notes the label file of each cloud, where the tables have labels.

    Args:
        folder: the version folder
        frames: the chosen keyframes; their LiDAR data get ``lidarseg``
        problems: grows by the rows that cannot be used

    Returns:
        names of the label classes by index; empty without such a table
    """
    if not (folder / "lidarseg.json").is_file():
        return {}
    clouds = {
        data.token: data
        for frame in frames
        for data in frame.data.values()
        if data.calibration.modality == "lidar"
    }
    for row in Table(folder, "lidarseg", _LidarSeg, problems):
        data = clouds.get(row.sample_data_token)
        if data is not None:
            data.lidarseg = row.filename
    # also where no chosen cloud has labels: scenes that are appended later
    # shall have the same columns
    if not (folder / "category.json").is_file():
        return {}
    classes = Table(folder, "category", _LabelClass, problems)
    return {row.index: row.name for row in classes if row.index is not None}
