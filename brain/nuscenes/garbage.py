"""Python's garbage collector, where there are millions of small objects."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collection_paused() -> Iterator[None]:
    """Keeps Python from searching for reference cycles.

    The rows of a table, and the documents of a batch of keyframes, are very
    many small objects without any cycle. Making them starts a search again
    and again, each through all that FiftyOne and the tables hold, which
    takes longer than making them.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
