"""The datasheet beside an export: what it is and how it came about."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from raremine.brain.selection.exporters.job import ExportJob, Written

DATASHEET = "datasheet.json"


def write_datasheet(
    job: ExportJob,
    format: str,
    options: Mapping[str, Any],
    written: Written,
) -> None:
    """Writes the datasheet of an export into its folder.

    Args:
        job: the export, with everything else written
        format: its format
        options: the format's options
        written: what the format says that it wrote
    """
    sheet = {
        "selection": job.selection.name,
        "format": format,
        "options": {k: str(v) for k, v in options.items()},
        "raremine": importlib.metadata.version("raremine"),
        **written.facts,
    }
    path = job.folder / DATASHEET
    path.write_text(json.dumps(sheet, indent=1) + "\n", encoding="utf-8")


def is_export(folder: Path) -> bool:
    """Tells whether a folder is one that ``export_selection`` has made."""
    return folder.is_dir() and (folder / DATASHEET).is_file()
