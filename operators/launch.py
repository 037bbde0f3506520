"""Open the App on a dataset from a terminal: ``python3 run.py app``."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence

DEMO_DATASET = "raremine-demo"
_PORTS = 100


def has_display(
    environ: Mapping[str, str], platform: str = sys.platform
) -> bool:
    """Whether a browser opened here would be seen by the user.

    Args:
        environ: environment variables
        platform: as in ``sys.platform``
    """
    if environ.get("SSH_CONNECTION") or environ.get("SSH_TTY"):
        return False
    if platform.startswith("linux"):
        return bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))
    return True


def free_port(first: int, address: str = "127.0.0.1") -> int:
    """Finds a free port: on a taken one the App silently joins what is there.

    Args:
        first: port to begin with
        address: address that the App will listen on

    Raises:
        SystemExit: none of the next hundred ports is free
    """
    for port in range(first, min(first + _PORTS, 65536)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError:
                continue
            return port
    sys.exit(f"No free port among the {_PORTS} from {first}; pass --port.")


def open_app(
    name: str, port: int | None = None, address: str | None = None
) -> None:
    """Opens the App on a dataset and stays until it is interrupted.

    Args:
        name: name of the dataset
        port (None): port to serve on, None = FiftyOne's or the next free one
        address (None): address to serve on, None = FiftyOne's

    Raises:
        SystemExit: there is no such dataset, or the port is taken
    """
    import fiftyone as fo

    if not fo.dataset_exists(name):
        known = ", ".join(fo.list_datasets()) or "none"
        hint = (
            "Run `python3 run.py demo` first"
            if name == DEMO_DATASET
            else "Load it first, or name another"
        )
        sys.exit(f"There is no dataset '{name}'. {hint}. There are: {known}.")
    dataset = fo.load_dataset(name)
    address = address or fo.config.default_app_address or "127.0.0.1"
    first = port or fo.config.default_app_port
    found = free_port(first, address)
    if port and found != port:
        sys.exit(f"Port {port} is taken; free is {found}.")
    remote = not has_display(os.environ)
    session = fo.launch_app(
        dataset, port=found, address=address, remote=remote, auto=False
    )
    print(f"\nApp: http://localhost:{found}/datasets/{name}")
    if remote:
        host = socket.gethostname()
        print(
            "From another machine: ssh -N -L "
            f"{found}:127.0.0.1:{found} {host}, then open that address."
        )
    print("End it with Ctrl-C.", flush=True)
    # Ended without a word, FiftyOne would leave its server process behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        session.wait(-1)
    except KeyboardInterrupt:
        print("\nThe App is closed; the dataset stays.")
    finally:
        fo.close_app()


def main(arguments: Sequence[str]) -> None:
    """Reads the command line and opens the App."""
    parser = argparse.ArgumentParser(prog="run.py app")
    parser.add_argument("dataset", nargs="?", default=DEMO_DATASET)
    parser.add_argument("--port", type=int, default=None)
    parser.add_argument("--address", default=None)
    options = parser.parse_args(arguments)
    open_app(options.dataset, options.port, options.address)


if __name__ == "__main__":
    main(sys.argv[1:])
