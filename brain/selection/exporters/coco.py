"""Format ``coco``: 2D boxes as COCO's JSON, an annotation file per split."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from raremine.brain.errors import RaremineError
from raremine.brain.selection.exporters import box_export
from raremine.brain.selection.exporters.box_export import (
    BoxExport,
    BoxOptions,
)
from raremine.brain.selection.exporters.camera_images import (
    TRAIN,
    camera_images,
    image_root,
)
from raremine.brain.selection.exporters.job import ExportJob, Written
from raremine.brain.selection.exporters.media import NONE

IMAGES, ANNOTATIONS = "images", "annotations"

_OWN = frozenset(
    {
        *("id", "image_id", "category_id", "bbox", "segmentation", "score"),
        *("area", "iscrowd", "keypoints", "num_keypoints", "visible"),
        *("label", "bounding_box", "confidence", "tags", "mask", "index"),
    }
)
"""Names that an annotation, or FiftyOne's label, has for something else."""

_BYTES_AN_IMAGE = 150
_BYTES_A_BOX = 350
_BYTES_AN_ATTRIBUTE = 40
"""Generous: what JSON takes beyond names and values."""


class CocoExporter:
    """2D boxes as COCO's JSON.

    ``annotations/<split>.json`` with the images of each split beside it in
    ``images/<split>``.
    """

    summary = "2D boxes on camera images, as COCO's JSON"

    def space(self, job: ExportJob, **options: Any) -> int:
        """Returns the bytes that the export will need on disk, at most."""
        export = _prepare(job, BoxOptions(**options))
        boxes, values = box_export.counted(job, export)
        entries = sum(
            _BYTES_AN_IMAGE + 2 * len(json.dumps(image.path))
            for images in export.images.values()
            for image in images
        )
        extra = sum(
            _BYTES_AN_ATTRIBUTE + len(json.dumps(name))
            for name in export.choice.attributes
        )
        # JSON takes up to three times as much as the database for values
        return (
            box_export.shared_bytes(job, export)
            + entries
            + boxes * (_BYTES_A_BOX + extra)
            + 3 * values
            + 200 * len(export.choice.classes)
        )

    def write(
        self,
        job: ExportJob,
        *,
        field: str = "ground_truth",
        label: str = "label",
        classes: Sequence[str] | None = None,
        attributes: Sequence[str] | None = None,
        evaluation: bool = True,
        media: Literal["symlink", "hardlink", "copy", "none"] = "symlink",
    ) -> Written:
        """Writes annotations and images of every split.

        Args:
            job: the export
            field ("ground_truth"): the boxes: ground truth or mined objects
            label ("label"): attribute that is a box's class: "label",
                "concept" of mined objects, "category" of ground truth
            classes (None): classes in the order of their ids, from 1; None =
                the ten of nuScenes, or all that there are by name
            attributes (None): attributes to write with each annotation, such
                as "visibility" or "num_lidar_pts"
            evaluation (True): write the evaluation splits, too
            media ("symlink"): "symlink", "hardlink", "copy", or "none": the
                images stay where they are and are named by their path in the
                folder that holds them all
        """
        options = BoxOptions(
            field, label, classes, attributes, evaluation, media
        )
        export = _prepare(job, options)
        stays = media == NONE
        root = image_root(camera_images(job)) if stays else ""
        (job.folder / ANNOTATIONS).mkdir()
        reports, files = {}, {}
        for split in export.images:
            images = job.folder / IMAGES / split
            base = Path(root) if stays else images
            exporter = _exporter(
                export, job.folder / ANNOTATIONS / f"{split}.json", base
            )
            report = box_export.write_split(
                job, export, split, exporter, images
            )
            for image in report.images:
                files[image.sample_id] = (
                    os.path.relpath(image.path, root)
                    if stays
                    else f"{IMAGES}/{split}/{image.name}"
                )
            reports[split] = report
        box_export.write_table(job, reports, files)
        facts = box_export.facts(export, reports)
        if stays:
            facts["image_root"] = root
        return Written(
            job.folder / ANNOTATIONS / f"{TRAIN}.json",
            facts,
            tuple(box_export.notes(reports)),
        )


def _prepare(job: ExportJob, options: BoxOptions) -> BoxExport:
    export = box_export.prepare(job, "coco", options)
    taken = sorted(_OWN & set(export.choice.attributes))
    if taken:
        raise RaremineError(
            f"'{taken[0]}' cannot be an attribute of an annotation, which "
            "has that name for something of its own; leave it out."
        )
    return export


def _exporter(export: BoxExport, path: Path, base: Path) -> Any:
    """FiftyOne's exporter; names of images are relative to ``base``."""
    from fiftyone.utils.coco import COCODetectionDatasetExporter

    # nothing here may tell the time
    info = dict.fromkeys(
        ("year", "version", "contributor", "url", "date_created"), ""
    )
    names = list(export.choice.classes)
    return COCODetectionDatasetExporter(
        labels_path=str(path),
        export_media=False,
        rel_dir=str(base),
        classes=names,
        categories=[
            {"id": number, "name": name, "supercategory": ""}
            for number, name in enumerate(names, 1)
        ],
        info={**info, "licenses": []},
        extra_attrs=list(export.choice.attributes) or False,
    )


EXPORTER = CocoExporter()
