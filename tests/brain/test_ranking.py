"""Orders of frames that do not show the same thing again and again."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from raremine.brain.objects import object_array
from raremine.brain.ranking import discounted_order, scene_worth
from tests.brain.selection.tables import frame_table

WORTH = st.lists(
    st.dictionaries(
        st.sampled_from("abc"),
        st.floats(0, 1) | st.just(np.nan),
        max_size=3,
    ),
    max_size=12,
)


def greedy(
    worth: list[dict[str, float]], repeat: float, taken: list[str]
) -> list[int]:
    """The definition, step by step."""
    shown = {name: taken.count(name) for name in "abc"}
    left, order = list(range(len(worth))), []
    while left:
        now = {
            row: max(
                (
                    np.nan_to_num(score) * repeat ** shown[name]
                    for name, score in worth[row].items()
                ),
                default=0.0,
            )
            for row in left
        }
        best = max(left, key=lambda row: (now[row], -row))
        left.remove(best)
        order.append(best)
        for name in worth[best]:
            shown[name] += 1
    return order


@given(
    WORTH,
    st.sampled_from([0.0, 0.5, 0.95, 1.0]),
    st.lists(st.sampled_from("abc"), max_size=3),
)
def test_the_heap_finds_what_the_definition_says(
    worth: list[dict[str, float]], repeat: float, taken: list[str]
) -> None:
    found = discounted_order(
        worth, np.arange(len(worth)), repeat=repeat, taken=taken
    )
    assert found.tolist() == greedy(worth, repeat, taken)


def test_a_scene_lets_others_go_before_it_shows_the_same_again() -> None:
    worth = [{"parked": 1.0}] * 4 + [{"other": 0.96}, {"doubtful": 0.3}]
    order = discounted_order(worth, np.arange(6), repeat=0.95)
    assert order.tolist() == [0, 4, 1, 2, 3, 5]
    by_score = discounted_order(worth, np.arange(6), repeat=1.0)
    assert by_score.tolist() == [0, 1, 2, 3, 4, 5]
    # what others have taken of it counts, too
    late = discounted_order(worth, np.arange(6), taken=[["parked"]])
    assert late.tolist()[0] == 4


def test_worth_is_by_scene_and_concept() -> None:
    frames = frame_table(
        4,
        scenes=2,
        target={0: ("bus", "truck"), 1: ("truck",), 2: ("truck",)},
        target_score=[0.9, 0.8, 0.7, np.nan],
    )
    concepts = frames["target_concepts"]
    rows = np.array([0, 1, 2, 3])
    assert scene_worth(frames, "target", concepts, rows) == [
        {("scene-0000", "bus"): 0.9, ("scene-0000", "truck"): 0.9},
        {("scene-0000", "truck"): 0.8},
        {("scene-0001", "truck"): 0.7},
        {},
    ]
    frames.columns["target_concept_scores"] = object_array(
        [(0.2, 0.9), (0.8,), (0.7,), ()]
    )
    first, *_ = scene_worth(frames, "target", concepts, rows)
    assert first == {("scene-0000", "bus"): 0.2, ("scene-0000", "truck"): 0.9}


def test_frames_without_a_scene_share_nothing() -> None:
    frames = frame_table(2, target={0: ("bus",), 1: ("bus",)})
    frames.scene[:] = ""
    one, other = scene_worth(
        frames, "target", frames["target_concepts"], np.array([0, 1])
    )
    assert not one.keys() & other.keys()
