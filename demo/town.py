"""Who is in a scene, where, and how they move."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from demo.config import WorldConfig
from demo.mesh import Mesh
from demo.plan import ScenePlan, scene_plan
from demo.road import Road
from demo.shapes import (
    KINDS,
    VARIANTS,
    Shape,
    make_shape,
    scenery_shape,
)

TURN = np.pi


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
        return float(self.shape.mesh.size[0])

    @property
    def width(self) -> float:
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

    def side(self) -> int:
        return -1 if self.rng.random() < 0.6 else 1


def _lane(lay: Layout, d: float, way: int, speed: float,
          rare: list[str], crowd: float) -> None:
    """Fills a lane with vehicles that keep their distances."""
    rng, road = lay.rng, lay.road
    state = "moving" if speed > 0 else "stopped"
    time = lay.scene.plan.seconds
    # Places are where the queue is at the middle of the scene.
    s = -46.0 + rng.uniform(0, 18)
    end = lay.reach + 55.0
    own = way > 0 and abs(d + road.lane(0)) < 0.1
    wait = list(rare)
    slots = max(1, int((end - s) / 24))
    while s < end:
        name = ""
        if wait and rng.random() < 2.0 * len(wait) / slots:
            name = wait.pop()
        elif rng.random() < crowd:
            name = lay.scene.plan.car(rng)
        if name:
            ahead = _vehicle(lay, name, s, d, way, speed, state, time, own)
            s += ahead + rng.uniform(2.0 if speed == 0 else 6.0, 15.0)
        else:
            s += rng.uniform(8.0, 20.0)


def _vehicle(lay: Layout, name: str, s: float, d: float, way: int,
             speed: float, state: str, time: float, own: bool = False,
             ) -> float:
    """Puts a vehicle, with what it tows, into a lane; returns its length."""
    rng = lay.rng
    rider = KINDS[name].cycle
    head = lay.shape(name, rider=rider)
    parts = [head]
    if name == "articulated bus":
        parts.append(lay.shape("articulated bus rear", colour=head.colour))
    elif name == "semi truck":
        pick = ("box trailer", "flatbed trailer")[int(rng.integers(2))]
        parts.append(lay.shape(pick))
    elif name == "car and trailer":
        pass
    heading = 0.0 if way > 0 else TURN
    start = s - way * speed * time / 2
    if own:
        # The ego vehicle's own lane: same speed, so the gap stays.
        ego_half = 3.2
        start = s
        if -ego_half - 9 < start < ego_half + 9:
            return 2.0
    at = start
    total = 0.0
    for i, shape in enumerate(parts):
        length = float(shape.mesh.size[0])
        if i:
            overlap = -1.4 if "trailer" in shape.name else 0.05
            at -= way * (length / 2 + overlap)
        lay.scene.actors.append(
            Actor(shape, at, d, heading, way * speed, 0.0,
                  "" if not shape.category else state)
        )
        at -= way * length / 2
        total += length
        if i == 0 and len(parts) > 1:
            at = start - way * length / 2
    return total


def _parked(lay: Layout, name: str, s: float, side: int,
            own_colour: str | None = None) -> bool:
    """Parks a vehicle in the strip; trailers come with or without a tug."""
    road = lay.road
    heading = 0.0 if side < 0 else TURN
    d = side * road.parking
    if road.in_junction(s, 8.0):
        return False
    shape = lay.shape(name, colour=own_colour)
    d += lay.rng.normal(0, 0.08)
    actor = Actor(shape, s, d, heading + lay.rng.normal(0, 0.015), 0, 0,
                  "parked")
    if not lay.add(actor, 1.1):
        return False
    if KINDS[name].slot == "tow" and lay.rng.random() < 0.6:
        pull = {"utility trailer": "suv"}.get(name, "semi truck")
        tug = lay.shape(pull)
        gap = 0.15 if name == "utility trailer" else -1.4
        step = (actor.length + float(tug.mesh.size[0])) / 2 + gap
        way = 1 if side < 0 else -1
        lay.scene.actors.append(
            Actor(tug, s + way * step, d, heading, 0, 0, "parked"))
        lay.block(s + way * step, d, float(tug.mesh.size[0]) + 1.0, 3.0)
    return True


def _cycle(lay: Layout, name: str) -> bool:
    """A two-wheeler: ridden in the cycle strip or left on the pavement."""
    rng, road = lay.rng, lay.road
    side = lay.side()
    if name == "kick scooter" or rng.random() < 0.68:
        way = 1 if side < 0 else -1
        fast = KINDS[name].category == "vehicle.motorcycle"
        speed = rng.uniform(6, 12) if fast else rng.uniform(2.5, 6)
        d = side * (road.shoulder + rng.uniform(-0.15, 0.3))
        return lay.add(
            Actor(lay.shape(name, rider=True), lay.somewhere(-15), d,
                  0.0 if way > 0 else TURN, way * speed, 0.0, "moving"))
    d = side * (road.kerb + rng.uniform(0.7, 1.6))
    heading = rng.uniform(-0.5, 0.5) + (TURN if rng.random() < 0.5 else 0)
    if rng.random() < 0.4:
        heading += np.pi / 2
    return lay.add(
        Actor(lay.shape(name), lay.somewhere(), d, heading, 0, 0, "parked"))


def _walker(lay: Layout, name: str, s: float | None = None,
            side: int | None = None, back: float | None = None) -> bool:
    """Someone on the pavement."""
    rng, road = lay.rng, lay.road
    side = lay.side() if side is None else side
    s = lay.somewhere(-16, lay.reach + 34) if s is None else s
    if back is None:
        back = float(rng.uniform(0.6, road.walk_end - road.kerb - 0.3))
    way = 1 if rng.random() < 0.5 else -1
    slow = name in ("adult standing", "police officer")
    speed = 0.0 if slow else float(rng.uniform(0.7, 1.7))
    if name in ("child", "dog", "wheelchair", "construction worker"):
        speed = 0.0 if rng.random() < 0.4 else speed * 0.8
    heading = 0.0 if way > 0 else TURN
    if speed == 0.0:
        heading = float(rng.uniform(0, 2 * np.pi))
    state = "moving" if speed > 0 else "standing"
    if name == "wheelchair" or name == "stroller":
        state = "sitting_lying_down"
    actor = Actor(lay.shape(name), s, side * (road.kerb + back), heading,
                  way * speed, 0.0, state)
    if not lay.add(actor, 0.25):
        return False
    if name == "stroller":
        speed = speed if speed > 0 else 0.8
        actor.vs = way * speed
        lay.scene.actors.append(
            Actor(lay.shape("adult walking"), s - way * 1.15, actor.d,
                  heading, way * speed, 0.0, "moving"))
    if name == "dog" and rng.random() < 0.6:
        lay.scene.actors.append(
            Actor(lay.shape("adult walking"), s - way * 1.3,
                  actor.d + 0.6, heading, actor.vs, 0.0,
                  "moving" if speed > 0 else "standing"))
    return True


def _zone(lay: Layout, machines: list[str], on_lot: bool) -> None:
    """A construction zone in the parking strip or on an empty lot."""
    rng, road = lay.rng, lay.road
    side = lay.side()
    for _ in range(30):
        s = lay.somewhere(-12, lay.reach + 38)
        length = 10.0 + 9.0 * len(machines) + rng.uniform(0, 8)
        deep = 12.0 if on_lot else 4.4
        d = side * (road.walk_end + 1.0 + deep / 2 if on_lot
                    else road.parking - 0.2)
        if not road.in_junction(s, length / 2 + 3) and lay.free(
                s, d, length, deep):
            break
    else:
        return
    scene = lay.scene
    scene.zones.append((s - length / 2, s + length / 2,
                        d - deep / 2, d + deep / 2))
    edge = d - side * (deep / 2 - 0.1)
    kind = ("jersey barrier", "plastic barrier", "fence barrier",
            "traffic cone")[int(rng.integers(4))]
    step = {"jersey barrier": 2.7, "plastic barrier": 2.2,
            "fence barrier": 2.6, "traffic cone": 2.0}[kind]
    facing = np.pi / 2
    for at in np.arange(s - length / 2, s + length / 2, step):
        lay.add(Actor(lay.shape(kind), at, edge + rng.normal(0, 0.06),
                      facing + rng.normal(0, 0.05)), 0.0)
    for at in (s - length / 2 - 0.9, s + length / 2 + 0.9):
        for i in range(int(rng.integers(1, 4))):
            lay.add(Actor(lay.shape("traffic cone"), at,
                          edge + side * i * 1.1), 0.0)
    for i, name in enumerate(machines):
        at = s - length / 2 + (i + 0.5) * length / len(machines)
        heading = rng.normal(0, 0.06) + (TURN if rng.random() < 0.5 else 0)
        if on_lot:
            heading = rng.uniform(0, 2 * np.pi)
        lay.add(Actor(lay.shape(name), at, d + side * 0.35, heading, 0, 0,
                      "stopped" if rng.random() < 0.6 else "parked"), 0.1)
    for _ in range(int(rng.integers(1, 4))):
        at = rng.uniform(s - length / 2, s + length / 2)
        lay.add(Actor(lay.shape("construction worker"), at,
                      d + rng.uniform(-1.6, 1.6) * (2 if on_lot else 1),
                      rng.uniform(0, 6.28), 0, 0, "standing"), 0.2)
    for _ in range(int(rng.integers(0, 3))):
        at = rng.uniform(s - length / 2 + 1, s + length / 2 - 1)
        name = ("dirt heap", "dumpster", "container")[int(rng.integers(3))]
        lay.add(Actor(lay.shape(name), at, d + side * 0.4, 0.0), 0.1)
    lay.block(s, d, length + 1.0, deep)


def _crossing(lay: Layout, rare: list[str]) -> None:
    """Traffic and walkers on the crossing street while the ego waits."""
    rng, road = lay.rng, lay.road
    if road.junction is None:
        return
    for way in (-1, 1):
        s = road.junction + way * road.lane(0)
        speed = rng.uniform(4.5, 9.0)
        d = -way * rng.uniform(24, 34)
        for _ in range(int(rng.integers(1, 4))):
            name = rare.pop() if rare else lay.scene.plan.car(rng)
            shape = lay.shape(name, rider=True)
            length = float(shape.mesh.size[0])
            d -= 0.0
            lay.scene.actors.append(
                Actor(shape, s, d, way * np.pi / 2, 0.0, way * speed,
                      "moving"))
            d += way * (length + rng.uniform(7, 16))
    for _ in range(int(rng.integers(1, 5))):
        name = lay.scene.plan.walker(rng)
        way = 1 if rng.random() < 0.5 else -1
        s = road.junction - road.cross_half - rng.uniform(1.2, 3.4)
        speed = rng.uniform(0.7, 1.6) * way
        d = rng.uniform(-road.kerb, road.kerb) - speed * 1.7
        lay.add(Actor(lay.shape(name), s, d, way * np.pi / 2, 0.0, speed,
                      "moving"), 0.1)


def build_scene(config: WorldConfig, index: int) -> Scene:
    """Lays out scene ``index`` of a world; it needs no other scene.

    Args:
        config: The world.
        index: 0 to ``config.scenes`` - 1.

    Returns:
        The scene, annotated actors before scenery.
    """
    from demo.street import furnish

    plan = scene_plan(config, index)
    rng = np.random.default_rng(
        np.random.SeedSequence([config.seed, 17, index]))
    speed = 0.0 if plan.waiting else float(rng.uniform(4.5, 11.5))
    reach = speed * plan.seconds
    junction: float | None = None
    if plan.waiting:
        junction = float(rng.uniform(13.5, 16.5))
    elif rng.random() < 0.4:
        junction = float(reach + rng.uniform(16, 40))
    road = Road(float(rng.normal(0, 0.0022)), int(plan.lanes), junction,
                -85.0, reach + 100.0)
    lay = Layout(plan, road, reach, rng)
    lay.scene.speed = speed
    # Lanes are filled by queues; nothing else may stand in them.
    lane_end = road.lanes * road.lane_width - 0.1
    if not plan.waiting:
        lay.block(20.0, 0.0, 400.0, 2 * lane_end)
    rare = list(plan.rare)
    rng.shuffle(rare)
    place = {name: KINDS[name].slot for name in rare}
    machines = [n for n in rare if place[n] == "site"]
    for start in range(0, len(machines), 2):
        _zone(lay, machines[start:start + 2], bool(rng.random() < 0.3))
    for _ in range(plan.zones):
        _zone(lay, [], bool(rng.random() < 0.15))
    lanes: list[str] = []
    across: list[str] = []
    for name in rare:
        slot = place[name]
        if slot == "lane":
            share = rng.random()
            if plan.waiting and share < 0.4:
                across.append(name)
            elif share < 0.45 and name not in ("semi truck",
                                               "articulated bus"):
                for _ in range(25):
                    if _parked(lay, name, lay.somewhere(), lay.side()):
                        break
                else:
                    lanes.append(name)
            else:
                lanes.append(name)
        elif slot == "tow":
            for _ in range(25):
                if _parked(lay, name, lay.somewhere(), lay.side()):
                    break
        elif slot == "cycle":
            for _ in range(12):
                if _cycle(lay, name):
                    break
        elif slot in ("walk", "crew"):
            for _ in range(12):
                if _walker(lay, name):
                    break
        elif slot in ("kerb", "verge", "road", "zone"):
            _small(lay, name, slot)
    _crossing(lay, across)
    lanes += across
    _traffic(lay, lanes)
    _common(lay)
    annotated = lay.scene.actors
    annotated = [a for a in annotated if a.shape.category]
    scenery = [a for a in lay.scene.actors if not a.shape.category]
    lay.scene.actors = scenery
    furnish(lay)
    lay.scene.annotated = len(annotated)
    lay.scene.actors = annotated + lay.scene.actors
    lay.scene.description = plan.describe(annotated)
    return lay.scene


def _small(lay: Layout, name: str, slot: str) -> None:
    """Things left at the kerb, on the road's edge or on the verge."""
    rng, road = lay.rng, lay.road
    for _ in range(15):
        side = lay.side()
        s = lay.somewhere(-10, lay.reach + 30)
        if road.in_junction(s, 2.0):
            continue
        if slot == "kerb":
            d = side * (road.kerb + rng.uniform(0.7, 2.0))
        elif slot == "road":
            d = side * (road.shoulder + rng.uniform(-0.2, 0.5))
        elif slot == "zone":
            d = side * (road.shoulder + rng.uniform(-0.2, 1.5))
        else:
            d = side * (road.walk_end + rng.uniform(-0.5, 0.8))
        heading = float(rng.uniform(0, 2 * np.pi))
        if slot == "zone":
            heading = np.pi / 2 + float(rng.normal(0, 0.15))
        state = "standing" if slot == "verge" else ""
        if lay.add(Actor(lay.shape(name), s, d, heading, 0, 0, state), 0.2):
            return


