"""The keyframe table with the columns that strategies ask for.

What every run needs comes from ``read_frames``; what takes a model's
vectors, another field or a target list to make is made only when it is
asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import fiftyone as fo
import fiftyone.core.fields as fof
import numpy as np

from raremine.brain.columns import all_slices
from raremine.brain.errors import RaremineError
from raremine.brain.frame_vectors import read_frame_vectors
from raremine.brain.frames import CONCEPT_COLUMNS, read_frames
from raremine.brain.objects import FrameTable
from raremine.brain.strategies import DETECTOR_CLASS, EMBEDDING
from raremine.brain.target_classes import TARGET_CLASSES, read_detector_class


def read_frames_with(
    dataset: fo.Dataset,
    needs: Iterable[str],
    *,
    field: str = "objects",
    embeddings: str | None = None,
    targets: Sequence[str] | None = None,
    also: Mapping[str, str] | None = None,
) -> FrameTable:
    """Reads one row per keyframe, with what strategies need.

    A name in ``needs`` that nothing makes is left out; ``choose`` says so in
    its error. Numeric fields of the samples, such as ``brightness``, are
    columns by their name: a keyframe has the highest value of its slices.

    Args:
        dataset: the dataset
        needs: names of frame columns, see ``needed_columns``
        field ("objects"): the mined detections
        embeddings (None): brain key of the index that the column
            ``embedding`` comes from; None = that of the field's crops,
            ``{field}_clip``, or else ``frames_clip``
        targets (None): classes that the column ``detector_class`` looks for;
            None = the five of the published method
        also (None): prefix → another detections field, see ``read_frames``

    Returns:
        the keyframes of the whole dataset, sorted by token

    Raises:
        MissingStageError: if the embedding is asked for and there is none
        RaremineError: if a field in ``also`` does not exist
    """
    dataset = dataset._root_dataset
    also = dict(also or {})
    for prefix, other in also.items():
        if dataset.get_field(f"{other}.detections") is None:
            raise RaremineError(
                f"Dataset '{dataset.name}' has no objects in field "
                f"'{other}', which '{prefix}' is to be read from; mine into "
                "that field first, or name another."
            )
    frames = read_frames(dataset, field, also=also)
    fields = {"": field, **{f"{p}.": f for p, f in also.items()}}
    for prefix, name in fields.items():
        if dataset.get_field(f"{name}.detections.group") is None:
            for column in CONCEPT_COLUMNS:
                frames.columns.pop(prefix + column, None)
    for name in dict.fromkeys(needs):
        if name in frames.columns:
            continue
        if name == EMBEDDING:
            key = embeddings or default_embeddings(dataset, field)
            values = read_frame_vectors(dataset, frames, key)
        elif name == DETECTOR_CLASS:
            values = read_detector_class(
                dataset, field, frames, targets or TARGET_CLASSES
            )
        elif _is_number(dataset, name):
            values = _sample_column(dataset, frames, name)
        else:
            continue
        frames.columns[name] = values
    return frames


def default_embeddings(dataset: fo.Dataset, field: str = "objects") -> str:
    """Returns the brain key that frame embeddings come from by default."""
    own = f"{field}_clip"
    whole = "frames_clip"
    if not dataset.has_brain_run(own) and dataset.has_brain_run(whole):
        return whole
    return own


def _is_number(dataset: fo.Dataset, name: str) -> bool:
    return "." not in name and isinstance(
        dataset.get_field(name), (fof.FloatField, fof.IntField)
    )


def _sample_column(
    dataset: fo.Dataset, frames: FrameTable, name: str
) -> np.ndarray:
    row_of = {t: row for row, t in enumerate(frames.sample_token.tolist())}
    has_tokens = dataset.get_field("sample_token") is not None
    tokens, values = all_slices(dataset).values(
        ["sample_token" if has_tokens else "id", name]
    )
    out = np.full(len(frames), np.nan)
    for token, value in zip(tokens, values, strict=True):
        row = row_of.get(token, -1)
        if row >= 0 and value is not None:
            out[row] = np.fmax(out[row], value)
    return out
