"""What stands and walks beside the road: people, small things, sites."""

from __future__ import annotations

import numpy as np

from demo.layout import Actor, Layout

TURN = np.pi


def put_walker(lay: Layout, name: str, s: float | None = None,
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


def put_zone(lay: Layout, machines: list[str], on_lot: bool) -> None:
    """A construction zone in the parking strip or on an empty lot."""
    rng, road = lay.rng, lay.road
    side = lay.side()
    for _ in range(80):
        s = lay.sight(58.0)
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


def put_small(lay: Layout, name: str, slot: str) -> None:
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
