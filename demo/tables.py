"""The parts of the nuScenes tables that are the same in every world."""

from __future__ import annotations

import hashlib
from typing import Any

from demo.sensors import CAMERAS, LIDAR

Row = dict[str, Any]

CATEGORIES: dict[str, str] = {
    "human.pedestrian.adult": "A grown-up person.",
    "human.pedestrian.child": "A child.",
    "human.pedestrian.wheelchair": "A wheelchair with the person in it.",
    "human.pedestrian.stroller": "A stroller with the child in it.",
    "human.pedestrian.personal_mobility":
        "A small vehicle for standing on, with its rider.",
    "human.pedestrian.police_officer": "A police officer.",
    "human.pedestrian.construction_worker": "A construction worker.",
    "animal": "Any animal.",
    "vehicle.car": "A car or van for personal use.",
    "vehicle.motorcycle": "A motorcycle, moped or motor scooter.",
    "vehicle.bicycle": "A bicycle.",
    "vehicle.bus.bendy": "One section of an articulated bus.",
    "vehicle.bus.rigid": "A bus of one piece.",
    "vehicle.truck": "A vehicle for hauling cargo, pickups included.",
    "vehicle.construction": "A vehicle for construction work.",
    "vehicle.emergency.ambulance": "An ambulance.",
    "vehicle.emergency.police": "A police vehicle.",
    "vehicle.trailer": "Anything towed.",
    "movable_object.barrier": "A temporary road barrier.",
    "movable_object.trafficcone": "A traffic cone.",
    "movable_object.pushable_pullable":
        "Something to push or pull, such as a bin or a cart.",
    "movable_object.debris": "Something left on the road.",
    "static_object.bicycle_rack": "A bicycle rack with what stands in it.",
}
ATTRIBUTES: dict[str, str] = {
    "vehicle.moving": "The vehicle moves.",
    "vehicle.stopped": "The vehicle stands but is about to move.",
    "vehicle.parked": "The vehicle stands for longer.",
    "cycle.with_rider": "Somebody rides it.",
    "cycle.without_rider": "Nobody rides it.",
    "pedestrian.sitting_lying_down": "The person sits or lies.",
    "pedestrian.standing": "The person stands.",
    "pedestrian.moving": "The person moves.",
}
VISIBILITY: tuple[tuple[str, str], ...] = (
    ("1", "v0-40"), ("2", "v40-60"), ("3", "v60-80"), ("4", "v80-100"))
RADARS = ("RADAR_FRONT", "RADAR_FRONT_RIGHT", "RADAR_FRONT_LEFT",
          "RADAR_BACK_LEFT", "RADAR_BACK_RIGHT")


def token(*parts: object) -> str:
    """A 32-digit hexadecimal token, the same for the same parts."""
    text = "\x1f".join(str(part) for part in parts)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def fixed_tables() -> dict[str, list[Row]]:
    """category, attribute, visibility and sensor; equal in all worlds."""
    return {
        "category": [
            {"token": token("category", name), "name": name,
             "description": text, "index": i}
            for i, (name, text) in enumerate(CATEGORIES.items())],
        "attribute": [
            {"token": token("attribute", name), "name": name,
             "description": text}
            for name, text in ATTRIBUTES.items()],
        "visibility": [
            {"token": number, "level": level, "description":
             "visibility of whole object is between "
             f"{level[1:].replace('-', ' and ')}%"}
            for number, level in VISIBILITY],
        "sensor": [
            {"token": token("sensor", channel), "channel": channel,
             "modality": modality}
            for channels, modality in (
                (CAMERAS, "camera"), ((LIDAR,), "lidar"), (RADARS, "radar"))
            for channel in channels],
    }


def attribute_of(category: str, state: str, rider: bool) -> str | None:
    """The attribute's name for an actor, None where there is none."""
    if category in ("vehicle.bicycle", "vehicle.motorcycle"):
        return "cycle.with_rider" if rider else "cycle.without_rider"
    if category.startswith("vehicle."):
        return f"vehicle.{state}" if state else None
    if category.startswith("human."):
        return f"pedestrian.{state}" if state else None
    return None


def visibility_of(share: float) -> str:
    """The visibility token of a visible share, 0 to 1."""
    for limit, number in ((0.4, "1"), (0.6, "2"), (0.8, "3")):
        if share < limit:
            return number
    return "4"
