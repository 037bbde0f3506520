"""Sets of database ids, packed: two million fit into 24 MB."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from bson import ObjectId


class IdSet:
    """An immutable set of database ids in twelve bytes each.

    Args:
        ids (()): hexadecimal ids
    """

    def __init__(self, ids: Iterable[str] = ()) -> None:
        packed = b"".join(map(bytes.fromhex, ids))
        self._ids = np.unique(np.frombuffer(packed, dtype="S12"))

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self) -> Iterator[str]:
        for one in self._ids:
            # NumPy cuts zero bytes off the end
            yield one.ljust(12, b"\0").hex()

    def has(self, ids: list[ObjectId]) -> np.ndarray:
        """Returns (n,) bool: which of the ids are in the set."""
        if not ids or not len(self._ids):
            return np.zeros(len(ids), dtype=bool)
        asked = np.array([one.binary for one in ids], dtype="S12")
        places = np.searchsorted(self._ids, asked)
        places[places == len(self._ids)] = 0
        return np.asarray(self._ids[places] == asked)

    def __and__(self, other: IdSet) -> IdSet:
        return self._made(np.intersect1d(self._ids, other._ids, True))

    def __or__(self, other: IdSet) -> IdSet:
        return self._made(np.union1d(self._ids, other._ids))

    def __sub__(self, other: IdSet) -> IdSet:
        return self._made(np.setdiff1d(self._ids, other._ids, True))

    @staticmethod
    def _made(ids: np.ndarray) -> IdSet:
        made = IdSet()
        made._ids = ids
        return made


def label_ids(view: Any, field: str) -> IdSet:
    """Returns the ids of the labels that a flat collection shows.

    Args:
        view: a flat collection of image samples
        field: the detections field
    """
    path = f"{field}.detections"
    cursor = view._aggregate(
        post_pipeline=[
            {"$unwind": f"${path}"},
            {"$project": {"_id": f"${path}._id"}},
        ]
    )
    return IdSet(str(document["_id"]) for document in cursor)
