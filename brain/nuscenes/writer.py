"""Writing keyframes into a dataset: whole groups, in batches, fast."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from typing import Any

import fiftyone as fo
from bson import ObjectId
from pymongo.errors import BulkWriteError

from raremine.brain.errors import RaremineError
from raremine.brain.nuscenes.documents import difference, sample_document
from raremine.brain.nuscenes.sample_values import SampleValues, to_sample

_LOG = logging.getLogger(__name__)

Group = Sequence[SampleValues]
"""The samples of a keyframe."""


class GroupWriter:
    """Writes the samples of keyframes.

    Samples become documents of MongoDB without FiftyOne's objects. How
    FiftyOne lays these out is no part of its interface, so nothing is taken
    for granted: the first keyframe, and each later one that has something of
    a new kind (such as the first image with intrinsics of its own), is added
    by ``dataset.add_samples``, which also extends the dataset's schema where
    needed, and what is then in the database must equal the documents made
    here. If it does not, all is added that way, which is slow.

    Args:
        dataset: a grouped dataset
        plain (False): add everything by ``dataset.add_samples``

    Attributes:
        plain: whether everything is added by ``dataset.add_samples``
    """

    def __init__(self, dataset: fo.Dataset, plain: bool = False) -> None:
        self.plain = plain
        self._dataset = dataset
        self._known: set[Any] = set()

    def write(self, groups: Sequence[Group]) -> None:
        """Writes the samples of some keyframes.

        They are stored in order, so a kill leaves at most one keyframe with
        a part of its samples.

        Args:
            groups: the samples of each keyframe

        Raises:
            RaremineError: if MongoDB refuses samples
            ValueError: if FiftyOne refuses samples
        """
        documents: list[dict[str, Any]] = []
        now = datetime.now(timezone.utc).replace(tzinfo=None)
        dataset_id = self._dataset._doc.id
        for at, group in enumerate(groups):
            if self.plain:
                self._add([s for rest in groups[at:] for s in rest])
                break
            made = [sample_document(s, dataset_id, now) for s in group]
            kinds = set(_kinds(group))
            if kinds <= self._known:
                documents += made
            else:
                self._insert(documents)
                documents = []
                self._compare(group, made)
                self._known |= kinds
        self._insert(documents)

    def _add(self, samples: Sequence[SampleValues]) -> list[str]:
        ids: list[str] = self._dataset.add_samples(
            [to_sample(values) for values in samples], progress=False
        )
        return ids

    def _compare(self, group: Group, made: list[dict[str, Any]]) -> None:
        """Adds a group the plain way and compares what is stored of it."""
        ids = [ObjectId(i) for i in self._add(group)]
        found = self._dataset._sample_collection.find({"_id": {"$in": ids}})
        stored = {document["_id"]: document for document in found}
        for sample_id, document in zip(ids, made, strict=True):
            where = difference(stored[sample_id], document)
            if where is not None:
                self.plain = True
                _LOG.warning(
                    "FiftyOne %s stores samples in another way than "
                    "raremine expects (%s differs), so they are added by "
                    "dataset.add_samples(), which is right but slow. Please "
                    "report this.",
                    fo.__version__,
                    where,
                )
                return

    def _insert(self, documents: list[dict[str, Any]]) -> None:
        if not documents:
            return
        try:
            self._dataset._sample_collection.insert_many(documents)
        except BulkWriteError as error:
            details = (error.details or {}).get("writeErrors") or [{}]
            raise RaremineError(
                f"MongoDB refused samples of '{self._dataset.name}': "
                f"{details[0].get('errmsg', error)}."
            ) from error


def _kinds(group: Group) -> Iterator[Any]:
    """Yields all that decides on the layout of a group's documents."""
    for values in group:
        kind = values.media_type
        yield values.channel, kind
        yield kind, *values.fields, *values.poses
        yield (
            *(kind, values.intrinsics is None, values.labels is None),
            *(values.image is None, bool(values.image and values.image[2])),
            *(values.thumbnail or ()),
        )
        for label in values.labels or ():
            said = label.values
            yield (
                *(kind, *label.place, not said["attribute_names"]),
                *(said["velocity"] is None, said["num_lidar_pts"] is None),
                said["num_radar_pts"] is None,
            )
