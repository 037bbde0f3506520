"""Measures the objects of a dataset against its point clouds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import fiftyone as fo
import fiftyone.core.fields as fof
import fiftyone.core.media as fom
import numpy as np

from raremine.brain.columns import (
    Scope,
    declare_columns,
    read_objects,
    require_objects,
    resolve,
    write_objects,
)
from raremine.brain.errors import MissingStageError, RaremineError
from raremine.brain.locating.keyframe import (
    ImageObjects,
    Keyframe,
    measure,
)
from raremine.brain.locating.ranging import (
    GROUND,
    LIDAR,
    NOWHERE,
    Camera,
    Located,
)
from raremine.brain.nuscenes.geometry import pose_matrix
from raremine.brain.nuscenes.pool import in_order, pool_size
from raremine.brain.objects import ObjectTable
from raremine.brain.progress import Progress, ProgressArgument
from raremine.brain.runs import check_key, record_run
from raremine.brain.summary import StageSummary

COLUMN_TYPES: dict[str, type[fof.Field]] = {
    "distance": fof.FloatField,
    "seen_width": fof.FloatField,
    "seen_height": fof.FloatField,
    "lidar_points": fof.IntField,
    "located_by": fof.StringField,
}

KEYFRAMES = 500
"""Keyframes that are written at a time: what is lost at most."""


def locate_objects(
    samples: Any,
    *,
    field: str = "objects",
    workers: int | None = None,
    overwrite: bool = False,
    progress: ProgressArgument = None,
) -> dict[str, Any]:
    """Measures every object that was not measured yet.

    See :func:`raremine.brain.locate_objects`.
    """
    summary = StageSummary("locate_objects")
    scope = resolve(samples, field)
    dataset = scope.dataset
    key = f"{field}_location"
    check_key(dataset, key, "location")
    require_objects(scope, field)
    if dataset.get_field(f"{field}.detections.ann_token") is not None:
        raise RaremineError(
            f"Field '{field}' holds annotations with their cuboids: their "
            "distance is known and is not measured again. Name a field of "
            "detections."
        )
    cameras = cameras_of(scope)
    if not cameras:
        raise MissingStageError(
            f"No image of '{dataset.name}' says how its camera stands: that "
            "takes camera_intrinsics, sensor_to_world and the image size, "
            "which load_nuscenes writes."
        )
    table = read_objects(scope, field, ["bounding_box", "located_by"])
    if not overwrite:
        table = table.take(_missing(table))
    declare_columns(dataset, field, COLUMN_TYPES)
    jobs = keyframes_of(scope, table, cameras)
    counts = dict.fromkeys((LIDAR, GROUND, NOWHERE), 0)
    with Progress(len(jobs), "Locating objects", progress) as bar:
        found: list[tuple[np.ndarray, Located]] = []
        results = in_order(measure, jobs, pool_size(workers, len(jobs)))
        for number, (job, (told, problem)) in enumerate(
            zip(jobs, results, strict=True), start=1
        ):
            if problem:
                summary.fail(str(job.scene), problem)
            found += [
                (image.rows, located)
                for image, located in zip(job.images, told, strict=True)
            ]
            if found and (number % KEYFRAMES == 0 or number == len(jobs)):
                _write(dataset, field, table, found, counts)
                found = []
            bar.add()
    unplaced = _not_in(jobs, len(table))
    _write_nowhere(dataset, field, table, unplaced)
    counts[NOWHERE] += len(unplaced)
    if len(table) or not dataset.has_brain_run(key):
        root = f"{field}.detections"
        record_run(
            dataset,
            key,
            "location",
            field=field,
            fields=[f"{root}.{name}" for name in COLUMN_TYPES],
            results={"measured": counts},
        )
    summary.count(
        objects=len(table),
        keyframes=len(jobs),
        by_lidar=counts[LIDAR],
        by_ground=counts[GROUND],
        not_located=counts[NOWHERE],
    )
    return summary.to_dict()


def can_locate(samples: Any, field: str = "objects") -> bool:
    """Whether any image says how its camera stands in the world.

    Args:
        samples: any collection
        field ("objects"): detections field
    """
    return bool(cameras_of(resolve(samples, field), most=1))


def _missing(table: ObjectTable) -> np.ndarray:
    return np.array(
        [not isinstance(by, str) for by in table["located_by"]], dtype=bool
    )


def cameras_of(scope: Scope, most: int | None = None) -> dict[str, Camera]:
    """Returns the calibrated camera of each image that has one, by its id.

    Args:
        scope: the images
        most (None): to look at so many images only, None = all
    """
    dataset, images = scope.dataset, scope.images
    names = ("sensor_to_world", "metadata.width", "metadata.height")
    if any(dataset.get_field(name) is None for name in names):
        return {}
    grouped = dataset.media_type == fom.GROUP
    if most is not None:
        images = images.exists("sensor_to_world")[:most]
    paths = [
        *("id", "sensor_to_world.translation", "sensor_to_world.quaternion"),
        *("metadata.width", "metadata.height"),
        f"{dataset.group_field}.name" if grouped else "id",
    ]
    own = dataset.get_field("intrinsics") is not None
    values = images.values([*paths, *(["intrinsics"] if own else [])])
    shared = dataset.camera_intrinsics or {}
    found = {}
    for row in zip(*values, strict=True):
        sample, place, turn, width, height, channel = row[:6]
        lens = (row[6] if own else None) or shared.get(channel)
        if lens is None or None in (place, turn, width, height):
            continue
        # FiftyOne writes x, y, z, w
        pose = pose_matrix(place, [turn[3], *turn[:3]])
        matrix = np.asarray(lens.intrinsic_matrix, dtype=np.float64)
        found[sample] = Camera(matrix, pose, int(width), int(height))
    return found


def keyframes_of(
    scope: Scope, table: ObjectTable, cameras: Mapping[str, Camera]
) -> list[Keyframe]:
    """Returns the keyframes with objects whose images are calibrated.

    Args:
        scope: the images
        table: the objects, with ``bounding_box``
        cameras: of the images, by their id
    """
    dataset = scope.dataset
    scenes, group_of = _scenes(dataset, scope.images)
    images: dict[str, list[ImageObjects]] = {}
    for sample, rows in _by_image(table):
        if sample in cameras:
            boxes = table["bounding_box"][rows]
            image = ImageObjects(cameras[sample], rows, boxes)
            images.setdefault(group_of.get(sample, sample), []).append(image)
    return [
        Keyframe(scenes.get(group), tuple(found))
        for group, found in images.items()
    ]


def _scenes(
    dataset: fo.Dataset, images: Any
) -> tuple[dict[str, str], dict[str, str]]:
    """Returns the 3D file of each group, and the group of each image."""
    if dataset.media_type != fom.GROUP:
        return {}, {}
    group = f"{dataset.group_field}.id"
    group_of = dict(zip(*images.values(["id", group]), strict=True))
    kinds = set(dataset.group_media_types.values())
    scenes: dict[str, str] = {}
    for kind in {fom.THREE_D, fom.POINT_CLOUD} & kinds:
        found = dataset.select_group_slices(media_type=kind)
        scenes.update(zip(*found.values([group, "filepath"]), strict=True))
    return scenes, group_of


def _by_image(table: ObjectTable) -> Iterator[tuple[str, np.ndarray]]:
    rows: dict[str, list[int]] = {}
    for row, sample in enumerate(table.sample_id.tolist()):
        rows.setdefault(sample, []).append(row)
    for sample, found in rows.items():
        yield sample, np.array(found, dtype=np.int64)


def _write(
    dataset: fo.Dataset,
    field: str,
    table: ObjectTable,
    found: list[tuple[np.ndarray, Located]],
    counts: dict[str, int],
) -> None:
    rows = np.concatenate([rows for rows, _ in found])

    def column(name: str) -> np.ndarray:
        return np.concatenate([getattr(one, name) for _, one in found])

    by = column("by")
    for name in counts:
        counts[name] += int((by == name).sum())
    columns = {
        "distance": column("distance"),
        "seen_width": column("width"),
        "seen_height": column("height"),
        "lidar_points": column("points"),
        "located_by": by.astype(object),
    }
    write_objects(dataset, field, table.take(rows), columns)


def _not_in(jobs: list[Keyframe], count: int) -> np.ndarray:
    placed = np.zeros(count, dtype=bool)
    for job in jobs:
        for image in job.images:
            placed[image.rows] = True
    return np.flatnonzero(~placed)


def _write_nowhere(
    dataset: fo.Dataset, field: str, table: ObjectTable, rows: np.ndarray
) -> None:
    """Says of objects without a calibrated camera that none was found."""
    nothing = np.full(len(rows), np.nan)
    write_objects(
        dataset,
        field,
        table.take(rows),
        {
            **dict.fromkeys(("distance", "seen_width"), nothing),
            "seen_height": nothing,
            "lidar_points": np.zeros(len(rows), dtype=np.int64),
            "located_by": np.full(len(rows), NOWHERE, dtype=object),
        },
    )
