"""The demo: ``python3 run.py demo``, or ``python -m demo``."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import traceback
from collections.abc import Sequence

from demo.options import Options, parse_options
from run import OFFLINE, QUIET

LOG = "demo.log"

THREADS = {"OMP_WAIT_POLICY": "PASSIVE"}
"""Idle threads sleep. Spinning, the default, made captions four times as slow
on two cores that had anything else to do: the demo models are so small that
their threads mostly wait."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the demo.

    Returns:
        the exit status: 0, 2 for a mistake of the user, 1 for one of ours,
        130 when interrupted
    """
    options = parse_options(arguments)
    # Read by libraries when they are imported, which happens below.
    for name, value in {**QUIET, **OFFLINE, **THREADS}.items():
        os.environ.setdefault(name, value)
    os.environ.setdefault("FIFTYONE_SHOW_PROGRESS_BARS", "false")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    from raremine.brain.errors import RaremineError

    try:
        _check(options)
        _run(options)
    except RaremineError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("demo: interrupted", file=sys.stderr)
        return 130
    except Exception as error:
        log = options.out / LOG
        with log.open("a", encoding="utf-8") as file:
            traceback.print_exc(file=file)
        print(
            f"demo: {type(error).__name__}: {error}\n"
            f"demo: this should not happen; details are in {log}",
            file=sys.stderr,
        )
        return 1
    return 0


def _check(options: Options) -> None:
    """Finds a user's mistake before anything costs time."""
    from demo.weights_folder import find_models
    from raremine.brain.errors import RaremineError
    from raremine.operators.launch import free_port

    find_models(options.weights)
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / LOG).touch()
    except OSError as error:
        raise RaremineError(
            f"Cannot write into {options.out} ({error.strerror}); choose "
            "another folder with --out."
        ) from error
    if options.port and not options.headless:
        address = options.address or "127.0.0.1"
        free = free_port(options.port, address)
        if free != options.port:
            raise RaremineError(
                f"Port {options.port} is taken; pass --port {free}."
            )


def _run(options: Options) -> None:
    from demo.console import quiet
    from demo.weights_folder import find_models

    with quiet(options.out / LOG) as console:
        from demo.mining import run

        summary = run(options, find_models(options.weights), console)
        console.say()
        console.say(f"  Written to {options.out}:")
        console.say("    " + "  ".join(summary["files"]))
        if options.headless:
            return
        from raremine.operators.launch import open_app

        console.say()
        console.say("Opening the App …")
        with contextlib.redirect_stdout(console.stream):
            open_app(options.dataset, options.port, options.address)


if __name__ == "__main__":
    sys.exit(main())
