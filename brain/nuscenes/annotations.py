"""The annotated cuboids, as columns.

Trainval has 1.17 million annotations: numbers are held as arrays, names once.
"""

from __future__ import annotations

import operator
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import msgspec
import numpy as np

from raremine.brain.nuscenes.geometry import not_rotations
from raremine.brain.nuscenes.problems import Problems
from raremine.brain.nuscenes.rows import Quaternion, Table, Vector


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


NEEDED = ("category", "instance", "sample_annotation")
"""Tables without which there is no ground truth."""

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
    names = _Attributes(
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
    # one text per instance and level, not one per annotation
    instance_of = {token: token for token in category_of}
    level_of = {seen: level.get(seen, seen) for seen in ("", *level)}
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
        kept.number.extend(numbers)
        kept.frame.extend(frames)
        kept.instance += instances
        kept.category += [category_of[token] for token in instances]
        kept.token += [row.token for row in rows]
        kept.attributes += names.of(table, numbers, rows)
        kept.visibility += [
            level_of.setdefault(row.visibility_token, row.visibility_token)
            for row in rows
        ]
        kept.prev += [row.prev for row in rows]
        kept.next += [row.next for row in rows]
        kept.center.append(_floats([row.translation for row in rows]))
        kept.size.append(_floats([row.size for row in rows]))
        kept.rotation.append(_floats([row.rotation for row in rows]))
        kept.lidar += [row.num_lidar_pts for row in rows]
        kept.radar += [row.num_radar_pts for row in rows]
    for wrong in not_rotations(_stacked(kept.rotation, 4)).tolist():
        table.fault(
            "rotation is the zero quaternion.",
            row=kept.number[wrong],
            token=kept.token[wrong],
        )
    return kept.sorted(place, timestamps)


class _Columns:
    """Annotations as they are read; rows of chosen keyframes only."""

    def __init__(self) -> None:
        self.frame: list[int] = []
        self.number: list[int] = []
        self.lidar: list[int] = []
        self.radar: list[int] = []
        self.token: list[str] = []
        self.instance: list[str] = []
        self.category: list[str] = []
        self.visibility: list[str] = []
        self.prev: list[str] = []
        self.next: list[str] = []
        self.attributes: list[tuple[str, ...]] = []
        self.center: list[np.ndarray] = []
        self.size: list[np.ndarray] = []
        self.rotation: list[np.ndarray] = []

    def sorted(
        self, place: Mapping[str, int], timestamps: Mapping[str, int]
    ) -> Annotations:
        """Returns them in order of keyframe, as arrays."""
        frames = np.array(self.frame, dtype=np.int64)
        stamps = np.array(list(timestamps.values()), dtype=np.int64)
        center = _stacked(self.center, 3)
        seconds = stamps[frames] * 1e-6
        velocity = _velocities(
            self.token, self.prev, self.next, center, seconds
        )
        order = np.argsort(frames, kind="stable")
        bounds = np.searchsorted(frames[order], np.arange(len(place) + 1))
        return Annotations(
            token=_ordered(self.token, order),
            instance=_ordered(self.instance, order),
            category=_ordered(self.category, order),
            attributes=_ordered(self.attributes, order),
            visibility=_ordered(self.visibility, order),
            center=center[order],
            size=_stacked(self.size, 3)[order],
            rotation=_stacked(self.rotation, 4)[order],
            num_lidar_pts=np.array(self.lidar, dtype=np.int64)[order],
            num_radar_pts=np.array(self.radar, dtype=np.int64)[order],
            velocity=velocity[order],
            rows={
                token: slice(int(bounds[at]), int(bounds[at + 1]))
                for token, at in place.items()
            },
        )


def _floats(values: list[tuple[float, ...]]) -> np.ndarray:
    return np.array(values, dtype=np.float64)


def _stacked(parts: list[np.ndarray], width: int) -> np.ndarray:
    """Returns batches of rows as one array (n, width)."""
    whole = [part.reshape(-1, width) for part in parts]
    return np.concatenate([np.zeros((0, width)), *whole])


def _ordered(values: list[Any], order: np.ndarray) -> list[Any]:
    """Returns a list in another order."""
    items = np.empty(len(values), dtype=object)
    items[:] = values
    return list(items[order])


class _Attributes:
    """Names of attributes by the tokens that rows have."""

    def __init__(self, name_of: Mapping[str, str]) -> None:
        self._name_of = name_of
        self._known: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._lost: dict[tuple[str, ...], list[str]] = {}

    def of(
        self, table: Table, numbers: Sequence[int], rows: list[_Annotation]
    ) -> list[tuple[str, ...]]:
        """Returns the names of each row's attributes."""
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
        self._known[tokens] = tuple(name_of[t] for t in tokens if t in name_of)
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


V = TypeVar("V")
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


def _velocities(
    tokens: list[str],
    prev: list[str],
    next: list[str],
    center: np.ndarray,
    seconds: np.ndarray,
) -> np.ndarray:
    """Velocities (n, 3) in m/s by the rule of the devkit's ``box_velocity``.

    The difference between the next and the previous annotation of the
    instance; where one of them is missing, the current one takes its place;
    NaN where both are, or where they lie too far apart in time.
    """
    own = np.arange(len(tokens))
    first, last = _linked(tokens, prev, -1), _linked(tokens, next, 1)
    both = (first >= 0) & (last >= 0)
    first = np.where(first < 0, own, first)
    last = np.where(last < 0, own, last)
    gap = seconds[last] - seconds[first]
    valid = (gap > 0) & (gap <= np.where(both, 2 * MAX_GAP, MAX_GAP))
    distance = center[last] - center[first]
    return np.where(
        valid[:, None], distance / np.where(valid, gap, 1.0)[:, None], np.nan
    )


def _linked(tokens: list[str], links: list[str], step: int) -> np.ndarray:
    """Returns the row that each link leads to, -1 for none.

    Most tables list an instance's annotations one after the other, so the
    neighbouring row is tried before a map of a million tokens is made.
    """
    count = len(tokens)
    if step > 0:
        near = [*map(operator.eq, links, tokens[1:]), False][:count]
    else:
        near = [False, *map(operator.eq, links[1:], tokens)][:count]
    rows = np.where(near, np.arange(count) + step, -1)
    far = [i for i in np.flatnonzero(rows < 0).tolist() if links[i]]
    if far:
        row_of = {token: row for row, token in enumerate(tokens)}
        rows[far] = [row_of.get(links[i], -1) for i in far]
    return rows
