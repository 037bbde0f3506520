"""Reads and writes table columns: the edge between FiftyOne and arrays.

Everything is keyed by label id (objects) or sample token (keyframes), and
works from wherever a user stands: a grouped dataset, a grouped or flat view,
one slice, or a patches view. A grouped collection is always flattened to ALL
of its image slices first, because FiftyOne's aggregations silently read the
active slice only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import fiftyone as fo
import fiftyone.core.fields as fof
import fiftyone.core.media as fom
import fiftyone.core.odm as odm
import fiftyone.core.patches as fop
import numpy as np
from bson import ObjectId
from pymongo import UpdateOne

from raremine.brain.errors import MissingStageError, RaremineError
from raremine.brain.objects import ObjectTable, object_array
from raremine.brain.progress import checkpoint

SAMPLE_COLUMNS = ("sample_token", "scene_name")
"""Sample fields that every object row carries."""

_FIELD_OF_KIND: dict[str, type[fof.Field]] = {
    "b": fof.BooleanField,
    "i": fof.IntField,
    "u": fof.IntField,
    "f": fof.FloatField,
}

LABEL_STAGES = (fo.FilterLabels, fo.SelectLabels, fo.ExcludeLabels)
"""View stages that hide some of a sample's labels."""

WRITE_BATCH = 2000
"""Samples in one bulk write: bounds the memory, costs nothing in speed."""


@dataclass(frozen=True)
class Scope:
    """What a stage works on.

    Attributes:
        dataset: the root dataset
        images: flat collection of the image samples in question
        label_ids: the only labels in question, None = all of ``images``
    """

    dataset: fo.Dataset
    images: Any
    label_ids: frozenset[str] | None = None


def resolve(samples: Any, field: str = "objects") -> Scope:
    """Flattens any collection to its image samples (and chosen labels).

    Args:
        samples: a dataset, a grouped or flat view, or a patches view
        field: the detections field, used when ``samples`` is a patches view

    Raises:
        RaremineError: if there is no image in the collection, or it is a
            patches view of another field
    """
    dataset = samples._root_dataset
    take_in_changes(dataset)
    if isinstance(samples, fop.PatchesView):
        if samples.get_field(field) is None:
            raise RaremineError(
                f"This patches view does not show field '{field}'; pass "
                f"field= the field it was made from, or to_patches('{field}')."
            )
        sample_ids = samples.values("sample_id")
        images = _all_images(dataset).select(list(dict.fromkeys(sample_ids)))
        return Scope(dataset, images, frozenset(samples.values(f"{field}.id")))
    if samples.media_type == fom.GROUP:
        if fom.IMAGE not in set(samples.group_media_types.values()):
            raise RaremineError(
                f"Dataset '{dataset.name}' has no image slice "
                f"(slices: {', '.join(samples.group_slices) or 'none'}); "
                "load the data set with at least one camera channel."
            )
        images = samples.select_group_slices(media_type="image")
        # FiftyOne looks the slices up anew when it flattens a grouped view,
        # so what the view hid of its labels would come back.
        for stage in getattr(samples, "_stages", ()):
            if isinstance(stage, LABEL_STAGES):
                images = images.add_stage(stage)
        return Scope(dataset, images)
    if samples.media_type == fom.IMAGE:
        return Scope(dataset, samples)
    raise RaremineError(
        f"A collection of media type '{samples.media_type}' holds no images; "
        "pass the dataset or a view of its camera slices."
    )


def take_in_changes(dataset: fo.Dataset) -> None:
    """Takes in the fields and runs that other processes have added.

    A notebook that keeps a dataset open does not see a field that the App
    has added since: reading it would give nothing, and a human's correction
    would be overwritten. FiftyOne reloads a dataset only on demand; done
    without need, that would drop changes of ``dataset.info`` that are not
    saved yet.

    Args:
        dataset: the root dataset
    """
    stored = odm.get_db_conn().datasets.find_one(
        {"_id": dataset._doc.id},
        {"sample_fields": 1, "brain_methods": 1},
    )
    if stored is None:
        return
    if _paths(stored["sample_fields"]) != _paths(
        dataset._doc.sample_fields
    ) or set(stored.get("brain_methods") or ()) != set(
        dataset._doc.brain_methods
    ):
        dataset._reload(hard=True)


