"""Trains the three demo models and writes ``demo/weights``.

    python demo/train.py [--only detector|embedder|captioner] [--minutes N]
                         [--out DIR] [--cache DIR] [--seed N]
                         [--resume] [--score]

Worlds are rendered once into the cache. The detector trains first, because
the others learn from its mistakes too; these two train side by side, each in
a process of one thread.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path[0] = str(ROOT)

MODELS = ("detector", "embedder", "captioner")
MINUTES = {"detector": 105.0, "embedder": 35.0, "captioner": 75.0}
QUIET = {
    "YOLO_OFFLINE": "true",
    "YOLO_AUTOINSTALL": "false",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "OMP_NUM_THREADS": "1",
    # Training frees and takes the same large blocks again and again; giving
    # them back to the system each time costs a fifth of the run.
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 32),
}


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(
        description="Train the demo models on rendered worlds."
    )
    parser.add_argument("--only", choices=MODELS, help="train this model only")
    parser.add_argument(
        "--minutes", type=float, help="training time of each trained model"
    )
    parser.add_argument(
        "--out", type=Path, default=ROOT / "demo" / "weights", help="weights"
    )
    parser.add_argument(
        "--cache",
        type=Path,
        default=ROOT / "outputs" / "demo-train",
        help="rendered worlds, checkpoints and scores",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--resume", action="store_true", help="start from the weights in --out"
    )
    parser.add_argument(
        "--score",
        action="store_true",
        help="do not train, only measure the weights in --out again",
    )
    return parser.parse_args(argv)


def train_one(name: str, options: argparse.Namespace) -> None:
    """Trains and measures one model in this process.

    Args:
        name: one of ``MODELS``
        options: the command line; the worlds must be in its cache
    """
    import torch

    from demo import train_data as data

    torch.set_num_threads(1)
    worlds = options.cache / "worlds"
    record = options.cache / f"{name}.json"
    content: dict[str, Any] = {}
    if record.is_file():
        content = json.loads(record.read_text(encoding="utf-8"))
    if not options.score:
        minutes = options.minutes or MINUTES[name]
        pictures = data.load_pictures(data.TRAIN_WORLDS, worlds)
        before = content.get("training", {}) if options.resume else {}
        earlier = before.get("minutes", 0) + before.get("earlier minutes", 0)
        start = time.perf_counter()
        used = _train(name, pictures, options, minutes)
        content["training"] = {
            **used,
            "earlier minutes": round(earlier, 1),
            "seed": options.seed,
            "pictures": len(pictures),
            "minutes": round((time.perf_counter() - start) / 60, 1),
        }
    held_out = data.load_pictures(data.HELD_OUT_WORLDS, worlds)
    content["scores"] = _score(name, held_out, options)
    record.write_text(json.dumps(content, indent=2), encoding="utf-8")


def _train(
    name: str, pictures: Any, options: argparse.Namespace, minutes: float
) -> dict[str, Any]:
    from demo import train_data as data

    if name == "detector":
        from demo.train_detector import train_detector

        return train_detector(
            pictures,
            options.cache / "detector",
            options.out,
            minutes=minutes,
            seed=options.seed,
            resume=options.resume,
        )
    from demo.train_boxes import mistaken_crops

    unseen = data.load_pictures(data.UNSEEN_WORLDS, options.cache / "worlds")
    crops = list(data.crops([*pictures, *unseen], seed=options.seed))
    crops += mistaken_crops(unseen, options.out / "detector.pt")
    if name == "embedder":
        from demo.train_embedder import train_embedder as train
    else:
        from demo.train_captioner import train_captioner as train
    return train(
        crops,
        options.out / name,
        minutes=minutes,
        seed=options.seed,
        resume=options.resume,
    )


def _score(
    name: str, pictures: Any, options: argparse.Namespace
) -> dict[str, Any]:
    from demo import train_data as data
    from demo import train_scores as scores

    if name == "detector":
        return scores.score_detector(options.out, pictures)
    crops = list(data.crops(pictures, seed=7))
    if name == "embedder":
        return scores.score_embedder(options.out / name, crops)
    # Four runs over every crop would take longer than they tell more.
    return scores.score_captioner(options.out / name, crops[::3])


def main(argv: list[str] | None = None) -> int:
    """Renders what is missing, trains what is asked for, writes the README.

    Returns:
        the exit status
    """
    options = arguments(argv)
    if any(os.environ.get(k) != v for k, v in QUIET.items()):
        # Read by libraries when they load, so set before a new process.
        command = [sys.executable, str(Path(__file__).resolve())]
        command += sys.argv[1:] if argv is None else argv
        return subprocess.call(command, env={**os.environ, **QUIET})
    from demo import train_data as data
    from demo.train_readme import write_readme

    options.cache.mkdir(parents=True, exist_ok=True)
    worlds = options.cache / "worlds"
    specs = (*data.TRAIN_WORLDS, *data.UNSEEN_WORLDS, *data.HELD_OUT_WORLDS)
    seconds = data.render_worlds(specs, worlds)
    print(f"rendered worlds in {seconds:.0f} s", flush=True)
    if options.only:
        train_one(options.only, options)
        write_readme(options.out, options.cache)
        return 0
    extra = ["--out", str(options.out), "--cache", str(options.cache)]
    extra += ["--seed", str(options.seed)] + ["--score"] * options.score
    extra += ["--resume"] * options.resume
    if options.minutes:
        extra += ["--minutes", str(options.minutes)]
    command = [sys.executable, str(Path(__file__).resolve()), *extra]
    status = [subprocess.call([*command, "--only", "detector"])]
    others = [
        subprocess.Popen([*command, "--only", name])
        for name in ("embedder", "captioner")
    ]
    status += [process.wait() for process in others]
    write_readme(options.out, options.cache)
    return max(status)


if __name__ == "__main__":
    sys.exit(main())
