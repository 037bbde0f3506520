"""What nuScenes' names mean: categories, detection classes, scene words."""

from __future__ import annotations

import hashlib
import re

IGNORE = "ignore"
"""Label of an annotated thing outside the ten detection classes."""

DETECTION_CLASS = {
    "movable_object.barrier": "barrier",
    "vehicle.bicycle": "bicycle",
    "vehicle.bus.bendy": "bus",
    "vehicle.bus.rigid": "bus",
    "vehicle.car": "car",
    "vehicle.construction": "construction_vehicle",
    "vehicle.motorcycle": "motorcycle",
    "human.pedestrian.adult": "pedestrian",
    "human.pedestrian.child": "pedestrian",
    "human.pedestrian.construction_worker": "pedestrian",
    "human.pedestrian.police_officer": "pedestrian",
    "movable_object.trafficcone": "traffic_cone",
    "vehicle.trailer": "trailer",
    "vehicle.truck": "truck",
}
"""Detection class by nuScenes category, after the detection task's rules
(``nuscenes.eval.detection.utils.category_to_detection_name``)."""

DETECTION_CLASSES = tuple(sorted(set(DETECTION_CLASS.values())))
"""The ten classes of the nuScenes detection task."""

_NIGHT = re.compile(r"\bnight(?:time)?\b", re.IGNORECASE)
_RAIN = re.compile(r"\brain(?:s|y|ing|fall)?\b", re.IGNORECASE)


def detection_class(category: str) -> str:
    """Returns a category's detection class, "ignore" if it has none."""
    return DETECTION_CLASS.get(category, IGNORE)


def is_night(description: str) -> bool:
    """Whether a scene's description says that it was recorded at night."""
    return _NIGHT.search(description) is not None


def is_rain(description: str) -> bool:
    """Whether a scene's description speaks of rain, as a whole word.

    "After rain" counts, as the road is wet; "terrain" and "train" do not.
    """
    return _RAIN.search(description) is not None


def object_id(kind: str, token: str) -> str:
    """Returns a database id that always belongs to the same token.

    Ids that follow from tokens link an instance across scenes, slices and
    datasets that were loaded at different times.

    Args:
        kind: what the token names, such as "instance"; the same token of
            another kind gives another id
        token: a nuScenes token

    Returns:
        24 hexadecimal digits
    """
    return hashlib.sha1(f"{kind}:{token}".encode()).hexdigest()[:24]
