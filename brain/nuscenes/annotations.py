"""The annotated cuboids, as columns.

Trainval has 1.17 million annotations: numbers are held as arrays, names once.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar, cast

import msgspec
import numpy as np

from raremine.brain.nuscenes.geometry import not_rotations
from raremine.brain.nuscenes.instance_links import (
    InstanceLinks,
    velocities,
)
from raremine.brain.nuscenes.problems import Problems
from raremine.brain.nuscenes.rows import (
    Quaternion,
    Table,
    Vector,
    number_rows,
)


class _Named(msgspec.Struct, gc=False):
    """A row of ``category`` or ``attribute``."""

    token: str
    name: str


class _Visibility(msgspec.Struct, gc=False):
    token: str
    level: str


class _Instance(msgspec.Struct, gc=False):
    token: str
    category_token: str


class _Annotation(msgspec.Struct, gc=False):
    token: str
    sample_token: str
    instance_token: str
    translation: Vector
    size: Vector
    rotation: Quaternion
    attribute_tokens: tuple[str, ...] = ()
    visibility_token: str = ""
    num_lidar_pts: int = -1
    num_radar_pts: int = -1
    prev: str = ""
    next: str = ""


V = TypeVar("V")

NEEDED = ("category", "instance", "sample_annotation")
"""Tables without which there is no ground truth."""


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
    folder: Path,
    timestamps: Mapping[str, int],
    all_samples: Collection[str],
    problems: Problems,
) -> Annotations | None:
    """Reads the annotations of chosen keyframes.

    Args:
        folder: the version folder
        timestamps: time of each chosen keyframe in microseconds, by sample
            token, in the order that the annotations shall have
        all_samples: tokens of all keyframes, chosen or not
        problems: grows by the rows that cannot be used

    Returns:
        the annotations of the chosen keyframes; None where a table that
        they need does not exist
    """
    for name in NEEDED:
        if not (folder / f"{name}.json").is_file():
            problems.add(
                "ground truth",
                f"Table {folder / name}.json does not exist, so there is no "
                "ground truth. Unpack it again, or load with "
                "ground_truth=False.",
            )
            return None
    attributes = _Attributes(
        _optional(
            *(folder, "attribute", _Named, problems),
            "annotations are loaded without attributes",
        )
    )
    level = _optional(
        *(folder, "visibility", _Visibility, problems),
        "visibility is left as its token",
    )
    category_of = _read_instances(folder, problems)
    instance_of = {token: at for at, token in enumerate(category_of)}
    seen_of = {"": 0}
    place = {token: at for at, token in enumerate(timestamps)}
    kept = _Columns()
    table = Table(folder, "sample_annotation", _Annotation, problems)
    for first, rows in table.batches():
        numbers = list(range(first, first + len(rows)))
        frames, numbers, rows, others = _look_up(
            place, [row.sample_token for row in rows], numbers, rows
        )
        for at, row in others:
            if row.sample_token not in all_samples:
                _dangling(table, "sample", row, at)
        instances, numbers, rows, others = _look_up(
            instance_of, [row.instance_token for row in rows], numbers, rows
        )
        for at, row in others:
            _dangling(table, "instance", row, at)
        if others:
            frames = [place[row.sample_token] for row in rows]
        seen = [
            seen_of.setdefault(row.visibility_token, len(seen_of))
            for row in rows
        ]
        kept.add(numbers, frames, instances, seen, rows)
        kept.attributes.extend(attributes.of(table, numbers, rows))
    for wrong in not_rotations(_stacked(kept.rotation, 4)).tolist():
        table.fault(
            "rotation is the zero quaternion.",
            row=kept.number[wrong],
            token=kept.tokens()[wrong],
        )
    return kept.sorted(
        place,
        timestamps,
        category_of,
        attributes.names,
        [level.get(token, token) for token in seen_of],
    )


class _Columns:
    """Annotations as they are read; rows of chosen keyframes only.

    What many share is a number here. Texts are packed batch by batch: one
    row's few texts left behind among a batch's freed ones would slow every
    later batch down.
    """

    def __init__(self) -> None:
        self.frame = array("q")
        self.number = array("q")
        self.instance = array("q")
        self.visibility = array("q")
        self.attributes = array("q")
        self.lidar = array("q")
        self.radar = array("q")
        self.center: list[np.ndarray] = []
        self.size: list[np.ndarray] = []
        self.rotation: list[np.ndarray] = []
        self._packed: list[bytes] = []
        self._links = InstanceLinks()

    def add(
        self,
        numbers: list[int],
        frames: list[int],
        instances: list[int],
        visibility: list[int],
        rows: list[_Annotation],
    ) -> None:
        """Takes a batch of rows, of which all but the attributes is known."""
        tokens = [row.token for row in rows]
        self.number.extend(numbers)
        self.frame.extend(frames)
        self.instance.extend(instances)
        self.visibility.extend(visibility)
        self.lidar.extend([row.num_lidar_pts for row in rows])
        self.radar.extend([row.num_radar_pts for row in rows])
        self.center.append(number_rows([r.translation for r in rows], 3))
        self.size.append(number_rows([r.size for r in rows], 3))
        self.rotation.append(number_rows([r.rotation for r in rows], 4))
        self._links.add(
            tokens, [row.prev for row in rows], [row.next for row in rows]
        )
        self._packed.append(msgspec.json.encode(tokens))

    def tokens(self) -> list[str]:
        """Returns the annotations' tokens."""
        unpack = msgspec.json.Decoder(list[str]).decode
        return list(chain.from_iterable(map(unpack, self._packed)))

    def sorted(
        self,
        place: Mapping[str, int],
        timestamps: Mapping[str, int],
        category_of: Mapping[str, str],
        attributes: Sequence[tuple[str, ...]],
        visibility: Sequence[str],
    ) -> Annotations:
        """Returns them in order of keyframe.

        Args:
            place: position of each chosen keyframe
            timestamps: their times in microseconds
            category_of: category name by instance token, in the order that
                the numbers in ``instance`` mean
            attributes: what the numbers in ``attributes`` mean
            visibility: what the numbers in ``visibility`` mean
        """
        frames = np.array(self.frame)
        stamps = np.array(list(timestamps.values()), dtype=np.int64)
        center = _stacked(self.center, 3)
        tokens = self.tokens()
        before, after = self._links.rows(tokens)
        velocity = velocities(before, after, center, stamps[frames] * 1e-6)
        order = np.argsort(frames, kind="stable")
        bounds = np.searchsorted(frames[order], np.arange(len(place) + 1))
        instance = np.array(self.instance)[order]
        return Annotations(
            token=_taken(tokens, order),
            instance=_taken(list(category_of), instance),
            category=_taken(list(category_of.values()), instance),
            attributes=_taken(attributes, np.array(self.attributes)[order]),
            visibility=_taken(visibility, np.array(self.visibility)[order]),
            center=center[order],
            size=_stacked(self.size, 3)[order],
            rotation=_stacked(self.rotation, 4)[order],
            num_lidar_pts=np.array(self.lidar)[order],
            num_radar_pts=np.array(self.radar)[order],
            velocity=velocity[order],
            rows={
                token: slice(int(bounds[at]), int(bounds[at + 1]))
                for token, at in place.items()
            },
        )


