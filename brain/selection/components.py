"""What a recipe's components choose from: random, groups, scores, strategies.

A component's name means, in this order: ``random``, ``target``, ``rare``; a
frame column of that name; a registered strategy of that name.
``column:NAME`` and ``strategy:NAME`` say which of the last two is meant.

No order of a component depends on how many frames it may take. That makes a
larger share of the component that chooses last only add frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, repeat

import numpy as np

from raremine.brain.errors import MissingStageError, RecipeError
from raremine.brain.objects import FrameTable, object_array
from raremine.brain.ranking import (
    discounted_order,
    numeric_columns,
    order_by_score,
    scene_worth,
    seeded_order,
    token_order,
)
from raremine.brain.selection.constraints import Constraints
from raremine.brain.selection.recipe import GROUP_COMPONENTS, RANDOM
from raremine.brain.strategies import Strategy, choose
from raremine.brain.strategies.registry import registered

TOP_UP = "top_up"
UNNAMED = "(unnamed)"
COLUMN_PREFIX = "column:"
STRATEGY_PREFIX = "strategy:"

FIRST_BATCH = 256
"""Rows that a conditional strategy is first asked for. Not the share, so
that the choice does not depend on it."""

Rows = Callable[[np.ndarray, int], Iterator[int]]


@dataclass
class Frames:
    """The keyframes of a selection, in token order, and what is common.

    Attributes:
        table: all keyframes, sorted by token
        pool: (f,) bool, those that may be selected
        seed: the seed
        constraints: what is chosen and what that forbids
        tie_rank: (f,) decides between equal scores, the lowest first
    """

    table: FrameTable
    pool: np.ndarray
    seed: int
    constraints: Constraints
    tie_rank: np.ndarray

    @classmethod
    def of(
        cls,
        table: FrameTable,
        pool: np.ndarray,
        seed: int,
        constraints: Constraints,
    ) -> Frames:
        """Ranks the tokens for ties."""
        ranks = token_order(table.sample_token)
        return cls(table, pool, seed, constraints, ranks)

    @property
    def open(self) -> np.ndarray:
        """(f,) bool, rows of the pool neither chosen nor excluded."""
        shut = self.constraints.chosen | self.constraints.excluded
        return np.asarray(self.pool & ~shut)

    @cached_property
    def concepts(self) -> np.ndarray:
        """(f,) tuples: each frame's target and rare concepts."""
        rows: Iterable[Iterable[Iterable[str]]]
        parts = [
            self.table[f"{group}_concepts"].tolist()
            for group in GROUP_COMPONENTS
            if f"{group}_concepts" in self.table.columns
        ]
        rows = zip(*parts, strict=True)
        if not parts:
            rows = repeat((), len(self.table))
        return object_array(
            tuple(dict.fromkeys(chain.from_iterable(row))) for row in rows
        )


@dataclass
class Source:
    """What one component can choose from.

    Attributes:
        name: the component
        eligible: (f,) bool, frames of the pool that it may choose
        what: what these have, to complete "7 frames ..."
        rows: given a (f,) bool mask and how many are wanted, yields the
            rows in the mask that are open, the most wanted first
        concepts: (f,) tuples of names that quotas and turns are about
        score: (f,) what a pick is ranked by, None where it is not
        why: the reason of a row's pick, without the full stop
        takes_turns: whether frames can be taken in turns of concepts
        by_scene: puts rows, the most wanted first, in an order in which a
            scene's frames with the same concept count ever less
    """

    name: str
    eligible: np.ndarray
    what: str
    rows: Rows
    concepts: np.ndarray
    why: Callable[[int], str]
    score: np.ndarray | None = None
    takes_turns: bool = True
    by_scene: Callable[[np.ndarray], np.ndarray] = lambda order: order


def source(frames: Frames, name: str) -> Source:
    """Finds out what a component can choose from.

    Args:
        frames: the keyframes, with what earlier components have chosen
        name: the component's name

    Raises:
        RecipeError: if nothing of that name can be selected by
        MissingStageError: if it needs a stage that has not run
    """
    if name in (RANDOM, TOP_UP):
        return _drawn(frames, name)
    if name in GROUP_COMPONENTS:
        return _group(frames, name)
    column, strategy = meant_column(name), meant_strategy(name)
    if column is not None and (
        strategy is None or column in frames.table.columns
    ):
        return _column(frames, name, column)
    return _strategy(frames, name, strategy or "")


