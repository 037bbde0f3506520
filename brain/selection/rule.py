"""The split rule: one pure function from a frame table to a selection.

1. The pool is the train split; evaluation frames are never considered.
2. Each component asks for share × pool frames, rounded half up.
3. ``random`` draws first and from the whole pool, so that its share is the
   same whatever else is mined. Then the others, in the recipe's order, take
   the best of the frames that are not chosen yet.
4. What a component cannot fill is reported with the reason.

Rows are put in the order of their tokens before anything is drawn, draws
depend on the seed and the component's name, and ties between equal scores
are broken by a hash of the token: the same recipe and seed choose the same
frames on any machine and from any row order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from raremine.brain.errors import MissingStageError, RecipeError
from raremine.brain.objects import FrameTable
from raremine.brain.pool import frame_pool, guard_pool
from raremine.brain.ranking import (
    class_frequency,
    numeric_columns,
    order_by_score,
    round_robin,
    seeded_order,
    share_count,
    token_order,
)
from raremine.brain.selection.recipe import (
    GROUP_COMPONENTS,
    RANDOM,
    Recipe,
    load_recipe,
)
from raremine.brain.selection.result import Pick, Selection, Shortage

TOP_UP = "top_up"
UNNAMED = "(unnamed)"


@dataclass
class _State:
    """Frames in token order and what has happened to them so far."""

    frames: FrameTable
    pool: np.ndarray
    excluded: np.ndarray
    cap: int | None
    seed: int
    tie_rank: np.ndarray
    chosen: np.ndarray
    in_scene: dict[str, int] = field(default_factory=dict)
    picks: list[tuple[int, Pick]] = field(default_factory=list)

    @property
    def pool_size(self) -> int:
        return int(self.pool.sum())

    def full(self, row: int) -> bool:
        scene = str(self.frames.scene[row])
        return self.cap is not None and self.in_scene.get(scene, 0) >= self.cap

    def allowed(self, row: int) -> bool:
        return not (self.chosen[row] or self.excluded[row] or self.full(row))

    def choose(self, row: int, pick: Pick) -> None:
        self.chosen[row] = True
        scene = str(self.frames.scene[row])
        self.in_scene[scene] = self.in_scene.get(scene, 0) + 1
        self.picks.append((row, pick))


@dataclass
class _Component:
    """A component's candidates.

    Attributes:
        eligible: (f,) bool, frames of the pool that it may choose from
        what: what these frames have, to complete "7 frames ..."
        candidates: rows in the order of choice, each with its pick
    """

    eligible: np.ndarray
    what: str
    candidates: Iterator[tuple[int, Pick]]


def select(
    frames: FrameTable,
    recipe: Recipe | Mapping[str, Any] | str | Path,
    seed: int = 0,
    *,
    name: str = "selection",
) -> Selection:
    """Chooses the keyframes of a training split.

    Args:
        frames: the keyframes of the whole data set, in any row order
        recipe: shares by component and options, see ``Recipe``
        seed (0): seed of everything that is drawn
        name ("selection"): name of the selection

    Returns:
        the selection

    Raises:
        RecipeError: if the recipe does not fit the data set
        MissingStageError: if a component needs a column that no stage made
    """
    recipe = load_recipe(recipe)
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise RecipeError(
            f"The seed is {seed!r}; it must be a whole number from 0."
        )
    frames = frames.sorted()
    pool, notes = frame_pool(frames, recipe.pool)
    state = _State(
        frames,
        pool,
        _excluded(frames, recipe.exclude),
        recipe.max_frames_per_scene,
        seed,
        token_order(frames.sample_token),
        np.zeros(len(frames), dtype=bool),
    )
    shortages = []
    for component, share in recipe.components:
        asked = share_count(share, state.pool_size)
        shortage = _take(
            state, component, _component(state, component, recipe), asked
        )
        if shortage is not None:
            shortages.append(shortage)
    missing = sum(s.asked - s.taken for s in shortages)
    if missing and recipe.top_up == "random":
        shortage = _take(state, TOP_UP, _drawn(state, TOP_UP), missing)
        got = missing - (shortage.asked - shortage.taken if shortage else 0)
        notes.append(
            f"{got} frames drawn at random fill up what components fell "
            "short of."
        )
        if shortage is not None:
            shortages.append(shortage)
    guard_pool(frames, (row for row, _ in state.picks), pool)
    return Selection(
        name=name,
        picks=tuple(pick for _, pick in state.picks),
        shortages=tuple(shortages),
        notes=tuple(notes),
        pool_size=state.pool_size,
        seed=seed,
        recipe=recipe.to_dict(),
    )


def _take(
    state: _State, component: str, source: _Component, asked: int
) -> Shortage | None:
    """Lets a component choose; returns what it fell short of."""
    before = state.chosen.copy()
    taken = 0
    if asked:
        for row, pick in source.candidates:
            state.choose(row, pick)
            taken += 1
            if taken == asked:
                return None
    if taken == asked:
        return None
    eligible = source.eligible
    already = int((eligible & before).sum())
    excluded = int((eligible & ~before & state.excluded).sum())
    held_back = int(eligible.sum()) - already - excluded - taken
    parts = [
        f"{count} {why}"
        for count, why in (
            (already, "were already chosen"),
            (excluded, "are excluded"),
            (held_back, f"are over max_frames_per_scene = {state.cap}"),
        )
        if count
    ]
    reason = (
        f"asked {asked}, took {taken}: {int(eligible.sum())} of "
        f"{state.pool_size} frames {source.what}"
    )
    if parts:
        reason += ", of which " + ", ".join(parts)
    return Shortage(component, asked, taken, reason + ".")


def _component(state: _State, component: str, recipe: Recipe) -> _Component:
    if component == RANDOM:
        return _drawn(state, RANDOM)
    if component in GROUP_COMPONENTS:
        return _group(state, component, recipe.balance)
    return _column(state, component)


def _drawn(state: _State, component: str) -> _Component:
    rows = np.flatnonzero(state.pool)
    # the whole pool is drawn, so that an exclusion changes nothing else
    order = rows[seeded_order(len(rows), state.seed, component)]
    why = f"Drawn at random from {len(rows)} frames with seed {state.seed}"
    if component == TOP_UP:
        why += ", in place of frames that a component could not find"

    def candidates() -> Iterator[tuple[int, Pick]]:
        for row in order.tolist():
            if state.allowed(row):
                yield row, _pick(state, row, component, None, why + ".")

    return _Component(state.pool, "are in the pool", candidates())


def _column(state: _State, component: str) -> _Component:
    scores = frame_column(state.frames, component)
    eligible = state.pool & ~np.isnan(scores)
    rows = np.flatnonzero(eligible & ~state.chosen & ~state.excluded)
    order = rows[order_by_score(scores[rows], state.tie_rank[rows])]

    def candidates() -> Iterator[tuple[int, Pick]]:
        for rank, row in enumerate(order.tolist(), 1):
            if state.allowed(row):
                why = (
                    f"{component} {scores[row]:.4g} is number {rank} of "
                    f"{len(order)} frames."
                )
                yield row, _pick(state, row, component, scores[row], why)

    return _Component(eligible, f"have a {component}", candidates())


def _group(state: _State, component: str, balance: str) -> _Component:
    """Frames with target (or rare) objects."""
    concepts, scores = _group_columns(state.frames, component)
    eligible = state.pool & np.array([len(c) > 0 for c in concepts], bool)
    rows = np.flatnonzero(eligible & ~state.chosen & ~state.excluded)
    order = rows[order_by_score(scores[rows], state.tie_rank[rows])]
    rank = {row: number for number, row in enumerate(order.tolist(), 1)}
    turns: Iterable[tuple[int, str]]
    if balance == "rank":
        turns = ((r, "") for r in order.tolist() if state.allowed(r))
    else:
        frequency = class_frequency(concepts[eligible])
        turns = round_robin(order, concepts, frequency, state.allowed)

    def candidates() -> Iterator[tuple[int, Pick]]:
        for row, turn in turns:
            why = (
                f"Holds {component} objects ({', '.join(concepts[row])}); "
                f"number {rank[row]} of {len(order)} frames"
            )
            if not np.isnan(scores[row]):
                why += f" by {component}_score {scores[row]:.4g}"
            if turn:
                why += f"; taken for {turn}"
            yield row, _pick(state, row, component, scores[row], why + ".")

    return _Component(eligible, f"hold {component} objects", candidates())


def _group_columns(
    frames: FrameTable, group: str
) -> tuple[np.ndarray, np.ndarray]:
    """Returns each frame's concepts of a group and its score."""
    name = f"{group}_concepts"
    if name not in frames.columns:
        raise MissingStageError(
            f"The recipe's component '{group}' needs the frame column "
            f"'{name}'; run match_concepts first."
        )
    concepts = frames[name].copy()
    if "mining_group" in frames.columns:
        for row in np.flatnonzero(frames["mining_group"] == group):
            concepts[row] = tuple(concepts[row]) or (UNNAMED,)
    nothing = np.full(len(frames), np.nan)
    scores = frames.columns.get(f"{group}_score", nothing)
    return concepts, np.asarray(scores, dtype=np.float64)


