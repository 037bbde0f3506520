"""Orders of keyframes: seeded, by score, and fair to every class.

Selection takes prefixes of these orders and evaluation measures them, so
both live on the same functions. Every order is a function of the tokens, the
scores and the seed alone: neither the row order nor the machine matters.
"""

from __future__ import annotations

import hashlib
import heapq
from collections import Counter
from collections.abc import (
    Callable,
    Hashable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from decimal import ROUND_HALF_UP, Decimal

import numpy as np

from raremine.brain.objects import FrameTable

REPEAT = 0.95
"""What a further frame counts that shows the same concept in the same scene.

Chosen on rendered worlds: it breaks the row of a parked truck's keyframes for
what is almost as sure elsewhere, and does not go after what is doubtful."""


def share_count(share: float, total: int) -> int:
    """Turns a share of frames into a number of frames.

    Args:
        share: in [0, 1], taken as the decimal number it is written as
        total: number of frames

    Returns:
        share × total, rounded half up: 10 % of 100 is 10, 10 % of 15 is 2.
        (Binary floating point would make 0.29 × 50 = 14.49….)
    """
    exact = Decimal(repr(float(share))) * total
    return int(exact.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def seeded_order(n: int, seed: int, purpose: str) -> np.ndarray:
    """Draws a uniformly random order of n rows.

    It sorts the raw output of a PCG64 generator: NumPy guarantees those bits
    for all versions and machines, but not the order in which
    ``Generator.permutation`` uses them.

    Args:
        n: number of rows, which must be in a canonical order themselves
        seed: non-negative
        purpose: keeps draws of the same seed for different ends independent

    Returns:
        (n,) int64 permutation
    """
    entropy = np.random.SeedSequence([seed, *purpose.encode()])
    raw = np.random.PCG64(entropy).random_raw(n)
    return np.argsort(np.asarray(raw, dtype=np.uint64), kind="stable")


def token_order(tokens: Sequence[str] | np.ndarray) -> np.ndarray:
    """Ranks tokens in an order that has nothing to do with their content.

    Ties between equal scores are broken by it. Breaking them by the token
    itself would prefer whole scenes wherever tokens count upwards.

    Args:
        tokens: (n,) unique sample tokens

    Returns:
        (n,) int64 rank of each row by the BLAKE2b hash of its token
    """
    digests = [hashlib.blake2b(str(t).encode()).digest() for t in tokens]
    order = sorted(range(len(digests)), key=digests.__getitem__)
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return rank


def order_by_score(scores: np.ndarray, tie_rank: np.ndarray) -> np.ndarray:
    """Orders rows by score, the highest first.

    Args:
        scores: (n,) higher = earlier; NaN comes last
        tie_rank: (n,) decides between equal scores, the lowest first

    Returns:
        (n,) int64 row numbers
    """
    values = np.asarray(scores, dtype=np.float64)
    return np.asarray(np.lexsort((tie_rank, -values)))


def numeric_columns(frames: FrameTable) -> list[str]:
    """Returns the names of the frame columns with at least one number."""
    return sorted(
        name
        for name, values in frames.columns.items()
        if values.ndim == 1
        and values.dtype.kind in "bif"
        and not np.isnan(values.astype(np.float64)).all()
    )


def class_frequency(
    classes: Sequence[Sequence[str]] | np.ndarray,
) -> dict[str, int]:
    """Counts the frames that hold each class."""
    counts: dict[str, int] = {}
    for names in classes:
        for name in set(names):
            counts[name] = counts.get(name, 0) + 1
    return counts


def round_robin(
    order: np.ndarray,
    classes: Sequence[Sequence[str]] | np.ndarray,
    frequency: Mapping[str, int],
    allowed: Callable[[int], bool] | None = None,
) -> Iterator[tuple[int, str]]:
    """Orders frames so that every class gets an equal quota.

    Classes take turns, the rarest (by ``frequency``, then by name) first; in
    its turn a class takes its first frame in ``order`` that is not taken
    yet. A class that has run out is passed over. So the first 5 k frames
    hold at least k frames taken for each of five classes, however common
    one of them is, as far as there are that many.

    Args:
        order: row numbers, best first
        classes: names of each row's classes, indexed by row number; rows
            without any are left out
        frequency: frames of each class, over whatever defines rarity
        allowed (None): asked right before a row is given out; one that is
            refused costs its class no turn and does not come back

    Yields:
        row numbers, each with the class whose turn it was
    """
    queues: dict[str, list[int]] = {}
    for row in order.tolist():
        for name in classes[row]:
            queues.setdefault(name, []).append(row)
    names = sorted(queues, key=lambda name: (frequency.get(name, 0), name))
    waiting = {name: iter(queues[name]) for name in names}
    seen: set[int] = set()
    while names:
        left = []
        for name in names:
            for row in waiting[name]:
                if row in seen:
                    continue
                seen.add(row)
                if allowed is None or allowed(row):
                    left.append(name)
                    yield row, name
                    break
        names = left


def discounted_order(
    worth: Sequence[Mapping[Hashable, float]],
    tie_rank: np.ndarray,
    *,
    repeat: float = REPEAT,
    taken: Iterable[Iterable[Hashable]] = (),
) -> np.ndarray:
    """Orders rows by score, where what was shown before counts less.

    The keyframes of a scene show the same objects. Ranked by score alone,
    all frames of the surest object come before the first one of another.
    Here the next row is always the one with the highest score left, and a
    score shrinks by ``repeat`` with each row before it that shows the same.
    1 ranks by score alone, 0 takes everything once before anything twice.

    The rows' worth only ever shrinks, so a heap whose outdated entries are
    put back when they come up finds the same order (lazy greedy: Minoux,
    Accelerated Greedy Algorithms, 1978).

    Args:
        worth: for each row, a score from 0 by what it shows, such as (scene,
            concept); NaN counts as 0. A row's own is its best.
        tie_rank: (n,) decides between equal scores, the lowest first
        repeat (0.95): in [0, 1]
        taken (()): what rows show that were taken before these

    Returns:
        (n,) int64 row numbers
    """
    shown: Counter[Hashable] = Counter()
    for keys in taken:
        shown.update(set(keys))

    def now(row: int) -> float:
        left = (s * repeat ** shown[key] for key, s in worth[row].items())
        return max((score for score in left if score > 0), default=0.0)

    ties = tie_rank.tolist()
    heap = [(-now(row), ties[row], row) for row in range(len(worth))]
    heapq.heapify(heap)
    order = []
    while heap:
        before, tie, row = heapq.heappop(heap)
        score = now(row)
        if score < -before:
            heapq.heappush(heap, (-score, tie, row))
            continue
        order.append(row)
        shown.update(worth[row].keys())
    return np.array(order, dtype=np.int64)


def scene_worth(
    frames: FrameTable, group: str, concepts: np.ndarray, rows: np.ndarray
) -> list[dict[Hashable, float]]:
    """Returns what frames show of a group, for ``discounted_order``.

    Args:
        frames: the keyframes; those without a scene ("") share nothing
        group: "target" or "rare"
        concepts: (f,) names of each frame's concepts of that group
        rows: (k,) the frames in question

    Returns:
        for each of them a score by (scene, concept): the concept's own, or
        the frame's where there are none
    """
    nothing = np.full(len(frames), np.nan)
    own = frames.columns.get(f"{group}_score", nothing)
    each = frames.columns.get(f"{group}_concept_scores")
    worth: list[dict[Hashable, float]] = []
    for row in rows.tolist():
        names = concepts[row]
        scores = () if each is None else each[row]
        if len(scores) != len(names):
            scores = (float(own[row]),) * len(names)
        scene = str(frames.scene[row]) or f" {row}"
        worth.append(
            {(scene, n): s for n, s in zip(names, scores, strict=True)}
        )
    return worth
