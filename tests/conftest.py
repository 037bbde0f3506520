"""Isolation of the test run: its own database, plugins folder and caches.

FiftyOne reads its configuration when it is imported, and attaches to any
database service of the same user that already runs. So everything here
happens while this file is imported, which pytest does before any other
conftest or test module: a private ``mongod`` on a free port, a private
plugins folder that holds this repository, and private folders for whatever
is written. The user's own datasets and settings are never touched.
"""

from __future__ import annotations

import atexit
import ctypes
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

REPO_ROOT = Path(__file__).resolve().parents[1]

_START_ATTEMPTS = 3
_START_SECONDS = 60.0


def _find_mongod() -> Path:
    spec = importlib.util.find_spec("fiftyone")
    for folder in (spec and spec.submodule_search_locations) or []:
        mongod = Path(folder) / "db" / "bin" / "mongod"
        if mongod.is_file():
            return mongod
    raise pytest.UsageError(
        f"No mongod in the FiftyOne of {sys.executable}: the tests need "
        "their own database. Run them with `python3 run.py test`, which "
        "installs it."
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _end_with_parent() -> None:
    """Let the kernel end mongod when the test process is killed."""
    if sys.platform.startswith("linux"):
        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGTERM)


def _start_mongod(folder: Path) -> tuple[subprocess.Popen[bytes], int]:
    """Start a database of our own and wait until it answers."""
    mongod = _find_mongod()
    data = folder / "db"
    data.mkdir()
    log = folder / "mongod.log"
    for _ in range(_START_ATTEMPTS):
        port = _free_port()
        process = subprocess.Popen(
            [
                str(mongod),
                *("--dbpath", str(data), "--logpath", str(log)),
                *("--port", str(port), "--bind_ip", "127.0.0.1"),
                "--nounixsocket",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=_end_with_parent,
        )
        deadline = time.monotonic() + _START_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return process, port
        # Another process may have taken the port in between: try again.
        process.kill()
        process.wait()
    tail = log.read_text(errors="replace")[-2000:] if log.exists() else ""
    raise pytest.UsageError(f"{mongod} did not start. Its log ends:\n{tail}")


def _stop(process: subprocess.Popen[bytes], folder: Path) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    shutil.rmtree(folder, ignore_errors=True)


def _isolate() -> None:
    if "fiftyone" in sys.modules:
        raise pytest.UsageError(
            "fiftyone was imported before tests/conftest.py, so the tests "
            "would run on your own database. Remove the pytest plugin or "
            "conftest that imports it."
        )
    folder = Path(tempfile.mkdtemp(prefix="raremine-tests-"))
    process, port = _start_mongod(folder)
    atexit.register(_stop, process, folder)

    plugins = folder / "plugins"
    plugins.mkdir()
    (plugins / "raremine").symlink_to(REPO_ROOT, target_is_directory=True)

    os.environ.update(
        FIFTYONE_DATABASE_URI=f"mongodb://127.0.0.1:{port}",
        FIFTYONE_DATABASE_VALIDATION="false",
        FIFTYONE_DATABASE_DIR=str(folder / "db"),
        FIFTYONE_CONFIG_PATH=str(folder / "config.json"),
        FIFTYONE_APP_CONFIG_PATH=str(folder / "app_config.json"),
        FIFTYONE_BRAIN_CONFIG_PATH=str(folder / "brain_config.json"),
        FIFTYONE_DEFAULT_DATASET_DIR=str(folder / "datasets"),
        FIFTYONE_DATASET_ZOO_DIR=str(folder / "dataset_zoo"),
        FIFTYONE_MODEL_ZOO_DIR=str(folder / "model_zoo"),
        FIFTYONE_PLUGINS_DIR=str(plugins),
        FIFTYONE_SHOW_PROGRESS_BARS="false",
        FIFTYONE_DO_NOT_TRACK="true",
        RAREMINE_HOME=str(folder / "raremine"),
        HF_HUB_OFFLINE="1",
        TRANSFORMERS_OFFLINE="1",
        YOLO_AUTOINSTALL="false",
        YOLO_OFFLINE="true",
        YOLO_CONFIG_DIR=str(folder / "ultralytics"),
        NO_ALBUMENTATIONS_UPDATE="1",
        MPLBACKEND="Agg",
    )
    os.environ.pop("FIFTYONE_DATABASE_NAME", None)


_isolate()


@pytest.fixture(scope="session")
def repo_root() -> Path:
    """The repository, which is also the plugin folder."""
    return REPO_ROOT


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Real nuScenes input and real weights, beside the repository.

    They may not be redistributed, so a clone elsewhere does not have them.
    """
    folder = REPO_ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip(
            "no folder `shared` beside the repository: the real nuScenes "
            "keyframe and the real weights are not redistributable"
        )
    return folder
