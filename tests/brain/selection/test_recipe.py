"""Recipes: what can be asked for, and what is refused with which words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from raremine.brain.errors import RecipeError
from raremine.brain.selection.recipe import Recipe, load_recipe


def test_yaml_and_dict_give_the_same_recipe(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yml"
    path.write_text(
        "target: 0.10\nrandom: .1\nnovelty: 0.05\n"
        "max_frames_per_scene: 12\ntop_up: random\npool: train\n"
    )
    recipe = load_recipe(path)
    assert recipe == load_recipe(str(path))
    assert recipe == load_recipe(
        {
            "target": 0.1,
            "random": 0.1,
            "novelty": 0.05,
            "max_frames_per_scene": 12,
            "top_up": "random",
            "pool": ["train"],
        }
    )
    assert [c.name for c in recipe.components] == [
        "random",
        "target",
        "novelty",
    ]
    assert load_recipe(recipe.to_dict()) == load_recipe(recipe)


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        ({}, "no component"),
        ({"random": 10}, "not a share"),
        ({"random": "10%"}, "not a share"),
        ({"random": -0.1}, "not a share"),
        ({"random": float("nan")}, "not a share"),
        ({"random": True}, "not a share"),
        ({"random": 0.6, "target": 0.5}, "add up to 1.1"),
        ({"random": 0.1, "max_frame_per_scene": 5}, "max_frames_per_scene"),
        ({"random": 0.1, "max_frames_per_scene": 0}, "whole number"),
        ({"random": 0.1, "max_frames_per_scene": 1.5}, "whole number"),
        ({"random": 0.1, "top_up": "yes"}, "none, random"),
        ({"random": 0.1, "balance": "fair"}, "round_robin, rank"),
        ({"random": 0.1, "exclude": 5}, "exclude"),
        ({"random": 0.1, "pool": ["mini_val"]}, "for evaluation"),
        (["random"], "not a map"),
        ({"random": 0.1, "min_gap_seconds": 0}, "seconds above 0"),
        ({"random": 0.1, "min_gap_seconds": "2 s"}, "number of seconds"),
        ({"random": 0.1, "max_similarity": 1}, "between 0 and 1"),
        ({"random": 0.1, "max_similarity": 95}, "between 0 and 1"),
        ({"random": 0.1, "seed": -1}, "seed is -1"),
        ({"random": 0.1, "seed": 1.5}, "seed is 1.5"),
        ({"target": {"shares": 0.1}}, "no option 'shares'; it has share"),
        ({"target": {"quotas": {"truck": 1}}}, "'target' has no share"),
        ({"target": {"share": 2}}, "'target: 2' is not a share"),
        ({"target": {"share": 0.1, "quotas": ["truck"]}}, "map of concepts"),
        ({"target": {"share": 0.1, "quotas": {"bus": 50.5}}}, "'bus: 50.5'"),
        ({"target": {"share": 0.1, "quotas": {"bus": -1}}}, "'bus: -1'"),
        ({"target": {"share": 0.1, "quotas": {"bus": True}}}, "'bus: True'"),
        ({"target": {"share": 0.1, "quotas": {"bus": "1"}}}, "'bus: 1'"),
        (
            {"target": {"share": 0.1, "quotas": {"bus": 0.06, "van": 0.05}}},
            "add up to 0.11, more than its share 0.1",
        ),
        (
            {"target": {"share": 0.1, "balance": "fair"}},
            "target's balance is 'fair'",
        ),
    ],
)
def test_refused(recipe: object, words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        load_recipe(recipe)


def test_shares_of_the_whole_pool_are_no_rounding_error() -> None:
    load_recipe({"random": 0.1, "target": 0.2, "rare": 0.7})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- random", "not a map"),
        ("random: [", "not valid YAML"),
        ("", "not a map"),
        (None, "cannot be read"),
    ],
)
def test_bad_file(tmp_path: Path, text: str | None, words: str) -> None:
    path = tmp_path / "bad.yml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(RecipeError, match=words) as caught:
        load_recipe(path)
    assert "bad.yml" in str(caught.value)


def test_quotas_and_turns_of_one_component(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yml"
    path.write_text(
        "random: 0.1\n"
        "target:\n"
        "  share: 0.1\n"
        "  quotas: {trailer: 0.02, bicycle: 50}\n"
        "novelty: {share: 0.05, balance: round_robin}\n"
        "seed: 7\n"
    )
    recipe = load_recipe(path)
    random, target, novelty = recipe.components
    assert (target.share, target.balance) == (0.1, "round_robin")
    assert target.quotas == {"trailer": 0.02, "bicycle": 50}
    assert (random.balance, novelty.balance) == ("rank", "round_robin")
    stored = json.loads(json.dumps(recipe.to_dict()))
    assert load_recipe(stored) == recipe
    assert list(stored)[:3] == ["random", "target", "novelty"]
    assert stored["random"] == 0.1
    # a whole 1 is one frame, a broken 1.0 the whole pool
    quotas = {"target": {"share": 1.0, "quotas": {"bus": 1, "van": 1.0}}}
    read = load_recipe(json.loads(json.dumps(quotas))).components[0].quotas
    assert [type(q) for q in read.values()] == [int, float]


def test_quotas_of_a_component_without_a_share() -> None:
    with pytest.raises(RecipeError, match="'rare' has quotas or a balance"):
        Recipe({"random": 0.1}, quotas={"rare": {"animal": 3}})


def test_options_given_apart_replace_the_recipe_s() -> None:
    recipe = Recipe({"random": 0.1}, max_frames_per_scene=3)
    changed = recipe.with_options(
        max_frames_per_scene=None, top_up="random", exclude=["a"]
    )
    assert changed == Recipe(
        {"random": 0.1},
        max_frames_per_scene=3,
        top_up="random",
        exclude=("a",),
    )
    with pytest.raises(RecipeError, match="for evaluation"):
        recipe.with_options(pool="val")
