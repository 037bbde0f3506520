"""Mines a rendered world and exports the splits that detectors train on."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks._measure import tell
from benchmarks._quality_worlds import world_config
from benchmarks._rendered_world import rendered_world

SPLITS: Mapping[str, Mapping[str, Any]] = {
    "full data": {"random": 1.0},
    "random 20 %": {"random": 0.2},
    "random 10 + target 10 %": {"random": 0.1, "target": 0.1},
    "random 10 + pareto 10 %": {"random": 0.1, "pareto": 0.1},
    "core-set 20 %": {"core_set": 0.2},
}
"""Recipe of each contestant, as shares of the pool's train split."""

FILL = {"top_up": "random"}
"""Every contestant but the first trains on the same number of frames."""

HELD_OUT = "held_out"
NAME = "raremine-bench-split"


def export(
    folder: Path,
    pool: list[int] | str,
    held_out: list[int] | str,
    seeds: int,
) -> dict[str, Any]:
    """Renders and loads both worlds, mines one and writes all splits.

    Args:
        folder: gets the worlds and one YOLO dataset for each split
        pool: seed, scenes and keyframes of the world to choose from, or the
            name of a dataset that is mined
        held_out: likewise, of the world to measure on; if it is rendered,
            all classes are about equally common in it
        seeds: how many selections to draw of each contestant

    Returns:
        ``splits``: rows with split, seed, ``images`` folder, frames and
        boxes of each class; ``held_out``: likewise one row; ``names``
    """
    from dataclasses import replace

    import fiftyone as fo

    import raremine.brain as rmb

    def split(dataset: Any, media: str) -> list[dict[str, Any]]:
        return [
            _write(dataset, folder, name, recipe, seed, media)
            for name, recipe in SPLITS.items()
            for seed in range(seeds)
        ]

    def whole(dataset: Any, media: str) -> dict[str, Any]:
        return _write(dataset, folder, HELD_OUT, {"random": 1.0}, 0, media)

    # a rendered world does not stay, so its images are copied

    if isinstance(pool, str):
        rows = split(fo.load_dataset(pool), "symlink")
    else:
        config = world_config(*pool)
        with rendered_world(config, f"{NAME}-pool") as (dataset, models):
            rmb.mine(dataset, **models, evaluate=False)
            rmb.embed_frames(dataset, **models["embedder"])
            rows = split(dataset, "copy")
    if isinstance(held_out, str):
        measured = whole(fo.load_dataset(held_out), "symlink")
    else:
        config = replace(world_config(*held_out), rarity=0.0)
        with rendered_world(config, f"{NAME}-{HELD_OUT}") as (dataset, _):
            measured = whole(dataset, "copy")
    return {"splits": rows, HELD_OUT: measured}


def _write(
    dataset: Any,
    folder: Path,
    name: str,
    recipe: Mapping[str, Any],
    seed: int,
    media: str,
) -> dict[str, Any]:
    """Selects, exports and counts what is in it."""
    import yaml

    import raremine.brain as rmb

    plain = "".join(c if c.isalnum() else "-" for c in name)
    selection = rmb.select_frames(
        dataset, {**recipe, **FILL}, name=f"{plain}-{seed}", seed=seed
    )
    path = Path(
        rmb.export_selection(
            dataset,
            selection,
            "yolo",
            folder / "splits",
            evaluation=False,
            media=media,
        )
    )
    names = yaml.safe_load(path.read_text(encoding="utf-8"))["names"]
    boxes: Counter[str] = Counter()
    for file in (path.parent / "labels" / "train").glob("*.txt"):
        for line in file.read_text(encoding="utf-8").splitlines():
            boxes[names[int(line.split()[0])]] += 1
    return {
        "split": name,
        "seed": seed,
        "images": str(path.parent / "images" / "train"),
        "names": [names[number] for number in sorted(names)],
        "frames": len(selection.picks),
        "boxes": dict(boxes),
    }


def main() -> None:
    """``FOLDER POOL HELD_OUT SEEDS``, worlds as JSON."""
    folder, pool, held_out, seeds = sys.argv[1:5]
    tell(
        lambda: export(
            Path(folder), json.loads(pool), json.loads(held_out), int(seeds)
        )
    )


if __name__ == "__main__":
    main()
