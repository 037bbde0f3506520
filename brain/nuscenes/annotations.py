"""The annotated cuboids, as columns.

Trainval has 1.17 million annotations: numbers are held as arrays, names once.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from raremine.brain.errors import DatarootError
from raremine.brain.nuscenes.rows import Table

TABLES = {
    "category": ("token", "name"),
    "attribute": ("token", "name"),
    "instance": ("token", "category_token"),
    "sample_annotation": (
        "token",
        "sample_token",
        "instance_token",
        "translation",
        "size",
        "rotation",
    ),
}
"""Keys that rows must have, by table."""

MAX_GAP = 1.5
"""Longest time between two keyframes that a velocity is taken over, in
seconds, as in the devkit's ``box_velocity``."""


@dataclass
class Annotations:
    """Cuboids in the global frame, in order of keyframe.

    Attributes:
        token: annotation tokens, (n,)
        instance: instance tokens, (n,)
        category: nuScenes category names, (n,)
        attributes: names of the attributes of each
        visibility: level such as "v80-100", "" = not annotated
        center: (n, 3) metres
        size: (n, 3) width, length, height in metres
        rotation: (n, 4) quaternion w, x, y, z
        num_lidar_pts: (n,) points inside, -1 = not counted
        num_radar_pts: (n,) points inside, -1 = not counted
        velocity: (n, 3) m/s, NaN where unknown
        rows: the rows of each keyframe, by sample token
    """

    token: list[str]
    instance: list[str]
    category: list[str]
    attributes: list[tuple[str, ...]]
    visibility: list[str]
    center: np.ndarray
    size: np.ndarray
    rotation: np.ndarray
    num_lidar_pts: np.ndarray
    num_radar_pts: np.ndarray
    velocity: np.ndarray
    rows: dict[str, slice]

    def __len__(self) -> int:
        return len(self.token)


def read_annotations(
    folder: Path, timestamps: Mapping[str, int], all_samples: Collection[str]
) -> Annotations:
    """Reads the annotations of chosen keyframes.

    Args:
        folder: the version folder
        timestamps: time of each chosen keyframe in microseconds, by sample
            token, in the order that the annotations shall have
        all_samples: tokens of all keyframes, chosen or not

    Returns:
        the annotations of the chosen keyframes

    Raises:
        DatarootError: if a table is absent, malformed or refers to a row
            that does not exist
    """
    for name in TABLES:
        if not (folder / f"{name}.json").is_file():
            raise DatarootError(
                f"Table {folder / name}.json does not exist, so there is no "
                "ground truth. Unpack it again, or load with "
                "ground_truth=False."
            )
    attribute_name = {
        r["token"]: r["name"]
        for r in Table(folder, "attribute", TABLES["attribute"])
    }
    level = {}
    if (folder / "visibility.json").is_file():
        level = {
            r["token"]: r["level"]
            for r in Table(folder, "visibility", ("token", "level"))
        }
    category_of = _read_instances(folder)

    place = {token: at for at, token in enumerate(timestamps)}
    frame, counts = array("q"), array("q")
    centers, sizes, rotations = array("d"), array("d"), array("d")
    tokens, instances, categories, visibility, links = [], [], [], [], []
    attributes: list[tuple[str, ...]] = []
    known: dict[tuple[str, ...], tuple[str, ...]] = {}
    table = Table(folder, "sample_annotation", TABLES["sample_annotation"])
    for row in table:
        at = place.get(row["sample_token"])
        if at is None:
            if row["sample_token"] not in all_samples:
                raise table.dangling(row, "sample_token", "sample")
            continue
        category = category_of.get(row["instance_token"])
        if category is None:
            raise table.dangling(row, "instance_token", "instance")
        of_row = tuple(row.get("attribute_tokens") or ())
        names = known.get(of_row)
        if names is None:
            for token in of_row:
                if token not in attribute_name:
                    raise table.fault(
                        row, f"attribute {token!r} is not in attribute.json."
                    )
            names = tuple(attribute_name[token] for token in of_row)
            known[of_row] = names
        seen = row.get("visibility_token") or ""
        frame.append(at)
        tokens.append(row["token"])
        instances.append(row["instance_token"])
        categories.append(category)
        attributes.append(names)
        visibility.append(level.get(seen, seen))
        links.append((row.get("prev") or "", row.get("next") or ""))
        centers.extend(table.numbers(row, "translation", 3))
        sizes.extend(table.numbers(row, "size", 3))
        rotations.extend(table.rotation(row))
        for key in ("num_lidar_pts", "num_radar_pts"):
            counted = row.get(key) is not None
            counts.append(table.integer(row, key) if counted else -1)

    frames = np.array(frame, dtype=np.int64)
    order = np.argsort(frames, kind="stable")
    stamps = np.array(list(timestamps.values()), dtype=np.int64)
    center = np.array(centers).reshape(-1, 3)
    velocity = _velocities(tokens, links, center, stamps[frames] * 1e-6)
    bounds = np.searchsorted(frames[order], np.arange(len(place) + 1))
    points = np.array(counts, dtype=np.int64).reshape(-1, 2)
    return Annotations(
        token=[tokens[i] for i in order],
        instance=[instances[i] for i in order],
        category=[categories[i] for i in order],
        attributes=[attributes[i] for i in order],
        visibility=[visibility[i] for i in order],
        center=center[order],
        size=np.array(sizes).reshape(-1, 3)[order],
        rotation=np.array(rotations).reshape(-1, 4)[order],
        num_lidar_pts=points[order, 0],
        num_radar_pts=points[order, 1],
        velocity=velocity[order],
        rows={
            token: slice(int(bounds[at]), int(bounds[at + 1]))
            for token, at in place.items()
        },
    )


def _read_instances(folder: Path) -> dict[str, str]:
    """Returns the category name of each instance token."""
    names = {
        r["token"]: r["name"]
        for r in Table(folder, "category", TABLES["category"])
    }
    table = Table(folder, "instance", TABLES["instance"])
    category_of = {}
    for row in table:
        if row["category_token"] not in names:
            raise table.dangling(row, "category_token", "category")
        category_of[row["token"]] = names[row["category_token"]]
    return category_of


def _velocities(
    tokens: list[str],
    links: list[tuple[str, str]],
    center: np.ndarray,
    seconds: np.ndarray,
) -> np.ndarray:
    """Velocities (n, 3) in m/s by the rule of the devkit's ``box_velocity``.

    The difference between the next and the previous annotation of the
    instance; where one of them is missing, the current one takes its place;
    NaN where both are, or where they lie too far apart in time.
    """
    row_of = {token: row for row, token in enumerate(tokens)}
    own = np.arange(len(tokens))
    first = np.array([row_of.get(b, -1) for b, _ in links], dtype=np.int64)
    last = np.array([row_of.get(a, -1) for _, a in links], dtype=np.int64)
    both = (first >= 0) & (last >= 0)
    first = np.where(first < 0, own, first)
    last = np.where(last < 0, own, last)
    gap = seconds[last] - seconds[first]
    valid = (gap > 0) & (gap <= np.where(both, 2 * MAX_GAP, MAX_GAP))
    distance = center[last] - center[first]
    return np.where(
        valid[:, None], distance / np.where(valid, gap, 1.0)[:, None], np.nan
    )
