"""Vehicles of a scene: lanes, the parking strip, the crossing street."""

from __future__ import annotations

import numpy as np

from demo.layout import Actor, Layout
from demo.shapes import KINDS, Shape

TURN = np.pi


def _train(lay: Layout, name: str) -> tuple[list[Shape], list[float]]:
    """A vehicle with what it tows, and where the parts' fronts lie.

    These are given in metres behind the front of the first part.
    """
    head = lay.shape(name, rider=KINDS[name].cycle)
    parts, fronts = [head], [0.0]
    rear = float(head.mesh.size[0])
    if name == "articulated bus":
        parts.append(lay.shape("articulated bus rear", colour=head.colour))
        fronts.append(rear + 0.05)
    elif name == "semi truck":
        pick = ("box trailer", "flatbed trailer")[int(lay.rng.integers(2))]
        parts.append(lay.shape(pick))
        # The trailer lies on the tractor's coupling.
        fronts.append(rear - 1.4)
    return parts, fronts


def _lane(lay: Layout, d: float, way: int, speed: float,
          rare: list[str], crowd: float) -> None:
    """Fills a lane with vehicles that keep their distances."""
    rng, road, scene = lay.rng, lay.road, lay.scene
    state = "moving" if speed > 0 else "stopped"
    own = way > 0 and abs(d + road.lane(0)) < 0.1
    # Places are where the queue is at mid scene; the ego vehicle's own lane
    # moves with it, so there the places at the start are kept.
    shift = 0.0 if own else -way * speed * scene.plan.seconds / 2
    closed: list[tuple[float, float]] = []
    if own:
        closed.append((-9.0, 12.0))
    if scene.plan.waiting and road.junction is not None:
        closed.append((road.junction - 11.5, road.junction + 11.5))
    s = -46.0 + rng.uniform(0, 18)
    end = lay.reach + 55.0
    wait = list(rare)
    while s < end or wait:
        name = ""
        left = max(1.0, (lay.reach + 36.0 - s) / 22.0)
        if wait and s > -28.0 and rng.random() < len(wait) / left:
            name = wait.pop()
        elif s < end and rng.random() < crowd:
            name = scene.plan.car(rng)
        if not name:
            s += rng.uniform(8.0, 20.0)
            continue
        parts, fronts = _train(lay, name)
        total = fronts[-1] + float(parts[-1].mesh.size[0])
        for low, high in sorted(closed):
            if s < high and low < s + total:
                s = high
        front = s + total if way > 0 else s
        for shape, behind in zip(parts, fronts, strict=True):
            centre = front - way * (behind + float(shape.mesh.size[0]) / 2)
            scene.actors.append(
                Actor(shape, centre + shift, d, 0.0 if way > 0 else TURN,
                      way * speed, 0.0, state))
        s += total + rng.uniform(2.0 if speed == 0 else 6.0, 15.0)


def park(lay: Layout, name: str, s: float, side: int,
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
        lay.add(Actor(tug, s + way * step, d, heading, 0, 0, "parked"),
                -2.4)
    return True


def put_cycle(lay: Layout, name: str) -> bool:
    """A two-wheeler: ridden in the cycle strip or left on the pavement."""
    rng, road = lay.rng, lay.road
    side = lay.side()
    if name == "kick scooter" or rng.random() < 0.68:
        way = 1 if side < 0 else -1
        fast = KINDS[name].category == "vehicle.motorcycle"
        speed = rng.uniform(6, 12) if fast else rng.uniform(2.5, 6)
        d = side * (road.shoulder + rng.uniform(-0.15, 0.3))
        # Seen from the car it should be there at mid scene.
        s = lay.sight(38.0) - way * speed * lay.scene.plan.seconds / 2
        return lay.add(
            Actor(lay.shape(name, rider=True), s, d,
                  0.0 if way > 0 else TURN, way * speed, 0.0, "moving"))
    d = side * (road.kerb + rng.uniform(0.7, 1.6))
    heading = rng.uniform(-0.5, 0.5) + (TURN if rng.random() < 0.5 else 0)
    if rng.random() < 0.4:
        heading += np.pi / 2
    return lay.add(
        Actor(lay.shape(name), lay.sight(26.0), d, heading, 0, 0,
              "parked"))


def fill_crossing(lay: Layout, rare: list[str]) -> None:
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


def fill_lanes(lay: Layout, rare: list[str]) -> None:
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
        # The first track is the ego's own: whoever drives there stays in
        # sight all the time.
        first = int(rng.random() < plan.glimpse)
        share[int(rng.integers(first, len(tracks)))].append(name)
    for (d, way, speed), names in zip(tracks, share, strict=True):
        _lane(lay, d, way, speed, names, plan.crowd)
