"""Format ``tokens``: which keyframes, and why each of them."""

from __future__ import annotations

import csv
import importlib.metadata
import json
from pathlib import Path
from typing import Any

import numpy as np

from raremine.brain.selection.exporters.job import ExportJob, Written
from raremine.brain.selection.result import Pick, Selection

SPLITS = "splits.json"
"""Name of the file in which the devkit looks for custom splits."""

PREDEFINED = frozenset(
    {
        *("train", "val", "test", "mini_train", "mini_val"),
        *("train_detect", "train_track"),
    }
)
"""Splits that the devkit knows by itself: for these it reads no file."""

_BYTES_A_FRAME = 2000
"""Generous: token, scene, reason and concepts, in JSON and in CSV."""


class TokensExporter:
    """Sample tokens as JSON and CSV, and as a nuScenes custom split.

    ``<name>.json`` holds the tokens by split, those of the evaluation splits
    whole and apart, and what made the selection; ``<name>.csv`` one row for
    each chosen frame with why it is in; ``splits.json`` scene names by split
    in the form that nuscenes-devkit (1.1.10 or later) reads from a version
    folder.
    """

    summary = "sample tokens per split as JSON and CSV, and a custom split"

    def space(self, job: ExportJob) -> int:
        """Returns the bytes that the export will need on disk, at most."""
        every = len(job.selection) + sum(
            map(len, job.evaluation_tokens.values())
        )
        scenes = len(set(job.frames.scene.tolist()))
        return _BYTES_A_FRAME * (every + 2 * scenes + 10)

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
            "evaluation": job.evaluation_tokens,
        }
        path = job.folder / f"{job.stem}.json"
        write_json(document, path)
        _write_csv(selection, job.folder / f"{job.stem}.csv")
        write_json(custom_splits(job), job.folder / SPLITS)
        return Written(path)


def custom_splits(job: ExportJob) -> dict[str, list[str]]:
    """Returns scene names by split, the selection's own split among them.

    The devkit's custom splits are of scenes: the selection's names all
    scenes that it has a frame of, with all their frames. The data set's own
    splits come first, as for many readers a scene is in the first split that
    names it.

    Args:
        job: the export
    """
    frames = job.frames
    scenes: dict[str, set[str]] = {}
    for split, scene in zip(
        frames.split.tolist(), frames.scene.tolist(), strict=True
    ):
        if split:
            scenes.setdefault(split, set()).add(scene)
    chosen = np.isin(frames.sample_token, job.train_tokens)
    name = job.selection.name
    while name in scenes or name in PREDEFINED:
        name = f"{name}_selection"
    own = {name: set(frames.scene[chosen].tolist())}
    return {
        split: sorted(names)
        for split, names in (*sorted(scenes.items()), *own.items())
    }


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
