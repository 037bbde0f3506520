"""One way of peeling Pareto fronts, on made-up signals, in a process."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks._measure import tell

SEED = 42

KINDS = {
    "independent": "uniform and independent: dozens of fronts",
    "one front": "every gain in one signal is a loss in others",
    "tied": "normal, rounded to one decimal: equal values and rows",
    "correlated": "as outlier scores are: hundreds of fronts",
}
"""Shapes of the data, from easy to hard for one method or another."""


def signals(kind: str, count: int, width: int) -> np.ndarray:
    """Makes (count, width) float64 signals of a kind."""
    rng = np.random.default_rng(SEED)
    if kind == "independent":
        return rng.random((count, width))
    if kind == "one front":
        values = rng.exponential(size=(count, width))
        return np.asarray(values / values.sum(axis=1, keepdims=True))
    values = rng.normal(size=(count, width))
    if kind == "tied":
        return np.round(values, 1)
    return 0.1 * values + rng.normal(size=(count, 1))


def raremine() -> Callable[[np.ndarray], np.ndarray]:
    """Returns our function."""
    from raremine.brain.novelty.pareto import pareto_fronts

    return pareto_fronts


def moocore() -> Callable[[np.ndarray], np.ndarray]:
    """Returns the function of moocore, which is written in C."""
    from moocore import pareto_rank

    return lambda values: np.asarray(pareto_rank(values, maximise=True))


WAYS = {"raremine": raremine, "moocore": moocore}


def main() -> None:
    """Peels ``way kind count width`` and tells what it found."""
    way, kind, count, width = sys.argv[1:]
    values = signals(kind, int(count), int(width))
    start = time.process_time()
    peel = WAYS[way]()
    # imports, and loads or compiles what is compiled
    peel(values[:100])
    loading = time.process_time() - start

    def work() -> dict[str, Any]:
        fronts = peel(values)
        text = fronts.astype(np.int64).tobytes()
        return {
            "fronts": int(fronts.max()) + 1,
            "digest": hashlib.sha256(text).hexdigest()[:16],
            "loading_cpu_seconds": loading,
        }

    tell(work)


if __name__ == "__main__":
    main()
