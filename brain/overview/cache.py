"""Remembers what was counted for as long as it is true.

Counting a million objects takes seconds and a panel asks again at every
click. What was counted is kept until something about the dataset changes:
a sample, a run, a field.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import fiftyone as fo
import fiftyone.core.odm as odm

MOST_ENTRIES = 64
"""Answers that are kept; the largest one is a few thousand rows."""

T = TypeVar("T")

NOTHING: Any = object()


class Cache:
    """Keeps answers by dataset, its version and the question.

    Args:
        most (64): answers to keep; those unused for longest go first
    """

    def __init__(self, most: int = MOST_ENTRIES) -> None:
        self._most = most
        self._kept: OrderedDict[Any, Any] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def about(self, dataset: fo.Dataset) -> Memory:
        """Returns the answers about a dataset as it is now.

        Args:
            dataset: the root dataset
        """
        return Memory(self, (str(dataset._doc.id), version(dataset)))

    def look_up(self, key: Hashable) -> Any:
        """Returns a kept answer, ``NOTHING`` if there is none."""
        with self._lock:
            if key not in self._kept:
                return NOTHING
            self._kept.move_to_end(key)
            return self._kept[key]

    def keep(self, key: tuple[str, Any, Hashable], answer: Any) -> None:
        """Keeps an answer and drops what it makes superfluous."""
        with self._lock:
            # those about an earlier version cannot become true again
            for old in [k for k in self._kept if k[0] == key[0]]:
                if old[1] != key[1]:
                    del self._kept[old]
            self._kept[key] = answer
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)

    def forget(self, dataset: fo.Dataset) -> None:
        """Drops all answers about a dataset."""
        with self._lock:
            for key in [k for k in self._kept if k[0] == str(dataset._doc.id)]:
                del self._kept[key]


class Memory:
    """The answers about one version of a dataset.

    Args:
        cache: which keeps them
        about: id and version of the dataset
    """

    def __init__(self, cache: Cache, about: tuple[str, Any]) -> None:
        self._cache = cache
        self._about = about

    def get(self, question: Hashable, answer: Callable[[], T]) -> T:
        """Returns a kept answer, or works it out and keeps it.

        Args:
            question: what tells it from other questions
            answer: works it out
        """
        key = (*self._about, question)
        found = self._cache.look_up(key)
        if found is NOTHING:
            # outside the lock: another panel need not wait for this count
            found = answer()
            self._cache.keep(key, found)
        kept: T = found
        return kept

    def holds(self, question: Hashable) -> bool:
        """Whether an answer is kept."""
        return self._cache.look_up((*self._about, question)) is not NOTHING


def version(dataset: fo.Dataset) -> tuple[Any, ...]:
    """Returns what changes whenever a dataset's content does.

    Read from the database, so that changes of other processes count too: how
    many samples there are, when one was last changed (FiftyOne and our
    stages stamp each change, and there is an index on the stamp) and the ids
    of the brain runs, which are new whenever a run is replaced.

    Args:
        dataset: the root dataset
    """
    samples = dataset._sample_collection
    last: dict[str, Any] = next(
        samples.find({}, {"last_modified_at": 1})
        .sort("last_modified_at", -1)
        .limit(1),
        {},
    )
    stored = odm.get_db_conn().datasets.find_one(
        {"_id": dataset._doc.id},
        {"brain_methods": 1, "last_deletion_at": 1, "last_modified_at": 1},
    )
    stored = stored or {}
    runs = stored.get("brain_methods") or {}
    return (
        samples.estimated_document_count(),
        last.get("last_modified_at"),
        stored.get("last_deletion_at"),
        stored.get("last_modified_at"),
        tuple(sorted((key, str(run)) for key, run in runs.items())),
    )
