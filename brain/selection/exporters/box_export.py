"""What the formats for 2D boxes share: images in splits, each with boxes."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fiftyone as fo
import fiftyone.utils.data as foud

from raremine.brain.errors import RaremineError
from raremine.brain.progress import Progress
from raremine.brain.selection.exporters.boxes import (
    Box,
    BoxChoice,
    Tally,
    box_sizes,
    choose_boxes,
    read_boxes,
)
from raremine.brain.selection.exporters.camera_images import (
    TRAIN,
    CameraImage,
    image_size,
    split_images,
)
from raremine.brain.selection.exporters.job import ExportJob
from raremine.brain.selection.exporters.media import (
    BLOCK,
    NONE,
    SYMLINK,
    WAYS,
    check_way,
    media_bytes,
    place,
)

BATCH = 1000
"""Images whose boxes are in memory at a time."""

LISTED = 100
"""Images that were left out and are named in the datasheet."""

TABLE = "images.csv"
"""Which keyframe and camera each exported image is of."""

_COLUMNS = (
    *("split", "file", "sample_token", "sample_data_token"),
    *("channel", "scene"),
)


@dataclass(frozen=True)
class BoxOptions:
    """The options of a format for boxes; see ``CocoExporter.write``."""

    field: str = "ground_truth"
    label: str = "label"
    classes: Sequence[str] | None = None
    attributes: Sequence[str] | None = None
    evaluation: bool = True
    media: str = SYMLINK


@dataclass(frozen=True)
class BoxExport:
    """What is to be exported.

    Attributes:
        choice: which boxes
        images: images by split
        media: how the images get there
    """

    choice: BoxChoice
    images: Mapping[str, Sequence[CameraImage]]
    media: str

    @property
    def paths(self) -> list[str]:
        """Files of all images, in order."""
        return [i.path for images in self.images.values() for i in images]


@dataclass
class SplitReport:
    """What was written of a split.

    Attributes:
        images: the images
        background: how many of them have no box
        left_out: file and reason of images that could not be exported
        tally: what became of the boxes
    """

    images: list[CameraImage] = field(default_factory=list)
    background: int = 0
    left_out: list[tuple[str, str]] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)

    def facts(self, classes: Sequence[str]) -> dict[str, Any]:
        """Returns what the datasheet tells about it."""
        tally = self.tally
        return {
            "images": len(self.images),
            "images_without_boxes": self.background,
            "boxes": tally.boxes.total(),
            "classes": {
                name: {
                    "boxes": tally.boxes[name],
                    "images": tally.images[name],
                }
                for name in classes
            },
            "boxes_cut_to_the_image": tally.cut,
            "boxes_left_out": {
                "without_area_in_the_image": tally.without_area,
                "of_other_classes": {
                    str(name or "(none)"): count
                    for name, count in sorted(
                        tally.other.items(), key=lambda item: str(item[0])
                    )
                },
            },
            "images_left_out": len(self.left_out),
        }


class _Labels:
    """FiftyOne's labels for one image after the other.

    FiftyOne takes five times as long to make a label as to change one, and
    an exporter is done with the labels of an image when it returns.
    """

    def __init__(self, attributes: Sequence[str]) -> None:
        self._attributes = attributes
        self._all = fo.Detections()
        self._pool: list[fo.Detection] = []

    def of(self, boxes: Sequence[Box]) -> fo.Detections:
        while len(self._pool) < len(boxes):
            self._pool.append(fo.Detection())
        used = self._pool[: len(boxes)]
        for label, box in zip(used, boxes, strict=True):
            label.label = box.label
            label.bounding_box = box.place
            label.confidence = box.confidence
            for name, value in zip(
                self._attributes, box.attributes, strict=True
            ):
                label[name] = value
        self._all.detections = used
        return self._all


def prepare(
    job: ExportJob,
    format: str,
    options: BoxOptions,
    ways: Sequence[str] = WAYS,
) -> BoxExport:
    """Checks the options of a format and finds what is to be exported.

    Args:
        job: the export
        format: name of the format
        options: its options
        ways: what ``media`` can be

    Raises:
        RaremineError: if an option does not fit the dataset
    """
    check_way(format, options.media, ways)
    return BoxExport(
        choose_boxes(
            job.dataset,
            options.field,
            options.label,
            options.classes,
            options.attributes,
        ),
        split_images(job, options.evaluation),
        options.media,
    )


def write_split(
    job: ExportJob,
    export: BoxExport,
    split: str,
    exporter: foud.LabeledImageDatasetExporter,
    folder: Path,
) -> SplitReport:
    """Writes the images of a split, each with its boxes.

    Args:
        job: the export
        export: what is to be exported
        split: which split of it
        exporter: FiftyOne's exporter, which leaves media alone
        folder: where the images go. The exporter sees each image under the
            name that it has there, or under its own where images stay.
    """
    images = export.images[split]
    report = SplitReport()
    labels = _Labels(export.choice.attributes)
    if export.media != NONE:
        folder.mkdir(parents=True)
    with (
        exporter,
        Progress(len(images), f"Exporting {split}", job.progress) as bar,
    ):
        for start in range(0, len(images), BATCH):
            batch = images[start : start + BATCH]
            usable = _usable(batch, report)
            found = read_boxes(
                job,
                export.choice,
                [image.sample_id for image, _ in usable],
                report.tally,
            )
            for (image, metadata), boxes in zip(usable, found, strict=True):
                if export.media == NONE:
                    seen_at = image.path
                else:
                    place(image.path, folder / image.name, export.media)
                    seen_at = str(folder / image.name)
                exporter.export_sample(seen_at, labels.of(boxes), metadata)
                report.images.append(image)
                report.background += not boxes
            bar.add(len(batch))
    if images and not report.images:
        path, reason = report.left_out[0]
        raise RaremineError(
            f"Not one of the {len(images)} images of split '{split}' can be "
            f"exported; the first is {path}: {reason}. Check that the data "
            "set is where it was when it was loaded."
        )
    return report


def _usable(
    images: Sequence[CameraImage], report: SplitReport
) -> list[tuple[CameraImage, fo.ImageMetadata]]:
    """Returns the images that can be opened; the report tells the others."""
    found = []
    for image in images:
        (width, height), reason = image_size(image.path)
        if reason:
            report.left_out.append((image.path, reason))
        else:
            size = fo.ImageMetadata(width=width, height=height)
            found.append((image, size))
    return found


def write_table(
    job: ExportJob,
    reports: Mapping[str, SplitReport],
    files: Mapping[str, str],
) -> None:
    """Writes which keyframe and camera each image is of.

    Args:
        job: the export
        reports: what was written, by split
        files: path of an image in the export, or its own, by sample id
    """
    path = job.folder / TABLE
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for split, report in reports.items():
            for image in report.images:
                writer.writerow(
                    (
                        *(split, files[image.sample_id], image.token),
                        *(image.data_token, image.channel, image.scene),
                    )
                )


def facts(
    export: BoxExport, reports: Mapping[str, SplitReport]
) -> dict[str, Any]:
    """Returns what the datasheet tells about what was written."""
    left_out = [row for report in reports.values() for row in report.left_out]
    return {
        "field": export.choice.field,
        "label": export.choice.label,
        "classes": list(export.choice.classes),
        "media": export.media,
        "splits": {
            split: report.facts(export.choice.classes)
            for split, report in reports.items()
        },
        "images_left_out": [
            {"file": path, "reason": reason}
            for path, reason in left_out[:LISTED]
        ],
    }


def notes(reports: Mapping[str, SplitReport]) -> list[str]:
    """Returns what the user should know about what was written."""
    found = []
    for split, report in reports.items():
        if not report.images:
            found.append(f"Split '{split}' has no image.")
        elif report.background == len(report.images):
            found.append(
                f"No image of split '{split}' has a box of these classes."
            )
        elif report.background:
            found.append(
                f"{report.background} of {len(report.images)} images of "
                f"split '{split}' have no box; they are in as background."
            )
        if report.left_out:
            path, reason = report.left_out[0]
            found.append(
                f"{len(report.left_out)} images of split '{split}' are left "
                f"out, the first is {path}: {reason}."
            )
        if report.tally.without_area:
            found.append(
                f"{report.tally.without_area} boxes of split '{split}' have "
                "no area within the image and are left out."
            )
    if set(reports) == {TRAIN}:
        found.append("There is no split to evaluate on.")
    return found


def shared_bytes(job: ExportJob, export: BoxExport) -> int:
    """Bytes of the images, their table, and the lists of files and links."""
    # folders, and the last block of each list
    total = 20 * BLOCK
    for images in export.images.values():
        for image in images:
            row = sum(len(str(value)) for value in image)
            # in the table, in the list of sums or links, in a folder
            total += 8 * row + 400
    return total + media_bytes(export.paths, export.media)


def counted(job: ExportJob, export: BoxExport) -> tuple[int, int]:
    """Returns the number of boxes, and the bytes of their attributes."""
    ids = [i.sample_id for images in export.images.values() for i in images]
    return box_sizes(job, export.choice, ids)