def _traffic(lay: Layout, rare: list[str]) -> None:
    """Distributes the lane vehicles over the lanes and fills these."""
    rng, road, plan = lay.rng, lay.road, lay.scene.plan
    tracks: list[tuple[float, int, float]] = []
    for i in range(road.lanes):
        for way in (1, -1):
            d = -way * road.lane(i)
            if way > 0 and i == 0:
                speed = lay.scene.speed
            elif plan.waiting:
                speed = 0.0
            else:
                speed = float(rng.uniform(5.0, 12.0))
            tracks.append((d, way, speed))
    share: list[list[str]] = [[] for _ in tracks]
    for name in rare:
        share[int(rng.integers(len(tracks)))].append(name)
    for (d, way, speed), names in zip(tracks, share, strict=True):
        before = len(lay.scene.actors)
        _lane(lay, d, way, speed, names, plan.crowd)
        if plan.waiting and road.junction is not None:
            # Queues stop before the crossing street and its zebra.
            stop = road.cross_half + 5.5
            kept = []
            for actor in lay.scene.actors[before:]:
                gap = (actor.s - road.junction) * way
                half = actor.length / 2
                if gap + half < -stop or gap - half > road.cross_half + 6:
                    kept.append(actor)
            lay.scene.actors[before:] = kept


def _common(lay: Layout) -> None:
    """Parked cars and walkers: what every street has."""
    rng, road, plan = lay.rng, lay.road, lay.scene.plan
    for side in (-1, 1):
        s = road.start + 30.0
        while s < road.end - 25.0:
            if rng.random() < plan.parked:
                _parked(lay, plan.car(rng), s, side)
                s += rng.uniform(5.8, 7.5)
            else:
                s += rng.uniform(5.0, 8.0)
    for _ in range(plan.walkers):
        name = plan.walker(rng)
        s = lay.somewhere(-18, lay.reach + 36)
        side = lay.side()
        back = float(rng.uniform(0.6, road.walk_end - road.kerb - 0.3))
        for step in range(int(rng.integers(1, 4))):
            _walker(lay, name, s + step * 0.4, side, back + step * 0.7)
            name = plan.walker(rng)
