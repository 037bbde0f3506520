"""Where raremine keeps what belongs to no dataset's database."""

from __future__ import annotations

import os
from pathlib import Path


def raremine_home() -> Path:
    """Returns RAREMINE_HOME or ~/.fiftyone/raremine: indexes and graphs."""
    home = os.environ.get("RAREMINE_HOME")
    return Path(home) if home else Path.home() / ".fiftyone" / "raremine"
