"""Aggregations over the objects of a field, run in the database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import fiftyone as fo

from raremine.brain.overview.conditions import Condition, query

Stages = list[dict[str, Any]]


def run(dataset: fo.Dataset, stages: Stages) -> list[dict[str, Any]]:
    """Runs an aggregation on the samples of all slices.

    Args:
        dataset: the root dataset
        stages: of MongoDB
    """
    collection = dataset._sample_collection
    return list(collection.aggregate(stages, allowDiskUse=True))


def images_with(
    field: str, conditions: Sequence[Condition] = ()
) -> dict[str, Any]:
    """Returns the query for images that have such an object.

    Args:
        field: the detections field
        conditions (()): what one of its objects has to be
    """
    found: dict[str, Any] = {"_media_type": "image"}
    path = f"{field}.detections"
    if conditions:
        found[path] = {"$elemMatch": query(conditions)}
    else:
        found[f"{path}.0"] = {"$exists": True}
    return found


def objects(
    field: str,
    names: Iterable[str],
    conditions: Sequence[Condition] = (),
    of_image: Iterable[str] = (),
    only: dict[str, Any] | None = None,
) -> Stages:
    """Returns stages that give one document an object.

    Args:
        field: the detections field
        names: attributes that are kept, as ``o.<name>``
        conditions (()): what the objects have to be
        of_image (()): fields of the image that are kept
        only (None): a query that the images have to meet as well
    """
    path = f"{field}.detections"
    kept = {f"{path}.{name}": 1 for name in names} or {f"{path}._id": 1}
    stages: Stages = [
        {"$match": {**images_with(field, conditions), **(only or {})}},
        {"$project": {**kept, **dict.fromkeys(of_image, 1)}},
        {"$unwind": f"${path}"},
    ]
    if conditions:
        tests = query(conditions).items()
        stages.append({"$match": {f"{path}.{k}": v for k, v in tests}})
    return stages


def count(
    dataset: fo.Dataset,
    field: str,
    conditions: Sequence[Condition],
    only: dict[str, Any] | None = None,
) -> tuple[int, int]:
    """Counts objects and the images that they are on.

    Args:
        dataset: the root dataset
        field: the detections field
        conditions: what the objects have to be
        only (None): a query that the images have to meet as well

    Returns:
        objects, images
    """
    names = [one.name for one in conditions]
    stages = [
        *objects(field, names, conditions, only=only),
        {"$group": {"_id": "$_id", "n": {"$sum": 1}}},
        {"$group": {"_id": 0, "n": {"$sum": "$n"}, "images": {"$sum": 1}}},
    ]
    for row in run(dataset, stages):
        return int(row["n"]), int(row["images"])
    return 0, 0
