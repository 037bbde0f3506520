"""Progress of a stage, for the SDK (a bar) and for operators (a callback)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import TracebackType
from typing import Any

Callback = Callable[[int, int, str], None]
"""A function (done, total, label)."""

ProgressArgument = bool | Callback | None
"""None = FiftyOne's setting, a bool, or a function (done, total, label)."""

REPORT_EVERY = 0.5
"""Seconds between two calls of a callback."""


class StageCancelled(KeyboardInterrupt):
    """The run that a stage belongs to is no longer wanted.

    Like Ctrl-C it is no ``Exception``: code that forgives one bad input must
    not forgive this, and whatever keeps data whole at Ctrl-C keeps it whole
    here.
    """


@dataclass(frozen=True)
class Step:
    """Where in a row of stages the work is.

    Attributes:
        number: from 1
        count: stages in the row
    """

    number: int
    count: int


_listener: ContextVar[Callback | None] = ContextVar("listener", default=None)
_step: ContextVar[Step | None] = ContextVar("step", default=None)


@contextmanager
def listening(callback: Callback | None) -> Iterator[None]:
    """Lets a callback hear of all work inside, wherever it is done.

    Args:
        callback: called by ``Progress`` objects without a callback of their
            own and by ``checkpoint``; what it raises ends the work; None =
            nobody listens
    """
    token = _listener.set(callback)
    try:
        yield
    finally:
        _listener.reset(token)


@contextmanager
def stage_of(number: int, count: int) -> Iterator[None]:
    """Says that the work inside is one stage of several in a row."""
    token = _step.set(Step(number, count))
    try:
        yield
    finally:
        _step.reset(token)


def current_step() -> Step | None:
    """Returns where in a row of stages the work is, None outside of one."""
    return _step.get()


def checkpoint(label: str = "", done: int = 0, total: int = 0) -> None:
    """Says what is done now, between two pieces of work that have no bar.

    Costs nothing where nobody listens. It is also where such work can be
    cancelled: the listener may raise.

    Args:
        label (""): what begins, as the user reads it; "" = what was said
            before goes on
        done (0): pieces that are finished
        total (0): all pieces, 0 = it cannot be told
    """
    callback = _listener.get()
    if callback is not None:
        callback(done, total, label)


class Progress:
    """Counts a stage's work and tells whoever wants to know.

    Args:
        total: how much there is to do
        label: the stage, as the user reads it
        progress (None): None = whoever listens, or else a bar if FiftyOne
            shows progress bars, True or False = a bar or none, or a function
            (done, total, label)
    """

    def __init__(
        self, total: int, label: str, progress: ProgressArgument = None
    ) -> None:
        self.done = 0
        self.total = total
        self.label = label
        if progress is None and _listener.get() is not None:
            progress = _listener.get()
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
