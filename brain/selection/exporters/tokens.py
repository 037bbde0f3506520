"""Format ``tokens``: which keyframes, and why each of them."""

from __future__ import annotations

import csv
import importlib.metadata
import json
from pathlib import Path
from typing import Any

from raremine.brain.selection.exporters.job import ExportJob, Written
from raremine.brain.selection.result import Pick, Selection

_BYTES_A_FRAME = 2000
"""Generous: token, scene, reason and concepts, in JSON and in CSV."""


class TokensExporter:
    """Sample tokens as JSON and CSV, and as a nuScenes custom split.

    ``<name>.json`` holds the tokens by split and what made them,
    ``<name>.csv`` one row for each frame with why it is in.
    """

    summary = "sample tokens per split as JSON and CSV"

    def space(self, job: ExportJob) -> int:
        """Returns the bytes that the export will need on disk, at most."""
        every = len(job.selection) + sum(
            map(len, job.evaluation_tokens.values())
        )
        return _BYTES_A_FRAME * (every + 10)

    def write(self, job: ExportJob) -> Written:
        """Writes the selection's tokens."""
        selection = job.selection
        splits: dict[str, list[str]] = {}
        for pick in selection.picks:
            splits.setdefault(pick.split or "none", []).append(
                pick.sample_token
            )
        details = selection.to_dict()
        document = {
            "meta": {
                "name": selection.name,
                "dataset": job.dataset.name,
                "recipe": details["recipe"],
                "seed": selection.seed,
                "pool_size": selection.pool_size,
                "frames": len(selection),
                "counts": selection.counts,
                "shortages": details["shortages"],
                "notes": details["notes"],
                "raremine": importlib.metadata.version("raremine"),
            },
            "tokens": selection.tokens,
            "splits": splits,
        }
        path = job.folder / f"{job.stem}.json"
        write_json(document, path)
        _write_csv(selection, job.folder / f"{job.stem}.csv")
        return Written(path)


def write_json(document: Any, path: Path) -> None:
    """Writes plain values as JSON that reads well in a diff."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        json.dump(document, file, indent=1, ensure_ascii=False)
        file.write("\n")


def _write_csv(selection: Selection, path: Path) -> None:
    columns = list(Pick.__dataclass_fields__)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for pick in selection.picks:
            row = {name: getattr(pick, name) for name in columns}
            row["score"] = "" if pick.score is None else repr(pick.score)
            row["concepts"] = ";".join(pick.concepts)
            writer.writerow(row[name] for name in columns)


EXPORTER = TokensExporter()
