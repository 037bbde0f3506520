"""The demo's job: render a world, load it, mine it, sum it up."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from demo.config import WorldConfig
from demo.console import Console
from demo.options import Options
from demo.summary import print_summary, summarise
from demo.weights_folder import DemoModels
from raremine.brain.errors import RaremineError

NOT_RENDERING = ("train", "console", "mining", "options", "summary", "__",
                 "weights", "figures")
"""Beginnings of modules here that no pixel of a world depends on."""


def run(
    options: Options, models: DemoModels, console: Console
) -> dict[str, Any]:
    """Renders, loads and mines; writes the summary, report and tokens.

    Args:
        options: what to do
        models: the demo models
        console: where progress goes

    Returns:
        the summary, see ``demo.summary``
    """
    import raremine.brain as rmb
    from raremine.brain.report.stage import write_report

    watch = _Watch()
    console.say(
        f"Rendering {options.world.scenes} scenes of "
        f"{options.world.keyframes} keyframes, six cameras and a LiDAR …"
    )
    dataroot, reused = watch.time(
        "render", lambda: render(options, console)
    )
    if reused:
        console.say(f"  found rendered in {_short(dataroot)}")
    dataset = watch.time(
        "load",
        lambda: rmb.load_nuscenes(
            dataroot,
            world_version(),
            options.dataset,
            overwrite=True,
            media_dir=dataroot.with_name(f"{dataroot.name}-clouds"),
            progress=lambda done, total: console.progress(
                done, total, "Loading keyframes"
            ),
        ),
    )
    console.say(f"Mining with the preset “{options.preset}” …")
    start = time.perf_counter()
    result = rmb.mine(
        dataset,
        options.preset,
        detector=models.detector,
        embedder=models.embedder,
        captioner=models.captioner,
        out_dir=options.out,
        progress=console.progress,
    )
    watch.seconds["models"] = max(
        time.perf_counter() - start - sum(result["seconds"].values()), 0.0
    )
    scenes = len(dataset.distinct("scene_name"))
    result["stages"] = [
        {"stage": "render", "scenes": scenes, "keyframes": len(dataset)},
        {"stage": "load", "images": result["images"]},
        {"stage": "models", "loaded": "detector, embedder, captioner"},
        *result["stages"],
    ]
    result["seconds"] = {
        **{k: round(v, 3) for k, v in watch.seconds.items()},
        **result["seconds"],
    }
    summary = summarise(dataset, result, options, reused=reused)
    (options.out / "summary.json").write_text(
        json.dumps(summary, indent=1, ensure_ascii=False) + "\n",
        encoding="utf-8",
    )
    write_report(
        dataset,
        result,
        options.out / "report.html",
        title="A rendered mini world",
        facts={
            "world": f"seed {options.world.seed}, rendered; models: the "
            "demo's own, trained on worlds of other seeds",
            "machine": ", ".join(
                f"{v} {k}" if k == "cores" else str(v)
                for k, v in summary["machine"].items()
            ),
        },
    )
    print_summary(summary, result, console)
    return summary


def render(options: Options, console: Console) -> tuple[Path, bool]:
    """Renders the world under ``out``, or finds it there.

    Returns:
        the dataroot, and whether it was there already

    Raises:
        RaremineError: if it cannot be written
    """
    from demo.world import write_world

    dataroot = options.out / "worlds" / world_name(options.world)
    # what an earlier run left when it was killed while rendering
    for remains in dataroot.parent.glob(f".{dataroot.name}-*"):
        shutil.rmtree(remains, ignore_errors=True)
    if dataroot.is_dir():
        return dataroot, True
    try:
        write_world(
            dataroot,
            options.world,
            workers=options.workers,
            progress=lambda done, total: console.progress(
                done, total, "Rendering scenes"
            ),
        )
    except OSError as error:
        raise RaremineError(
            f"The world cannot be written to {dataroot} "
            f"({error.strerror or error}); free some space or choose another "
            "folder with --out."
        ) from error
    return dataroot, False


def world_name(config: WorldConfig) -> str:
    """Names a world after what it is made from.

    The name ends in a hash of the whole configuration and of the code that
    renders, so that a world of an older renderer is not taken for this one.
    """
    digest = hashlib.sha256(
        json.dumps(asdict(config), sort_keys=True).encode()
    )
    for module in sorted(Path(__file__).parent.glob("*.py")):
        if not module.name.startswith(NOT_RENDERING):
            digest.update(module.read_bytes())
    return (
        f"seed{config.seed}-{config.scenes}x{config.keyframes}-"
        f"{digest.hexdigest()[:10]}"
    )


def world_version() -> str:
    """Name of a rendered world's version folder."""
    from demo.world import VERSION

    return VERSION


class _Watch:
    """Times what happens before ``mine`` takes its own times."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def time(self, name: str, work: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        result = work()
        self.seconds[name] = time.perf_counter() - start
        return result


def _short(path: Path) -> str:
    """Returns a path as seen from here, if it lies below."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
