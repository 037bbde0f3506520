"""Labels in the frames of a pool and of a selection, counted by MongoDB."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import fiftyone as fo
import fiftyone.core.media as fom
from bson import ObjectId

from raremine.brain.columns import all_slices
from raremine.brain.selection.stage import token_field

POOL, SELECTION = "pool", "selection"

NAMELESS = "(none)"
"""What labels count under that have no class, or no concept yet."""

_FLAT_MEDIA = (fom.IMAGE, fom.VIDEO)


class LabelCounts:
    """Counts the labels of a dataset before and after a selection.

    Args:
        dataset: the root dataset
        pool: sample tokens of the frames that were to choose from
        chosen: sample tokens of the chosen frames
    """

    def __init__(
        self,
        dataset: fo.Dataset,
        pool: Collection[str],
        chosen: Collection[str],
    ) -> None:
        self._samples = all_slices(dataset)
        token = token_field(dataset)
        self._token = "_id" if token == "id" else token
        self._sets = {POOL: frozenset(pool), SELECTION: frozenset(chosen)}
        self._slice = f"{dataset.group_field or 'group'}.name"
        self._solid: list[str] = []
        if dataset.media_type == fom.GROUP:
            self._solid = sorted(
                name
                for name, kind in dataset.group_media_types.items()
                if kind not in _FLAT_MEDIA
            )

    def by(self, field: str, attribute: str) -> dict[str, dict[str, Any]]:
        """Counts frames, boxes and cuboids by an attribute of the labels.

        Args:
            field: a field of detections
            attribute: an attribute with text, such as "label"

        Returns:
            for each value, in order: "frames" with such a label, "boxes" on
            images and "cuboids", where there are any; of each how many there
            are in the pool and in the selection
        """
        found: dict[str, dict[str, dict[str, int]]] = {}
        for name, tokens in self._sets.items():
            for row in self._rows(field, attribute, tokens):
                counts = found.setdefault(str(row["_id"]), {})
                for kind in ("frames", "boxes", "cuboids"):
                    of_kind = counts.setdefault(
                        kind, dict.fromkeys(self._sets, 0)
                    )
                    of_kind[name] = int(row[kind])
        return {
            label: {
                kind: numbers
                for kind, numbers in found[label].items()
                if any(numbers.values())
            }
            for label in sorted(found)
        }

    def instances(self, field: str) -> dict[str, dict[str, int]]:
        """Counts the things that labels show, by class.

        A thing in many frames and before many cameras counts once.

        Args:
            field: a field of detections

        Returns:
            class → how many there are in the pool and in the selection;
            empty if the labels do not say what they are an instance of
        """
        found: dict[str, dict[str, int]] = {}
        for name, tokens in self._sets.items():
            for label, count in self._instances(field, tokens):
                found.setdefault(label, dict.fromkeys(self._sets, 0))
                found[label][name] = count
        return dict(sorted(found.items()))

    def _rows(
        self, field: str, attribute: str, tokens: Collection[str]
    ) -> Iterable[dict[str, Any]]:
        """Counts in the database, where the labels are."""
        value = {"$ifNull": [f"$$this.{attribute}", NAMELESS]}
        rows: Iterable[dict[str, Any]] = self._samples._aggregate(
            post_pipeline=[
                self._match(tokens),
                {
                    "$project": {
                        "token": f"${self._token}",
                        "solid": {
                            "$cond": [
                                {"$in": [f"${self._slice}", self._solid]},
                                1,
                                0,
                            ]
                        },
                        "value": _each(field, value),
                    }
                },
                {"$unwind": "$value"},
                {
                    "$group": {
                        "_id": {"token": "$token", "value": "$value"},
                        "all": {"$sum": 1},
                        "cuboids": {"$sum": "$solid"},
                    }
                },
                {
                    "$group": {
                        "_id": "$_id.value",
                        "frames": {"$sum": 1},
                        "boxes": {"$sum": {"$subtract": ["$all", "$cuboids"]}},
                        "cuboids": {"$sum": "$cuboids"},
                    }
                },
            ]
        )
        return rows

    def _instances(
        self, field: str, tokens: Collection[str]
    ) -> list[tuple[str, int]]:
        pipeline: list[dict[str, Any]] = [
            self._match(tokens),
            {
                "$project": {
                    "it": _each(
                        field,
                        {
                            "label": {"$ifNull": ["$$this.label", NAMELESS]},
                            "instance": "$$this.instance._id",
                        },
                    )
                }
            },
            {"$unwind": "$it"},
            {"$match": {"it.instance": {"$ne": None}}},
            {"$group": {"_id": "$it"}},
            {"$group": {"_id": "$_id.label", "count": {"$sum": 1}}},
        ]
        # the cuboids tell the same as the boxes of six cameras
        solid = {"$match": {self._slice: {"$in": self._solid}}}
        rows = list(self._samples._aggregate(post_pipeline=[solid, *pipeline]))
        if not rows:
            rows = list(self._samples._aggregate(post_pipeline=pipeline))
        return [(str(row["_id"]), int(row["count"])) for row in rows]

    def _match(self, tokens: Collection[str]) -> dict[str, Any]:
        keys: list[Any] = sorted(tokens)
        if self._token == "_id":
            keys = [ObjectId(key) for key in keys]
        return {"$match": {self._token: {"$in": keys}}}


def _each(field: str, expression: Any) -> dict[str, Any]:
    """An expression of each detection, ``$$this``, as a list."""
    return {"$map": {"input": f"${field}.detections", "in": expression}}
