"""The two tables that every stage reads and writes.

``ObjectTable`` has one row per mined object (a detection on a camera image)
and is keyed by label id; ``FrameTable`` has one row per keyframe and is keyed
by nuScenes sample token. Stages take columns from a table, compute on plain
arrays and hand columns back; nothing is ever paired by position.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from raremine.brain.errors import RaremineError


@dataclass
class ObjectTable:
    """Mined objects, one row each, ordered by image and place in the image.

    Attributes:
        label_id: (n,) str, FiftyOne id of the detection. The key.
        sample_id: (n,) str, FiftyOne id of the image sample.
        columns: further columns, each (n,) or (n, k), by field name
            (``label``, ``confidence``, ``outlier_score``, ...). Missing
            numbers are NaN, missing strings are ``None``.
    """

    label_id: np.ndarray
    sample_id: np.ndarray
    columns: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_lengths(len(self.label_id), {"sample_id": self.sample_id})
        _check_lengths(len(self.label_id), self.columns)

    def __len__(self) -> int:
        return len(self.label_id)

    def __getitem__(self, name: str) -> np.ndarray:
        return self.columns[name]

    def take(self, rows: np.ndarray) -> ObjectTable:
        """Returns the given rows (boolean mask or indices) as a new table."""
        return ObjectTable(
            self.label_id[rows],
            self.sample_id[rows],
            {name: values[rows] for name, values in self.columns.items()},
        )

    def rows_of(self, label_ids: Sequence[str]) -> np.ndarray:
        """Returns the row of each label id, -1 where it is not in the table.

        Args:
            label_ids: label ids in any order

        Returns:
            (len(label_ids),) int64 row numbers
        """
        index = {label_id: row for row, label_id in enumerate(self.label_id)}
        return np.array([index.get(i, -1) for i in label_ids], dtype=np.int64)


@dataclass
class FrameTable:
    """Keyframes, one row each, sorted by sample token.

    Attributes:
        sample_token: (f,) str, nuScenes sample token. The key.
        scene: (f,) str, scene name
        split: (f,) str, official split of the scene, "" where it has none
        timestamp: (f,) int64, microseconds
        columns: further columns, each (f,), by name. Numbers are higher =
            more worth mining, NaN = no object in the frame carries one;
            ``target_concepts`` and ``rare_concepts`` hold a tuple of concept
            names per frame; ``mining_group`` holds "target", "rare" or
            "common".
    """

    sample_token: np.ndarray
    scene: np.ndarray
    split: np.ndarray
    timestamp: np.ndarray
    columns: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        key = {
            "scene": self.scene,
            "split": self.split,
            "timestamp": self.timestamp,
        }
        _check_lengths(len(self.sample_token), key)
        _check_lengths(len(self.sample_token), self.columns)

    def __len__(self) -> int:
        return len(self.sample_token)

    def __getitem__(self, name: str) -> np.ndarray:
        return self.columns[name]

    def sorted(self) -> FrameTable:
        """Returns the table ordered by sample token, whatever the row order.

        Everything seeded draws from this order, so that a result does not
        depend on how a database happened to return its rows.
        """
        order = np.argsort(self.sample_token, kind="stable")
        return self.take(order)

    def take(self, rows: np.ndarray) -> FrameTable:
        """Returns the given rows (boolean mask or indices) as a new table."""
        return FrameTable(
            self.sample_token[rows],
            self.scene[rows],
            self.split[rows],
            self.timestamp[rows],
            {name: values[rows] for name, values in self.columns.items()},
        )


def object_array(values: Iterable[object]) -> np.ndarray:
    """Returns a 1-D object array, also when the values are sequences."""
    items = list(values)
    out = np.empty(len(items), dtype=object)
    for row, item in enumerate(items):
        out[row] = item
    return out


def _check_lengths(n: int, columns: Mapping[str, np.ndarray]) -> None:
    for name, values in columns.items():
        if len(values) != n:
            raise RaremineError(
                f"Column '{name}' has {len(values)} rows, the table has {n}."
            )
