"""Target objects that one strategy's selection shows and another's misses."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from raremine.brain.evaluation.ground_truth import FrameTruth
from raremine.brain.evaluation.outcomes import Outcome
from raremine.brain.ranking import class_frequency, round_robin

MOST = 12
"""Objects that are kept for each pair of strategies."""

Found = dict[str, dict[str, list[str]]]


def found_and_missed(
    outcomes: Sequence[Outcome], truth: FrameTruth, scene: np.ndarray
) -> Found:
    """Lists objects that a selection shows and another does not.

    Selections are those of the first seed at the marked budget. Classes take
    turns, the rarest first, and each takes its largest object that is not
    from a scene the list has already, if there is one.

    Args:
        outcomes: of the strategies
        truth: the ground truth, with the box of each sighting
        scene: (f,) scene name of each frame

    Returns:
        strategy → other strategy → label ids of boxes in frames that the
        first one selects, at most ``MOST``; empty without boxes
    """
    if truth.seen_label is None or truth.seen_area is None:
        return {}
    taken = np.zeros((len(outcomes), len(truth)), dtype=bool)
    for number, outcome in enumerate(outcomes):
        taken[number, outcome.selected[0]] = True
    shown = taken[:, truth.seen_frame]
    seen = np.zeros((len(outcomes), len(truth.instance_class)), dtype=bool)
    for number, sightings in enumerate(shown):
        seen[number, truth.seen_instance[sightings]] = True
    names = [outcome.name for outcome in outcomes]
    found: Found = {name: {} for name in names}
    for a, ours in enumerate(names):
        best = _best_sighting(truth, shown[a])
        for b, theirs in enumerate(names):
            if a != b:
                only = np.flatnonzero(seen[a] & ~seen[b])
                chosen = _choice(truth, scene, best[only])
                found[ours][theirs] = truth.seen_label[chosen].tolist()
    return found


def _best_sighting(truth: FrameTruth, shown: np.ndarray) -> np.ndarray:
    """Returns each instance's largest sighting among those shown, or -1."""
    assert truth.seen_area is not None
    rows = np.flatnonzero(shown)
    rows = rows[np.argsort(truth.seen_area[rows], kind="stable")]
    best = np.full(len(truth.instance_class), -1, dtype=np.int64)
    best[truth.seen_instance[rows]] = rows
    return best


def _choice(
    truth: FrameTruth, scene: np.ndarray, sightings: np.ndarray
) -> np.ndarray:
    """Chooses sightings: fair to classes, large, from different scenes."""
    assert truth.seen_area is not None
    by_size = np.argsort(-truth.seen_area[sightings], kind="stable")
    sightings = sightings[by_size]
    where = scene[truth.seen_frame[sightings]]
    _, again = np.unique(where, return_index=True)
    first = np.zeros(len(sightings), dtype=bool)
    first[again] = True
    # scenes that are new go before those that were shown
    order = np.argsort(~first, kind="stable")
    kind = truth.instance_class[truth.seen_instance[sightings]]
    classes = [(truth.targets[k],) for k in kind.tolist()]
    everywhere = [(truth.targets[k],) for k in truth.instance_class.tolist()]
    turns = round_robin(order, classes, class_frequency(everywhere))
    rows = []
    for row, _ in turns:
        rows.append(row)
        if len(rows) == MOST:
            break
    return sightings[np.array(rows, dtype=np.int64)]