def meant_column(name: str) -> str | None:
    """Returns the frame column that a component's name can mean."""
    if name.startswith(STRATEGY_PREFIX):
        return None
    return name.removeprefix(COLUMN_PREFIX)


def meant_strategy(name: str) -> str | None:
    """Returns the strategy that a component's name can mean."""
    if name.startswith(COLUMN_PREFIX):
        return None
    if name.startswith(STRATEGY_PREFIX):
        return name.removeprefix(STRATEGY_PREFIX)
    return name if name in registered() else None


def _drawn(frames: Frames, name: str) -> Source:
    rows = np.flatnonzero(frames.pool)
    # the whole pool is drawn, so that an exclusion changes nothing else
    order = rows[seeded_order(len(rows), frames.seed, name)]
    text = f"Drawn at random from {len(rows)} frames with seed {frames.seed}"
    if name == TOP_UP:
        text += ", in place of frames that a component could not find"
    return Source(
        name,
        frames.pool,
        "are in the pool",
        _in_order(frames, order),
        frames.concepts,
        lambda row: text,
    )


def _column(frames: Frames, name: str, column: str) -> Source:
    scores = frame_column(frames.table, column)
    eligible = frames.pool & ~np.isnan(scores)
    rows = np.flatnonzero(eligible & frames.open)
    order = rows[order_by_score(scores[rows], frames.tie_rank[rows])]
    rank = _ranks(len(scores), order)
    return Source(
        name,
        eligible,
        f"have a {column}",
        _in_order(frames, order),
        frames.concepts,
        lambda row: (
            f"{column} {scores[row]:.4g} is number {rank[row]} of "
            f"{len(order)} frames"
        ),
        scores,
    )


def _group(frames: Frames, group: str) -> Source:
    """Frames with target (or rare) objects."""
    concepts, scores = _group_columns(frames.table, group)
    eligible = frames.pool & np.array([len(c) > 0 for c in concepts], bool)
    rows = np.flatnonzero(eligible & frames.open)
    order = rows[order_by_score(scores[rows], frames.tie_rank[rows])]
    rank = _ranks(len(scores), order)

    def why(row: int) -> str:
        text = (
            f"Holds {group} objects ({', '.join(concepts[row])}); number "
            f"{rank[row]} of {len(order)} frames"
        )
        if not np.isnan(scores[row]):
            text += f" by {group}_score {scores[row]:.4g}"
        return text

    return Source(
        group,
        eligible,
        f"hold {group} objects",
        _in_order(frames, order),
        concepts,
        why,
        scores,
        by_scene=lambda order: _by_scene(frames, group, concepts, order),
    )


def _by_scene(
    frames: Frames, group: str, concepts: np.ndarray, order: np.ndarray
) -> np.ndarray:
    """Discounts what frames show that the selection shows already."""
    chosen = np.flatnonzero(frames.constraints.chosen)
    found = discounted_order(
        scene_worth(frames.table, group, concepts, order),
        np.arange(len(order)),
        taken=scene_worth(frames.table, group, concepts, chosen),
    )
    return order[found]


def _strategy(frames: Frames, name: str, strategy: str) -> Source:
    found = _find_strategy(frames, strategy)
    # Frames outside the pool must not sway a choice inside it: what is far
    # from all train frames may well be close to a val frame.
    inside = np.flatnonzero(frames.pool)
    rank = np.zeros(len(frames.table), dtype=np.int64)
    if found.conditional:
        rows = _one_after_the_other(frames, found, rank)
        what = f"wanted by the strategy {strategy}, given those chosen before"
    else:
        order = inside[found.run(frames.table.take(inside), frames.seed)]
        rank[order] = np.arange(1, len(order) + 1)
        rows = _in_order(frames, order)
        what = f"of {len(inside)} frames by the strategy {strategy}"
    return Source(
        name,
        frames.pool,
        "are in the pool",
        rows,
        frames.concepts,
        lambda row: f"Number {rank[row]} {what}",
        takes_turns=not found.conditional,
    )


