"""Recipes in forms: shares as numbers, or a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from raremine.operators.forms import Form

SHARES = ("random_share", "target_share", "rare_share")


def add_shares(form: Form, *, with_file: bool = True) -> None:
    """Asks for the shares of a split, or for a recipe file instead."""
    for name, what, default in (
        ("random_share", "drawn at random", 0.1),
        ("target_share", "with Target objects", 0.1),
        ("rare_share", "with Rare objects", None),
    ):
        form.decimal(
            name,
            0.0,
            1.0,
            default=default,
            label=f"{name.replace('_', ' ').capitalize()} (0 to 1)",
            description=f"Share of all train frames to take {what}",
        )
    if with_file:
        form.text(
            "recipe",
            required=False,
            label="Recipe file",
            description="Path of a YAML recipe; it replaces the shares above",
        )


def take_recipe(arguments: dict[str, Any]) -> Any:
    """Takes the recipe's parts out of an operator's arguments.

    Args:
        arguments: the user's arguments; loses the recipe's parts

    Returns:
        the path of the recipe file, the shares by component, or the default
        shares of the form where nothing was set
    """
    shares = take_shares(arguments)
    default = {"random": 0.1, "target": 0.1}
    return arguments.pop("recipe", None) or shares or default


def take_shares(arguments: dict[str, Any]) -> dict[str, float]:
    """Takes the shares by component out of an operator's arguments."""
    return {
        name.removesuffix("_share"): arguments.pop(name)
        for name in SHARES
        if name in arguments
    }


def describe(selection: Mapping[str, Any]) -> dict[str, Any]:
    """Shortens a selection to what a person reads.

    Args:
        selection: ``Selection.to_dict()``

    Returns:
        name, number of frames, frames by component, shortages, notes
    """
    picks = selection["picks"]
    counts: dict[str, int] = {}
    for pick in picks:
        counts[pick["component"]] = counts.get(pick["component"], 0) + 1
    return {
        "selection": selection["name"],
        "frames": len(picks),
        "pool_size": selection["pool_size"],
        "by_component": counts,
        "shortages": [
            {k: v for k, v in short.items() if k != "held_back" and v != ""}
            for short in selection["shortages"]
        ],
        "notes": selection["notes"],
    }
