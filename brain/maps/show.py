"""Reads a map for drawing: points, a colour column and the chosen crops.

FiftyOne's Embeddings panel looks the values of "Color by" up on the dataset,
which on a grouped one means on the active slice: whatever view is open, the
crops of all other cameras stay grey. What is read here covers every slice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import fiftyone as fo
import fiftyone.core.fields as fof
import fiftyone.core.media as fom
import fiftyone.core.patches as fop
import numpy as np

from raremine.brain.columns import read_objects, resolve
from raremine.brain.errors import MissingStageError, RaremineError

CAMERA = "camera"
"""Colour column that every grouped dataset has: the slice of the crop."""

FIRST_COLORS = ("group", "concept", "label", "outlier", "outlier_score")

_NO_COLORS = {
    *("id", "tags", "attributes", "bounding_box", "mask", "mask_path"),
    *("index", "crop_index", "caption", "caption_raw", "reason"),
}
_NO_COLOR_ENDINGS = ("_reason", "_keywords", "keywords", "_model")
_COLOR_FIELDS = (
    fof.StringField,
    fof.FloatField,
    fof.IntField,
    fof.BooleanField,
)

MOST_CATEGORIES = 20
OTHER = "other"
MISSING = "no value"

_FEW_INTEGERS = 12
"""Up to so many different integers are categories, more are a scale."""


@dataclass(frozen=True)
class ColoredMap:
    """A map and one column of its objects.

    Attributes:
        field: detections field of the objects
        label_id: (n,) str, the objects that are both mapped and still there
        points: (n, 2) float64, places on the map
        camera: (n,) object, group slice of each crop, None if not grouped
        label: (n,) object, what the detector called it
        group: (n,) object, "target", "rare", "common" or None
        color_by: name of the column
        values: (n,) float64 with NaN, or object with None
    """

    field: str
    label_id: np.ndarray
    points: np.ndarray
    camera: np.ndarray
    label: np.ndarray
    group: np.ndarray
    color_by: str
    values: np.ndarray


def list_maps(dataset: fo.Dataset) -> list[str]:
    """Returns the brain keys of the maps of objects."""
    keys = dataset.list_brain_runs(type="visualization")
    return [k for k in keys if dataset.get_brain_info(k).config.patches_field]


def color_choices(dataset: fo.Dataset, field: str = "objects") -> list[str]:
    """Returns the columns that objects can be coloured by.

    All labels, flags and scores of the objects, the usual ones first; no
    free text and nothing that only keeps books.

    Args:
        dataset: the root dataset
        field ("objects"): detections field
    """
    detections = dataset.get_field(f"{field}.detections")
    if detections is None:
        return []
    schema = detections.field.get_field_schema()
    names = {
        name
        for name, ftype in schema.items()
        if isinstance(ftype, _COLOR_FIELDS)
        and name not in _NO_COLORS
        and not name.endswith(_NO_COLOR_ENDINGS)
    }
    if "outlier_by" in schema:
        names.add("outlier_by")
    first = [name for name in FIRST_COLORS if name in names]
    cameras = [CAMERA] if dataset.media_type == fom.GROUP else []
    return [*first, *cameras, *sorted(names - set(first) - {CAMERA})]


def read_map(
    dataset: fo.Dataset, brain_key: str, color_by: str = "group"
) -> ColoredMap:
    """Reads a map with one column of its objects, from all cameras.

    Args:
        dataset: the root dataset
        brain_key: key of the map
        color_by ("group"): one of :func:`color_choices`

    Returns:
        the objects in the order of the run, without those that have been
        deleted since

    Raises:
        MissingStageError: if there is no such map
        RaremineError: if the run is no map of objects, or has no such column
    """
    results = _load(dataset, brain_key)
    field = results.config.patches_field
    choices = color_choices(dataset, field)
    if color_by not in choices:
        raise RaremineError(
            f"Objects in '{field}' have nothing called '{color_by}' to be "
            f"coloured by; choose {', '.join(choices) or 'another field'}."
        )
    names = ["label", "group"]
    if color_by != CAMERA:
        names.append(color_by)
    table = read_objects(dataset, field, names)
    mapped = np.asarray(results.label_ids, dtype=str)
    rows = table.rows_of(mapped.tolist())
    there = rows >= 0
    table = table.take(rows[there])
    camera = _cameras(dataset, table.sample_id)
    values = camera if color_by == CAMERA else table[color_by]
    return ColoredMap(
        field=field,
        label_id=mapped[there],
        points=np.asarray(results.points, dtype=float)[there][:, :2],
        camera=camera,
        label=table["label"],
        group=table["group"],
        color_by=color_by,
        values=values,
    )


def view_of_objects(
    dataset: fo.Dataset, brain_key: str, label_ids: Sequence[str]
) -> fop.PatchesView:
    """Returns the crops of chosen objects, of whatever camera they are.

    Args:
        dataset: the root dataset
        brain_key: key of the map that they were chosen on
        label_ids: ids of the objects

    Raises:
        MissingStageError: if there is no such map
        RaremineError: if none of them is on the map
    """
    results = _load(dataset, brain_key)
    field = results.config.patches_field
    chosen = np.isin(np.asarray(results.label_ids, dtype=str), label_ids)
    if not chosen.any():
        raise RaremineError(
            f"None of the {len(label_ids)} objects is on the map "
            f"'{brain_key}' any more; draw it anew."
        )
    # Images are found by an index, labels by looking through them: named
    # first, the images keep a small choice fast on a large dataset.
    samples = np.unique(np.asarray(results.sample_ids, dtype=str)[chosen])
    images = resolve(dataset, field).images.select(samples.tolist())
    chosen_ids = np.asarray(results.label_ids, dtype=str)[chosen].tolist()
    return images.select_labels(ids=chosen_ids, fields=field).to_patches(field)


def is_scale(values: np.ndarray) -> bool:
    """Whether a column is drawn on a colour scale, not as categories."""
    if values.dtype.kind not in "fiu":
        return False
    present = np.unique(values[~np.isnan(values)])
    whole = bool(np.all(present == np.round(present)))
    return not whole or len(present) > _FEW_INTEGERS


def categories(
    values: np.ndarray, most: int = MOST_CATEGORIES
) -> tuple[np.ndarray, list[str]]:
    """Numbers the categories of a column by how many objects they hold.

    Args:
        values: (n,) texts, flags, lists of texts or whole numbers; None and
            NaN are missing
        most (20): so many get a colour of their own, the rest is "other"

    Returns:
        (n,) int64 number of each row's category, -1 where the value is
        missing, and the categories' names, the most frequent first
    """
    texts = np.array([_text(v) for v in values], dtype=object)
    known = texts != ""
    names, inverse, counts = np.unique(
        texts[known].astype(str), return_inverse=True, return_counts=True
    )
    order = np.lexsort((names, -counts))
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    ranked = names[order].tolist()
    if len(ranked) > most:
        place = np.minimum(place, most - 1)
        ranked = [*ranked[: most - 1], OTHER]
    codes = np.full(len(values), -1, dtype=np.int64)
    codes[known] = place[inverse]
    return codes, ranked


def rows_to_draw(first: np.ndarray, most: int, seed: int = 51) -> np.ndarray:
    """Chooses the points that are drawn where there are too many.

    Args:
        first: (n,) bool, points that are drawn before any other
        most: points to draw at most
        seed (51): seed of the random choice among equals

    Returns:
        (min(n, most),) int64 row numbers in ascending order
    """
    chance = np.random.default_rng(seed).random(len(first))
    order = np.lexsort((chance, ~np.asarray(first, dtype=bool)))
    return np.sort(order[:most])


def _load(dataset: fo.Dataset, brain_key: str) -> Any:
    if not dataset.has_brain_run(brain_key):
        raise MissingStageError(
            f"Dataset '{dataset.name}' has no map '{brain_key}'; run "
            "map_objects first."
        )
    config = dataset.get_brain_info(brain_key).config
    is_map = config.type == "visualization"
    if not is_map or not config.patches_field:
        raise RaremineError(
            f"Brain key '{brain_key}' of dataset '{dataset.name}' is no map "
            "of objects; choose another key."
        )
    results = dataset.load_brain_results(brain_key)
    if results is None:
        raise MissingStageError(
            f"The map '{brain_key}' of dataset '{dataset.name}' was never "
            "finished; run map_objects again."
        )
    return results


def _cameras(dataset: fo.Dataset, sample_ids: np.ndarray) -> np.ndarray:
    if dataset.media_type != fom.GROUP:
        return np.full(len(sample_ids), None, dtype=object)
    images = dataset.select_group_slices(media_type=fom.IMAGE)
    paths = ["id", f"{dataset.group_field}.name"]
    of_sample = dict(zip(*images.values(paths), strict=True))
    return np.array([of_sample[i] for i in sample_ids], dtype=object)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, (list, tuple)):
        return ", ".join(str(v) for v in value)
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (float, np.floating)):
        return "" if np.isnan(value) else f"{value:g}"
    return str(value)
