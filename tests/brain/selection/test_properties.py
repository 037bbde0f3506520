"""What holds of every selection, whatever the table and the recipe."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raremine.brain.objects import FrameTable
from raremine.brain.selection import components, near_duplicates
from raremine.brain.selection.recipe import load_recipe
from raremine.brain.selection.result import Selection
from raremine.brain.selection.rule import select
from tests.brain.selection.drawn_tables import limits, recipes, tables

Recipe = dict[str, Any]


@pytest.fixture(scope="module", autouse=True)
def small_batches() -> Iterator[None]:
    """Lets a few frames go through several batches, as thousands would."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(components, "FIRST_BATCH", 2)
        patch.setattr(near_duplicates, "BLOCK", 3)
        yield


def rows_of(frames: FrameTable, chosen: Selection) -> list[int]:
    row = {t: i for i, t in enumerate(frames.sample_token.tolist())}
    return [row[t] for t in chosen.tokens]


@settings(max_examples=120, deadline=None)
@given(tables(), recipes, st.integers(0, 2**40))
def test_shares_are_met_or_the_shortage_is_reported(
    frames: FrameTable, recipe: Recipe, seed: int
) -> None:
    chosen = select(frames, recipe, seed)
    pool = frames.sample_token[frames.split == "train"].tolist()
    assert chosen.pool_size == len(pool)
    assert set(chosen.tokens) <= set(pool)
    assert len(set(chosen.tokens)) == len(chosen.tokens)

    short = {(s.component, s.concept): s for s in chosen.shortages}
    assert len(short) == len(chosen.shortages)
    for component in load_recipe(recipe).components:
        name = component.name
        asked = int(np.floor(round(component.share * len(pool), 9) + 0.5))
        taken = chosen.counts.get(name, 0)
        assert taken <= asked
        assert ((name, "") in short) == (taken < asked)
        if taken < asked:
            told = short[name, ""]
            assert (told.asked, told.taken) == (asked, taken)
        for concept, quota in component.quotas.items():
            wanted = quota
            if isinstance(quota, float):
                wanted = int(np.floor(round(quota * len(pool), 9) + 0.5))
            held = sum(
                concept in pick.concepts
                for pick in chosen.picks
                if pick.component == name
            )
            assert ((name, concept) in short) == (held < wanted)
            if held < wanted:
                told = short[name, concept]
                assert (told.asked, told.taken) == (wanted, held)


@settings(max_examples=120, deadline=None)
@given(tables(), recipes, st.integers(0, 100))
def test_limits_hold_over_the_whole_selection(
    frames: FrameTable, recipe: Recipe, seed: int
) -> None:
    chosen = select(frames, recipe, seed)
    rows = rows_of(frames, chosen)
    cap = recipe.get("max_frames_per_scene", len(frames))
    assert all(n <= cap for n in Counter(frames.scene[rows].tolist()).values())
    gap = recipe.get("min_gap_seconds", 0.0) * 1e6
    by_scene: dict[str, list[int]] = {}
    for row in rows:
        by_scene.setdefault(frames.scene[row], []).append(
            int(frames.timestamp[row])
        )
    for times in by_scene.values():
        assert not len(times[1:]) or np.diff(sorted(times)).min() >= gap
    if "max_similarity" in recipe:
        vectors = frames["embedding"][rows]
        vectors = vectors[~np.isnan(vectors).any(axis=1)]
        cosines = vectors @ vectors.T
        np.fill_diagonal(cosines, -1)
        assert not cosines.size or cosines.max() < (
            recipe["max_similarity"] + 0.001
        )


@settings(max_examples=120, deadline=None)
@given(tables(), recipes, st.integers(0, 100))
def test_what_held_frames_back_is_counted_in_full(
    frames: FrameTable, recipe: Recipe, seed: int
) -> None:
    """Every frame that would have done was taken or has a reason."""
    chosen = select(frames, recipe, seed)
    in_pool = frames.split == "train"
    concepts = {
        "target": frames["target_concepts"],
        "rare": frames["rare_concepts"],
    }
    for short in chosen.shortages:
        assert "share" not in short.held_back or short.concept
        if short.concept:
            continue
        candidates = in_pool.copy()
        if short.component in concepts:
            candidates &= [len(c) > 0 for c in concepts[short.component]]
        elif short.component == "novelty":
            candidates &= ~np.isnan(frames["novelty"])
        held_back = sum(short.held_back.values())
        assert held_back + short.taken == candidates.sum()
        known = {"already_chosen", *(k for k in recipe)}
        assert set(short.held_back) <= known


@settings(max_examples=100, deadline=None)
@given(tables(), recipes, st.integers(0, 100), st.randoms())
def test_row_order_does_not_matter(
    frames: FrameTable, recipe: Recipe, seed: int, random: Any
) -> None:
    order = list(range(len(frames)))
    random.shuffle(order)
    shuffled = frames.take(np.array(order))
    assert select(frames, recipe, seed) == select(shuffled, recipe, seed)


@settings(max_examples=100, deadline=None)
@given(tables(), recipes, st.integers(0, 100), st.data())
def test_a_larger_share_of_the_last_component_only_adds_frames(
    frames: FrameTable, recipe: Recipe, seed: int, data: Any
) -> None:
    recipe = {**recipe, "top_up": "none"}
    name = load_recipe(recipe).components[-1].name
    entry = recipe[name] if isinstance(recipe[name], dict) else {}

    def tokens(percent: int) -> list[str]:
        share = percent / 100
        return select(
            frames, {**recipe, name: {**entry, "share": share}}, seed
        ).tokens

    # quotas may not ask for more than the share
    low = 15 if entry.get("quotas") else 0
    a, b = sorted(data.draw(st.integers(low, 20)) for _ in range(2))
    less, more = tokens(a), tokens(b)
    assert more[: len(less)] == less


@settings(max_examples=60, deadline=None)
@given(tables(), limits, st.integers(0, 100), st.data())
def test_a_larger_random_share_only_adds_drawn_frames(
    frames: FrameTable, options: Recipe, seed: int, data: Any
) -> None:
    """What is mined beside it may differ: it finds other frames taken."""

    def drawn(percent: int) -> list[str]:
        shares = {"random": percent / 100, "target": 0.2}
        chosen = select(frames, {**shares, **options}, seed)
        return [p.sample_token for p in chosen.picks if p.score is None][
            : chosen.counts.get("random", 0)
        ]

    a, b = sorted(data.draw(st.integers(0, 80)) for _ in range(2))
    less, more = drawn(a), drawn(b)
    assert more[: len(less)] == less


@settings(max_examples=60, deadline=None)
@given(tables(), recipes, st.integers(0, 100))
def test_every_pick_says_why_and_survives_json(
    frames: FrameTable, recipe: Recipe, seed: int
) -> None:
    chosen = select(frames, recipe, seed, name="mine 1")
    for pick in chosen.picks:
        assert pick.why.endswith(".") and ".." not in pick.why
        if pick.component in ("target", "rare"):
            row = frames.sample_token.tolist().index(pick.sample_token)
            assert pick.concepts == frames[f"{pick.component}_concepts"][row]
    stored = json.loads(json.dumps(chosen.to_dict(), allow_nan=False))
    assert Selection.from_dict(stored) == chosen
    assert select(frames, stored["recipe"], name="mine 1") == chosen
