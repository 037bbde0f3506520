"""The content of ``.fo3d`` scenes, from parts that FiftyOne made once.

Scenes are written by worker processes, in which importing FiftyOne would
take longer than their work; they fill a template instead.
"""

from __future__ import annotations

import functools
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple


class ShownCloud(NamedTuple):
    """A cloud of a scene; ``path`` is relative to the ``.fo3d`` file."""

    channel: str
    modality: str
    path: str


@dataclass(frozen=True, slots=True)
class SceneTemplate:
    """An empty scene, and a point cloud by modality, as plain values."""

    scene: Mapping[str, Any]
    clouds: Mapping[str, Mapping[str, Any]]

    def fill(self, name: str, clouds: Iterable[ShownCloud]) -> dict[str, Any]:
        """Returns a scene's content, the same every time it is made.

        Lists in it are the template's own, not to be changed.

        Args:
            name: what the ids of the scene and its clouds follow from
            clouds: what it shows
        """
        clouds = tuple(clouds)
        # a scene without LiDAR is projected by its radars
        projected = "lidar"
        if all(c.modality != projected for c in clouds):
            projected = "radar"
        children = [
            {
                **self.clouds[cloud.modality],
                "uuid": _id(f"{name}/{cloud.channel}"),
                "name": cloud.channel,
                "pcdPath": cloud.path,
                "flagForProjection": cloud.modality == projected,
            }
            for cloud in clouds
        ]
        return {**self.scene, "uuid": _id(name), "children": children}


@functools.cache
def scene_template() -> SceneTemplate:
    """Makes the template, by FiftyOne."""
    import fiftyone as fo

    scene = fo.Scene(camera=fo.PerspectiveCamera(up="Z"))
    look = {"shading_mode": "custom", "custom_color": "#ff6d04"}
    materials = {
        "lidar": fo.PointCloudMaterial(shading_mode="height", point_size=2),
        "radar": fo.PointCloudMaterial(point_size=6, **look),
    }
    for modality, material in materials.items():
        scene.add(fo.PointCloud(modality, "cloud.pcd", material=material))
    content = scene.as_dict()
    clouds = {node["name"]: node for node in content["children"]}
    return SceneTemplate({**content, "children": []}, clouds)


def _id(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name))