def _paths(fields: Any) -> set[str]:
    """Returns the paths of a schema, as stored or in memory."""
    found = set()
    for one in fields or ():
        stored = isinstance(one, Mapping)
        name = one["name"] if stored else one.name
        inner = one.get("fields") if stored else one.fields
        found.add(name)
        found.update(f"{name}.{path}" for path in _paths(inner))
    return found


def _all_images(dataset: fo.Dataset) -> Any:
    if dataset.media_type == fom.GROUP:
        return dataset.select_group_slices(media_type="image")
    return dataset


def has_objects(scope: Scope, field: str) -> bool:
    """Whether the dataset has a detections field of that name."""
    return scope.dataset.get_field(f"{field}.detections") is not None


def require_objects(scope: Scope, field: str) -> None:
    """Checks that there is a detections field of that name.

    Raises:
        MissingStageError: if not, saying what makes one
    """
    if not has_objects(scope, field):
        raise MissingStageError(
            f"Dataset '{scope.dataset.name}' has no objects in field "
            f"'{field}'; run detect_objects first."
        )


def read_objects(
    samples: Any, field: str = "objects", names: Iterable[str] = ()
) -> ObjectTable:
    """Reads object columns in an order that the content alone decides.

    Rows follow the images' sample data tokens (file paths where there are
    none), then the objects' places in the image. Ids are random, so an order
    by id would give seeded methods other results on another machine.

    Args:
        samples: a dataset, grouped or flat view, patches view or a ``Scope``
        field: the detections field
        names: attributes of the detections, such as ``label``,
            ``confidence``, ``bounding_box`` ((n, 4) float64, relative
            x, y, w, h) or any score. One that no stage has written yet comes
            back as NaN (or None if it holds no numbers).

    Returns:
        an ``ObjectTable``; ``sample_token`` and ``scene_name`` are always
        among its columns
    """
    scope = samples if isinstance(samples, Scope) else resolve(samples, field)
    names = list(dict.fromkeys(names))
    if not has_objects(scope, field):
        return _empty_table(names)
    root = f"{field}.detections"
    known = [n for n in names if scope.dataset.get_field(f"{root}.{n}")]
    sample_names = [n for n in SAMPLE_COLUMNS if scope.dataset.get_field(n)]
    has_tokens = scope.dataset.get_field("sample_data_token") is not None
    image_key = "sample_data_token" if has_tokens else "filepath"
    paths = ["id", f"{root}.id", image_key, "filepath", *sample_names]
    values = scope.images.values(paths + [f"{root}.{n}" for n in known])
    by_image = sorted(
        range(len(values[0])),
        key=lambda i: (values[2][i] or "", values[3][i]),
    )
    values = [[column[i] for i in by_image] for column in values]
    sample_ids, label_lists = values[0], values[1]
    values = values[:2] + values[4:]
    counts = [len(labels or ()) for labels in label_lists]

    label_id = np.array(_flat(label_lists, counts), dtype=str)
    columns: dict[str, np.ndarray] = {}
    for name, per_sample in zip(
        sample_names, values[2 : 2 + len(sample_names)], strict=True
    ):
        texts = [value or "" for value in per_sample]
        columns[name] = np.repeat(np.array(texts, dtype=object), counts)
    for name in SAMPLE_COLUMNS:
        columns.setdefault(
            name, np.repeat(np.array(sample_ids, dtype=object), counts)
        )
    for name, lists in zip(
        known, values[2 + len(sample_names) :], strict=True
    ):
        is_number = _is_number(scope.dataset, f"{root}.{name}")
        columns[name] = _column(name, _flat(lists, counts), is_number)
    for name in set(names) - set(known):
        columns[name] = np.full(len(label_id), np.nan)

    table = ObjectTable(
        label_id,
        np.repeat(np.array(sample_ids, dtype=object), counts).astype(str),
        columns,
    )
    if scope.label_ids is not None:
        wanted = scope.label_ids
        table = table.take(np.array([i in wanted for i in label_id], bool))
    return table


