"""The split rule: one pure function from a frame table to a selection.

1. The pool is the train split; evaluation frames are never considered.
2. Each component asks for share × pool frames, rounded half up.
3. ``random`` draws first and from the whole pool, so that its share is the
   same whatever else is mined. Then the others, in the recipe's order, take
   the best of the frames that are not chosen yet and that no constraint
   forbids.
4. What a component cannot fill is reported with what held frames back.

Rows are put in the order of their tokens before anything is drawn, draws
depend on the seed and the component's name, and ties between equal scores
are broken by a hash of the token: the same recipe and seed choose the same
frames on any machine and from any row order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from raremine.brain.errors import MissingStageError, RecipeError
from raremine.brain.objects import FrameTable
from raremine.brain.pool import frame_pool, guard_pool
from raremine.brain.ranking import class_frequency, share_count
from raremine.brain.selection.components import (
    TOP_UP,
    Frames,
    Source,
    source,
)
from raremine.brain.selection.constraints import (
    CHOSEN,
    EXCLUDED,
    REASONS,
    Constraints,
)
from raremine.brain.selection.recipe import (
    GROUP_COMPONENTS,
    Component,
    Recipe,
    load_recipe,
)
from raremine.brain.selection.recipe_checks import check_seed
from raremine.brain.selection.result import Pick, Selection, Shortage
from raremine.brain.selection.turns import holding, in_turns

SHARE = "share"
"""Why a frame did not fill a quota: the component's share was used up."""


def select(
    frames: FrameTable,
    recipe: Recipe | Mapping[str, Any] | str | Path,
    seed: int | None = None,
    *,
    name: str = "selection",
) -> Selection:
    """Chooses the keyframes of a training split.

    Args:
        frames: the keyframes of the whole data set, in any row order. Near
            duplicates and some strategies need the column ``embedding``,
            (f, d), NaN where a frame has none.
        recipe: shares by component and options, see ``Recipe``
        seed (None): seed of everything that is drawn; None = the recipe's,
            or else 0
        name ("selection"): name of the selection

    Returns:
        the selection

    Raises:
        RecipeError: if the recipe does not fit the data set
        MissingStageError: if a component needs a column that no stage made
    """
    recipe = load_recipe(recipe)
    seed = seed if seed is not None else recipe.seed or 0
    check_seed(seed)
    if recipe.exclude_file or recipe.exclude_selection:
        raise RecipeError(
            "Files and selections to exclude have to be read before frames "
            "are chosen; use select_frames, or give their tokens as exclude."
        )
    recipe = replace(recipe, seed=seed)
    table = frames.sorted()
    pool, notes = frame_pool(table, recipe.pool)
    excluded = _excluded(table, recipe.exclude)
    constraints = Constraints(table, pool, excluded, recipe)
    state = Frames.of(table, pool, seed, constraints)
    pool_size = int(pool.sum())
    picks: list[tuple[int, Pick]] = []
    shortages: list[Shortage] = []
    for component in recipe.components:
        if component.share:
            asked = share_count(component.share, pool_size)
            shortages.extend(_take(state, component, asked, picks))
    missing = sum(s.asked - s.taken for s in shortages if not s.concept)
    if missing and recipe.top_up == "random":
        before = len(picks)
        filler = Component(TOP_UP, 0.0, {}, "rank")
        shortages.extend(_take(state, filler, missing, picks))
        notes.append(
            f"{len(picks) - before} frames drawn at random fill up what "
            "components fell short of."
        )
    guard_pool(table, (row for row, _ in picks), pool)
    return Selection(
        name=name,
        picks=tuple(pick for _, pick in picks),
        shortages=tuple(shortages),
        notes=tuple(notes + constraints.notes),
        pool_size=pool_size,
        seed=seed,
        recipe=recipe.to_dict(),
    )


def _take(
    state: Frames,
    component: Component,
    asked: int,
    picks: list[tuple[int, Pick]],
) -> list[Shortage]:
    """Lets a component choose; returns what it fell short of."""
    found = source(state, component.name)
    _check_turns(state.table, component, found)
    quotas = {
        concept: quota
        if isinstance(quota, int)
        else share_count(quota, int(state.pool.sum()))
        for concept, quota in component.quotas.items()
    }
    constraints = state.constraints
    chosen_before = constraints.chosen.copy()
    refused: dict[int, str] = {}

    def allowed(row: int) -> bool:
        reason = constraints.refusal(row)
        if reason is not None:
            refused.setdefault(row, reason)
        return reason is None

    mine = np.zeros(len(state.table), dtype=bool)
    turns = in_turns(found, quotas, component.balance, asked, allowed)
    for row, turn in islice(turns, asked):
        constraints.choose(row)
        mine[row] = True
        picks.append((row, _pick(state, found, row, turn)))
    ledger = _Ledger(state, found, mine, chosen_before, refused)
    short = []
    if mine.sum() < asked:
        short.append(ledger.shortage(asked))
    short.extend(
        ledger.shortage(quota, concept)
        for concept, quota in quotas.items()
        if (mine & holding(found.concepts, concept)).sum() < quota
    )
    return short


