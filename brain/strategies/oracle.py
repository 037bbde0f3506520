"""The ceiling: what somebody would choose who knew the ground truth."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

import numpy as np

from raremine.brain.objects import FrameTable
from raremine.brain.ranking import order_by_score, seeded_order
from raremine.brain.strategies.orders import joined
from raremine.brain.strategies.registry import strategy

if TYPE_CHECKING:
    from raremine.brain.evaluation.ground_truth import FrameTruth

ORACLE = "oracle"


@strategy(ORACLE, needs_truth=True)
def oracle(frames: FrameTable, seed: int, truth: FrameTruth) -> np.ndarray:
    """The ceiling: always the frame with the most instances not yet seen.

    Greedy maximum coverage. Every frame it takes while instances are left
    holds a target, so its frame recall over all classes is the highest
    possible; its instance recall is within 1 - 1/e of it, in practice equal.
    """
    members: list[list[int]] = [[] for _ in range(len(frames))]
    for row, instance in zip(
        truth.seen_frame.tolist(), truth.seen_instance.tolist(), strict=True
    ):
        members[row].append(instance)
    rank = np.empty(len(frames), dtype=np.int64)
    rank[seeded_order(len(frames), seed, ORACLE)] = np.arange(len(frames))
    # Lazy greedy: what a frame adds can only shrink, so an entry that is
    # still up to date when it comes up is the best one.
    heap = [(-len(m), int(rank[r]), r) for r, m in enumerate(members) if m]
    heapq.heapify(heap)
    seen: set[int] = set()
    order: list[int] = []
    while heap:
        gain, tie, row = heapq.heappop(heap)
        now = sum(i not in seen for i in members[row])
        if now and now < -gain:
            heapq.heappush(heap, (-now, tie, row))
        elif now:
            seen.update(members[row])
            order.append(row)
    counts = np.array([len(m) for m in members], dtype=np.float64)
    rest = order_by_score(counts, rank)
    return joined(np.array(order, dtype=np.int64), rest)
