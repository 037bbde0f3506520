"""Recipes: what can be asked for, and what is refused with which words."""

from __future__ import annotations

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
