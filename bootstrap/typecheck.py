"""Run mypy on the repository as the package ``raremine``.

mypy does not follow editable installations, and the repository's folder may
have any name. A link named like the package gives it the right view.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bootstrap import ROOT

PACKAGES = (
    *("raremine.brain", "raremine.operators"),
    *("demo", "benchmarks", "bootstrap"),
)


def link_package(root: Path = ROOT) -> Path:
    """Make a folder in which the repository is called ``raremine``."""
    folder = root / "build" / "typecheck"
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / "raremine"
    if not link.is_symlink():
        link.symlink_to("../..", target_is_directory=True)
    return folder


def main(arguments: Sequence[str]) -> int:
    """Check the whole project, or the modules and options given."""
    targets = [part for name in PACKAGES for part in ("-p", name)]
    targets += ["-m", "run"]
    return subprocess.run(
        [sys.executable, "-m", "mypy", *(arguments or targets)],
        cwd=ROOT,
        env={**os.environ, "MYPYPATH": str(link_package())},
    ).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
