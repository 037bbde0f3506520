"""Format ``yolo``: 2D boxes as Ultralytics and YOLOv5 read them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import yaml

from raremine.brain.selection.exporters import box_export
from raremine.brain.selection.exporters.box_export import (
    BoxExport,
    BoxOptions,
)
from raremine.brain.selection.exporters.job import ExportJob, Written
from raremine.brain.selection.exporters.media import (
    BLOCK,
    COPY,
    HARDLINK,
    SYMLINK,
)

DATASET = "dataset.yaml"
IMAGES, LABELS = "images", "labels"

WAYS = (SYMLINK, HARDLINK, COPY)
"""Labels are found by the place of their image, so it has to be there."""

_BYTES_A_BOX = 48

_HEAD = """\
# There is no `path`: it is the folder of this file, which can be moved.
"""


class YoloExporter:
    """2D boxes as YOLO's text files.

    ``dataset.yaml``, and for each split ``images/<split>`` and
    ``labels/<split>``.
    """

    summary = "2D boxes on camera images, as Ultralytics reads them"

    def space(self, job: ExportJob, **options: Any) -> int:
        """Returns the bytes that the export will need on disk, at most."""
        export = _prepare(job, BoxOptions(**options))
        boxes, _ = box_export.counted(job, export)
        names = sum(len(p) for p in export.paths)
        return (
            box_export.shared_bytes(job, export)
            + (BLOCK + 400) * len(export.paths)
            + 2 * names
            + _BYTES_A_BOX * boxes
            + 200 * len(export.choice.classes)
        )

    def write(
        self,
        job: ExportJob,
        *,
        field: str = "ground_truth",
        label: str = "label",
        classes: Sequence[str] | None = None,
        evaluation: bool = True,
        media: Literal["symlink", "hardlink", "copy"] = "symlink",
    ) -> Written:
        """Writes labels and images of every split, and what describes them.

        Args:
            job: the export
            field ("ground_truth"): the boxes: ground truth or mined objects
            label ("label"): attribute that is a box's class: "label",
                "concept" of mined objects, "category" of ground truth
            classes (None): classes in the order of their numbers, from 0;
                None = the ten of nuScenes, or all that there are by name
            evaluation (True): write the evaluation splits, too
            media ("symlink"): "symlink", "hardlink" or "copy"
        """
        options = BoxOptions(field, label, classes, None, evaluation, media)
        export = _prepare(job, options)
        reports, files = {}, {}
        for split in export.images:
            images = job.folder / IMAGES / split
            labels = job.folder / LABELS / split
            labels.mkdir(parents=True)
            exporter = _exporter(export, split, images, labels)
            report = box_export.write_split(
                job, export, split, exporter, images
            )
            for image in report.images:
                files[image.sample_id] = f"{IMAGES}/{split}/{image.name}"
            reports[split] = report
        box_export.write_table(job, reports, files)
        path = job.folder / DATASET
        # Ultralytics reads no file without `val`, be it empty
        splits: dict[str, str | None] = {"train": None, "val": None}
        splits |= {split: f"{IMAGES}/{split}" for split in reports}
        content = {**splits, "names": dict(enumerate(export.choice.classes))}
        text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
        path.write_text(_HEAD + text, encoding="utf-8")
        notes = box_export.notes(reports)
        if "val" not in reports:
            notes.append(
                f"{DATASET} has no `val`, without which Ultralytics does not "
                "train; write there where images to evaluate on are."
            )
        return Written(path, box_export.facts(export, reports), tuple(notes))


def _prepare(job: ExportJob, options: BoxOptions) -> BoxExport:
    return box_export.prepare(job, "yolo", options, WAYS)


def _exporter(
    export: BoxExport, split: str, images: Path, labels: Path
) -> Any:
    from fiftyone.utils.yolo import YOLOv5DatasetExporter

    # it would describe the data with the place where it is made
    return YOLOv5DatasetExporter(
        split=split,
        labels_path=str(labels),
        export_media=False,
        rel_dir=str(images),
        classes=list(export.choice.classes),
    )


EXPORTER = YoloExporter()
