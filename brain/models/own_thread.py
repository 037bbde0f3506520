"""Runs asynchronous work from ordinary code, wherever that code runs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

Result = TypeVar("Result")

LOOK_EVERY = 0.2
"""Seconds after which an interrupt is noticed at the latest."""


def run_in_own_thread(work: Coroutine[Any, Any, Result]) -> Result:
    """Runs a coroutine to its end in a thread and an event loop of its own.

    A notebook's thread has a running loop already, so ``asyncio.run`` cannot
    be called there. When the wait is interrupted (Ctrl-C), the work is
    cancelled and its end is waited for: nothing is left running.

    Args:
        work: a coroutine

    Returns:
        what it returns

    Raises:
        Exception: what it raises
    """
    started: Future[tuple[Any, Any]] = Future()

    async def tracked() -> Result:
        started.set_result(
            (asyncio.get_running_loop(), asyncio.current_task())
        )
        return await work

    with ThreadPoolExecutor(1, thread_name_prefix="raremine-ask") as pool:
        future = pool.submit(asyncio.run, tracked())
        try:
            # not one long wait: that no interrupt ends on every system
            while not wait([future], timeout=LOOK_EVERY).done:
                pass
            return future.result()
        except BaseException:
            if not future.done():
                loop, task = started.result()
                with contextlib.suppress(RuntimeError):
                    loop.call_soon_threadsafe(task.cancel)
            raise