def _find_strategy(frames: Frames, name: str) -> Strategy:
    known = registered()
    if name in known and known[name].needs_truth:
        raise RecipeError(
            f"The strategy '{name}' orders frames by their ground truth, "
            "which a selection must not see; it can only be evaluated. Leave "
            "it out of the recipe."
        )
    if name not in known:
        usable = sorted(n for n, s in known.items() if not s.needs_truth)
        raise RecipeError(
            f"There is no strategy '{name}'; choose one of "
            f"{', '.join(usable)}."
        )
    (found,) = choose(frames.table, [name])
    return found


def _one_after_the_other(
    frames: Frames, strategy: Strategy, rank: np.ndarray
) -> Rows:
    """Asks a strategy for ever larger batches, telling it what got chosen.

    A frame that a constraint refuses must not count as chosen in the
    strategy's eyes, and one that is forbidden need not be offered.
    """

    def rows(among: np.ndarray, count: int) -> Iterator[int]:
        constraints = frames.constraints
        batch = FIRST_BATCH if constraints.binding else count
        while batch:
            free = np.flatnonzero(frames.open & among)
            constraints.expect(free)
            free = np.array(
                [r for r in free.tolist() if constraints.refusal(r) is None],
                dtype=np.int64,
            )
            if not len(free):
                return
            chosen = np.flatnonzero(constraints.chosen)
            inside = np.union1d(free, chosen)
            is_free = np.isin(inside, free)
            order = strategy.run(
                frames.table.take(inside),
                frames.seed,
                chosen=np.flatnonzero(~is_free),
                limit=batch,
            )
            first = inside[order[is_free[order]][:batch]].tolist()
            for row in first:
                rank[row] = rank.max() + 1
                yield row
            batch *= 2

    return rows


def _in_order(frames: Frames, order: np.ndarray) -> Rows:
    def rows(among: np.ndarray, count: int) -> Iterator[int]:
        left = order[among[order] & frames.open[order]]
        frames.constraints.expect(left)
        yield from left.tolist()

    return rows


def _ranks(n: int, order: np.ndarray) -> np.ndarray:
    rank = np.zeros(n, dtype=np.int64)
    rank[order] = np.arange(1, len(order) + 1)
    return rank


def _group_columns(
    table: FrameTable, group: str
) -> tuple[np.ndarray, np.ndarray]:
    """Returns each frame's concepts of a group and its score."""
    name = f"{group}_concepts"
    if name not in table.columns:
        raise MissingStageError(
            f"The recipe's component '{group}' needs the frame column "
            f"'{name}'; run match_concepts first."
        )
    concepts = table[name].copy()
    if "mining_group" in table.columns:
        for row in np.flatnonzero(table["mining_group"] == group):
            concepts[row] = tuple(concepts[row]) or (UNNAMED,)
    nothing = np.full(len(table), np.nan)
    scores = table.columns.get(f"{group}_score", nothing)
    return concepts, np.asarray(scores, dtype=np.float64)


def frame_column(table: FrameTable, name: str) -> np.ndarray:
    """Returns a numeric frame column that a component may rank by.

    Raises:
        MissingStageError: if no stage has made that column
        RecipeError: if it does not hold numbers
    """
    have = ", ".join(numeric_columns(table)) or "none"
    if name not in table.columns:
        usable = sorted(
            n for n, s in registered().items() if not s.needs_truth
        )
        raise MissingStageError(
            f"No frame has a '{name}'. A recipe's components are random, "
            f"target, rare, one of this data set's scores ({have}) or a "
            f"strategy ({', '.join(usable)}); run the stage that makes the "
            "score, or correct the name."
        )
    values = np.asarray(table[name])
    if values.ndim != 1 or values.dtype.kind not in "biuf":
        raise RecipeError(
            f"Frame column '{name}' holds no numbers to rank by; use one of "
            f"{have}."
        )
    scores = values.astype(np.float64)
    if len(scores) and np.isnan(scores).all():
        raise MissingStageError(
            f"No frame has a value of '{name}'; run the stage that makes it."
        )
    return scores
