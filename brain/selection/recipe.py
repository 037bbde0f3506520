"""What a selection is asked for: shares by component, and its options."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from raremine.brain.errors import RecipeError
from raremine.brain.pool import refuse_evaluation_splits

RANDOM = "random"
GROUP_COMPONENTS = ("target", "rare")
TOP_UP = ("none", "random")
BALANCE = ("round_robin", "rank")
OPTIONS = ("balance", "max_frames_per_scene", "top_up", "exclude", "pool")


@dataclass(frozen=True)
class Recipe:
    """A selection recipe.

    Attributes:
        shares: share of ALL frames of the pool by component: ``random``,
            ``target``, ``rare`` or a numeric frame column such as
            ``outlier_score``. ``random`` is drawn first, the others take by
            rank, in the order given, from the frames not chosen yet.
        balance ("round_robin"): how ``target`` and ``rare`` rank frames:
            "round_robin" gives each concept the same quota, the rarest
            first; "rank" goes by score alone
        max_frames_per_scene (None): most frames of one scene in the whole
            selection; None = no limit
        top_up ("none"): "random" fills what components fell short of with
            random frames of the pool
        exclude (()): sample tokens that must not be selected; they still
            count in the pool that the shares refer to
        pool (None): names of the splits to select from; None = the train
            splits
    """

    shares: Mapping[str, float]
    balance: str = "round_robin"
    max_frames_per_scene: int | None = None
    top_up: str = "none"
    exclude: tuple[str, ...] = field(default=())
    pool: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        _check_shares(self.shares)
        _check_choice("balance", self.balance, BALANCE)
        _check_choice("top_up", self.top_up, TOP_UP)
        cap = self.max_frames_per_scene
        if cap is not None and (
            isinstance(cap, bool) or not isinstance(cap, int) or cap < 1
        ):
            raise RecipeError(
                f"max_frames_per_scene is {cap!r}; it must be a whole number "
                "from 1, or left out for no limit."
            )
        if self.pool is not None:
            refuse_evaluation_splits(self.pool)

    @property
    def components(self) -> tuple[tuple[str, float], ...]:
        """Components in the order in which they choose: random first."""
        return tuple(
            sorted(self.shares.items(), key=lambda item: item[0] != RANDOM)
        )

    def with_options(self, **options: Any) -> Recipe:
        """Returns a copy with every option that is not None replaced."""
        given = {k: v for k, v in options.items() if v is not None}
        for name in ("exclude", "pool"):
            if name in given:
                given[name] = _names(name, given[name])
        return replace(self, **given)

    def to_dict(self) -> dict[str, Any]:
        """Returns the recipe in the form that ``load_recipe`` reads."""
        return {
            **dict(self.components),
            "balance": self.balance,
            "max_frames_per_scene": self.max_frames_per_scene,
            "top_up": self.top_up,
            "exclude": list(self.exclude),
            "pool": None if self.pool is None else list(self.pool),
        }


def load_recipe(recipe: Recipe | Mapping[str, Any] | str | Path) -> Recipe:
    """Reads a recipe.

    Args:
        recipe: a ``Recipe``, a mapping of components to shares in which the
            option names of ``Recipe`` may stand too, or the path of a YAML
            file with such a mapping

    Raises:
        RecipeError: if it cannot be read or does not make sense
    """
    if isinstance(recipe, Recipe):
        return recipe
    source = "The recipe"
    if isinstance(recipe, (str, Path)):
        source = f"Recipe {recipe}"
        recipe = _read_yaml(Path(recipe))
    if not isinstance(recipe, Mapping):
        raise RecipeError(
            f"{source} is not a map of components to shares, such as "
            "{random: 0.1, target: 0.1}."
        )
    shares = {str(k): v for k, v in recipe.items() if k not in OPTIONS}
    options = {
        str(k): v for k, v in recipe.items() if k in OPTIONS and v is not None
    }
    for name in ("exclude", "pool"):
        if name in options:
            options[name] = _names(name, options[name])
    return Recipe(shares, **options)


def _read_yaml(path: Path) -> Any:
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


def _check_shares(shares: Mapping[str, float]) -> None:
    if not shares:
        raise RecipeError(
            "The recipe has no component; give shares such as "
            "{random: 0.1, target: 0.1}."
        )
    for name, share in shares.items():
        is_number = isinstance(share, (int, float)) and not isinstance(
            share, bool
        )
        if not is_number or not math.isfinite(share) or not 0 <= share <= 1:
            raise RecipeError(
                f"'{name}: {share}' is not a share: give a number from 0 to "
                "1 (0.1 = 10 % of the pool). Options are "
                f"{', '.join(OPTIONS)}."
            )
    total = sum(Decimal(repr(float(s))) for s in shares.values())
    if total > 1:
        raise RecipeError(
            f"The shares add up to {total}, more than the whole pool; reduce "
            "them to 1 or less."
        )


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise RecipeError(
            f"{name} is {value!r}; choose one of {', '.join(choices)}."
        )


def _names(option: str, values: Any) -> tuple[str, ...]:
    if isinstance(values, str):
        return (values,)
    if not isinstance(values, Iterable) or isinstance(values, Mapping):
        raise RecipeError(
            f"{option} is {values!r}; give a list of names or tokens."
        )
    return tuple(str(value) for value in values)
