"""Frame tables and recipes that Hypothesis draws."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from raremine.brain.objects import FrameTable
from tests.brain.selection.tables import frame_table

CONCEPTS = ("bicycle", "trailer", "truck")
RARE_CONCEPTS = ("animal", "debris")

# directions with cosines 1, .96, .8, .6, .28, 0 between them, and none
DIRECTIONS = (
    (1.0, 0.0),
    (0.96, 0.28),
    (0.8, 0.6),
    (0.6, 0.8),
    (0.0, 1.0),
    (np.nan, np.nan),
)


def _concepts(names: tuple[str, ...]) -> st.SearchStrategy:
    return st.sets(st.sampled_from(names), min_size=1).map(
        lambda s: tuple(sorted(s))
    )


@st.composite
def tables(draw: st.DrawFn, most: int = 60) -> FrameTable:
    """Up to ``most`` frames with everything that a recipe can look at."""
    n = draw(st.integers(1, most))
    split = st.sampled_from(["train", "train", "val", "test", ""])
    splits = draw(st.lists(split, min_size=n, max_size=n))
    splits[0] = "train"
    rows = st.integers(0, n - 1)
    target = draw(st.dictionaries(rows, _concepts(CONCEPTS)))
    rare = draw(st.dictionaries(rows, _concepts(RARE_CONCEPTS)))
    # few distinct values, so that ties and missing values are common
    score = st.sampled_from([0.0, 0.5, 1.0, np.nan])
    scores = draw(st.lists(score, min_size=n, max_size=n))
    scores[0] = 0.25
    vectors = draw(
        st.lists(st.sampled_from(DIRECTIONS), min_size=n, max_size=n)
    )
    vectors[0] = DIRECTIONS[0]
    return frame_table(
        n,
        scenes=draw(st.integers(1, 6)),
        split=splits,
        target=target,
        rare=rare,
        novelty=scores,
        target_score=[
            s if i in target else np.nan for i, s in enumerate(scores)
        ],
        mining_score=[
            2.0 * (i in target) + (i in rare) + 0.1 * (i % 3) for i in range(n)
        ],
        embedding=vectors,
    )


def _percent(most: int) -> st.SearchStrategy:
    return st.integers(0, most).map(lambda p: p / 100)


_quotas = st.dictionaries(
    st.sampled_from([*CONCEPTS, *RARE_CONCEPTS, "unicorn"]),
    st.integers(0, 5) | st.sampled_from([0.01, 0.02, 0.05]),
    max_size=3,
)


BALANCES = ["round_robin", "rank", "scenes"]


def _component(most: int, balances: list[str]) -> st.SearchStrategy:
    return _percent(most) | st.fixed_dictionaries(
        {"share": st.integers(15, max(most, 16)).map(lambda p: p / 100)},
        optional={
            "quotas": _quotas,
            "balance": st.sampled_from(balances),
        },
    )


limits = st.fixed_dictionaries(
    {},
    optional={
        "max_frames_per_scene": st.integers(1, 8),
        # frames are half a second apart
        "min_gap_seconds": st.sampled_from([0.1, 0.5, 0.6, 1.0, 2.5]),
        "max_similarity": st.sampled_from([0.5, 0.9, 0.97]),
        "balance": st.sampled_from(BALANCES),
    },
)

recipes = st.builds(
    lambda shares, options, top_up: {**shares, **options, "top_up": top_up},
    st.fixed_dictionaries(
        {
            "random": _percent(30),
            "target": _component(25, BALANCES),
            "novelty": _component(20, BALANCES[:2]),
        },
        optional={
            "rare": _percent(10),
            "core_set": _percent(10),
            "class_balanced": _percent(5),
        },
    ),
    limits,
    st.sampled_from(["none", "random"]),
)