def declare_columns(
    dataset: fo.Dataset, field: str, columns: Mapping[str, type | fof.Field]
) -> None:
    """Adds object attributes to the schema of every slice.

    An undeclared attribute works in queries but is invisible in the sidebar.

    Args:
        dataset: the root dataset
        field: the detections field
        columns: attribute name → FiftyOne field class
    """
    for name, ftype in columns.items():
        path = f"{field}.detections.{name}"
        if dataset.get_field(path) is None:
            if isinstance(ftype, type) and issubclass(ftype, fof.ListField):
                dataset.add_sample_field(path, ftype, subfield=fof.StringField)
            else:
                dataset.add_sample_field(path, ftype)


def write_objects(
    dataset: fo.Dataset,
    field: str,
    table: ObjectTable,
    columns: Mapping[str, Sequence[Any] | np.ndarray],
) -> None:
    """Writes columns to the table's objects, one bulk operation an image.

    All columns of an image's objects go in one update that addresses each
    label by its id, so a row can never land on a neighbour and a kill never
    leaves an object half written. (FiftyOne's ``set_label_values`` writes one
    attribute of one label an operation.)

    Args:
        dataset: the root dataset
        field: the detections field
        table: says which rows the values belong to
        columns: attribute name → one value a row; NaN is stored as null. An
            attribute that the schema lacks gets the type of its values; one
            that has none yet (all ``None``) is left out
    """
    types = {name: _field_type(values) for name, values in columns.items()}
    declare_columns(
        dataset, field, {n: ftype for n, ftype in types.items() if ftype}
    )
    if not len(table):
        return
    plain = {
        name: [_plain(v) for v in values]
        for name, values in columns.items()
        if types[name] or dataset.get_field(f"{field}.detections.{name}")
    }
    for name, values in plain.items():
        if len(values) != len(table):
            raise RaremineError(
                f"Column '{name}' has {len(values)} values for "
                f"{len(table)} objects; nothing was written."
            )
    if not plain:
        return
    rows_of_sample: dict[str, list[int]] = {}
    for row, sample_id in enumerate(table.sample_id):
        rows_of_sample.setdefault(str(sample_id), []).append(row)

    batch: list[UpdateOne] = []
    ids: list[str] = []
    for sample_id, rows in rows_of_sample.items():
        batch.append(
            object_update(
                field,
                sample_id,
                [str(table.label_id[row]) for row in rows],
                {n: [v[row] for row in rows] for n, v in plain.items()},
            )
        )
        ids.append(sample_id)
        if len(batch) >= WRITE_BATCH:
            checkpoint()
            dataset._bulk_write(batch, ids=ids)
            batch, ids = [], []
    if batch:
        dataset._bulk_write(batch, ids=ids)


def object_update(
    field: str,
    sample_id: str,
    label_ids: Sequence[str],
    columns: Mapping[str, Sequence[Any]],
) -> UpdateOne:
    """Returns the one operation that writes an image's object columns.

    Args:
        field: the detections field
        sample_id: the image
        label_ids: k of its labels
        columns: attribute name → k values that MongoDB takes as they are
    """
    changes: dict[str, Any] = {"last_modified_at": datetime.now(timezone.utc)}
    filters: list[Mapping[str, Any]] = []
    for row, label_id in enumerate(label_ids):
        key = f"o{row}"
        filters.append({f"{key}._id": ObjectId(label_id)})
        for name, values in columns.items():
            changes[f"{field}.detections.$[{key}].{name}"] = values[row]
    return UpdateOne(
        {"_id": ObjectId(sample_id)}, {"$set": changes}, array_filters=filters
    )


