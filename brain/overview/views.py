"""The views that open behind a bar, a bin, a point or a row.

On a grouped dataset a view of objects goes over all cameras: FiftyOne would
otherwise look at the active slice alone. Views of keyframes match on fields
and tags that every slice has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import fiftyone as fo
import fiftyone.core.media as fom
from bson import ObjectId

from raremine.brain.errors import RaremineError
from raremine.brain.overview.conditions import (
    Condition,
    describe,
    expression,
)
from raremine.brain.overview.counts import GROUPS, frame_groups
from raremine.brain.overview.fields import MinedField
from raremine.brain.overview.pipelines import count, images_with, run
from raremine.brain.overview.runs import tokens_of_part
from raremine.brain.selection.stage import load_selection, token_field

MOST_PATCHES = 5_000
"""FiftyOne copies each patch of a view into a collection, a thousand in a
tenth of a second; above this, objects are shown on their images."""

MOST_TOKENS = 5_000
"""A view holds the tokens it matches and travels with every request."""


@dataclass(frozen=True)
class Opened:
    """A view to show.

    Attributes:
        view: the view
        message: what it shows, in a sentence
    """

    view: Any
    message: str


def all_images(dataset: fo.Dataset) -> Any:
    """Returns the images of all cameras, flat."""
    if dataset.media_type == fom.GROUP:
        return dataset.select_group_slices(media_type=fom.IMAGE)
    return dataset.view()


def open_images(dataset: fo.Dataset) -> Opened:
    """Shows the images of all cameras."""
    view = all_images(dataset)
    return Opened(view, f"All {len(view):,} images.")


def open_objects(
    dataset: fo.Dataset,
    field: str,
    conditions: Sequence[Condition],
    *,
    tag: str | None = None,
    most: int = MOST_PATCHES,
) -> Opened:
    """Shows the objects that meet conditions.

    Args:
        dataset: the root dataset
        field: the detections field
        conditions: what an object has to be; none = every object
        tag (None): only objects of samples with this tag
        most (5000): objects that are shown as patches; more are shown on
            their images, with the others hidden

    Raises:
        RaremineError: if there is no such object
    """
    only = {"tags": tag} if tag else None
    objects, images = count(dataset, field, conditions, only)
    what = describe(conditions) or field
    what += f" in selection '{tag}'" if tag else ""
    if not objects:
        raise RaremineError(f"There is no object with {what} any more.")
    view = all_images(dataset)
    if tag:
        view = view.match_tags(tag)
    # A plain query, which MongoDB answers before it looks at each object.
    found = images_with(field, conditions)
    del found["_media_type"]
    view = view.match(found)
    if conditions:
        view = view.filter_labels(field, expression(conditions))
    if objects <= most:
        return Opened(view.to_patches(field), f"{objects:,} objects: {what}.")
    return Opened(
        view,
        f"{objects:,} objects: {what}. They are shown on their "
        f"{images:,} images, because more than {most:,} crops would take "
        "long to lay out.",
    )


def open_chosen(
    dataset: fo.Dataset,
    field: str,
    label_ids: Sequence[str],
    sample_ids: Sequence[str],
) -> Opened:
    """Shows chosen objects.

    Args:
        dataset: the root dataset
        field: the detections field
        label_ids: ids of the objects
        sample_ids: ids of their images, which are found by an index

    Raises:
        RaremineError: if none of them is there any more
    """
    images = all_images(dataset).select(sorted(set(sample_ids)))
    view = images.select_labels(ids=list(label_ids), fields=field)
    patches = view.to_patches(field)
    found = len(patches)
    if not found:
        raise RaremineError(
            "The chosen objects are not in the dataset any more; look again "
            "with 'Refresh'."
        )
    return Opened(patches, f"{found:,} chosen object{'s' * (found > 1)}.")


def open_keyframe(dataset: fo.Dataset, sample_id: str) -> Opened:
    """Shows the keyframe of an image with all its cameras.

    Args:
        dataset: the root dataset
        sample_id: id of any of its images

    Raises:
        RaremineError: if it is not there any more
    """
    sample = dataset._sample_collection.find_one({"_id": ObjectId(sample_id)})
    if sample is None:
        raise RaremineError("This image is not in the dataset any more.")
    if dataset.media_type != fom.GROUP:
        return Opened(dataset.select([sample_id]), "The image.")
    path = f"{dataset.group_field}._id"
    group = sample[dataset.group_field]["_id"]
    return Opened(dataset.match({path: group}), "The keyframe, all cameras.")


def open_frames(dataset: fo.Dataset, field: MinedField, group: str) -> Opened:
    """Shows the keyframes of a mining group, each with all its cameras.

    Args:
        dataset: the root dataset
        field: the mined field
        group: target, rare or common: the highest among a frame's objects

    Raises:
        RaremineError: if there are none
    """
    what = f"with {group} objects" if group != "common" else "of Common alone"
    if field.described:
        view = dataset.match({"mining_group": group})
        return Opened(view, f"{len(view):,} keyframes {what}.")
    # the keyframes' own fields describe another mined field
    stages = [
        *frame_groups(dataset, field),
        {"$match": {"place": GROUPS.index(group)}},
        {"$limit": MOST_TOKENS + 1},
    ]
    ids = [row["_id"] for row in run(dataset, stages)]
    if not ids:
        raise RaremineError(f"There are no keyframes {what} any more.")
    grouped = dataset.media_type == fom.GROUP
    path = f"{dataset.group_field}._id" if grouped else "_id"
    view = dataset.match({path: {"$in": ids[:MOST_TOKENS]}})
    first = "The first " if len(ids) > MOST_TOKENS else ""
    shown = min(len(ids), MOST_TOKENS)
    return Opened(view, f"{first}{shown:,} keyframes {what}.")


def open_selection(
    dataset: fo.Dataset, name: str, part: str | None = None
) -> Opened:
    """Shows the keyframes of a selection, or of one of its components.

    Args:
        dataset: the root dataset
        name: name of the selection
        part (None): a component of its recipe

    Raises:
        RaremineError: if there are none
    """
    if part is None:
        view = dataset.match_tags(name)
        return Opened(view, f"{len(view):,} keyframes of '{name}'.")
    tokens = tokens_of_part(load_selection(dataset, name), part)
    if not tokens:
        raise RaremineError(f"'{name}' has no keyframes of '{part}'.")
    key = token_field(dataset)
    shown: list[Any] = list(tokens[:MOST_TOKENS])
    if key == "id":
        key, shown = "_id", [ObjectId(token) for token in shown]
    more = len(tokens) > MOST_TOKENS
    first = f"the first {MOST_TOKENS:,} of " if more else ""
    return Opened(
        dataset.match({key: {"$in": shown}}),
        f"{first}{len(tokens):,} keyframes of '{name}' from '{part}'.",
    )


def open_found(
    dataset: fo.Dataset, gt_field: str, label_ids: Sequence[str], what: str
) -> Opened:
    """Shows boxes of the ground truth.

    Args:
        dataset: the root dataset
        gt_field: the ground truth
        label_ids: ids of the boxes
        what: what they are, for the message

    Raises:
        RaremineError: if there are none
    """
    if not label_ids:
        raise RaremineError(f"There is nothing to show: {what}.")
    ids = [ObjectId(label_id) for label_id in label_ids]
    images = all_images(dataset).match(
        {f"{gt_field}.detections._id": {"$in": ids}}
    )
    view = images.select_labels(ids=list(label_ids), fields=gt_field)
    patches = view.to_patches(gt_field)
    return Opened(patches, f"{len(patches):,} objects {what}.")
