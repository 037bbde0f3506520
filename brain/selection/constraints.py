"""What keeps a frame out of a selection, whichever component wants it.

Constraints hold over the whole selection and only ever tighten while frames
get chosen: a frame that is refused once stays refused.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from decimal import ROUND_CEILING, Decimal

import numpy as np

from raremine.brain.errors import MissingStageError, RecipeError
from raremine.brain.objects import FrameTable
from raremine.brain.selection.near_duplicates import NearDuplicates
from raremine.brain.selection.recipe import Recipe
from raremine.brain.strategies import EMBEDDING

CHOSEN = "already_chosen"
EXCLUDED = "excluded"
SCENE_CAP = "max_frames_per_scene"
TIME_GAP = "min_gap_seconds"
NEAR_DUPLICATE = "max_similarity"

REASONS = (CHOSEN, EXCLUDED, SCENE_CAP, TIME_GAP, NEAR_DUPLICATE)
"""Why a frame can be refused, in the order in which they are checked."""


class Constraints:
    """The frames chosen so far, and what they forbid.

    Args:
        frames: all keyframes
        pool: (f,) bool, frames that may be selected
        excluded: (f,) bool, frames that the recipe excludes
        recipe: the recipe

    Raises:
        RecipeError: if the frames lack the scene or the time that a limit
            is about
        MissingStageError: if they lack the embedding
    """

    def __init__(
        self,
        frames: FrameTable,
        pool: np.ndarray,
        excluded: np.ndarray,
        recipe: Recipe,
    ) -> None:
        self.chosen = np.zeros(len(frames), dtype=bool)
        self.excluded = excluded
        self._recipe = recipe
        self._cap = recipe.max_frames_per_scene
        self._gap = 0
        if recipe.min_gap_seconds is not None:
            exact = Decimal(repr(float(recipe.min_gap_seconds))) * 1_000_000
            self._gap = int(exact.to_integral_value(ROUND_CEILING))
        _check_scenes(frames, pool, self._cap, self._gap)
        _, scene = np.unique(frames.scene, return_inverse=True)
        self._scene: list[int] = scene.tolist()
        self._in_scene = [0] * (max(self._scene, default=-1) + 1)
        self._time: list[int] = frames.timestamp.tolist()
        self._times: list[list[int]] = [[] for _ in self._in_scene]
        self.notes: list[str] = []
        self._near = _near_duplicates(frames, pool, recipe, self.notes)

    @property
    def binding(self) -> bool:
        """Whether a chosen frame can forbid others."""
        return bool(self._cap or self._gap or self._near)

    def expect(self, order: np.ndarray) -> None:
        """Tells in which order rows are likely to be asked about."""
        if self._near is not None:
            self._near.expect(order)

    def refusal(self, row: int) -> str | None:
        """Returns why a row cannot be chosen, None if it can."""
        if self.chosen[row]:
            return CHOSEN
        if self.excluded[row]:
            return EXCLUDED
        scene = self._scene[row]
        if self._cap is not None and self._in_scene[scene] >= self._cap:
            return SCENE_CAP
        if self._gap and self._too_close(self._times[scene], self._time[row]):
            return TIME_GAP
        if self._near is not None and self._near.is_near(row):
            return NEAR_DUPLICATE
        return None

    def choose(self, row: int) -> None:
        """Counts a row as chosen."""
        self.chosen[row] = True
        self._in_scene[self._scene[row]] += 1
        if self._gap:
            insort(self._times[self._scene[row]], self._time[row])
        if self._near is not None:
            self._near.choose(row)

    def words(self, reason: str) -> str:
        """Completes "7 frames ..." for a reason."""
        recipe = self._recipe
        cap = recipe.max_frames_per_scene
        return {
            CHOSEN: "were already chosen",
            EXCLUDED: "are excluded",
            SCENE_CAP: f"are over max_frames_per_scene = {cap}",
            TIME_GAP: (
                f"are less than {recipe.min_gap_seconds} s from a chosen "
                "frame of their scene"
            ),
            NEAR_DUPLICATE: (
                "are near duplicates of a chosen frame (cosine above "
                f"{recipe.max_similarity})"
            ),
        }[reason]

    def _too_close(self, times: list[int], time: int) -> bool:
        at = bisect_left(times, time)
        after = times[at : at + 1]
        before = times[at - 1 : at] if at else []
        return any(abs(time - t) < self._gap for t in (*before, *after))


def _check_scenes(
    frames: FrameTable, pool: np.ndarray, cap: int | None, gap: int
) -> None:
    limit = SCENE_CAP if cap is not None else TIME_GAP if gap else None
    if limit is None:
        return
    without = int((frames.scene[pool] == "").sum())
    if without:
        raise RecipeError(
            f"{without} of {int(pool.sum())} frames have no scene, so "
            f"{limit} cannot be kept; give the samples a scene_name, or leave "
            f"{limit} out."
        )
    if gap and pool.sum() > 1 and not frames.timestamp[pool].any():
        raise RecipeError(
            "No frame has a timestamp, so min_gap_seconds cannot be kept; "
            "give the samples a timestamp in microseconds, or leave it out."
        )


def _near_duplicates(
    frames: FrameTable, pool: np.ndarray, recipe: Recipe, notes: list[str]
) -> NearDuplicates | None:
    if recipe.max_similarity is None:
        return None
    if EMBEDDING not in frames.columns:
        raise MissingStageError(
            "max_similarity compares frames by their embedding, which no "
            "frame has; run embed_objects first, or leave it out."
        )
    near = NearDuplicates(frames[EMBEDDING], recipe.max_similarity)
    without = int(near.without[pool].sum())
    if without == pool.sum():
        raise MissingStageError(
            "max_similarity compares frames by their embedding, which no "
            "frame of the pool has; run embed_objects first, or leave it out."
        )
    if without:
        notes.append(
            f"{without} of {int(pool.sum())} frames have no embedding and "
            "count as no other frame's near duplicate."
        )
    return near