def write_frames(
    dataset: fo.Dataset,
    sample_tokens: Sequence[str],
    columns: Mapping[str, Sequence[Any] | np.ndarray],
) -> None:
    """Writes sample-level fields to every slice of the given keyframes.

    Args:
        dataset: the root dataset
        sample_tokens: nuScenes sample tokens; sample ids where the dataset
            has none
        columns: field name → one value a token
    """
    by_token = {
        name: {
            t: _plain(v) for t, v in zip(sample_tokens, values, strict=True)
        }
        for name, values in columns.items()
    }
    samples = all_slices(dataset)
    has_tokens = dataset.get_field("sample_token") is not None
    sample_ids, tokens = samples.values(
        ["id", "sample_token" if has_tokens else "id"]
    )
    for name, values in columns.items():
        ftype = _field_type(values)
        if dataset.get_field(name) is None:
            if ftype is None:
                continue
            subfield = fof.StringField if ftype is fof.ListField else None
            dataset.add_sample_field(name, ftype, subfield=subfield)
        dataset.set_values(
            name,
            {
                sample_id: by_token[name][token]
                for sample_id, token in zip(sample_ids, tokens, strict=True)
                if token in by_token[name]
            },
            key_field="id",
        )


def all_slices(dataset: fo.Dataset) -> Any:
    """Returns a flat view of every sample of every slice, 3D ones too."""
    if dataset.media_type == fom.GROUP:
        return dataset.select_group_slices(
            dataset.group_slices, _allow_mixed=True
        )
    return dataset


def _flat(lists: Sequence[Any], counts: Sequence[int]) -> list[Any]:
    out: list[Any] = []
    for values, count in zip(lists, counts, strict=True):
        # A sample's attribute is None, not a list of None, when the whole
        # Detections document lacks it.
        out.extend(values if values else [None] * count)
    return out


def _is_number(dataset: fo.Dataset, path: str) -> bool:
    return isinstance(dataset.get_field(path), (fof.FloatField, fof.IntField))


def _column(name: str, values: list[Any], is_number: bool) -> np.ndarray:
    if name == "bounding_box":
        rows = [v if v is not None else [np.nan] * 4 for v in values]
        return np.array(rows, dtype=np.float64).reshape(-1, 4)
    if is_number:
        return np.array(
            [np.nan if v is None else v for v in values], dtype=np.float64
        )
    return object_array(values)


def _empty_table(names: Sequence[str]) -> ObjectTable:
    columns = {name: np.empty(0, dtype=object) for name in SAMPLE_COLUMNS}
    for name in names:
        shape = (0, 4) if name == "bounding_box" else (0,)
        columns[name] = np.empty(shape, dtype=np.float64)
    return ObjectTable(np.empty(0, str), np.empty(0, str), columns)


def _field_type(
    values: Sequence[Any] | np.ndarray,
) -> type[fof.Field] | None:
    """Returns the field class of a column, None if its values do not say."""
    if isinstance(values, np.ndarray) and values.dtype.kind in "biuf":
        return _FIELD_OF_KIND[values.dtype.kind]
    sample = next((v for v in values if v is not None), None)
    if isinstance(sample, (bool, np.bool_)):
        return fof.BooleanField
    if isinstance(sample, (int, np.integer)):
        return fof.IntField
    if isinstance(sample, str):
        return fof.StringField
    if isinstance(sample, (list, tuple)):
        return fof.ListField
    if isinstance(sample, (float, np.floating)):
        return fof.FloatField
    return None


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and np.isnan(value):
        return None
    if isinstance(value, tuple):
        return list(value)
    return value
