"""The draw of a world: which rare things happen in which scene, and when.

All scenes are planned together, so that each target class turns up in a
world of usual size whatever its seed, while every scene can still be built
alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from demo.config import WorldConfig
from demo.shapes import KINDS


class _HasShape(Protocol):
    @property
    def shape(self) -> object: ...


CARS = ("sedan", "hatchback", "suv", "van")
CAR_ODDS = (0.36, 0.27, 0.25, 0.12)
WALKERS = ("adult walking", "adult standing", "adult with umbrella", "child")

# Shapes of the five target classes; the first entries are the likeliest.
TARGETS: dict[str, tuple[str, ...]] = {
    "construction": ("excavator", "bulldozer", "wheel loader",
                     "mobile crane", "forklift", "road roller"),
    "trailer": ("utility trailer", "flatbed trailer", "box trailer",
                "semi truck"),
    "bicycle": ("bicycle", "bicycle", "cargo bicycle"),
    "motorcycle": ("motorbike", "scooter"),
    "truck": ("box truck", "dump truck", "tanker", "flatbed truck",
              "cement mixer", "pickup"),
}
# Other uncommon shapes: chance of one in a scene of the long-tailed world,
# and mean number in a scene of the flat one.
OTHERS: dict[str, tuple[float, float]] = {
    "city bus": (0.10, 1.0),
    "articulated bus": (0.04, 0.6),
    "police car": (0.03, 0.35),
    "ambulance": (0.02, 0.35),
    "child": (0.0, 0.7),
    "stroller": (0.06, 0.7),
    "wheelchair": (0.04, 0.6),
    "kick scooter": (0.04, 0.4),
    "police officer": (0.03, 0.3),
    "dog": (0.06, 1.0),
    "deer": (0.025, 0.7),
    "tyre": (0.04, 0.6),
    "cardboard boxes": (0.05, 0.6),
    "planks": (0.03, 0.5),
    "garbage bin": (0.12, 0.5),
    "shopping cart": (0.04, 0.5),
    "bicycle rack": (0.05, 0.2),
    "construction worker": (0.05, 0.5),
    "traffic cone": (0.08, 1.0),
    "jersey barrier": (0.0, 0.7),
    "plastic barrier": (0.02, 0.7),
    "fence barrier": (0.03, 0.7),
}
# Mean number of each target class in a scene of the flat world.
FLAT_TARGETS = {"construction": 2.6, "trailer": 2.0, "bicycle": 3.6,
                "motorcycle": 3.2, "truck": 2.2}
EVENT_SHARE = 0.27
WEATHERS = ("day", "overcast", "dusk", "night")


@dataclass(frozen=True)
class ScenePlan:
    """What was drawn for one scene."""

    index: int
    rare: tuple[str, ...]
    zones: int
    waiting: bool
    lanes: int
    light: str
    rain: bool
    walkers: int
    parked: float
    crowd: float
    seconds: float
    split: str
    glimpse: float

    @property
    def night(self) -> bool:
        """Whether the scene plays at night."""
        return self.light == "night"

    def car(self, rng: np.random.Generator) -> str:
        """A common car."""
        return CARS[int(rng.choice(len(CARS), p=CAR_ODDS))]

    def walker(self, rng: np.random.Generator) -> str:
        """A common pedestrian; umbrellas are for the rain."""
        umbrella = 0.3 if self.rain else 0.02
        odds = np.array([0.55, 0.28, umbrella, 0.08])
        return WALKERS[int(rng.choice(4, p=odds / odds.sum()))]

    def describe(self, actors: Iterable[object]) -> str:
        """A scene description in nuScenes's manner."""
        words = []
        if self.night:
            words.append("Night")
        if self.rain:
            words.append("rain")
        if self.waiting:
            words.append("wait at intersection, crossing traffic")
        if self.parked > 0.4:
            words.append("parked cars")
        if self.walkers > 6:
            words.append("many peds")
        seen = {getattr(a, "shape").name for a in actors}  # noqa: B009
        phrases = {
            "construction worker": "construction",
            "city bus": "bus", "articulated bus": "bendy bus",
            "box truck": "truck", "dump truck": "dump truck",
            "excavator": "excavator", "mobile crane": "crane",
            "bicycle": "bicycle", "motorbike": "motorcycle",
            "scooter": "scooter", "dog": "dog", "stroller": "stroller",
            "wheelchair": "wheelchair", "garbage bin": "garbage bin",
        }
        words += [phrases[name] for name in phrases if name in seen]
        text = ", ".join(words) if words else "street, light traffic"
        return text[0].upper() + text[1:]