def _stacked(parts: list[np.ndarray], width: int) -> np.ndarray:
    """Returns batches of rows as one array (n, width)."""
    return np.concatenate([np.zeros((0, width)), *parts])


def _taken(values: Sequence[V], places: np.ndarray) -> list[V]:
    """Returns the values at some places."""
    return [values[place] for place in places.tolist()]


class _Attributes:
    """Sets of attributes that rows have.

    Attributes:
        names: of the attributes of each set
    """

    def __init__(self, name_of: Mapping[str, str]) -> None:
        self.names: list[tuple[str, ...]] = []
        self._name_of = name_of
        self._known: dict[tuple[str, ...], int] = {}
        self._lost: dict[tuple[str, ...], list[str]] = {}

    def of(
        self, table: Table, numbers: Sequence[int], rows: list[_Annotation]
    ) -> list[int]:
        """Returns the number of each row's set."""
        for tokens in {row.attribute_tokens for row in rows}:
            if tokens not in self._known:
                self._learn(tokens)
        if self._lost:
            for at, row in zip(numbers, rows, strict=True):
                for token in self._lost.get(row.attribute_tokens, ()):
                    table.dangling(
                        *("attribute", token, "attribute"),
                        row=at,
                        token=row.token,
                        cost="Such attributes are left out",
                    )
        return [self._known[row.attribute_tokens] for row in rows]

    def _learn(self, tokens: tuple[str, ...]) -> None:
        name_of = self._name_of
        self._known[tokens] = len(self.names)
        self.names.append(tuple(name_of[t] for t in tokens if t in name_of))
        lost = [t for t in tokens if t not in name_of]
        # without the table all are, and that has been told
        if lost and name_of:
            self._lost[tokens] = lost


def _dangling(
    table: Table, target: str, row: _Annotation, number: int
) -> None:
    key = f"{target}_token"
    value = getattr(row, key)
    table.dangling(key, value, target, row=number, token=row.token)


_Numbered = list[tuple[int, _Annotation]]


def _look_up(
    values: Mapping[str, V],
    keys: list[str],
    numbers: list[int],
    rows: list[_Annotation],
) -> tuple[list[V], list[int], list[_Annotation], _Numbered]:
    """Looks up a key of each row.

    Returns:
        the values, the numbers and the rows of those that have one, and the
        numbered rows of those that have none
    """
    found = [values.get(key) for key in keys]
    if None not in found:
        return cast(list[V], found), numbers, rows, []
    known = [at for at, value in enumerate(found) if value is not None]
    none = [at for at, value in enumerate(found) if value is None]
    return (
        [cast(V, found[at]) for at in known],
        [numbers[at] for at in known],
        [rows[at] for at in known],
        [(numbers[at], rows[at]) for at in none],
    )


def _optional(
    folder: Path, name: str, row: Any, problems: Problems, without: str
) -> dict[str, str]:
    """Returns the texts by token of a table that one can do without."""
    if not (folder / f"{name}.json").is_file():
        problems.add(
            f"{name}.json",
            f"Table {folder / name}.json does not exist; {without}.",
        )
        return {}
    rows = Table(folder, name, row, problems)
    return dict(map(msgspec.structs.astuple, rows))


def _read_instances(folder: Path, problems: Problems) -> dict[str, str]:
    """Returns the category name of each instance token."""
    names = {
        row.token: row.name
        for row in Table(folder, "category", _Named, problems)
    }
    table = Table(folder, "instance", _Instance, problems)
    category_of = {}
    for row in table:
        if row.category_token in names:
            category_of[row.token] = names[row.category_token]
        else:
            table.dangling(
                "category_token",
                row.category_token,
                "category",
                token=row.token,
            )
    return category_of