def frame_column(frames: FrameTable, name: str) -> np.ndarray:
    """Returns a numeric frame column that a component may rank by.

    Raises:
        MissingStageError: if no stage has made that column
        RecipeError: if it does not hold numbers
    """
    if name not in frames.columns:
        have = ", ".join(numeric_columns(frames)) or "none"
        raise MissingStageError(
            f"No frame has a '{name}'. A recipe's components are random, "
            f"target, rare or one of this data set's scores ({have}); run "
            "the stage that makes the score, or correct the name."
        )
    values = np.asarray(frames[name])
    if values.ndim != 1 or values.dtype.kind not in "bif":
        raise RecipeError(
            f"Frame column '{name}' holds no numbers to rank by; use one of "
            f"{', '.join(numeric_columns(frames)) or '(none)'}."
        )
    scores = values.astype(np.float64)
    if len(scores) and np.isnan(scores).all():
        raise MissingStageError(
            f"No frame has a value of '{name}'; run the stage that makes it."
        )
    return scores


def _pick(
    state: _State, row: int, component: str, score: float | None, why: str
) -> Pick:
    frames = state.frames
    groups = (
        (component,) if component in GROUP_COMPONENTS else ("target", "rare")
    )
    concepts: list[str] = []
    for group in groups:
        if f"{group}_concepts" in frames.columns:
            concepts.extend(map(str, frames[f"{group}_concepts"][row]))
    return Pick(
        sample_token=str(frames.sample_token[row]),
        scene=str(frames.scene[row]),
        split=str(frames.split[row]),
        component=component,
        score=None if score is None or np.isnan(score) else float(score),
        concepts=tuple(dict.fromkeys(concepts)),
        why=why,
    )


def _excluded(frames: FrameTable, tokens: tuple[str, ...]) -> np.ndarray:
    if not tokens:
        return np.zeros(len(frames), dtype=bool)
    unknown = sorted(set(tokens) - set(frames.sample_token.tolist()))
    if unknown:
        raise RecipeError(
            f"{len(unknown)} of the {len(set(tokens))} tokens to exclude are "
            f"not keyframes of this data set, the first is '{unknown[0]}'; "
            "give nuScenes sample tokens, not file names or sample_data "
            "tokens."
        )
    return np.asarray(np.isin(frames.sample_token, list(tokens)))
