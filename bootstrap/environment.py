"""The virtual environment of the repository: made, reused, repaired.

A stamp inside the environment records what it was made from and is written
last, so an installation that was interrupted is noticed; an environment whose
stamp fits is used as it is, without a call of pip.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bootstrap import ROOT, SetupError, say

VENV = ROOT / ".venv"
LOG = ROOT / ".venv-install.log"
STAMP = "raremine-stamp.json"
INSTALLING = "raremine-installing"

LOCK_PYTHON = "3.11"
VENV_GB = 9.0
TEMP_GB = 3.0
_HEARTBEAT_S = 15.0


def venv_python(venv: Path = VENV) -> Path:
    """Path of the interpreter in a virtual environment."""
    if os.name == "nt":
        return venv / "Scripts" / "python.exe"
    return venv / "bin" / "python"


def this_python() -> str:
    """The running Python's version as major.minor."""
    return f"{sys.version_info[0]}.{sys.version_info[1]}"


def wanted_stamp(root: Path = ROOT) -> dict[str, str]:
    """What a complete environment of this repository is made from."""

    def digest(name: str) -> str:
        return hashlib.sha256((root / name).read_bytes()).hexdigest()[:16]

    return {
        "python": this_python(),
        "repository": str(root),
        "requirements": digest("requirements.txt"),
        "constraints": digest("constraints.txt"),
        "development": digest("requirements-dev.txt"),
        "project": digest("pyproject.toml"),
    }


def read_stamp(venv: Path = VENV) -> dict[str, str] | None:
    """The stamp of the last complete installation, None if there is none."""
    try:
        stamp = json.loads((venv / STAMP).read_text())
    except (OSError, ValueError):
        return None
    return stamp if isinstance(stamp, dict) else None


def write_stamp(venv: Path, stamp: Mapping[str, str]) -> None:
    """Declare an installation complete: the last step of it."""
    target = venv / STAMP
    draft = target.with_suffix(".tmp")
    draft.write_text(json.dumps(stamp, indent=1))
    draft.replace(target)
    (venv / INSTALLING).unlink(missing_ok=True)


def plan_install(
    venv: Path, want: Mapping[str, str], development: bool
) -> tuple[str, str]:
    """Decide what an environment needs.

    Args:
        venv: the environment's folder, which may not exist.
        want: the stamp of an environment that is up to date.
        development: whether the test tools are needed too.

    Returns:
        a step and its reason. The steps: ``"nothing"``; ``"project"``, only
        raremine itself; ``"update"``, packages into what is there;
        ``"create"``, everything anew.
    """
    if not venv_python(venv).exists():
        return "create", "there is none that works"
    if (venv / INSTALLING).exists():
        return "create", "an earlier installation was interrupted"
    have = read_stamp(venv)
    if have is None:
        return "update", "it was not made by run.py"
    for key, reason in (
        ("python", f"it is for Python {have.get('python')}"),
        ("repository", "the repository was moved"),
        ("requirements", "requirements.txt changed"),
        ("constraints", "constraints.txt changed"),
    ):
        if have.get(key) != want[key]:
            return "create", reason
    if development and have.get("development") != want["development"]:
        return "update", "the test tools are missing or out of date"
    if have.get("project") != want["project"]:
        return "project", "pyproject.toml changed"
    return "nothing", ""


def check_disk(folder: Path, need_gb: float, purpose: str) -> None:
    """Refuse to start what would fill the disk half way.

    Raises:
        SetupError: less than ``need_gb`` is free where ``folder`` lies.
    """
    free_gb = shutil.disk_usage(folder).free / 1e9
    if free_gb < need_gb:
        raise SetupError(
            f"Not enough disk space in {folder} for {purpose}: "
            f"{free_gb:.1f} GB free, about {need_gb:.0f} GB needed. Free "
            "some space there, or move the repository (for temporary files: "
            "set TMPDIR to a folder on another disk)."
        )


def isolated_environment() -> dict[str, str]:
    """This process's variables less those that mix in other Pythons.

    A PYTHONPATH, which robotics middleware often sets, would make pip take
    foreign packages for installed ones and shadow ours at run time.
    """
    drop = {"PYTHONPATH", "PYTHONHOME", "PIP_USER", "PIP_TARGET"}
    return {k: v for k, v in os.environ.items() if k not in drop}


def _tell(lines: Sequence[str], finished: threading.Event) -> None:
    """Say every while what pip is doing, until it has finished."""
    verbs = ("Collecting", "Downloading", "Building", "Installing")
    start = time.monotonic()
    while not finished.wait(_HEARTBEAT_S):
        doing = next((x for x in lines[::-1] if x.startswith(verbs)), "...")
        say(f"{time.monotonic() - start:5.0f} s  {doing[:70]}")


