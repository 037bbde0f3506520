"""Scenery along the street: houses, trees, lamps, signs and decoys."""

from __future__ import annotations

import numpy as np

from demo.layout import Actor, Layout

TURN = np.pi


def furnish(lay: Layout) -> None:
    """Adds everything that is never annotated to a laid-out scene."""
    _houses(lay)
    _lamps(lay)
    _junction(lay)
    _decoys(lay)
    _green(lay)


def _put(lay: Layout, name: str, s: float, d: float, heading: float = 0.0,
         margin: float = 0.2) -> bool:
    return lay.add(Actor(lay.shape(name), s, d, heading), margin)


def _houses(lay: Layout) -> None:
    rng, road = lay.rng, lay.road
    for side in (-1, 1):
        s = road.start
        open_side = rng.random() < 0.2
        while s < road.end:
            if rng.random() < (0.75 if open_side else 0.14):
                s += rng.uniform(8, 18)
                continue
            shape = lay.shape("building")
            length, depth = shape.mesh.size[:2]
            at = s + length / 2
            d = side * (road.walk_end + rng.uniform(0.3, 1.2) + depth / 2)
            if not road.in_junction(at, length / 2 + 2.5):
                lay.add(Actor(shape, at, d, 0.0 if side < 0 else TURN), 0.1)
            s += length + rng.uniform(0.0, 1.5)


def _lamps(lay: Layout) -> None:
    rng, road = lay.rng, lay.road
    for side in (-1, 1):
        s = road.start + rng.uniform(0, 20)
        while s < road.end:
            if not road.in_junction(s, 1.0):
                heading = -side * np.pi / 2
                _put(lay, "street lamp", s, side * (road.kerb + 1.2),
                     heading, 0.0)
                lay.scene.lamps.append((s, side * (road.kerb - 0.6)))
            s += rng.uniform(23, 30)


def _junction(lay: Layout) -> None:
    road = lay.road
    if road.junction is None:
        return
    edge = road.cross_half + 1.0
    _put(lay, "traffic light", road.junction - edge,
         -(road.kerb + 0.5), 0.0, 0.0)
    _put(lay, "traffic light", road.junction + edge, road.kerb + 0.5, TURN,
         0.0)
    _put(lay, "traffic light", road.junction + edge, -(road.kerb + 0.5),
         0.0, 0.0)


def _decoys(lay: Layout) -> None:
    """Things that look like targets at a distance, and street furniture."""
    rng, road = lay.rng, lay.road
    counts = {
        "kiosk": rng.poisson(0.8), "container": rng.poisson(0.8),
        "dumpster": rng.poisson(0.7), "billboard": rng.poisson(1.2),
        "statue": rng.poisson(0.3), "bus shelter": rng.poisson(0.6),
        "post box": rng.poisson(0.8), "bench": rng.poisson(1.5),
        "bollard": rng.poisson(3.0), "sign": rng.poisson(6.0),
    }
    for name, count in counts.items():
        for _ in range(int(count)):
            for _ in range(8):
                side = -1 if rng.random() < 0.5 else 1
                s = lay.somewhere(-45, lay.reach + 70)
                if road.in_junction(s, 3.0):
                    continue
                heading = 0.0 if side < 0 else TURN
                low, high = 0.5, 0.9
                if name in ("kiosk", "container", "dumpster"):
                    low, high = 1.9, 3.4
                    if rng.random() < 0.35:
                        low, high = -1.5, -1.2
                elif name in ("statue", "bench", "billboard"):
                    low, high = 3.0, 3.8
                elif name == "bus shelter":
                    low, high = 2.2, 2.6
                    heading += TURN
                d = side * (road.kerb + rng.uniform(low, high))
                if _put(lay, name, s, d, heading, 0.15):
                    break


def _green(lay: Layout) -> None:
    rng, road = lay.rng, lay.road
    leafy = rng.uniform(0.1, 0.8)
    for side in (-1, 1):
        for s in np.arange(road.start, road.end, 7.5):
            at = s + rng.uniform(-1.5, 1.5)
            if road.in_junction(at, 2.0):
                continue
            if rng.random() < leafy * 0.6:
                _put(lay, "tree", at, side * (road.kerb + 1.3), 0.0, -1.2)
            if rng.random() < 0.5:
                _put(lay, "tree", at,
                     side * (road.walk_end + rng.uniform(1.5, 12)),
                     rng.uniform(0, 6), 0.3)
            if rng.random() < leafy * 0.5:
                _put(lay, "hedge", at, side * (road.walk_end + 0.5), 0.0,
                     0.1)
