"""Lays out a scene: who is in it, where, and how they move."""

from __future__ import annotations

import numpy as np

from demo.config import WorldConfig
from demo.layout import Layout, Scene
from demo.plan import scene_plan
from demo.road import Road
from demo.roadside import put_small, put_walker, put_zone
from demo.shapes import KINDS
from demo.street import furnish
from demo.traffic import fill_crossing, fill_lanes, park, put_cycle


def build_scene(config: WorldConfig, index: int) -> Scene:
    """Lays out scene ``index`` of a world; it needs no other scene.

    Args:
        config: The world.
        index: 0 to ``config.scenes`` - 1.

    Returns:
        The scene, annotated actors before scenery.
    """
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
        put_zone(lay, machines[start:start + 2], bool(rng.random() < 0.3))
    for _ in range(plan.zones):
        put_zone(lay, [], bool(rng.random() < 0.15))
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
                for _ in range(40):
                    if park(lay, name, lay.sight(60.0), lay.side()):
                        break
                else:
                    lanes.append(name)
            else:
                lanes.append(name)
        elif slot == "tow":
            far = 36.0 if name == "utility trailer" else 60.0
            for _ in range(40):
                if park(lay, name, lay.sight(far), lay.side()):
                    break
        elif slot == "cycle":
            for _ in range(40):
                if put_cycle(lay, name):
                    break
        elif slot in ("walk", "crew"):
            for _ in range(12):
                if put_walker(lay, name):
                    break
        elif slot in ("kerb", "verge", "road", "zone"):
            put_small(lay, name, slot)
    fill_crossing(lay, across)
    lanes += across
    fill_lanes(lay, lanes)
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


def _common(lay: Layout) -> None:
    """Parked cars and walkers: what every street has."""
    rng, road, plan = lay.rng, lay.road, lay.scene.plan
    for side in (-1, 1):
        s = road.start + 30.0
        while s < road.end - 25.0:
            if rng.random() < plan.parked:
                park(lay, plan.car(rng), s, side)
                s += rng.uniform(5.8, 7.5)
            else:
                s += rng.uniform(5.0, 8.0)
    for _ in range(plan.walkers):
        name = plan.walker(rng)
        s = lay.somewhere(-18, lay.reach + 36)
        side = lay.side()
        back = float(rng.uniform(0.6, road.walk_end - road.kerb - 0.3))
        for step in range(int(rng.integers(1, 4))):
            put_walker(lay, name, s + step * 0.4, side, back + step * 0.7)
            name = plan.walker(rng)
