"""What makes a recipe valid, and the words for one that is not."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from raremine.brain.errors import RecipeError
from raremine.brain.pool import refuse_evaluation_splits

__all__ = [
    "check_choice",
    "check_entry",
    "check_limits",
    "check_quotas",
    "check_seed",
    "check_shares",
    "names",
    "read_yaml",
    "refuse_evaluation_splits",
]


def read_yaml(path: Path) -> Any:
    """Reads a recipe's file.

    Raises:
        RecipeError: if it cannot be read or is no YAML
    """
    import yaml

    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(
            f"Recipe {path} cannot be read ({error}); give the path of a "
            "YAML file or a dict."
        ) from error
    except yaml.YAMLError as error:
        where = " ".join(str(error).split())
        raise RecipeError(
            f"Recipe {path} is not valid YAML: {where}"
        ) from error


def check_shares(shares: Mapping[str, float], options: Sequence[str]) -> None:
    """Refuses shares that are none, or more than the pool together."""
    if not shares:
        raise RecipeError(
            "The recipe has no component; give shares such as "
            "{random: 0.1, target: 0.1}."
        )
    for name, share in shares.items():
        if not _is_number(share) or not 0 <= share <= 1:
            raise RecipeError(
                f"'{name}: {share}' is not a share: give a number from 0 to "
                "1 (0.1 = 10 % of the pool). Options are "
                f"{', '.join(options)}."
            )
    total = _sum(shares.values())
    if total > 1:
        raise RecipeError(
            f"The shares add up to {total}, more than the whole pool; reduce "
            "them to 1 or less."
        )


def check_entry(
    component: str, entry: Mapping[str, Any], options: Sequence[str]
) -> None:
    """Refuses what a component cannot be asked for."""
    unknown = [str(key) for key in entry if key not in options]
    if unknown:
        raise RecipeError(
            f"Component '{component}' has no option '{unknown[0]}'; it has "
            f"{', '.join(options)}."
        )
    if "share" not in entry:
        raise RecipeError(
            f"Component '{component}' has no share; give one, such as "
            f"{{{component}: {{share: 0.1}}}}."
        )


def check_quotas(
    component: str, quotas: Mapping[str, float], share: float
) -> None:
    """Refuses quotas that are none, or more than the component's share."""
    if not isinstance(quotas, Mapping):
        raise RecipeError(
            f"The quotas of '{component}' are {quotas!r}; give a map of "
            "concepts to shares or numbers of frames, such as "
            "{trailer: 0.02, bicycle: 50}."
        )
    for concept, quota in quotas.items():
        whole = isinstance(quota, int) and not isinstance(quota, bool)
        if not isinstance(concept, str) or not (
            (whole and quota >= 0) or (_is_number(quota) and 0 <= quota <= 1)
        ):
            raise RecipeError(
                f"The quota '{concept}: {quota}' of '{component}' is neither "
                "a share of the pool from 0 to 1, such as 0.02, nor a whole "
                "number of frames."
            )
    total = _sum(q for q in quotas.values() if not isinstance(q, int))
    if total > Decimal(repr(float(share))):
        raise RecipeError(
            f"The quotas of '{component}' add up to {total}, more than its "
            f"share {share}; reduce them or take a larger share."
        )


def check_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    """Refuses a value that is none of the choices."""
    if value not in choices:
        raise RecipeError(
            f"{name} is {value!r}; choose one of {', '.join(choices)}."
        )


def check_limits(cap: Any, gap: Any, similarity: Any) -> None:
    """Refuses limits that cannot be kept or mean nothing."""
    if cap is not None and (
        isinstance(cap, bool) or not isinstance(cap, int) or cap < 1
    ):
        raise RecipeError(
            f"max_frames_per_scene is {cap!r}; it must be a whole number "
            "from 1, or left out for no limit."
        )
    if gap is not None and (not _is_number(gap) or gap <= 0):
        raise RecipeError(
            f"min_gap_seconds is {gap!r}; it must be a number of seconds "
            "above 0, or left out for no limit."
        )
    if similarity is not None and (
        not _is_number(similarity) or not 0 < similarity < 1
    ):
        raise RecipeError(
            f"max_similarity is {similarity!r}; it must be a cosine between "
            "0 and 1, such as 0.95, or left out to keep near duplicates."
        )


def check_seed(seed: Any) -> None:
    """Refuses a seed that is no whole number from 0."""
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise RecipeError(
            f"The seed is {seed!r}; it must be a whole number from 0."
        )


def names(option: str, values: Any) -> tuple[str, ...]:
    """Returns one or several names as a tuple."""
    if isinstance(values, (str, Path)):
        return (str(values),)
    if not isinstance(values, Iterable) or isinstance(values, Mapping):
        raise RecipeError(
            f"{option} is {values!r}; give a list of names or tokens."
        )
    return tuple(str(value) for value in values)


def _is_number(value: Any) -> bool:
    return (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and math.isfinite(value)
    )


def _sum(shares: Iterable[float]) -> Decimal:
    """Adds shares as the decimal numbers that they are written as."""
    return sum((Decimal(repr(float(s))) for s in shares), Decimal(0))
