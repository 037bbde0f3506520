"""Runs an aggregation on parts of a large collection at the same time.

MongoDB works on one aggregation with one core. Counts of disjoint parts add
up, so a large dataset is cut by sample id and each part has its own core.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import fiftyone as fo

from raremine.brain.overview.pipelines import Stages, run

LEAST_SAMPLES = 20_000
"""Samples of a part: for fewer, starting a part costs more than it saves."""

MOST_PARTS = 8


def run_in_parts(
    dataset: fo.Dataset, stages: Stages, parts: int | None = None
) -> list[dict[str, Any]]:
    """Runs an aggregation whose rows of disjoint parts may be added.

    Args:
        dataset: the root dataset
        stages: of MongoDB; the caller adds up rows with the same ``_id``
        parts (None): how many, None = by the dataset's size and the cores

    Returns:
        the rows of all parts
    """
    samples = dataset._sample_collection.estimated_document_count()
    if parts is None:
        parts = min(samples // LEAST_SAMPLES, os.cpu_count() or 1, MOST_PARTS)
    bounds = _bounds(dataset, samples, parts) if parts > 1 else []
    if not bounds:
        return run(dataset, stages)
    ranges = [
        {
            "_id": {
                **({"$gte": low} if low is not None else {}),
                **({"$lt": high} if high is not None else {}),
            }
        }
        for low, high in zip([None, *bounds], [*bounds, None], strict=True)
    ]
    with ThreadPoolExecutor(len(ranges)) as pool:
        found = pool.map(
            lambda part: run(dataset, [{"$match": part}, *stages]), ranges
        )
        return [row for rows in found for row in rows]


def _bounds(dataset: fo.Dataset, samples: int, parts: int) -> list[Any]:
    """Returns sample ids that cut the dataset into equal parts."""
    cursor = dataset._sample_collection
    bounds = []
    for part in range(1, parts):
        skipped = samples * part // parts
        rows = cursor.find({}, {"_id": 1}).sort("_id", 1)
        bounds += [row["_id"] for row in rows.skip(skipped).limit(1)]
    return bounds
