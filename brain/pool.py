"""Which keyframes may be selected or judged, and the guard around them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from raremine.brain.errors import RaremineError, RecipeError
from raremine.brain.objects import FrameTable

TRAIN_SPLITS = ("train", "mini_train", "train_detect", "train_track")
"""nuScenes' names of the data that may be trained on: the default pool."""

EVALUATION_SPLITS = frozenset({"val", "mini_val", "test", "mini_test"})
"""nuScenes' names of the data that models are judged on: never selected."""


class SplitLeakageError(RaremineError):
    """A frame of an evaluation split, or from outside the pool, got chosen."""


def frame_pool(
    frames: FrameTable,
    splits: Sequence[str] | None = None,
    *,
    to_train: bool = True,
) -> tuple[np.ndarray, list[str]]:
    """Finds the frames that may be selected.

    Args:
        frames: the keyframes of the whole data set
        splits (None): names of the splits that form the pool; None = the
            splits that nuScenes trains on. Where no frame of the data set
            has a split at all, None means every frame, with a note.
        to_train (True): whether the frames are to be trained on; False lets
            an evaluation split be named

    Returns:
        (f,) bool mask over the rows, and notes for the user

    Raises:
        RecipeError: if the data set has splits but none of them forms the
            pool, if a named split holds no frame, or is an evaluation split
            although ``to_train``
    """
    if not len(frames):
        raise RecipeError(
            "The data set has no keyframes to select from; load one first."
        )
    _check_tokens(frames.sample_token)
    split = np.asarray(frames.split, dtype=str)
    present = sorted(set(split.tolist()) - {""})
    if splits is not None:
        if to_train:
            refuse_evaluation_splits(splits)
        return _named_pool(split, present, splits), []
    if not present:
        return np.ones(len(frames), dtype=bool), [
            "No frame has a split, so all "
            f"{len(frames)} frames form the pool; keep a held-out set apart."
        ]
    mask = np.isin(split, TRAIN_SPLITS)
    if not mask.any():
        raise RecipeError(
            f"No frame is in a train split (splits: {', '.join(present)}); "
            "name the split to take frames from."
        )
    without = int((split == "").sum())
    notes = []
    if without:
        notes.append(
            f"{without} of {len(frames)} frames have no split and are left "
            "out of the pool."
        )
    return mask, notes


def guard_pool(
    frames: FrameTable, rows: Iterable[int], pool: np.ndarray
) -> None:
    """Refuses a choice that would train on evaluation data.

    Args:
        frames: the keyframes
        rows: the chosen rows
        pool: (f,) bool mask from ``frame_pool``

    Raises:
        SplitLeakageError: naming the first frame outside the pool or in an
            evaluation split
    """
    for row in rows:
        if not pool[row] or str(frames.split[row]) in EVALUATION_SPLITS:
            raise SplitLeakageError(
                f"Frame {frames.sample_token[row]} of split "
                f"'{frames.split[row]}' was chosen although it is not in the "
                "pool; nothing was selected."
            )


def _named_pool(
    split: np.ndarray, present: list[str], splits: Sequence[str]
) -> np.ndarray:
    absent = sorted(set(splits) - set(present))
    if absent or not splits:
        raise RecipeError(
            f"Pool split(s) {', '.join(absent) or '(none named)'} hold no "
            "frame of this data set (its splits: "
            f"{', '.join(present) or 'none'})."
        )
    return np.asarray(np.isin(split, list(splits)))


def refuse_evaluation_splits(splits: Iterable[str]) -> None:
    """Raises ``RecipeError`` if a pool names an evaluation split."""
    refused = sorted(EVALUATION_SPLITS & set(splits))
    if refused:
        raise RecipeError(
            f"Split(s) {', '.join(refused)} are for evaluation and can never "
            "be selected for training; name a train split as the pool."
        )


def _check_tokens(tokens: np.ndarray) -> None:
    unique, counts = np.unique(tokens, return_counts=True)
    if len(unique) != len(tokens):
        raise RaremineError(
            f"Sample token {unique[counts > 1][0]} has more than one row in "
            "the frame table; each keyframe must have exactly one."
        )
