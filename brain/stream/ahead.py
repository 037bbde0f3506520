"""Doing work ahead of its consumer, in threads: a bounded amount at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_ahead(
    function: Callable[[Item], Result],
    source: Iterable[Item],
    *,
    workers: int = 2,
    ahead: int = 32,
) -> Generator[Result, None, None]:
    """Yields a function's results in the order of the source.

    At most ``ahead`` items are pulled before the consumer has asked for
    their results: a slow consumer stops the work, and memory does not grow
    with the source. Leaving the iterator early, by an error or an interrupt,
    cancels what has not begun.

    Args:
        function: called in a thread; what it raises is raised here
        source: items, read lazily, in the consumer's own thread
        workers (2): threads
        ahead (32): most items at work or waiting to be consumed
    """
    pending: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="ahead")
    try:
        for item in source:
            pending.append(pool.submit(function, item))
            if len(pending) >= ahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
