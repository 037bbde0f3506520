"""Chromium, which the tests of the App drive.

Nothing here installs anything unless it is asked to: ``run.py test`` skips
these tests where there is no browser, and ``.ci/run`` calls this module.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping

from bootstrap import say

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
PACKAGES = ("chromium", "fonts-dejavu-core")
INSTALL = (
    "`sudo apt-get install chromium` on Debian, or the name of another "
    "Chromium or Chrome in RAREMINE_BROWSER"
)
_ATTEMPTS = 2


def find_browser(
    environ: Mapping[str, str] = os.environ,
    which: Callable[[str], str | None] = shutil.which,
) -> str | None:
    """Path of the browser that is to be driven, None if there is none.

    Args:
        environ (os.environ): ``RAREMINE_BROWSER`` names another program.
        which (shutil.which): finds a program by its name.
    """
    chosen = environ.get("RAREMINE_BROWSER")
    names = (chosen,) if chosen else PROGRAMS
    return next(filter(None, map(which, names)), None)


def can_install() -> bool:
    """Whether this is a Debian on which packages may be installed."""
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    return is_root and shutil.which("apt-get") is not None


def install_browser(
    run: Callable[..., subprocess.CompletedProcess[bytes]] = subprocess.run,
) -> bool:
    """Installs Chromium with Debian's package manager.

    Args:
        run (subprocess.run): runs a command.

    Returns:
        whether all went well
    """
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    apt = ["apt-get", "-q", "-o", "Acquire::Retries=3"]
    install = [*apt, "install", "-y", "--no-install-recommends", *PACKAGES]
    for _ in range(_ATTEMPTS):
        # lists of packages of a machine just made are empty or old
        calls = ([*apt, "update"], install)
        done = [
            run(call, env=environ, stdout=sys.stderr).returncode == 0
            for call in calls
        ]
        if done[-1]:
            return True
    return False


def main(
    find: Callable[[], str | None] = find_browser,
    may: Callable[[], bool] = can_install,
    install: Callable[[], bool] = install_browser,
    tell: Callable[[str], None] = say,
) -> int:
    """Makes sure that there is a browser; returns the exit status.

    A machine on which this process may not install packages is left as it
    is, and that is no failure: the tests say that they were skipped.
    """
    if find() is not None:
        return 0
    if not may():
        tell(f"no Chromium, so tests in a browser are skipped; {INSTALL}")
        return 0
    tell("installing Chromium for the tests in a browser")
    if install() and find() is not None:
        return 0
    tell("Chromium could not be installed, see above")
    return 1


if __name__ == "__main__":
    sys.exit(main())
