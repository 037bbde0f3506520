"""Which frames a component takes first: quotas, then turns or rank."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from raremine.brain.ranking import class_frequency, round_robin
from raremine.brain.selection.components import Source


def in_turns(
    source: Source,
    quotas: Mapping[str, int],
    balance: str,
    count: int,
    allowed: Callable[[int], bool],
) -> Iterator[tuple[int, str]]:
    """Yields a component's frames in the order in which it takes them.

    First the quotas, the rarest concept first: for each the best frames that
    hold it, until so many frames do, whichever concept they were taken for.
    Then by turns of the concepts, by rank, or by what is left of the score
    once earlier frames of the scene have shown the same; frames without any
    concept come behind the turns. A row is yielded only if ``allowed``,
    asked right before, and counts as taken then.

    Args:
        source: what the component chooses from
        quotas: frames that must hold a concept, by concept
        balance: "round_robin", "rank" or "scenes"
        count: how many rows will be taken at most
        allowed: whether a row may be taken now; a refusal is final

    Yields:
        row numbers, each with what it was taken for, "" if for its rank
    """
    concepts = source.concepts
    frequency: Mapping[str, int] = {}
    if quotas or balance != "rank":
        frequency = class_frequency(concepts[source.eligible])
    held: Counter[str] = Counter()
    taken = 0
    for concept in sorted(quotas, key=lambda c: (frequency.get(c, 0), c)):
        missing = quotas[concept] - held[concept]
        if missing <= 0:
            continue
        among = source.eligible & holding(concepts, concept)
        for row in source.rows(among, missing):
            if not allowed(row):
                continue
            held.update(set(concepts[row]))
            taken += 1
            yield row, f"the quota of {concept}"
            if held[concept] >= quotas[concept]:
                break
    left = max(count - taken, 0)
    if balance == "rank":
        for row in source.rows(source.eligible, left):
            if allowed(row):
                yield row, ""
        return
    order = np.fromiter(source.rows(source.eligible, left), dtype=np.int64)
    if balance == "scenes":
        for row in source.by_scene(order).tolist():
            if allowed(row):
                yield row, ""
        return
    yield from round_robin(order, concepts, frequency, allowed)
    for row in order.tolist():
        if not concepts[row] and allowed(row):
            yield row, ""


def holding(concepts: np.ndarray, concept: str) -> np.ndarray:
    """(f,) bool: the rows that hold a concept."""
    return np.fromiter(
        (concept in names for names in concepts), bool, len(concepts)
    )
