"""Ends a run that is no longer wanted, whatever it is doing.

A run is asked to stop at its next report or checkpoint. Work without any -
one long call of a library - is interrupted like by Ctrl-C a little later, so
that every stage ends within seconds.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from raremine.brain.progress import StageCancelled

ASK_EVERY = 1.0
"""Seconds between two questions whether the run is still wanted."""

GRACE = 3.0
"""Seconds that work has to come to its next checkpoint by itself."""

PATIENCE = 60.0
"""Seconds to put things in order after that, before it is interrupted."""


class RunCancelledError(RuntimeError):
    """The run was cancelled while it was at work."""

    def __init__(self) -> None:
        super().__init__("The run was cancelled; what was finished is kept.")


class Cancellation:
    """Whether a run is still wanted, and its end when it is not.

    Args:
        unwanted (None): asked once a second, in a thread; None = only
            ``cancel`` ends the run
    """

    def __init__(self, unwanted: Callable[[], bool] | None = None) -> None:
        self._unwanted = unwanted
        self._cancelled = threading.Event()
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._noticed = False

    def cancel(self) -> None:
        """Asks the run to stop."""
        self._cancelled.set()

    def check(self) -> None:
        """Does nothing as long as the run is wanted.

        Raises:
            StageCancelled: once it is not
        """
        if self._cancelled.is_set():
            self._noticed = True
            raise StageCancelled

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watches over the work inside, which is done by this thread.

        Raises:
            RunCancelledError: if the work was cancelled
        """
        worker = threading.get_ident()
        watcher = threading.Thread(
            target=self._watch, args=(worker,), name="raremine-cancel"
        )
        watcher.daemon = True
        watcher.start()
        try:
            try:
                yield
            finally:
                # from here on nobody is interrupted
                with self._lock:
                    self._ended.set()
        except StageCancelled:
            self._ended.set()
            raise RunCancelledError from None

    def _watch(self, worker: int) -> None:
        while not self._cancelled.is_set():
            if self._ended.wait(ASK_EVERY):
                return
            if self._unwanted is not None and self._unwanted():
                self._cancelled.set()
        wait = GRACE
        while not self._ended.wait(wait):
            with self._lock:
                if self._ended.is_set():
                    return
                if not self._noticed or wait == PATIENCE:
                    _interrupt(worker)
            # it is on its way out: cleaning up may take its time
            wait = PATIENCE


def _interrupt(thread: int) -> None:
    """Raises ``StageCancelled`` in a thread, between two of its steps."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread), ctypes.py_object(StageCancelled)
    )


def cancellation_of(ctx: Any) -> Cancellation:
    """Makes the cancellation of a run.

    A delegated run is no longer wanted once it was set to failed, or its
    record was deleted.

    Args:
        ctx: FiftyOne's execution context
    """
    run_id = ctx.request_params.get("run_doc")
    if not ctx.delegated or run_id is None:
        return Cancellation()
    from fiftyone.operators.delegated import DelegatedOperationService
    from fiftyone.operators.executor import ExecutionRunState

    service = DelegatedOperationService()

    def unwanted() -> bool:
        try:
            run = service.get(run_id)
        except Exception:
            # the database cannot be asked now; that ends no run
            return False
        return run is None or run.run_state == ExecutionRunState.FAILED

    return Cancellation(unwanted)