class _Ledger:
    """What became of the frames that a component could choose from."""

    def __init__(
        self,
        state: Frames,
        found: Source,
        mine: np.ndarray,
        chosen_before: np.ndarray,
        refused: Mapping[int, str],
    ) -> None:
        self._state, self._found, self._mine = state, found, mine
        self._before, self._refused = chosen_before, refused

    def shortage(self, asked: int, concept: str = "") -> Shortage:
        """Describes a share, or the quota of a concept, that is not met."""
        found, constraints = self._found, self._state.constraints
        rows = found.eligible
        what = found.what
        if concept:
            rows = rows & holding(found.concepts, concept)
            what = f"hold {concept}"
        taken = int((rows & self._mine).sum())
        held_back = dict.fromkeys((*REASONS, SHARE), 0)
        for row in np.flatnonzero(rows & ~self._mine).tolist():
            if self._before[row]:
                reason: str | None = CHOSEN
            elif constraints.excluded[row]:
                reason = EXCLUDED
            else:
                reason = self._refused.get(row) or constraints.refusal(row)
            held_back[reason or SHARE] += 1
        held_back = {k: v for k, v in held_back.items() if v}
        parts = [
            f"{count} "
            + (
                f"came after the {int(self._mine.sum())} frames of the share"
                if why == SHARE
                else constraints.words(why)
            )
            for why, count in held_back.items()
        ]
        pool_size = int(self._state.pool.sum())
        reason_text = (
            f"asked {asked}, took {taken}: {int(rows.sum())} of {pool_size} "
            f"frames {what}"
        )
        if parts:
            reason_text += ", of which " + ", ".join(parts)
        if concept:
            reason_text = f"quota of {concept}: {reason_text}"
        if concept and not rows.any():
            names = class_frequency(found.concepts[found.eligible])
            have = ", ".join(sorted(names)) or "none"
            reason_text += f" (the concepts here: {have})"
        return Shortage(
            found.name, asked, taken, reason_text + ".", concept, held_back
        )


def _check_turns(
    table: FrameTable, component: Component, found: Source
) -> None:
    """Refuses quotas and turns where there are no concepts or no order."""
    turns = component.balance == "round_robin"
    if turns and not found.takes_turns:
        raise RecipeError(
            f"Component '{component.name}' cannot take turns of concepts, "
            "because what it wants next depends on what is chosen; give it "
            "quotas, or balance: rank."
        )
    if component.balance == "scenes" and component.name not in (
        GROUP_COMPONENTS
    ):
        raise RecipeError(
            f"Component '{component.name}' cannot have balance: scenes, "
            f"which {' and '.join(GROUP_COMPONENTS)} have, because their "
            "frames hold concepts; give it rank or round_robin."
        )
    if (turns or component.quotas) and not any(
        f"{group}_concepts" in table.columns for group in GROUP_COMPONENTS
    ):
        raise MissingStageError(
            f"Component '{component.name}' has quotas or turns of concepts, "
            "but no frame has concepts; run match_concepts first."
        )


def _pick(state: Frames, found: Source, row: int, turn: str) -> Pick:
    table = state.table
    score = None if found.score is None else float(found.score[row])
    why = found.why(row)
    if turn:
        why += f"; taken for {turn}"
    return Pick(
        sample_token=str(table.sample_token[row]),
        scene=str(table.scene[row]),
        split=str(table.split[row]),
        component=found.name,
        score=None if score is None or np.isnan(score) else score,
        concepts=_concepts(state, found, row),
        why=why + ".",
    )


def _concepts(state: Frames, found: Source, row: int) -> tuple[str, ...]:
    column = f"{found.name}_concepts"
    if column in state.table.columns:
        return tuple(map(str, state.table[column][row]))
    return tuple(map(str, found.concepts[row]))


def _excluded(table: FrameTable, tokens: tuple[str, ...]) -> np.ndarray:
    if not tokens:
        return np.zeros(len(table), dtype=bool)
    unknown = sorted(set(tokens) - set(table.sample_token.tolist()))
    if unknown:
        raise RecipeError(
            f"{len(unknown)} of the {len(set(tokens))} tokens to exclude are "
            f"not keyframes of this data set, the first is '{unknown[0]}'; "
            "give nuScenes sample tokens, not file names or sample_data "
            "tokens."
        )
    return np.asarray(np.isin(table.sample_token, list(tokens)))
