"""Measures the objects of one keyframe.

Worker processes do it, so nothing here imports FiftyOne.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from raremine.brain.locating.clouds import read_scene
from raremine.brain.locating.ranging import Camera, Located, locate
from raremine.brain.nuscenes.lidar import CloudError


@dataclass(frozen=True)
class ImageObjects:
    """The objects of an image.

    Attributes:
        camera: that took it
        rows: (n,) int64 rows of the objects in their table
        boxes: (n, 4) float64 relative x, y, width, height
    """

    camera: Camera
    rows: np.ndarray
    boxes: np.ndarray


@dataclass(frozen=True)
class Keyframe:
    """The images of one moment.

    Attributes:
        scene: file of the 3D sample that shows its cloud, None = none
        images: those with objects and a calibrated camera
    """

    scene: str | None
    images: tuple[ImageObjects, ...]


def measure(keyframe: Keyframe) -> tuple[list[Located], str | None]:
    """Locates the objects of a keyframe.

    Args:
        keyframe: its images, and where its cloud is

    Returns:
        one ``Located`` an image, and why its cloud was of no use, or None
    """
    cloud = problem = None
    if keyframe.scene is not None:
        try:
            cloud = read_scene(Path(keyframe.scene))
        except CloudError as error:
            problem = f"{error}; its objects were located by the ground"
    found = [locate(i.boxes, i.camera, cloud) for i in keyframe.images]
    return found, problem
