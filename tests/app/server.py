"""A real App server, of the database that this process uses."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from demo.__main__ import THREADS
from run import SCHEDULED

_COUNTS = {"FIFTYONE_APP_DEFAULT_QUERY_PERFORMANCE": "0"}
"""The grid then tells how many groups there are, not how many samples."""

_START_SECONDS = 90.0
_STOP_SECONDS = 20.0


@contextlib.contextmanager
def app_server(log: Path) -> Iterator[str]:
    """Runs a server as long as the context lasts; gives its address.

    Args:
        log: file that it writes to

    Raises:
        RuntimeError: it did not start
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "fiftyone.server.main"]
    with log.open("wb") as file:
        process = subprocess.Popen(
            [*command, "--port", str(port), "--address", "127.0.0.1"],
            env={**os.environ, **SCHEDULED, **THREADS, **_COUNTS},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_for(process, port, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_for(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    tail = log.read_text(errors="replace")[-2000:]
    raise RuntimeError(f"The App's server did not start. Its log:\n{tail}")
