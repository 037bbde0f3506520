"""What a demo run came to: ``summary.json`` and the tables on the console."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from demo.console import Console
from demo.options import Options
from raremine.brain.frames import read_frames
from raremine.brain.report.content import selection_reach, stored_evaluation
from raremine.brain.report.stages import stage_rows
from raremine.brain.runs import library_versions
from raremine.brain.selection.result import Selection
from raremine.brain.strategies import DEFAULT, RANDOM

BUDGET = 0.2


def summarise(
    dataset: Any,
    result: Mapping[str, Any],
    options: Options,
    *,
    reused: bool = False,
) -> dict[str, Any]:
    """Sums a run up in plain values, without paths or names of the machine.

    Recalls are shares of the train keyframes that hold a target object by
    ground truth. ``target_recall_at_20`` is what the first 20 % of the
    frames in raremine's order hold, ``random_recall_at_20`` the mean over
    many random orders; ``selection`` says what the selected frames (a random
    and a mined part) hold.

    Args:
        dataset: the mined dataset
        result: what ``mine`` returned, with the stages before it
        options: what the demo was asked to do
        reused: whether the world had been rendered before
    """
    report = stored_evaluation(result)
    selection = Selection.from_dict(result["selection"])
    reach = selection_reach(
        dataset,
        read_frames(dataset),
        selection,
        targets=report.meta["targets"] if report else None,
    )

    def recall(strategy: str, target: str = "all") -> float | None:
        if report is None:
            return None
        value = report.recall(strategy, BUDGET, target)
        return None if value != value else round(value, 4)

    classes = report.meta["targets"] if report else ()
    scenes = dataset.distinct("scene_name")
    return {
        "preset": result["preset"],
        "seed": options.world.seed,
        "scenes": len(scenes),
        "frames": result["frames"],
        "images": result["images"],
        "image_size": list(options.world.image_size),
        "objects": result["objects"],
        "groups": result["groups"],
        "failures": result["failures"],
        "target_recall_at_20": recall(DEFAULT),
        "random_recall_at_20": recall(RANDOM),
        "by_class_at_20": {
            c: {"target": recall(DEFAULT, c), "random": recall(RANDOM, c)}
            for c in classes
        },
        "evaluation_skipped": result.get("evaluation_skipped"),
        "truth": report.meta["truth"] if report else None,
        "selection": {
            "name": selection.name,
            "frames": len(selection),
            "pool": selection.pool_size,
            "counts": selection.counts,
            "shortages": [s.reason for s in selection.shortages],
            "notes": list(selection.notes),
            "scenes": len({p.scene for p in selection.picks}),
            "target_recall": reach and round(reach.frame_recall, 4),
            "random_recall": reach and round(reach.share, 4),
        },
        "seconds": result["seconds"],
        "seconds_total": round(sum(result["seconds"].values()), 3),
        "world_reused": reused,
        "stages": [_without_paths(s) for s in result["stages"]],
        "files": [
            "report.html",
            "summary.json",
            *(
                ["/".join(Path(result["export"]).parts[-2:])]
                if result["export"]
                else []
            ),
        ],
        "versions": library_versions(),
        "machine": machine(),
    }


def machine() -> dict[str, Any]:
    """What the numbers of a run depend on, but no names."""
    import torch

    cuda = torch.cuda.is_available()
    return {
        "cores": _cores(),
        "gpu": torch.cuda.get_device_name() if cuda else "no GPU",
        "system": f"{platform.system()} {platform.machine()}",
        "python": f"Python {platform.python_version()}",
    }


def print_summary(
    summary: Mapping[str, Any],
    result: Mapping[str, Any],
    console: Console,
) -> None:
    """Prints the tables: stages, groups, recall.

    Args:
        summary: the summary
        result: ``stages``, ``seconds`` and what else ``stage_rows`` reads
        console: where to
    """
    rows = [
        (r.title, r.outcome, f"{r.failures:,}", f"{r.seconds:.1f}")
        for r in stage_rows(result)
    ]
    total = f"{summary['seconds_total']:.1f}"
    failures = f"{summary['failures']:,}"
    console.say()
    console.table(
        ("Stage", "Outcome", "Failures", "Seconds"),
        [*rows, ("Total", "", failures, total)],
        right=(2, 3),
        wrap=1,
    )
    console.say()
    objects = max(summary["objects"], 1)
    console.table(
        ("Group", "Objects", "Share"),
        [
            (name.capitalize(), f"{number:,}", f"{number / objects:.1%}")
            for name, number in summary["groups"].items()
        ],
        right=(1, 2),
    )
    console.say()
    _print_recall(summary, console)


def _print_recall(summary: Mapping[str, Any], console: Console) -> None:
    mined = summary["target_recall_at_20"]
    random = summary["random_recall_at_20"]
    if mined is None:
        console.say(f"  Not measured: {summary['evaluation_skipped']}")
        return
    truth = summary["truth"]
    rows = [("any target", truth["frames_with_target"], mined, random)]
    for name, values in summary["by_class_at_20"].items():
        frames = truth["frames_by_class"][name]
        rows.append((name, frames, values["target"], values["random"]))
    console.table(
        ("Recall at 20% of frames", "Frames", "Mined", "Random", "Gain"),
        [
            (name, f"{frames:,}", _share(a), _share(b), _times(a, b))
            for name, frames, a, b in rows
        ],
        right=(1, 2, 3, 4),
    )
    chosen = summary["selection"]
    parts = " + ".join(f"{n} {c}" for c, n in chosen["counts"].items())
    console.say()
    console.say(
        f"  Selected {chosen['frames']} of {chosen['pool']} train frames"
        + (f" ({parts}) in {chosen['scenes']} scenes" if parts else "")
        + (
            f": {_share(chosen['target_recall'])} of the target frames, "
            f"random {_share(chosen['random_recall'])}"
            if chosen["target_recall"] is not None
            else ""
        )
    )
    for line in (*chosen["shortages"], *chosen["notes"]):
        console.say(f"  {line}")


def _without_paths(stage: Mapping[str, Any]) -> dict[str, Any]:
    """Keeps of a failure's place what does not depend on the machine."""
    failed = [
        {
            "where": Path(f["where"]).name,
            "reason": _without_folders(f["reason"], f["where"]),
        }
        for f in stage.get("failed", ())
    ]
    return {**stage, **({"failed": failed} if "failed" in stage else {})}


def _without_folders(reason: str, where: str) -> str:
    folder = str(Path(where).parent)
    return reason.replace(f"{folder}/", "") if folder != "." else reason


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"


def _times(a: float | None, b: float | None) -> str:
    return f"{a / b:.1f}×" if a is not None and b else "–"
