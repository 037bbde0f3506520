"""The dataset's side of a load: making, extending, recording, undoing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import fiftyone as fo
import fiftyone.core.storage as fos
from fiftyone import ViewField as F

from raremine.brain.columns import all_slices
from raremine.brain.errors import RaremineError
from raremine.brain.nuscenes.check import Fault
from raremine.brain.nuscenes.fields import GROUND_TRUTH, declare_fields
from raremine.brain.nuscenes.records import (
    Frame,
    Tables,
    scene_data,
    slice_order,
)
from raremine.brain.nuscenes.samples import pinhole

INFO_KEY = "raremine"
"""Key of ``dataset.info`` that tells what was loaded."""

LOADING, COMPLETE = "loading", "complete"
"""States of a load, in the dataset's info: a killed load stays "loading"."""

BATCH = 32
"""Keyframes written at a time: whole groups only, so that a killed load
leaves at most one of them incomplete."""

_LISTED = 1000
"""Faults that are listed one by one in the dataset's info."""


def slice_3d(tables: Tables) -> str | None:
    """Returns the one channel that may be a 3D slice."""
    for kind in ("lidar", "radar"):
        found = [c for c in tables.channels if tables.modality[c] == kind]
        if found:
            return min(found, key=slice_order)
    return None


def _slices(tables: Tables) -> dict[str, str]:
    """Returns the media type of each slice, in order."""
    kinds = {
        c: "image" for c in tables.channels if tables.modality[c] == "camera"
    }
    channel_3d = slice_3d(tables)
    if channel_3d is not None:
        kinds[channel_3d] = "3d"
    return kinds


def create_dataset(
    name: str, tables: Tables, ground_truth: bool
) -> fo.Dataset:
    """Makes the empty grouped dataset with all its slices and fields."""
    dataset = fo.Dataset(name, persistent=True)
    try:
        slices = _slices(tables)
        dataset.add_group_field("group", default=next(iter(slices)))
        for channel, media_type in slices.items():
            dataset.add_group_slice(channel, media_type)
        declare_fields(dataset, ground_truth)
        dataset.camera_intrinsics = _first_intrinsics(tables)
        dataset.save()
    except BaseException:
        dataset.delete()
        raise
    return dataset


def _first_intrinsics(tables: Tables) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for frame in tables.frames:
        for channel, data in frame.data.items():
            if channel not in found and data.calibration.intrinsic is not None:
                found[channel] = pinhole(data)
        if len(found) == len(tables.channels):
            break
    return found


def new_frames(
    dataset: fo.Dataset, tables: Tables, absent: Collection[str]
) -> list[Frame]:
    """Returns the keyframes that a dataset does not have.

    Where an earlier load was killed, groups that it left incomplete are
    deleted, and so count as new.

    Args:
        dataset: a dataset that ``load_nuscenes`` made
        tables: what is to be appended
        absent: sample_data tokens whose files do not exist

    Raises:
        RaremineError: if the dataset cannot take these keyframes
    """
    if dataset.media_type != "group" or not dataset.has_field("sample_token"):
        raise RaremineError(
            f"Dataset '{dataset.name}' was not made by load_nuscenes; choose "
            "another name."
        )
    unknown = set(_slices(tables)) - set(dataset.group_slices or ())
    if unknown:
        raise RaremineError(
            f"Dataset '{dataset.name}' has no slice {min(unknown)} (it has: "
            f"{', '.join(dataset.group_slices)}); append with the same "
            "channels."
        )
    if tables.annotations is not None and not dataset.has_field(GROUND_TRUTH):
        raise RaremineError(
            f"Dataset '{dataset.name}' was loaded without ground truth; "
            "append with ground_truth=False."
        )
    tokens, ids = all_slices(dataset).values(["sample_token", "id"])
    slices = Counter(tokens)
    if (dataset.info.get(INFO_KEY) or {}).get("state") == LOADING:
        expected = _sample_counts(tables, absent)
        cut = {t for t, n in slices.items() if n < expected.get(t, 0)}
        dataset.delete_samples(
            [i for t, i in zip(tokens, ids, strict=True) if t in cut]
        )
        slices = Counter({t: n for t, n in slices.items() if t not in cut})
    return [f for f in tables.frames if f.token not in slices]


def _sample_counts(tables: Tables, absent: Collection[str]) -> dict[str, int]:
    """Returns how many samples each keyframe's group will have."""
    channel_3d = slice_3d(tables)
    return {
        frame.token: sum(
            data.calibration.modality == "camera" and data.token not in absent
            for data in frame.data.values()
        )
        + (scene_data(frame, channel_3d) is not None)
        for frame in tables.frames
    }


def set_state(dataset: fo.Dataset, state: str) -> None:
    """Marks a dataset as being loaded or complete."""
    info = dict(dataset.info.get(INFO_KEY) or {})
    info["state"] = state
    dataset.info[INFO_KEY] = info
    dataset.save()


def record_load(
    dataset: fo.Dataset,
    tables: Tables,
    faults: Sequence[Fault],
    problems: Sequence[str],
    media_dir: Path,
) -> None:
    """Writes down what the dataset holds and which files it lacks.

    Args:
        dataset: the dataset
        tables: what was loaded now
        faults: files that are absent or could not be read
        problems: what else is wrong with the dataroot, in sentences
        media_dir: where converted clouds are
    """
    before = dataset.info.get(INFO_KEY) or {}
    view = all_slices(dataset)
    samples = view.count_values("group.name")
    counts = {
        "scenes": len(view.distinct("scene_token")),
        "frames": len(view.distinct("sample_token")),
        "samples": samples,
    }
    if dataset.has_field(GROUND_TRUTH):
        path = f"{GROUND_TRUTH}.detections"
        counts["boxes"] = {
            name: view.match(F("group.name") == name).count(path)
            for name in samples
        }
    # an appended load looks again at files that it had looked at before
    skipped = {f["sample_data_token"]: f for f in before.get("skipped", ())}
    skipped.update((f.sample_data_token, f.as_dict()) for f in faults)
    dataset.info[INFO_KEY] = {
        "state": COMPLETE,
        "dataroot": fos.normalize_path(str(tables.dataroot)),
        "version": tables.version,
        "channels": list(tables.channels),
        "media_dir": str(media_dir),
        "counts": counts,
        # MongoDB's keys are texts
        "lidarseg": {str(i): name for i, name in tables.lidarseg.items()},
        "problems": list(problems),
        "skipped_count": len(skipped),
        "skipped": list(skipped.values())[:_LISTED],
    }
    dataset.save()


def undo_load(
    dataset: fo.Dataset,
    tables: Tables,
    appending: bool,
    before: dict[str, Any],
) -> None:
    """Takes back what a failed load has written."""
    if not appending:
        dataset.delete()
        return
    tokens = [f.token for f in tables.frames]
    written = all_slices(dataset).match(F("sample_token").is_in(tokens))
    dataset.delete_samples(written.values("id"))
    dataset.info[INFO_KEY] = before
    dataset.save()