def pip(arguments: Sequence[str], log: Path = LOG) -> None:
    """Run pip in the environment with its output in a log file.

    Raises:
        SetupError: pip failed; the message quotes pip's last lines.
    """
    command = [str(venv_python()), "-m", "pip", *arguments]
    quiet = {
        "PIP_NO_INPUT": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        # Otherwise its error comes before lines that it has printed earlier.
        "PYTHONUNBUFFERED": "1",
    }
    lines: list[str] = []
    finished = threading.Event()
    with log.open("a", encoding="utf-8") as file:
        file.write("$ " + " ".join(command) + "\n")
        process = subprocess.Popen(
            command,
            env={**isolated_environment(), **quiet},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        heart = threading.Thread(target=_tell, args=(lines, finished))
        heart.start()
        assert process.stdout is not None
        try:
            for line in process.stdout:
                file.write(line)
                if not line.startswith("WARNING:"):
                    lines.append(line.strip())
        except BaseException:
            # Ended from outside: pip must not go on behind our back.
            process.terminate()
            process.wait()
            raise
        finally:
            finished.set()
            heart.join()
    if process.wait() != 0:
        told_lines = [line for line in lines if line][-12:]
        tail = "\n".join(f"  | {line}" for line in told_lines)
        raise SetupError(
            f"pip failed:\n{tail}\nThe whole log is in {log}. If the network "
            "is the reason: pip's own variables (HTTPS_PROXY, PIP_INDEX_URL) "
            "name a proxy or a mirror. Then run the same command again."
        )


def install_packages(development: bool) -> None:
    """Install the tested versions, or ranges where the lock cannot hold.

    Raises:
        SetupError: pip failed.
    """
    files = ["requirements.txt"] + ["requirements-dev.txt"] * development
    arguments = ["install", "--progress-bar", "off"]
    arguments += [part for f in files for part in ("-r", str(ROOT / f))]
    try:
        pip([*arguments, "-c", str(ROOT / "constraints.txt")])
        return
    except SetupError:
        if this_python() == LOCK_PYTHON and sys.platform == "linux":
            raise
    say(
        "The tested versions in constraints.txt are for Python "
        f"{LOCK_PYTHON} on Linux and did not install with Python "
        f"{this_python()} on {platform.system()}. Installing the newest "
        "versions that requirements.txt allows instead: these are untested."
    )
    pip(arguments)


def install_project() -> None:
    """Let ``import raremine`` find this repository, without a download."""
    pip(["install", "--no-deps", "--no-build-isolation", "-e", str(ROOT)])


def create_venv(venv: Path = VENV) -> None:
    """Make an empty environment in place of whatever is there.

    Raises:
        SetupError: the disk is too full or Python lacks its venv module.
    """
    if venv.is_symlink():
        venv.unlink()
    elif venv.exists():
        shutil.rmtree(venv)
    check_disk(venv.parent, VENV_GB, "the installation")
    venv.mkdir()
    (venv / INSTALLING).touch()
    # Inside an environment, even the one just removed: its base Python.
    base = getattr(sys, "_base_executable", None) or sys.executable
    result = subprocess.run(
        [base, "-m", "venv", str(venv)],
        env=isolated_environment(),
        capture_output=True,
        text=True,
    )
    if result.returncode != 0:
        shutil.rmtree(venv, ignore_errors=True)
        output = (result.stdout + result.stderr).strip()[-600:]
        raise SetupError(
            f"{base} cannot make a virtual environment. On Debian "
            f"or Ubuntu: `sudo apt-get install python{this_python()}-venv`. "
            f"Python said:\n{output}"
        )


def ensure_opencv() -> None:
    """Fall back to the OpenCV build that needs no graphics libraries.

    Ultralytics brings ``opencv-python``, FiftyOne ``opencv-python-headless``.
    Both write the same files; the former needs libGL, which servers lack.

    Raises:
        SetupError: OpenCV cannot be loaded either way.
    """
    probe = [str(venv_python()), "-c", "import cv2"]
    result = subprocess.run(probe, capture_output=True, text=True)
    if result.returncode == 0:
        return
    say("OpenCV finds no graphics libraries: installing the build without")
    again = ["--force-reinstall", "--no-deps", "opencv-python-headless"]
    pip(["install", *again, "-c", str(ROOT / "constraints.txt")])
    result = subprocess.run(probe, capture_output=True, text=True)
    if result.returncode != 0:
        reason = result.stderr.strip().splitlines() or ["no reason given"]
        raise SetupError(
            f"OpenCV cannot be loaded: {reason[-1]}. On Debian or Ubuntu: "
            "`sudo apt-get install libgl1 libglib2.0-0`, then run the same "
            "command again."
        )


@contextlib.contextmanager
def one_at_a_time(log: Path = LOG) -> Iterator[None]:
    """Let a second run.py wait while a first one installs."""
    with log.open("a") as file:
        if os.name == "posix":
            import fcntl

            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                say("waiting for another run.py that is installing")
                fcntl.flock(file, fcntl.LOCK_EX)
        yield


def ensure_venv(development: bool) -> None:
    """Make ``.venv`` complete and up to date; at once when it already is.

    Args:
        development: whether the test tools are needed too.

    Raises:
        SetupError: something that the user has to change.
    """
    want = wanted_stamp()
    if plan_install(VENV, want, development)[0] == "nothing":
        return
    with one_at_a_time():
        # The run that held the lock may have done it all.
        step, reason = plan_install(VENV, want, development)
        if step == "nothing":
            return
        LOG.write_text("")
        have = read_stamp(VENV)
        development = development or bool(have and have.get("development"))
        verb = "making" if step == "create" else "updating"
        say(f"{verb} the environment {VENV}: {reason}")
        if step == "create":
            create_venv()
        elif have is not None:
            (VENV / INSTALLING).touch()
        if step != "project":
            temporary = Path(tempfile.gettempdir())
            check_disk(temporary, TEMP_GB, "temporary files")
            say(f"installing packages; this takes minutes (log: {LOG})")
            install_packages(development)
            ensure_opencv()
        stamp = {**want, "development": ""}
        if development:
            stamp["development"] = want["development"]
        # Gigabytes need not come again if only the last step fails.
        write_stamp(VENV, {**stamp, "project": ""})
        install_project()
        write_stamp(VENV, stamp)
        say("the environment is ready")
