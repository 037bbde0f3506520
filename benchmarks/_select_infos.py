"""Info files of training code at trainval's size: cut down, and written."""

from __future__ import annotations

import json
import os
import pickle
import random
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks._measure import in_fresh_process, tell
from benchmarks._synthetic_infos import write_infos
from benchmarks._trainval_tables import VERSION, Size, write_tables

ENTRIES = 28_130
"""Training keyframes of nuScenes."""

SHARE = 0.2
"""Of the entries that are kept: one recipe's random and target tenth."""

PLAIN, OURS = "pickle.load, filter, pickle.dump", "raremine"
LAYOUTS = ("v2", "legacy", "openpcdet")

_OBJECT_BYTES = 9_000_000_000
"""Memory that all entries need as objects, and some."""


def rows(quick: bool) -> list[dict[str, Any]]:
    """Filters mmdetection3d pickles, and writes infos from the tables.

    Args:
        quick: measure at a tenth of the size
    """
    with tempfile.TemporaryDirectory() as folder:
        return [
            *_filtering(Path(folder), quick),
            *_writing(Path(folder), quick),
        ]


def _filtering(folder: Path, quick: bool) -> Iterator[dict[str, Any]]:
    path, wanted = folder / "infos.pkl", folder / "wanted.json"
    # large enough for the kernels, which are compiled once and kept
    wanted.write_text(json.dumps(write_infos(path, 1000)[:5]))
    in_fresh_process(
        "benchmarks._select_infos", "filter", OURS, str(path), str(wanted)
    )
    for count in (ENTRIES // 10, *([] if quick else [ENTRIES])):
        tokens = write_infos(path, count)
        chosen = random.Random(0).sample(tokens, round(SHARE * count))
        wanted.write_text(json.dumps(chosen))
        ways = [PLAIN, OURS]
        if count == ENTRIES and _free_memory() < _OBJECT_BYTES:
            ways = [OURS]
        for way in ways:
            print(f"  {count:,} infos: {way} ...", flush=True)
            told = in_fresh_process(
                "benchmarks._select_infos",
                *("filter", way, str(path), str(wanted)),
            )
            yield _row(
                "mmdetection3d pickle, cut down", way, count, path, told
            )
        path.unlink()


def _writing(folder: Path, quick: bool) -> Iterator[dict[str, Any]]:
    print("  tables ...", flush=True)
    write_tables(folder, Size.of_trainval(0.1 if quick else 1.0))
    for layout in LAYOUTS:
        print(f"  infos from tables: {layout} ...", flush=True)
        path = folder / "written.pkl"
        told = in_fresh_process(
            "benchmarks._select_infos", "write", layout, str(folder), str(path)
        )
        what = "from the tables, a tenth of train and all of val"
        yield _row(what, f"raremine, {layout}", told["read"], path, told)
        path.unlink()


def _row(
    what: str, way: str, count: int, path: Path, told: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "infos": what,
        "way": way,
        "keyframes": count,
        "written": told["written"],
        "MB": round(path.stat().st_size / 1e6),
        "seconds": told["seconds"],
        "CPU s": told["cpu_seconds"],
        "peak MB": round(told["peak_mb"]),
    }


def _free_memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    except (OSError, ValueError):
        return 0


def _filter(way: str, path: Path, wanted: Path) -> dict[str, Any]:
    tokens = frozenset(json.loads(wanted.read_text()))
    out = path.with_suffix(".out")
    if way == OURS:
        from raremine.brain.selection.exporters.info_files import filter_file

        kept: list[Any] = filter_file(path, tokens, out).tokens
    else:
        with path.open("rb") as file:
            document = pickle.load(file)
        kept = [e for e in document["data_list"] if e["token"] in tokens]
        document["data_list"] = kept
        with out.open("wb") as file:
            pickle.dump(document, file)
    out.unlink()
    return {"written": len(kept)}


def _write(layout: str, dataroot: Path, path: Path) -> dict[str, Any]:
    from raremine.brain.nuscenes.tables import read_tables
    from raremine.brain.selection.exporters import (
        info_mmdet3d,
        info_openpcdet,
    )
    from raremine.brain.selection.exporters.info_files import (
        Streamed,
        write_streamed,
    )
    from raremine.brain.selection.exporters.info_frames import info_frame

    tables = read_tables(dataroot, VERSION, sweeps=10)
    train = [f for f in tables.frames if f.scene.split == "train"]
    frames = train[::10]
    frames += [f for f in tables.frames if f.scene.split == "val"]

    def entries() -> Iterator[dict[str, Any]]:
        for at, frame in enumerate(frames):
            found = info_frame(tables, frame)
            assert found is not None
            if layout == "v2":
                yield info_mmdet3d.entry(found, at)
            elif layout == "legacy":
                yield info_mmdet3d.legacy_entry(found, "data/nuscenes")
            else:
                yield info_openpcdet.entry(found, 9)

    write_streamed(layout, {}, Streamed(entries()), path)
    return {"written": len(frames), "read": len(tables.frames)}


def main() -> None:
    """Measures one way, as its own process."""
    task, way, path, other = sys.argv[1:]
    if way != PLAIN:
        # what any export has imported before
        import raremine.brain.selection.exporters  # noqa: F401
    work = _filter if task == "filter" else _write
    tell(lambda: work(way, Path(path), Path(other)))


if __name__ == "__main__":
    main()