def _events(config: WorldConfig) -> list[list[str]]:
    """Target shapes of every scene of the long-tailed part."""
    rng = np.random.default_rng(np.random.SeedSequence([config.seed, 3]))
    count = int(np.floor(config.rarity * EVENT_SHARE * config.scenes
                         + rng.random()))
    rare: list[list[str]] = [[] for _ in range(config.scenes)]
    names = sorted(TARGETS)
    order: list[str] = []
    while len(order) < count:
        order += [names[i] for i in rng.permutation(len(names))]
    scenes = rng.permutation(config.scenes)[:count]
    for scene, name in zip(scenes, order, strict=False):
        shapes = TARGETS[name]
        rare[scene].append(shapes[int(rng.integers(len(shapes)))])
    return rare


def splits(config: WorldConfig) -> list[str]:
    """The split ("train" or "val") of each scene, four to one.

    Scenes with a planned target are split four to one by themselves, or
    the few of them could all end up held out.
    """
    rng = np.random.default_rng(np.random.SeedSequence([config.seed, 5]))
    held = config.scenes // 5
    if config.scenes > 1:
        held = max(1, held)
    events = _events(config)
    order = rng.permutation(config.scenes).tolist()
    rare = [i for i in order if events[i]]
    plain = [i for i in order if not events[i]]
    first = min(held, round(held * len(rare) / config.scenes))
    val = set(rare[:first] + plain[: held - first])
    val |= set(rare[first: first + held - len(val)])
    return ["val" if i in val else "train" for i in range(config.scenes)]


def scene_plan(config: WorldConfig, index: int) -> ScenePlan:
    """Draws scene ``index`` of a world.

    Args:
        config: The world.
        index: 0 to ``config.scenes`` - 1.

    Returns:
        The plan; a function of the two arguments only.
    """
    rng = np.random.default_rng(
        np.random.SeedSequence([config.seed, 11, index]))
    flat = 1.0 - config.rarity
    rare = list(_events(config)[index])
    for name in sorted(TARGETS):
        for _ in range(int(rng.poisson(FLAT_TARGETS[name] * flat))):
            shapes = TARGETS[name]
            rare.append(shapes[int(rng.integers(len(shapes)))])
    for name, (chance, mean) in OTHERS.items():
        hits = int(rng.random() < chance * config.rarity)
        rare += [name] * (hits + int(rng.poisson(mean * flat)))
    light = "night" if rng.random() < config.night else (
        WEATHERS[int(rng.choice(3, p=[0.55, 0.3, 0.15]))])
    rain = bool(rng.random() < config.rain)
    if rain and light == "day":
        light = "overcast"
    zones = int(rng.random() < 0.2 * config.rarity + 0.5 * flat)
    walkers = int(rng.poisson(7.0 * config.rarity + 2.0 * flat))
    return ScenePlan(
        index=index,
        rare=tuple(n for n in rare if n in KINDS),
        zones=zones,
        waiting=bool(rng.random() < 0.25),
        lanes=1 if rng.random() < 0.62 else 2,
        light=light,
        rain=rain,
        walkers=max(1, walkers),
        parked=float(rng.uniform(0.15, 0.7) * (1 - 0.75 * flat)),
        crowd=float(rng.uniform(0.3, 0.75) * (1 - 0.65 * flat)),
        seconds=0.5 * max(1, config.keyframes - 1),
        split=splits(config)[index],
        glimpse=0.7 * config.rarity,
    )
