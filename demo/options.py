"""The demo's command line."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from demo.config import WorldConfig
from demo.weights_folder import WEIGHTS

DATASET = "raremine-demo"
FIRST_TRAINING_SEED = 1000
"""Seeds from here on are for worlds that models learn from or are tuned on."""


@dataclass(frozen=True)
class Options:
    """What the demo is asked to do.

    Attributes:
        out: folder for the world, the summary, the report and the tokens
        headless: end instead of opening the App
        world: the world to render
        preset: "default" or "paper"
        dataset: name of the FiftyOne dataset, replaced if it exists
        weights: folder of the demo models
        workers: rendering processes
        port: port of the App, None = FiftyOne's or the next free one
        address: address of the App, None = FiftyOne's
    """

    out: Path
    headless: bool
    world: WorldConfig
    preset: str
    dataset: str
    weights: Path
    workers: int
    port: int | None
    address: str | None


def parse_options(arguments: Sequence[str] | None = None) -> Options:
    """Reads the command line; ends the process on a mistake.

    Args:
        arguments (None): None = the process's own
    """
    default = WorldConfig(seed=7, scenes=40, keyframes=5)
    parser = argparse.ArgumentParser(
        prog="run.py demo",
        description="Render a small world, mine it, and open the App on it.",
    )
    add = parser.add_argument
    add("--out", type=Path, default=Path("outputs/demo"), metavar="DIR",
        help="where to write (default: outputs/demo)")
    add("--headless", action="store_true",
        help="end when all is written instead of opening the App")
    add("--seed", type=int, default=default.seed,
        help=f"seed of the world, below {FIRST_TRAINING_SEED} "
        f"(default: {default.seed})")
    add("--scenes", type=int, default=default.scenes,
        help=f"scenes to render (default: {default.scenes})")
    add("--keyframes", type=int, default=default.keyframes,
        help=f"keyframes of a scene (default: {default.keyframes})")
    add("--size", type=_size, default=default.image_size, metavar="WxH",
        help="size of the pictures (default: 800x450)")
    add("--preset", choices=("default", "paper"), default="default",
        help="settings of the pipeline (default: default)")
    add("--name", default=DATASET,
        help=f"name of the dataset, replaced (default: {DATASET})")
    add("--weights", type=Path, default=WEIGHTS, metavar="DIR",
        help="the demo models (default: demo/weights)")
    add("--workers", type=int, default=2,
        help="processes that render (default: 2)")
    add("--port", type=int, help="port of the App")
    add("--address", help="address that the App listens on")
    given = parser.parse_args(arguments)
    if not 0 <= given.seed < FIRST_TRAINING_SEED:
        parser.error(
            f"--seed {given.seed}: the models learned from worlds of seeds "
            f"from {FIRST_TRAINING_SEED} on; choose 0 to "
            f"{FIRST_TRAINING_SEED - 1}."
        )
    if given.workers < 1:
        parser.error(f"--workers {given.workers}: at least 1 is needed.")
    try:
        world = WorldConfig(
            seed=given.seed,
            scenes=given.scenes,
            keyframes=given.keyframes,
            image_size=given.size,
        )
    except ValueError as error:
        parser.error(str(error))
    return Options(
        out=given.out.expanduser().resolve(),
        headless=given.headless,
        world=world,
        preset=given.preset,
        dataset=given.name,
        weights=given.weights.expanduser().resolve(),
        workers=given.workers,
        port=given.port,
        address=given.address,
    )


def _size(text: str) -> tuple[int, int]:
    width, x, height = text.lower().partition("x")
    if not (x and width.isdecimal() and height.isdecimal()):
        raise argparse.ArgumentTypeError(
            f"'{text}' is not a size such as 800x450"
        )
    return int(width), int(height)
