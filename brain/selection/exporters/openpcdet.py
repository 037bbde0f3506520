"""Format ``openpcdet``: info files of OpenPCDet."""

from __future__ import annotations

from pathlib import Path

from raremine.brain.selection.exporters import info_openpcdet
from raremine.brain.selection.exporters.info_files import OPENPCDET
from raremine.brain.selection.exporters.info_filter import (
    Paths,
    filter_infos,
    filtered_bytes,
    val_bytes,
)
from raremine.brain.selection.exporters.info_tables import (
    info_tables,
    write_infos,
)
from raremine.brain.selection.exporters.job import ExportJob, Written

NAME = "nuscenes_infos_{sweeps}sweeps_{{}}.pkl"
"""What OpenPCDet's configurations call the files."""


class OpenPCDetExporter:
    """Info pickles that OpenPCDet's ``NuScenesDataset`` reads.

    With ``infos``, the user's own pickle, a list of entries, is cut down to
    the selection: what stays is as it was, in the same order, and the file
    keeps its name. ``val`` is copied byte by byte.

    Without ``infos``, they are written from the nuScenes tables, with the
    cameras: the selection as training infos, all keyframes of the evaluation
    splits of the data set as validation infos.
    """

    summary = "info pickles for OpenPCDet"

    def space(
        self,
        job: ExportJob,
        *,
        infos: Paths | None = None,
        val: str | Path | None = None,
        sweeps: int = 10,
        dataroot: str | Path | None = None,
        source_version: str | None = None,
    ) -> int:
        """Returns the bytes that the export will need on disk, at most.

        Takes what ``write`` takes.
        """
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
        sweeps: int = 10,
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
            sweeps (10): clouds to aggregate, the keyframe's own among them,
                as OpenPCDet's ``MAX_SWEEPS`` counts them; from tables
            dataroot (None): the tables' dataroot; None = what the data set
                was loaded from
            source_version (None): its version folder; None = as loaded

        Raises:
            DatarootError: if the tables are absent or malformed
            RaremineError: if a file cannot be read or is of another layout,
                or has none of the selected frames
        """
        if infos is not None:
            return filter_infos(job, infos, val, (OPENPCDET,))
        found = info_tables(job, val, sweeps, dataroot, source_version)
        before = max(sweeps - 1, 0)
        return write_infos(
            job,
            found,
            OPENPCDET,
            {},
            lambda frame, index: info_openpcdet.entry(frame, before),
            NAME.format(sweeps=sweeps),
            val=val,
        )


EXPORTER = OpenPCDetExporter()
