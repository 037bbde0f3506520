"""Writes the tables of a smaller nuScenes dataroot."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from raremine.brain.nuscenes.problems import Problems
from raremine.brain.nuscenes.rows import Table
from raremine.brain.selection.exporters.nuscenes_boxes import KeptBoxes
from raremine.brain.selection.exporters.nuscenes_data import KeptData
from raremine.brain.selection.exporters.nuscenes_links import ends, link
from raremine.brain.selection.exporters.nuscenes_rows import (
    RawTable,
    kept_rows,
    parsed,
    parsed_as,
    rows_at,
    with_values,
    write_rows,
)
from raremine.brain.selection.exporters.nuscenes_samples import Samples
from raremine.brain.selection.exporters.nuscenes_source import (
    LABELS,
    Source,
)

FIXED = ("attribute", "category", "sensor", "visibility")
"""Tables that stay whole: they say what can be, not what was recorded."""

_Change = Callable[[dict[str, Any]], Mapping[str, Any] | None]


class File(NamedTuple):
    """A file that a row names.

    ``source`` is its name in the source, ``target`` in the export; ``table``
    and ``token`` tell the row.
    """

    source: str
    target: str
    table: str
    token: str


class _Pose(msgspec.Struct, gc=False):
    token: str


class _Refers(msgspec.Struct, gc=False):
    """What a row of ``sample_data`` needs of other tables."""

    token: str | int
    filename: str
    ego_pose_token: str
    calibrated_sensor_token: str


@dataclass
class Output:
    """What was written.

    Attributes:
        rows: number of rows by table
        files: the media that they name
    """

    rows: dict[str, int] = field(default_factory=dict)
    files: list[File] = field(default_factory=list)


def write_tables(
    source: Path,
    target: Path,
    samples: Samples,
    data: KeptData,
    boxes: KeptBoxes | None,
    problems: Problems,
    tell: Callable[[], None],
) -> Output:
    """Writes the tables, all but those of label files.

    Rows that say the same as before are written as they stand.

    Args:
        source: version folder to read
        target: version folder to write, which exists and is empty
        samples: the keyframes
        data: the sensor data that stay
        boxes: the annotations that stay, None where the source has none
        problems: grows by what is wrong but can be done without
        tell: called for each row of ``data`` and ``boxes``
    """
    output = Output()
    poses: set[str] = set()
    calibrations: set[str] = set()

    def write(name: str, rows: Iterator[bytes]) -> None:
        output.rows[name] = write_rows(target / f"{name}.json", rows)

    def filtered(name: str, change: _Change) -> None:
        write(name, kept_rows(source, name, change, problems))

    write(
        "sample_data",
        _data_rows(
            *(source, samples, data, problems),
            *(output.files, poses, calibrations, tell),
        ),
    )
    write("ego_pose", _pose_rows(source, poses, problems))
    filtered("calibrated_sensor", _among(calibrations))
    filtered("sample", _sample_changes(samples))
    filtered("scene", _scene_changes(samples))
    logs = {samples.logs[at] for at in samples.kept_scenes().tolist()}
    if _has(source, "log", problems):
        filtered("log", _among(logs))
    if _has(source, "map", problems):
        filtered("map", _map_changes(logs, output.files))
    if boxes is not None:
        write("sample_annotation", _box_rows(source, boxes, problems, tell))
        filtered("instance", _instance_changes(boxes))
    for name in FIXED:
        if _has(source, name, problems):
            filtered(name, lambda row: {})
    return output


def _has(source: Path, name: str, problems: Problems) -> bool:
    path = source / f"{name}.json"
    if path.is_file():
        return True
    problems.add(
        path.name,
        f"Table {path} does not exist, nor will it in the export; the devkit "
        "does not load a dataroot without it.",
    )
    return False


def _among(tokens: Collection[str]) -> _Change:
    return lambda row: {} if row.get("token") in tokens else None


def _token_at(tokens: list[str], place: int) -> str:
    return tokens[place] if place >= 0 else ""


def _data_rows(
    source: Path,
    samples: Samples,
    data: KeptData,
    problems: Problems,
    files: list[File],
    poses: set[str],
    calibrations: set[str],
    tell: Callable[[], None],
) -> Iterator[bytes]:
    before, after = data.links.before.tolist(), data.links.after.tolist()
    whole, demoted = data.whole.tolist(), data.demoted.tolist()
    owner = data.sample.tolist()
    table = RawTable(source, "sample_data", problems)
    for at, raw in rows_at(table, data.row):
        tell()
        refers = parsed_as(_Refers, raw)
        name = refers.filename
        files.append(File(name, name, table.name, data.token[at]))
        poses.add(refers.ego_pose_token)
        calibrations.add(refers.calibrated_sensor_token)
        if whole[at]:
            yield raw
            continue
        values: dict[str, Any] = {
            "prev": _token_at(data.token, before[at]),
            "next": _token_at(data.token, after[at]),
        }
        if demoted[at]:
            values["sample_token"] = samples.token[owner[at]]
            values["is_key_frame"] = False
        yield with_values(raw, parsed(raw), values)


def _pose_rows(
    source: Path, poses: Collection[str], problems: Problems
) -> Iterator[bytes]:
    table = Table(source, "ego_pose", _Pose, problems)
    numbers = np.array(
        [
            number
            for first, rows in table.batches()
            for number, row in enumerate(rows, start=first)
            if row.token in poses
        ],
        dtype=np.int64,
    )
    lost = len(poses) - len(numbers)
    if lost > 0 and not table.broken:
        problems.add(
            "ego_pose_token in sample_data.json",
            f"{lost} ego poses that the exported sensor data refer to are "
            f"not in {table.path}; the devkit cannot place such data.",
        )
    for _, raw in rows_at(RawTable(source, "ego_pose", problems), numbers):
        yield raw


def _sample_changes(samples: Samples) -> _Change:
    at = np.flatnonzero(samples.kept)
    links = link(samples.scene[at], samples.stamp[at])
    tokens = [samples.token[i] for i in at.tolist()]
    values: dict[str, dict[str, str]] = {}
    for token, whole, before, after in zip(
        tokens,
        samples.whole[at].tolist(),
        links.before.tolist(),
        links.after.tolist(),
        strict=True,
    ):
        values[token] = (
            {}
            if whole
            else {
                "prev": _token_at(tokens, before),
                "next": _token_at(tokens, after),
            }
        )
    # taken out, so that a second row of a keyframe does not come along
    return lambda row: values.pop(str(row.get("token")), None)


def _scene_changes(samples: Samples) -> _Change:
    at = np.flatnonzero(samples.kept)
    links = link(samples.scene[at], samples.stamp[at])
    values: dict[str, dict[str, Any]] = {}
    for scene, first, last, count in zip(
        *(part.tolist() for part in ends(samples.scene[at], links.order)),
        strict=True,
    ):
        values[samples.scenes[scene]] = (
            {}
            if samples.whole[at[first]]
            else {
                "nbr_samples": count,
                "first_sample_token": samples.token[at[first]],
                "last_sample_token": samples.token[at[last]],
            }
        )
    return lambda row: values.pop(str(row.get("token")), None)


def _map_changes(logs: Collection[str], files: list[File]) -> _Change:
    def change(row: dict[str, Any]) -> Mapping[str, Any] | None:
        kept = [t for t in row.get("log_tokens") or () if t in logs]
        if not kept:
            return None
        name, token = row.get("filename"), str(row.get("token"))
        files.append(File(str(name), str(name), "map", token))
        return {"log_tokens": kept}

    return change


def _box_rows(
    source: Path,
    boxes: KeptBoxes,
    problems: Problems,
    tell: Callable[[], None],
) -> Iterator[bytes]:
    before, after = boxes.links.before.tolist(), boxes.links.after.tolist()
    whole = boxes.whole.tolist()
    table = RawTable(source, "sample_annotation", problems)
    for at, raw in rows_at(table, boxes.row):
        tell()
        if whole[at]:
            yield raw
            continue
        values = {
            "prev": _token_at(boxes.token, before[at]),
            "next": _token_at(boxes.token, after[at]),
        }
        yield with_values(raw, parsed(raw), values)


def _instance_changes(boxes: KeptBoxes) -> _Change:
    values: dict[str, dict[str, Any]] = {}
    found = ends(boxes.instance, boxes.links.order)
    for instance, first, last, count in zip(
        *(part.tolist() for part in found), strict=True
    ):
        values[boxes.instances[instance]] = (
            {}
            if boxes.whole[first] and boxes.whole[last]
            else {
                "nbr_annotations": count,
                "first_annotation_token": boxes.token[first],
                "last_annotation_token": boxes.token[last],
            }
        )
    return lambda row: values.pop(str(row.get("token")), None)


def data_files(source: Source, data: KeptData) -> list[File]:
    """Returns the files of the sensor data that stay."""
    table = RawTable(source.folder, "sample_data", Problems())
    files = []
    for at, raw in rows_at(table, data.row):
        name = parsed_as(_Refers, raw).filename
        files.append(File(name, name, table.name, data.token[at]))
    return files


def other_files(source: Source, data: KeptData) -> list[File]:
    """Returns the files of labels and, at most, of maps."""
    problems = Problems()
    files = []
    for name in filter(source.has, LABELS):
        rows = label_rows(source, name, data, problems)
        files += [file for _, file in rows]
    if source.has("map"):

        def add(row: dict[str, Any]) -> None:
            name = str(row.get("filename"))
            files.append(File(name, name, "map", str(row.get("token"))))

        list(kept_rows(source.folder, "map", add, problems))
    return files


def label_rows(
    source: Source, name: str, data: KeptData, problems: Problems
) -> list[tuple[bytes, File]]:
    """Returns the rows of label files of clouds that stay keyframes.

    Args:
        source: the dataroot
        name: "lidarseg" or "panoptic"
        data: the sensor data that stay
        problems: grows by what cannot be read
    """
    clouds = {
        token
        for token, demoted in zip(
            data.token, data.demoted.tolist(), strict=True
        )
        if not demoted
    }
    files: list[File] = []

    def change(row: dict[str, Any]) -> Mapping[str, Any] | None:
        if row.get("sample_data_token") not in clouds:
            return None
        source_name = str(row.get("filename"))
        target = source.renamed(source_name)
        files.append(File(source_name, target, name, str(row.get("token"))))
        return {} if target == source_name else {"filename": target}

    rows = list(kept_rows(source.folder, name, change, problems))
    return list(zip(rows, files, strict=True))
