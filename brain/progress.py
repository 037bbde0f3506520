"""Progress of a stage, for the SDK (a bar) and for operators (a callback)."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

ProgressArgument = bool | Callable[[int, int, str], None] | None
"""None = FiftyOne's setting, a bool, or a function (done, total, label)."""

REPORT_EVERY = 0.5
"""Seconds between two calls of a callback."""


class Progress:
    """Counts a stage's work and tells whoever wants to know.

    Args:
        total: how much there is to do
        label: the stage, as the user reads it
        progress (None): None = a bar if FiftyOne shows progress bars, True or
            False = a bar or none, or a function (done, total, label)
    """

    def __init__(
        self, total: int, label: str, progress: ProgressArgument = None
    ) -> None:
        self.done = 0
        self.total = total
        self.label = label
        self._callback = progress if callable(progress) else None
        self._show = progress if isinstance(progress, bool) else None
        self._bar: Any = None
        self._told = 0.0

    def __enter__(self) -> Progress:
        if self._callback is None:
            from tqdm import tqdm

            show = self._show
            if show is None:
                import fiftyone as fo

                show = bool(fo.config.show_progress_bars)
            self._bar = tqdm(
                total=self.total, desc=self.label, disable=not show
            )
        else:
            self._tell(force=True)
        return self

    def add(self, count: int = 1) -> None:
        """Says that ``count`` more are done."""
        self.done += count
        if self._bar is not None:
            self._bar.update(count)
        else:
            self._tell()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()
        elif kind is None:
            self._tell(force=True)

    def _tell(self, force: bool = False) -> None:
        now = time.monotonic()
        if self._callback and (force or now - self._told > REPORT_EVERY):
            self._told = now
            self._callback(self.done, self.total, self.label)
