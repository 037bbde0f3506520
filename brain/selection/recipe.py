"""What a selection is asked for: shares by component, and its options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from raremine.brain.errors import RecipeError
from raremine.brain.selection import recipe_checks as checks

RANDOM = "random"
GROUP_COMPONENTS = ("target", "rare")
TOP_UP = ("none", "random")
BALANCE = ("round_robin", "rank", "scenes")
COMPONENT_OPTIONS = ("share", "quotas", "balance")
OPTIONS = (
    "balance",
    "max_frames_per_scene",
    "min_gap_seconds",
    "max_similarity",
    "top_up",
    "exclude",
    "exclude_file",
    "exclude_selection",
    "pool",
    "seed",
)
_LISTS = ("exclude", "exclude_file", "exclude_selection", "pool")


@dataclass(frozen=True)
class Component:
    """One component of a recipe, with everything that it asks for.

    Attributes:
        name: what it takes frames by
        share: share of all frames of the pool
        quotas: frames that must hold a concept, by concept: a share of all
            frames of the pool (float) or a number of frames (int)
        balance: "round_robin", "rank" or "scenes"
    """

    name: str
    share: float
    quotas: Mapping[str, float]
    balance: str


@dataclass(frozen=True)
class Recipe:
    """A selection recipe.

    Attributes:
        shares: share of ALL frames of the pool by component: ``random``,
            ``target``, ``rare``, a numeric frame column such as
            ``outlier_score``, or a strategy such as ``k_center``. ``random``
            is drawn first, the others take by rank, in the order given, from
            the frames not chosen yet.
        quotas ({}): by component, how many of its frames must at least hold
            a concept: a share of all frames of the pool (float up to 1) or a
            number of frames (int). They are filled first, the rarest concept
            first.
        balances ({}): ``balance`` of single components
        balance ("round_robin"): how ``target`` and ``rare`` rank frames:
            "round_robin" gives each concept the same quota, the rarest
            first; "rank" goes by score alone, as all other components do
            unless ``balances`` says otherwise; "scenes" goes by score, but
            each frame already chosen of a scene makes the next one with the
            same concept count a little less, see
            ``ranking.discounted_order``
        max_frames_per_scene (None): most frames of one scene in the whole
            selection; None = no limit
        min_gap_seconds (None): least time between two frames of one scene
            in the whole selection; None = no limit
        max_similarity (None): a frame whose embedding has a larger cosine
            than this to a chosen frame is a near duplicate and is left out;
            None = near duplicates are kept
        top_up ("none"): "random" fills what components fell short of with
            random frames of the pool
        exclude (()): sample tokens that must not be selected; they still
            count in the pool that the shares refer to
        exclude_file (()): files that hold such tokens, see
            ``exclusion.read_tokens``
        exclude_selection (()): names of selections whose frames must not be
            selected
        pool (None): names of the splits to select from; None = the train
            splits
        seed (None): seed of everything that is drawn, unless the caller
            gives one; None = 0
    """

    shares: Mapping[str, float]
    quotas: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    balances: Mapping[str, str] = field(default_factory=dict)
    balance: str = "round_robin"
    max_frames_per_scene: int | None = None
    min_gap_seconds: float | None = None
    max_similarity: float | None = None
    top_up: str = "none"
    exclude: tuple[str, ...] = ()
    exclude_file: tuple[str, ...] = ()
    exclude_selection: tuple[str, ...] = ()
    pool: tuple[str, ...] | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        checks.check_shares(self.shares, OPTIONS)
        for name in (*self.quotas, *self.balances):
            if name not in self.shares:
                raise RecipeError(
                    f"'{name}' has quotas or a balance but no share; give "
                    "it one."
                )
        for component, quotas in self.quotas.items():
            checks.check_quotas(component, quotas, self.shares[component])
        checks.check_choice("balance", self.balance, BALANCE)
        for component, balance in self.balances.items():
            checks.check_choice(f"{component}'s balance", balance, BALANCE)
        checks.check_choice("top_up", self.top_up, TOP_UP)
        checks.check_limits(
            self.max_frames_per_scene,
            self.min_gap_seconds,
            self.max_similarity,
        )
        if self.seed is not None:
            checks.check_seed(self.seed)
        if self.pool is not None:
            checks.refuse_evaluation_splits(self.pool)

    @property
    def components(self) -> tuple[Component, ...]:
        """Components in the order in which they choose: random first."""
        names = sorted(self.shares, key=lambda name: name != RANDOM)
        return tuple(
            Component(
                name,
                self.shares[name],
                self.quotas.get(name, {}),
                self.balances.get(
                    name,
                    self.balance if name in GROUP_COMPONENTS else "rank",
                ),
            )
            for name in names
        )

    def with_options(self, **options: Any) -> Recipe:
        """Returns a copy with every option that is not None replaced."""
        given = {k: v for k, v in options.items() if v is not None}
        for name in _LISTS:
            if name in given:
                given[name] = checks.names(name, given[name])
        return replace(self, **given)

    def to_dict(self) -> dict[str, Any]:
        """Returns the recipe in the form that ``load_recipe`` reads."""
        options = {name: getattr(self, name) for name in OPTIONS}
        for name in _LISTS:
            if options[name] is not None:
                options[name] = list(options[name])
        return {
            **{c.name: self._entry(c.name) for c in self.components},
            **options,
        }

    def _entry(self, name: str) -> float | dict[str, Any]:
        share = self.shares[name]
        entry: dict[str, Any] = {"share": share}
        if self.quotas.get(name):
            entry["quotas"] = dict(self.quotas[name])
        if name in self.balances:
            entry["balance"] = self.balances[name]
        return entry if len(entry) > 1 else share


def load_recipe(recipe: Recipe | Mapping[str, Any] | str | Path) -> Recipe:
    """Reads a recipe.

    Args:
        recipe: a ``Recipe``, a mapping of components to shares in which the
            option names of ``Recipe`` may stand too, or the path of a YAML
            file with such a mapping. In place of its share a component may
            have a mapping of ``share``, ``quotas`` and ``balance``. A path
            in ``exclude_file`` counts from the folder of the recipe's file.

    Raises:
        RecipeError: if it cannot be read or does not make sense
    """
    if isinstance(recipe, Recipe):
        return recipe
    source, folder = "The recipe", None
    if isinstance(recipe, (str, Path)):
        source, folder = f"Recipe {recipe}", Path(recipe).expanduser().parent
        recipe = checks.read_yaml(Path(recipe).expanduser())
    if not isinstance(recipe, Mapping):
        raise RecipeError(
            f"{source} is not a map of components to shares, such as "
            "{random: 0.1, target: 0.1}."
        )
    shares: dict[str, Any] = {}
    parts: dict[str, dict[str, Any]] = {"quotas": {}, "balance": {}}
    for key, value in recipe.items():
        name = str(key)
        if name in OPTIONS:
            continue
        if isinstance(value, Mapping):
            checks.check_entry(name, value, COMPONENT_OPTIONS)
            for part, found in parts.items():
                if value.get(part) is not None:
                    found[name] = value[part]
            value = value["share"]
        shares[name] = value
    options = {
        str(k): v for k, v in recipe.items() if k in OPTIONS and v is not None
    }
    for name in _LISTS:
        if name in options:
            options[name] = checks.names(name, options[name])
    if folder is not None and "exclude_file" in options:
        options["exclude_file"] = tuple(
            str(folder / Path(path).expanduser())
            for path in options["exclude_file"]
        )
    return Recipe(shares, parts["quotas"], parts["balance"], **options)
