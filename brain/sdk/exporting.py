"""A selection is written out for training code."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import fiftyone as fo

    from raremine.brain.selection.export import ExportPlan
    from raremine.brain.selection.result import Selection


def export_selection(
    dataset: fo.Dataset,
    selection: Selection | str | None,
    format: str,
    out_dir: str | Path,
    **options: Any,
) -> Path:
    """Exports a selection for training code.

    Full documentation:
    :func:`raremine.brain.selection.export.export_selection`.

    Args:
        dataset: the dataset
        selection: a ``Selection``, its name, or None for the last one
        format: "tokens" (sample tokens as JSON and CSV), "mmdet3d" and
            "openpcdet" (info files), "nuscenes" (a smaller dataroot),
            "coco", "yolo" (2D boxes), "fiftyone" (a dataset)
        out_dir: folder to write to; the export is a folder in it
        **options: ``overwrite`` (False), ``progress`` and the options of
            the format, see docs/exports.md

    Returns:
        path of the file or folder that training code is pointed to

    Raises:
        RaremineError: if the format or an option is unknown, the export
            exists already, or the disk is too small
    """
    from raremine.brain.selection.export import export_selection as export

    return export(dataset, selection, format, out_dir, **options)


def plan_export(
    dataset: fo.Dataset,
    selection: Selection | str | None,
    format: str,
    out_dir: str | Path,
    **options: Any,
) -> ExportPlan:
    """Tells where an export would go and how much disk it needs.

    Takes what ``export_selection`` takes and writes nothing.

    Args:
        dataset: the dataset
        selection: a ``Selection``, its name, or None for the last one
        format: as for ``export_selection``
        out_dir: folder to write to
        **options: options of the format

    Returns:
        an ``ExportPlan`` with ``destination``, ``bytes``, ``free`` and
        ``exists``

    Raises:
        RaremineError: as ``export_selection``
    """
    from raremine.brain.selection.export import plan_export as plan

    return plan(dataset, selection, format, out_dir, **options)
