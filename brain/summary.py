"""What a stage returns: a small dict of counts, failures and seconds."""

from __future__ import annotations

import time
from typing import Any

LISTED_FAILURES = 20
"""Failures named in a summary; all of them are on their own rows."""


class StageSummary:
    """Collects a stage's counts while it runs.

    Args:
        stage: the public function's name
    """

    def __init__(self, stage: str) -> None:
        self._stage = stage
        self._start = time.perf_counter()
        self._counts: dict[str, Any] = {}
        self._failures = 0
        self._listed: list[dict[str, str]] = []

    def count(self, **counts: Any) -> None:
        """Sets facts of the summary."""
        self._counts.update(counts)

    def fail(self, where: str, reason: str) -> None:
        """Counts one failure and keeps the first few by name."""
        self._failures += 1
        if len(self._listed) < LISTED_FAILURES:
            self._listed.append({"where": where, "reason": reason})

    def to_dict(self) -> dict[str, Any]:
        """Returns stage, counts, failures, the first failures, seconds."""
        return {
            "stage": self._stage,
            **self._counts,
            "failures": self._failures,
            "failed": self._listed,
            "seconds": round(time.perf_counter() - self._start, 3),
        }
