"""The camera images of an export: which, in what order, under what name."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from raremine.brain.columns import resolve
from raremine.brain.selection.exporters.job import ExportJob
from raremine.brain.selection.stage import token_field

SPLIT_OF = {
    "val": "val",
    "mini_val": "val",
    "test": "test",
    "mini_test": "test",
}
"""Name in an export of each evaluation split."""

TRAIN = "train"


class CameraImage(NamedTuple):
    """An image of a keyframe.

    Attributes:
        sample_id: FiftyOne's id of its sample
        token: sample token of the keyframe
        data_token: sample data token, "" if there is none
        channel: name of the camera, "" in a data set without groups
        scene: name of the scene
        path: the file
        name: file name in every export of the data set, unlike any other
    """

    sample_id: str
    token: str
    data_token: str
    channel: str
    scene: str
    path: str
    name: str


def split_images(
    job: ExportJob, evaluation: bool
) -> dict[str, list[CameraImage]]:
    """Returns the images of each split: by scene, time and camera.

    Args:
        job: the export
        evaluation: whether to include the evaluation splits

    Returns:
        "train", the selection, then "val" and "test", if there are any;
        nuScenes' mini splits count as those
    """
    tokens: dict[str, list[str]] = {TRAIN: job.train_tokens}
    if evaluation:
        for split, of_split in job.evaluation_tokens.items():
            tokens.setdefault(SPLIT_OF[split], []).extend(of_split)
    by_token: dict[str, list[CameraImage]] = {}
    for image in camera_images(job):
        by_token.setdefault(image.token, []).append(image)
    return {
        split: [
            image
            for token in tokens[split]
            for image in sorted(
                by_token.get(token, ()), key=lambda i: (i.channel, i.name)
            )
        ]
        for split in (TRAIN, "val", "test")
        if split in tokens
    }


def camera_images(job: ExportJob) -> list[CameraImage]:
    """Returns all images of all camera slices of the dataset."""
    return job.once("camera images", lambda: _read(job))


def image_root(images: Iterable[CameraImage]) -> str:
    """Returns the innermost folder that all images lie in."""
    folders = {Path(image.path).absolute().parent for image in images}
    return os.path.commonpath(folders) if folders else os.sep


def unique_names(paths: Sequence[str], keys: Sequence[str]) -> list[str]:
    """Gives each file a name of its own.

    A file keeps its base name if no other file has the same, whatever the
    ending (labels lie in files named after images) and the case (some disks
    do not tell it). Otherwise a hash of its key is put behind it, so that
    the name does not depend on the order.

    Args:
        paths: n files
        keys: n texts that tell the files apart on every machine

    Returns:
        n names
    """
    bases = [_stem_and_ending(path) for path in paths]
    count = Counter(stem.casefold() for stem, _ in bases)
    taken: Counter[str] = Counter()
    names = []
    for (stem, ending), key in zip(bases, keys, strict=True):
        if count[stem.casefold()] > 1:
            digest = hashlib.sha256(key.encode("utf-8", "surrogateescape"))
            stem = f"{stem}-{digest.hexdigest()[:12]}"
        taken[stem.casefold()] += 1
        if taken[stem.casefold()] > 1:
            stem = f"{stem}-{taken[stem.casefold()]}"
        names.append(stem + ending)
    return names


def image_size(path: str) -> tuple[tuple[int, int], str]:
    """Reads an image's size from its head.

    Returns:
        (width, height), and why the image is of no use: "" if it is
    """
    from PIL import Image

    if not Path(path).is_file():
        return (0, 0), "no such file"
    try:
        with Image.open(path) as image:
            return image.size, ""
    except (OSError, ValueError, ImportError):
        # Ultralytics, once imported, makes Pillow look for a HEIF decoder
        return (0, 0), "not an image that can be opened"


def _stem_and_ending(path: str) -> tuple[str, str]:
    """As ``Path.stem`` and ``suffix``, which take seconds for all images."""
    name = path.rpartition(os.sep)[2]
    stem, dot, ending = name.rpartition(".")
    return (stem, dot + ending) if stem else (name, "")


def _read(job: ExportJob) -> list[CameraImage]:
    dataset = job.dataset
    images = resolve(dataset).images
    paths = {
        "id": "id",
        "token": token_field(dataset),
        "data_token": "sample_data_token",
        "channel": f"{dataset.group_field or 'group'}.name",
        "scene": "scene_name",
        "path": "filepath",
    }
    known = {
        name: path
        for name, path in paths.items()
        if path in ("id", "filepath") or dataset.get_field(path) is not None
    }
    values = dict(zip(known, images.values(list(known.values())), strict=True))
    blank = [""] * len(values["id"])
    columns = [
        [value or "" for value in values.get(name, blank)] for name in paths
    ]
    rows = sorted(
        zip(*columns, strict=True), key=lambda r: (r[2], r[1], r[3], r[5])
    )
    names = unique_names(
        [row[5] for row in rows],
        # without a token of the data, the keyframe and the camera tell
        [r[2] or f"{r[1]} {r[3]} {r[5].rpartition(os.sep)[2]}" for r in rows],
    )
    return [
        CameraImage._make((*row, name))
        for row, name in zip(rows, names, strict=True)
    ]
