"""A scene's actors, and the bookkeeping of free places in its street."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from demo.mesh import Mesh
from demo.plan import ScenePlan
from demo.road import Road
from demo.shapes import (
    KINDS,
    VARIANTS,
    Shape,
    make_shape,
    scenery_shape,
)


@dataclass
class Actor:
    """One thing in the scene.

    Attributes:
        shape: What it looks like.
        s: Place along the street at time 0 (m).
        d: Place across the street (m).
        heading: Its heading against the street's (rad).
        vs: Speed along the street (m/s).
        vd: Speed across the street (m/s).
        state: nuScenes attribute without its family, e.g. "parked".
    """

    shape: Shape
    s: float
    d: float
    heading: float = 0.0
    vs: float = 0.0
    vd: float = 0.0
    state: str = ""

    @property
    def length(self) -> float:
        """Extent along its heading (m)."""
        return float(self.shape.mesh.size[0])

    @property
    def width(self) -> float:
        """Extent across its heading (m)."""
        return float(self.shape.mesh.size[1])


@dataclass
class Scene:
    """A laid-out scene.

    Attributes:
        plan: The draw it was made from.
        road: The street.
        actors: Annotated things first, scenery after them.
        annotated: How many of ``actors`` are annotated.
        speed: Speed of the ego vehicle (m/s).
        lamps: s and d of the street lamps' light (m).
        description: Words as in the scene table.
    """

    plan: ScenePlan
    road: Road
    actors: list[Actor] = field(default_factory=list)
    annotated: int = 0
    speed: float = 0.0
    lamps: list[tuple[float, float]] = field(default_factory=list)
    zones: list[tuple[float, float, float, float]] = field(
        default_factory=list
    )
    description: str = ""

    @property
    def meshes(self) -> list[Mesh]:
        """The meshes of all actors, in their order."""
        return [actor.shape.mesh for actor in self.actors]

    def ego(self, time: float) -> tuple[float, float, float]:
        """x, y, yaw of the ego vehicle at ``time`` (s)."""
        x, y, yaw = self.road.place(
            self.speed * time, -self.road.lane(0)
        )
        return float(x), float(y), float(yaw)

    def poses(self, time: float) -> np.ndarray:
        """(N, 4) x, y, z, yaw of every actor at ``time`` (s)."""
        s = np.array([a.s + a.vs * time for a in self.actors])
        d = np.array([a.d + a.vd * time for a in self.actors])
        turn = np.array([a.heading for a in self.actors])
        x, y, yaw = self.road.place(s, d)
        return np.stack([x, y, np.zeros_like(x), yaw + turn], axis=1)


class Layout:
    """Fills one scene; keeps things from standing in each other."""

    def __init__(self, plan: ScenePlan, road: Road, reach: float,
                 rng: np.random.Generator) -> None:
        self.scene = Scene(plan, road)
        self.road = road
        self.reach = reach
        self.rng = rng
        self.boxes: list[tuple[float, float, float, float]] = []

    def shape(self, name: str, rider: bool = False,
              colour: str | None = None) -> Shape:
        """Builds an annotated shape, or takes a ready piece of scenery."""
        if not KINDS[name].category:
            return scenery_shape(name, int(self.rng.integers(VARIANTS)))
        return make_shape(name, self.rng, colour, rider)

    def free(self, s: float, d: float, ls: float, ld: float) -> bool:
        """Whether a ls x ld rectangle around (s, d) is free."""
        a = (s - ls / 2, s + ls / 2, d - ld / 2, d + ld / 2)
        return not any(
            a[0] < b[1] and b[0] < a[1] and a[2] < b[3] and b[2] < a[3]
            for b in self.boxes
        )

    def block(self, s: float, d: float, ls: float, ld: float) -> None:
        """Takes a place."""
        self.boxes.append((s - ls / 2, s + ls / 2, d - ld / 2, d + ld / 2))

    def add(self, actor: Actor, margin: float = 0.5) -> bool:
        """Adds the actor if its whole path during the scene is free."""
        c, q = abs(np.cos(actor.heading)), abs(np.sin(actor.heading))
        ls = actor.length * c + actor.width * q + margin
        ld = actor.length * q + actor.width * c + margin * 0.5
        time = self.scene.plan.seconds
        ds, dd = actor.vs * time, actor.vd * time
        s, d = actor.s + ds / 2, actor.d + dd / 2
        if not self.free(s, d, ls + abs(ds), ld + abs(dd)):
            return False
        self.block(s, d, ls + abs(ds), ld + abs(dd))
        self.scene.actors.append(actor)
        return True

    def somewhere(self, low: float = -22.0, high: float | None = None
                  ) -> float:
        """An s that the cameras get to see."""
        top = self.reach + 48.0 if high is None else high
        return float(self.rng.uniform(low, top))

    def sight(self, far: float) -> float:
        """An s for something rare: in sight throughout, or in passing.

        In passing means left behind soon or reached late, so that a rare
        thing does not fill all frames of its scene.

        Args:
            far: Distance ahead at which it is still large enough (m).
        """
        plan, rng = self.scene.plan, self.rng
        if plan.waiting:
            # Nothing is passed while the car stands.
            return float(rng.uniform(-18.0, far * 0.7))
        if rng.random() < plan.glimpse:
            share = float(rng.uniform(0.15, 0.55))
            if rng.random() < 0.4:
                # The rear camera's wide view makes small things smaller.
                return (1 - share) * self.reach - 0.64 * far
            return share * self.reach + far
        return float(rng.uniform(-6.0, self.reach + far * 0.75))

    def side(self) -> int:
        """Right of the road (-1) more often than left (1)."""
        return -1 if self.rng.random() < 0.6 else 1
