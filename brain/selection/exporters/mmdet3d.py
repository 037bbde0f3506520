"""Format ``mmdet3d``: info files of mmdetection3d and BEVFusion."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from raremine.brain.errors import RaremineError
from raremine.brain.selection.exporters import info_mmdet3d
from raremine.brain.selection.exporters.info_files import LEGACY, V2
from raremine.brain.selection.exporters.info_filter import (
    Paths,
    filter_infos,
    filtered_bytes,
    val_bytes,
)
from raremine.brain.selection.exporters.info_tables import (
    Entry,
    info_tables,
    write_infos,
)
from raremine.brain.selection.exporters.job import ExportJob, Written

BEVFUSION = "bevfusion"
LAYOUTS = (V2, LEGACY, BEVFUSION)
NAME = "nuscenes_infos_{}.pkl"
"""What mmdetection3d's configurations call the files."""


class MMDet3DExporter:
    """Info pickles that mmdetection3d's ``NuScenesDataset`` reads.

    With ``infos``, the user's own pickle is cut down to the selection: what
    stays is as it was, in the same order, and the file keeps its name. Both
    layouts are found out: a dictionary of ``metainfo`` and ``data_list``
    (1.1 and later), or of ``infos`` and ``metadata`` (before, and BEVFusion).
    ``val`` is copied byte by byte.

    Without ``infos``, they are written from the nuScenes tables: the
    selection as training infos, all keyframes of the evaluation splits of
    the data set as validation infos.
    """

    summary = "info pickles for mmdetection3d and BEVFusion"

    def space(
        self,
        job: ExportJob,
        *,
        infos: Paths | None = None,
        val: str | Path | None = None,
        layout: str | None = None,
        sweeps: int = 10,
        prefix: str | Path | None = None,
        dataroot: str | Path | None = None,
        source_version: str | None = None,
    ) -> int:
        """Returns the bytes that the export will need on disk, at most.

        Takes what ``write`` takes.
        """
        _check(infos, layout, prefix)
        if infos is not None:
            return filtered_bytes(infos, val)
        found = info_tables(job, val, sweeps, dataroot, source_version)
        return found.bytes + val_bytes(val)

    def write(
        self,
        job: ExportJob,
        *,
        infos: Paths | None = None,
        val: str | Path | None = None,
        layout: str | None = None,
        sweeps: int = 10,
        prefix: str | Path | None = None,
        dataroot: str | Path | None = None,
        source_version: str | None = None,
    ) -> Written:
        """Writes the info files.

        Args:
            job: the export
            infos (None): path of your own training infos, or several; None
                = write them from the tables
            val (None): path of your own validation infos, which are copied
                as they are; None = none with ``infos``, else from the tables
            layout (None): "v2" (mmdetection3d 1.1 and later), "legacy"
                (1.0) or "bevfusion" (boxes as in 0.x, which BEVFusion has
                kept); None = as in ``infos``, else "v2"
            sweeps (10): clouds before each keyframe to list, from tables
            prefix (None): what paths in "legacy" and "bevfusion" begin with,
                such as "./data/nuscenes"; None = the dataroot's path. In
                "v2" that is up to the configuration's ``data_prefix``.
            dataroot (None): the tables' dataroot; None = what the data set
                was loaded from
            source_version (None): its version folder; None = as loaded

        Raises:
            DatarootError: if the tables are absent or malformed
            RaremineError: if an option does not fit, a file cannot be read
                or is of another layout, or has none of the selected frames
        """
        _check(infos, layout, prefix)
        if infos is not None:
            kinds = {None: (V2, LEGACY), V2: (V2,)}.get(layout, (LEGACY,))
            return filter_infos(job, infos, val, kinds)
        layout = layout or V2
        found = info_tables(job, val, sweeps, dataroot, source_version)
        version = found.source.folder.name
        start = str(found.source.dataroot if prefix is None else prefix)
        return write_infos(
            job,
            found,
            V2 if layout == V2 else LEGACY,
            _head(layout, version),
            _entry(layout, start),
            NAME,
            val=val,
            called=layout,
        )


def _check(
    infos: Paths | None, layout: str | None, prefix: str | Path | None
) -> None:
    if layout is not None and layout not in LAYOUTS:
        raise RaremineError(
            f"There is no layout '{layout}' of mmdetection3d's infos; choose "
            f"one of {', '.join(LAYOUTS)}."
        )
    if prefix is not None and (infos is not None or layout in (None, V2)):
        raise RaremineError(
            "prefix is for paths in infos written from the tables in layout "
            "'legacy' or 'bevfusion'; leave it out. In layout 'v2' the "
            "configuration's data_prefix says where media are."
        )


def _head(layout: str, version: str) -> dict[str, Any]:
    """Returns what is beside the entries."""
    if layout == V2:
        return {"metainfo": info_mmdet3d.metainfo(version)}
    return {"metadata": {"version": version}}


def _entry(layout: str, prefix: str) -> Entry:
    if layout == V2:
        return info_mmdet3d.entry
    bevfusion = layout == BEVFUSION
    make = partial(info_mmdet3d.legacy_entry, bevfusion=bevfusion)
    return lambda frame, index: make(frame, prefix)


EXPORTER = MMDet3DExporter()
