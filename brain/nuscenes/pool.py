"""Doing many small jobs in a bounded number of processes.

Workers import this module, so it imports little.
"""

from __future__ import annotations

import itertools
import multiprocessing
import signal
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TypeVar

from raremine.brain.errors import RaremineError

MAX_WORKERS = 8
"""Processes that are used at most, unless a user asks for more: beyond, the
disk is the limit."""

FEW = 100
"""Jobs that this process has done by the time others have started."""

_AT_ONCE = 4
"""Jobs that are sent to a worker in one go."""

_AHEAD = 128
"""Jobs per worker that may be done before the caller has asked for them."""

_ENVIRONMENT = {
    # workers are many enough by themselves
    **{f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")},
    # glibc: keep freed memory for the next cloud; asking the kernel for it
    # anew took half of a worker's time
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(64 << 20),
}
"""Environment of the workers."""

Job = TypeVar("Job")
Result = TypeVar("Result")


def pool_size(workers: int | None, jobs: int) -> int:
    """Returns in how many processes a number of jobs is done.

    Args:
        workers: what the user asks for; None = one per available core, at
            most ``MAX_WORKERS``, and one for a few jobs
        jobs: their number

    Raises:
        RaremineError: if ``workers`` is less than 1
    """
    from joblib import cpu_count

    if workers is None:
        workers = 1 if jobs < FEW else min(cpu_count(), MAX_WORKERS)
    if workers < 1:
        raise RaremineError(
            f"workers={workers}; give 1 or more, or None to let the number "
            "of cores decide."
        )
    if multiprocessing.current_process().daemon:
        # such a process may not start others
        return 1
    return min(workers, max(jobs, 1))


def in_order(
    function: Callable[[Job], Result], jobs: Iterable[Job], processes: int
) -> Generator[Result, None, None]:
    """Yields a function's results on jobs, in the jobs' order.

    Worker processes start afresh, without the user's ``__main__``: scripts
    need no main guard, and nothing is imported that ``function`` does not
    need. They work ahead of the caller, but by a bounded number of jobs.

    Args:
        function: a function of a module, or one that can be pickled
        jobs: its arguments; small, as they are pickled
        processes: number of workers; 1 = none, this process does the work

    Raises:
        RaremineError: if a worker was killed or cannot work at all
        Exception: what ``function`` raised
    """
    if processes == 1:
        yield from map(function, jobs)
        return
    # joblib brings loky with it
    from joblib.externals.loky.process_executor import (
        BrokenProcessPool,
        ProcessPoolExecutor,
        TerminatedWorkerError,
    )

    pool = ProcessPoolExecutor(
        processes, initializer=_ignore_interrupts, env=_ENVIRONMENT
    )
    ending = sys.is_finalizing
    waiting: deque[Future[list[Result]]] = deque()
    jobs = iter(jobs)
    try:
        while some := list(itertools.islice(jobs, _AT_ONCE)):
            with _interrupts_held():
                waiting.append(pool.submit(_do, function, some))
            if len(waiting) * _AT_ONCE >= _AHEAD * processes:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    except TerminatedWorkerError as error:
        raise RaremineError(
            "A process that converted point clouds was killed, most likely "
            "because memory ran out. Close other programs or pass a smaller "
            "number of workers; what was converted so far is kept and will "
            "not be converted again."
        ) from error
    except BrokenProcessPool as error:
        raise RaremineError(
            "The processes that convert point clouds do not work here: "
            f"{error} Pass workers=1 to do without them."
        ) from error
    finally:
        # an exception that ends the program keeps its generators to the
        # last, when the workers have been ended already
        if not ending():
            pool.shutdown(kill_workers=True)


def _do(function: Callable[[Job], Result], jobs: list[Job]) -> list[Result]:
    return [function(job) for job in jobs]


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Lets Ctrl-C wait, also in processes that are started meanwhile.

    A worker inherits this and keeps it: before it can ignore interrupts by
    itself it imports modules, and would end with a traceback of its own.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    from multiprocessing import resource_tracker

    # where it has to start, it lets interrupts through again afterwards
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _ignore_interrupts() -> None:
    """Leaves Ctrl-C, which reaches every process, to the main one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
