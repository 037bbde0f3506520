"""What a user sees of a run at work: stage, done of total, rate, time left."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from raremine.brain.progress import current_step
from raremine.operators.cancellation import Cancellation
from raremine.operators.durations import in_words

SHOW_EVERY = 1.0
"""Seconds between two updates: each is a write to the database."""

WINDOW = 60.0
"""Seconds of work that the rate is taken from."""

_SOON = 2.0
"""Seconds of work before a rate says anything."""


class Reporter:
    """What the SDK's ``progress`` argument wants: a function of the work.

    Args:
        show: shows a share between 0 and 1, and a line of text
        cancellation: asked at every report
        clock (time.monotonic): seconds
    """

    def __init__(
        self,
        show: Callable[[float, str], None],
        cancellation: Cancellation,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._show = show
        self._cancellation = cancellation
        self._clock = clock
        self._label: str | None = None
        self._shown = 0.0
        self._seen: deque[tuple[float, int]] = deque()

    def __call__(self, done: int, total: int, label: str = "") -> None:
        """Takes a report.

        Args:
            done: pieces that are finished
            total: all pieces, 0 = it cannot be told
            label (""): what is being done

        Raises:
            StageCancelled: if the run is no longer wanted
        """
        self._cancellation.check()
        if not label and not total:
            # a place to stop at, and nothing new to show
            return
        now = self._clock()
        new = label != self._label
        if new:
            self._label = label
            self._seen.clear()
        if not self._seen or now - self._seen[-1][0] >= SHOW_EVERY:
            self._seen.append((now, done))
        while now - self._seen[0][0] > WINDOW and len(self._seen) > 1:
            self._seen.popleft()
        finished = 0 < total <= done
        if new or finished or now - self._shown >= SHOW_EVERY:
            self._shown = now
            self._show(*self._line(now, done, total, label))

    def _line(
        self, now: float, done: int, total: int, label: str
    ) -> tuple[float, str]:
        share = min(done / total, 1.0) if total else 0.0
        step = current_step()
        parts = [label or "Loading keyframes"]
        if step is not None:
            share = (step.number - 1 + share) / step.count
            parts = [f"Step {step.number} of {step.count}", *parts]
        text = ": ".join(parts)
        if total:
            text += f" {done:,}/{total:,}"
        start, before = self._seen[0]
        took = now - start
        if total and took >= _SOON and done > before:
            rate = (done - before) / took
            text += f" · {_per_second(rate)}"
            if done < total:
                text += f" · {in_words((total - done) / rate)} left"
        return share, text


def _per_second(rate: float) -> str:
    if rate >= 10:
        return f"{rate:,.0f}/s"
    return f"{rate:.1f}/s" if rate >= 1 else f"{60 * rate:.1f}/min"
