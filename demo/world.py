"""Writes a rendered mini world as a nuScenes dataroot.

Run it from the repository root: ``python -m demo.world OUT --scenes 20`` or
``python demo/world.py OUT``.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

if __package__ in (None, ""):
    # Started as a file: the folder above demo/ is not on the path then.
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cv2

from demo.config import WorldConfig
from demo.plan import splits
from demo.render import (
    RenderedImage,
    RenderedObject,
    render_images,
    render_scene_images,
    scene_name,
)
from demo.scene_writer import SCENE_TABLES, SceneWriter
from demo.tables import Row, fixed_tables

__all__ = [
    "VERSION",
    "RenderedImage",
    "RenderedObject",
    "WorldConfig",
    "render_images",
    "render_scene_images",
    "write_world",
]

VERSION = "v1.0-demo"


def _write_scene(
    job: tuple[Path, WorldConfig, int]
) -> tuple[int, dict[str, list[Row]]]:
    root, config, index = job
    # One thread a worker: the pool already fills the cores.
    cv2.setNumThreads(1)
    return index, SceneWriter(root, config, index).write()


def _scenes(
    root: Path, config: WorldConfig, workers: int
) -> Iterator[tuple[int, dict[str, list[Row]]]]:
    jobs = [(root, config, i) for i in range(config.scenes)]
    if workers <= 1:
        threads = cv2.getNumThreads()
        try:
            yield from map(_write_scene, jobs)
        finally:
            cv2.setNumThreads(threads)
        return
    context = multiprocessing.get_context("spawn")
    with context.Pool(min(workers, config.scenes)) as pool:
        yield from pool.imap_unordered(_write_scene, jobs)


def write_world(
    dataroot: Path,
    config: WorldConfig,
    *,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Renders a world and writes it as a nuScenes dataroot.

    The folder appears only when it is complete; an interrupted run leaves
    nothing under its name.

    Args:
        dataroot: Folder to make; must not exist yet, or be empty.
        config: The world; equal configurations give equal bytes.
        workers (1): Processes to share the scenes among.
        progress (None): Called with scenes done and scenes in all.

    Returns:
        ``dataroot``, holding the version folder ``v1.0-demo``.

    Raises:
        FileExistsError: ``dataroot`` exists and is not an empty folder.
    """
    dataroot = Path(dataroot)
    if dataroot.exists() and (
        not dataroot.is_dir() or any(dataroot.iterdir())
    ):
        raise FileExistsError(
            f"{dataroot} exists already and a world is never written over "
            "something; choose another folder or delete this one first."
        )
    dataroot.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(
        prefix=f".{dataroot.name}-", dir=dataroot.parent))
    try:
        parts: dict[int, dict[str, list[Row]]] = {}
        for index, rows in _scenes(work, config, workers):
            parts[index] = rows
            if progress is not None:
                progress(len(parts), config.scenes)
        tables: dict[str, Any] = dict(fixed_tables())
        for name in SCENE_TABLES:
            tables[name] = [
                row for i in range(config.scenes) for row in parts[i][name]]
        folder = work / VERSION
        folder.mkdir()
        for name, rows_ in tables.items():
            (folder / f"{name}.json").write_text(json.dumps(rows_, indent=0))
        held: dict[str, list[str]] = {"train": [], "val": []}
        for index, split in enumerate(splits(config)):
            held[split].append(scene_name(config, index))
        (folder / "splits.json").write_text(json.dumps(held, indent=1))
        work.chmod(0o755)
        if dataroot.exists():
            dataroot.rmdir()
        work.replace(dataroot)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    return dataroot


def main(arguments: list[str] | None = None) -> None:
    """Command line: ``OUT --seed 0 --scenes 20 ...``."""
    parser = argparse.ArgumentParser(
        description="Render a mini world as a nuScenes dataroot.")
    default = WorldConfig()
    parser.add_argument("out", type=Path, help="folder to make")
    parser.add_argument("--seed", type=int, default=default.seed)
    parser.add_argument("--scenes", type=int, default=default.scenes)
    parser.add_argument("--keyframes", type=int, default=default.keyframes)
    parser.add_argument("--width", type=int, default=default.image_size[0])
    parser.add_argument("--height", type=int, default=default.image_size[1])
    parser.add_argument("--rarity", type=float, default=default.rarity)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args(arguments)
    try:
        config = WorldConfig(
            seed=options.seed, scenes=options.scenes,
            keyframes=options.keyframes, rarity=options.rarity,
            image_size=(options.width, options.height))
        write_world(
            options.out, config, workers=options.workers,
            progress=lambda done, total: print(
                f"scene {done} of {total}", flush=True))
    except (FileExistsError, ValueError) as error:
        parser.exit(2, f"{error}\n")
    print(f"wrote {options.out} ({VERSION})")


if __name__ == "__main__":
    main()
