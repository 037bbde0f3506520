"""Outlier settings as they can be typed into a form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from raremine.brain.errors import RaremineError
from raremine.operators.checks import check_names
from raremine.operators.forms import Form

SEARCHES = {"by size": None, "exact": True, "approximate": False}


def add_weights(form: Form, methods: Sequence[str]) -> None:
    """Asks for the methods' weights in a fused score."""
    form.texts(
        "weights",
        [f"{method} 2" for method in methods],
        description=(
            "Weights in the fusions fisher and mean_rank: a method and a "
            "number; empty = 3 for knn in fisher, 1 for all others"
        ),
    )


def add_settings(form: Form, methods: Sequence[str]) -> None:
    """Asks for limits by method and for how neighbours are searched."""
    form.texts(
        "thresholds",
        [f"{method} iqr 1.5" for method in methods]
        + [f"{method} percentile 95" for method in methods],
        description=(
            "Limits of single methods instead of the share: a method, then "
            "share, percentile or iqr (third quartile plus so many "
            "interquartile ranges), then a number"
        ),
    )
    form.choice(
        "exact",
        tuple(SEARCHES),
        label="Neighbour search",
        default="by size",
        description=(
            "By size: exact up to 20,000 objects, approximate (and linear in "
            "their number) beyond"
        ),
    )


def take_settings(arguments: dict[str, Any]) -> dict[str, Any]:
    """Takes the settings out of an operator's arguments.

    Args:
        arguments: the user's arguments; loses these settings

    Returns:
        ``thresholds``, ``weights`` and ``exact`` as the SDK takes them,
        where given

    Raises:
        RaremineError: if a threshold or weight cannot be read
    """
    settings: dict[str, Any] = {}
    if "thresholds" in arguments:
        settings["thresholds"] = dict(
            map(_threshold, arguments.pop("thresholds"))
        )
    if "weights" in arguments:
        settings["weights"] = dict(map(_weight, arguments.pop("weights")))
    if "exact" in arguments:
        settings["exact"] = SEARCHES[arguments.pop("exact")]
    return settings


def check_settings(
    form: Form, given: Mapping[str, Any], methods: Sequence[str]
) -> None:
    """Says in the form which methods, limits or weights cannot be used."""
    chosen = given.get("methods") or []
    check_names(form, "methods", chosen, methods, "method")
    for name in ("thresholds", "weights"):
        try:
            settings = take_settings({name: given.get(name) or []})
        except RaremineError as error:
            form.wrong(name, str(error))
            continue
        unused = sorted(set(settings[name]) - set(chosen or methods))
        if unused:
            form.wrong(
                name,
                f"{', '.join(unused)} is not among the chosen methods.",
            )


def _threshold(text: str) -> tuple[str, tuple[Any, ...]]:
    words = text.replace(":", " ").replace(",", " ").split()
    try:
        method, kind, number = words
        return method, (kind, float(number))
    except ValueError:
        raise RaremineError(
            f"The threshold '{text}' cannot be read; write a method, a kind "
            "and a number, such as 'knn iqr 1.5'."
        ) from None


def _weight(text: str) -> tuple[str, float]:
    try:
        method, number = text.replace(":", " ").split()
        return method, float(number)
    except ValueError:
        raise RaremineError(
            f"The weight '{text}' cannot be read; write a method and a "
            "number, such as 'knn 3'."
        ) from None
