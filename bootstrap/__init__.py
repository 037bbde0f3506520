"""What run.py needs before anything is installed: standard library only.

``environment`` makes ``.venv``, ``database`` makes sure that FiftyOne's
``mongod`` runs, ``plugins`` lets the App see this repository as a plugin.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


class SetupError(Exception):
    """Something the user has to change before the command can run."""


def say(text: str) -> None:
    """Print what happens, at once and apart from the command's output."""
    print(f"run.py: {text}", file=sys.stderr, flush=True)
