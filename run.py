"""One door to raremine: demo, tests, App and benchmarks.

Makes or reuses ``.venv`` in this repository, installs the tested versions
into it, makes sure that FiftyOne has a database that runs, and hands over to
the command. Nothing but Python 3.10 or newer is needed beforehand.
"""

import sys

OLDEST_PYTHON = (3, 10)
NEWEST_PYTHON = (3, 12)


def python_problem(version: tuple) -> str:
    """Say in a sentence why a Python cannot be used; empty if it can.

    Every Python from 3.6 on has to get this far, hence its plain types.
    """
    have = f"{version[0]}.{version[1]}"
    if tuple(version[:2]) < OLDEST_PYTHON:
        problem = "is too old: raremine needs Python 3.10, 3.11 or 3.12"
    elif tuple(version[:2]) > NEWEST_PYTHON:
        problem = (
            "is too new: nuscenes-devkit needs NumPy 1, whose last release "
            "is for Python 3.12 at most"
        )
    else:
        return ""
    return f"Python {have} {problem}. Try `python3.11 run.py ...`."


if python_problem(sys.version_info):
    sys.exit(python_problem(sys.version_info))

import argparse  # noqa: E402
import signal  # noqa: E402
import subprocess  # noqa: E402
from collections.abc import Mapping, Sequence  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import NoReturn  # noqa: E402

from bootstrap import ROOT, SetupError  # noqa: E402
from bootstrap.database import ensure_mongod, mongod_path  # noqa: E402
from bootstrap.environment import (  # noqa: E402
    ensure_venv,
    isolated_environment,
    venv_python,
)
from bootstrap.plugins import plugins_folder  # noqa: E402

# No library may install packages or call home behind the user's back.
QUIET = {
    "YOLO_AUTOINSTALL": "false",
    "FIFTYONE_DO_NOT_TRACK": "true",
    "FIFTYONE_DATABASE_VALIDATION": "false",
    "NO_ALBUMENTATIONS_UPDATE": "1",
}
# FiftyOne gives up on an operator after ten minutes; mining takes longer.
PATIENT = {"FIFTYONE_OPERATOR_TIMEOUT": "86400"}
# Without a scheduler of FiftyOne's own the App calls "Schedule" not available,
# unless this is set; `run.py worker` runs what was scheduled.
SCHEDULED = {"FIFTYONE_ALLOW_LEGACY_ORCHESTRATORS": "true"}
WORKER = "from fiftyone.core.cli import main; main()"
# Demo and tests bring their models along: a download would be a mistake.
OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "YOLO_OFFLINE": "true",
}


def benchmarks(root: Path = ROOT) -> list[str]:
    """Names of the benchmarks there are."""
    files = (root / "benchmarks").glob("*.py")
    return sorted(f.stem for f in files if not f.stem.startswith("_"))


def child_environment(
    environ: Mapping[str, str], *, offline: bool
) -> dict[str, str]:
    """The variables a command runs with; what the user set is kept.

    Args:
        environ: the variables to start from.
        offline: whether model libraries must not use the network.
    """
    defaults = {**QUIET, **PATIENT, **SCHEDULED}
    if offline:
        defaults |= OFFLINE
    return {**defaults, **environ}


def absolute_paths(arguments: Sequence[str], options: set[str]) -> list[str]:
    """Resolve the values of path options against the user's own folder.

    Commands run in the repository, wherever they were called from.
    """
    result: list[str] = []
    for i, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if equals and name in options:
            argument = f"{name}={Path(value).resolve()}"
        elif i and arguments[i - 1] in options:
            argument = str(Path(argument).resolve())
        result.append(argument)
    return result


def parse(arguments: Sequence[str]) -> tuple[str, list[str]]:
    """Split the command line into a command and what it is given."""
    parser = argparse.ArgumentParser(
        prog="run.py",
        description="raremine: find the rare objects of a driving data set.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=(
            "commands:\n"
            "  demo [--out DIR] [--headless]    render a small world, mine "
            "it, open the App\n"
            "  app [DATASET] [--port PORT]      open the App on a dataset\n"
            "  worker                           run what is scheduled in the "
            "App\n"
            "  test [ARGUMENTS OF PYTEST]       run the tests\n"
            "  lint                             run ruff and mypy\n"
            "  bench NAME [--json FILE] [--quick]\n"
        ),
    )
    commands = ["demo", "app", "worker", "test", "lint", "bench"]
    parser.add_argument("command", choices=commands)
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    options = parser.parse_args(arguments)
    return options.command, options.arguments


def command_line(command: str, arguments: Sequence[str]) -> list[list[str]]:
    """What the environment's Python is called with, one call after another.

    Raises:
        SetupError: the benchmark does not exist.
    """
    if command == "demo":
        return [["-m", "demo", *absolute_paths(arguments, {"--out"})]]
    if command == "app":
        return [["-m", "raremine.operators.launch", *arguments]]
    if command == "worker":
        # -m: a run that is cancelled ends, wherever it is
        launch = ["delegated", "launch", "-m", "--monitor-interval", "2"]
        return [["-c", WORKER, *launch, *arguments]]
    if command == "test":
        return [["-m", "pytest", *arguments]]
    if command == "lint":
        return [
            ["-m", "ruff", "check", "."],
            ["-m", "bootstrap.typecheck"],
        ]
    name = arguments[0] if arguments else ""
    if name not in benchmarks():
        known = ", ".join(benchmarks()) or "none yet"
        wanted = f"no benchmark {name!r}" if name else "no benchmark named"
        raise SetupError(f"{wanted}. There are: {known}.")
    rest = absolute_paths(arguments[1:], {"--json"})
    return [["-m", f"benchmarks.{name}", *rest]]


def call(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run the environment's Python in the repository, until it ends.

    An interrupt reaches the child as well, which decides how to end.
    """
    command = [str(venv_python()), *arguments]
    process = subprocess.Popen(command, cwd=ROOT, env=dict(environ))
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    status = process.wait()
    return status if status >= 0 else 128 - status


def main(arguments: Sequence[str]) -> int:
    """Set up what a command needs and run it; returns its exit status."""
    command, rest = parse(arguments)
    calls = command_line(command, rest)
    ensure_venv(development=command in ("test", "lint"))
    offline = command in ("demo", "test")
    environ = child_environment(isolated_environment(), offline=offline)
    if command != "lint":
        ensure_mongod(mongod_path(), environ)
    if command in ("demo", "app", "worker"):
        environ["FIFTYONE_PLUGINS_DIR"] = str(plugins_folder(environ))
    return max([call(line, environ) for line in calls])


def _exit(error: SetupError) -> NoReturn:
    sys.exit(f"run.py: {error}")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(main(sys.argv[1:]))
    except SetupError as problem:
        _exit(problem)
    except KeyboardInterrupt:
        sys.exit(130)
