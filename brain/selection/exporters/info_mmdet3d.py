"""Entries of mmdetection3d's info files, from 1.1 on and before.

What each field means was taken from what mmdetection3d's ``NuScenesDataset``
and loading transforms read and its converters (``nuscenes_converter.py``,
``update_infos_to_v2.py``) write, in 1.4.0, 1.0 and BEVFusion's copy.
"""

from __future__ import annotations

import math
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from raremine.brain.nuscenes.geometry import (
    box_corners,
    project_boxes,
    project_points,
)
from raremine.brain.selection.exporters.info_frames import (
    FrameBoxes,
    InfoFrame,
    SensorPose,
    described,
    devkit_yaw,
    intrinsic,
    inverted,
    quaternions,
)

CLASSES = (
    *("car", "truck", "trailer", "bus", "construction_vehicle", "bicycle"),
    *("motorcycle", "pedestrian", "traffic_cone", "barrier"),
)
"""In the order of their labels."""

ATTRIBUTES = (
    *("cycle.with_rider", "cycle.without_rider", "pedestrian.moving"),
    *("pedestrian.standing", "pedestrian.sitting_lying_down"),
    *("vehicle.moving", "vehicle.parked", "vehicle.stopped", "None"),
)
"""In the order of their labels; the last is for cuboids without any."""

POINT_FEATURES = 5
"""Of a nuScenes LiDAR point: x, y, z, intensity, ring."""

_LABEL = {name: label for label, name in enumerate(CLASSES)}
_ATTRIBUTE = {name: label for label, name in enumerate(ATTRIBUTES)}
_NO_ATTRIBUTE = len(ATTRIBUTES) - 1
_NO_LABEL = -1
_WIDTH, _HEIGHT = 1600, 900


def metainfo(version: str) -> dict[str, Any]:
    """Returns what is beside the entries, from 1.1 on."""
    return {
        "categories": dict(_LABEL),
        "dataset": "nuscenes",
        "version": version,
        "info_version": "1.1",
    }


def entry(frame: InfoFrame, index: int) -> dict[str, Any]:
    """Returns a keyframe's entry, from mmdetection3d 1.1 on.

    Args:
        frame: the keyframe
        index: its place in the list
    """
    cameras, sweeps = frame.cameras.values(), frame.sweeps
    found: dict[str, Any] = {
        "sample_idx": index,
        "token": frame.token,
        "timestamp": frame.timestamp / 1e6,
        "ego2global": _single([frame.lidar.ego])[0],
        "images": {
            channel: {
                "img_path": _name(camera),
                "cam2img": intrinsic(camera).tolist(),
                "cam2ego": cam2ego,
                "sample_data_token": camera.data.token,
                "timestamp": camera.data.timestamp / 1e6,
                "lidar2cam": lidar2cam,
            }
            for (channel, camera), cam2ego, lidar2cam in zip(
                frame.cameras.items(),
                _single([camera.to_ego for camera in cameras]),
                _single([camera.to_lidar for camera in cameras], back=True),
                strict=True,
            )
        },
        "lidar_points": {
            "num_pts_feats": POINT_FEATURES,
            "lidar_path": _name(frame.lidar),
            "lidar2ego": _single([frame.lidar.to_ego])[0],
        },
        "lidar_sweeps": [
            {
                "timestamp": sweep.data.timestamp / 1e6,
                "ego2global": ego2global,
                "lidar_points": {
                    "num_pts_feats": POINT_FEATURES,
                    "lidar_path": sweep.data.filename,
                    "lidar2ego": lidar2ego,
                    "lidar2sensor": lidar2sensor,
                },
                "sample_data_token": sweep.data.token,
            }
            for sweep, ego2global, lidar2ego, lidar2sensor in zip(
                sweeps,
                _single([sweep.ego for sweep in sweeps]),
                _single([sweep.to_ego for sweep in sweeps]),
                _single([sweep.to_lidar for sweep in sweeps], back=True),
                strict=True,
            )
        ],
        "instances": [],
    }
    if not found["lidar_sweeps"]:
        # without the key, the keyframe's cloud can be repeated instead
        del found["lidar_sweeps"]
    if frame.boxes is not None:
        found["instances"] = instances(frame, frame.boxes)
        found["cam_instances"] = camera_instances(frame, frame.boxes)
    return found


def instances(frame: InfoFrame, boxes: FrameBoxes) -> list[dict[str, Any]]:
    """Returns the cuboids in the LiDAR's frame.

    ``bbox_3d`` is x, y, z of the centre (not of the bottom), length, width,
    height, yaw. Classes outside of the ten have the label -1.
    """
    columns = zip(
        _lidar_boxes(frame, boxes).tolist(),
        boxes.names,
        _lidar_velocity(frame, boxes).tolist(),
        boxes.lidar_points.tolist(),
        boxes.radar_points.tolist(),
        boxes.valid.tolist(),
        strict=True,
    )
    return [
        {
            "bbox_label": _LABEL.get(name, _NO_LABEL),
            "bbox_3d": box,
            "bbox_3d_isvalid": valid,
            "bbox_label_3d": _LABEL.get(name, _NO_LABEL),
            "num_lidar_pts": lidar,
            "num_radar_pts": radar,
            "velocity": velocity,
        }
        for box, name, velocity, lidar, radar, valid in columns
    ]


def _lidar_boxes(frame: InfoFrame, boxes: FrameBoxes) -> np.ndarray:
    """Returns (n, 7): centre, length, width, height, yaw."""
    to_lidar = frame.from_global
    turn = to_lidar[:3, :3]
    return np.column_stack(
        [
            boxes.center @ turn.T + to_lidar[:3, 3],
            boxes.size[:, [1, 0, 2]],
            devkit_yaw(turn @ boxes.rotation),
        ]
    )


def _flat(velocity: np.ndarray) -> np.ndarray:
    """Drops the velocity upwards, which is taken for noise."""
    return velocity * [1.0, 1.0, 0.0]


def _lidar_velocity(frame: InfoFrame, boxes: FrameBoxes) -> np.ndarray:
    """Returns (n, 2) m/s along x and y of the LiDAR."""
    turn = frame.from_global[:3, :3]
    return np.asarray((_flat(boxes.velocity) @ turn.T)[:, :2])


def camera_instances(
    frame: InfoFrame, boxes: FrameBoxes
) -> dict[str, list[dict[str, Any]]]:
    """Returns the cuboids of the ten classes that each image shows.

    ``bbox`` bounds what lies in the image of the hull of the corners in front
    of the camera, without a cut at the near plane. ``bbox_3d`` is, in the
    camera's frame, the centre, length, height, width, and the yaw about the
    axis that points down; ``velocity`` is along x and z.
    """
    shown: dict[str, list[dict[str, Any]]] = {c: [] for c in frame.cameras}
    cameras = list(frame.cameras.items())
    known = np.array([name in _LABEL for name in boxes.names], dtype=bool)
    if not cameras or not known.any():
        return shown
    to_camera = inverted(np.array([c.ego @ c.to_ego for _, c in cameras]))
    matrices = np.array([intrinsic(camera) for _, camera in cameras])
    size = np.array(
        [
            (c.data.width or _WIDTH, c.data.height or _HEIGHT)
            for _, c in cameras
        ]
    )
    turn = to_camera[:, :3, :3]
    center = boxes.center @ turn.transpose(0, 2, 1) + to_camera[:, None, :3, 3]
    camera, row = np.nonzero(known & (center[..., 2] > 0))
    center, turn, matrices = (
        center[camera, row],
        turn[camera],
        matrices[camera],
    )
    rotation = turn @ boxes.rotation[row]
    corners = box_corners(center, boxes.size[row], rotation)
    ahead = corners[..., 2] > 0
    # the centre is ahead, so a corner is
    one = corners[np.arange(len(row)), ahead.argmax(axis=1)]
    width, height = size[camera].T
    bounds = project_boxes(
        np.where(ahead[..., None], corners, one[:, None]),
        matrices,
        width,
        height,
        near=0.0,
    )
    seen = np.flatnonzero(~np.isnan(bounds[:, 0]))
    cuboids = np.column_stack(
        [center, boxes.size[row][:, [1, 2, 0]], -devkit_yaw(rotation)]
    )
    velocity = (turn @ _flat(boxes.velocity[row])[..., None])[:, [0, 2], 0]
    pixels = project_points(center[:, None], matrices)[:, 0]
    for at, source, bound, box, speed, pixel in zip(
        camera[seen].tolist(),
        row[seen].tolist(),
        bounds[seen].tolist(),
        cuboids[seen].tolist(),
        velocity[seen].tolist(),
        pixels[seen].tolist(),
        strict=True,
    ):
        label = _LABEL[boxes.names[source]]
        shown[cameras[at][0]].append(
            {
                "bbox_label": label,
                "bbox_label_3d": label,
                "bbox": bound,
                "bbox_3d_isvalid": True,
                "bbox_3d": box,
                "velocity": speed,
                "center_2d": pixel,
                "depth": box[2],
                "attr_label": _attribute(boxes.attributes[source]),
            }
        )
    return shown


def _attribute(names: tuple[str, ...]) -> int:
    return _ATTRIBUTE.get(names[0], _NO_ATTRIBUTE) if names else _NO_ATTRIBUTE


def legacy_entry(
    frame: InfoFrame, prefix: str, *, bevfusion: bool = False
) -> dict[str, Any]:
    """Returns a keyframe's entry as mmdetection3d 1.0 has it.

    Args:
        frame: the keyframe
        prefix: what paths begin with, such as "./data/nuscenes"
        bevfusion (False): give boxes as mmdetection3d 0.x did, which
            BEVFusion and others have kept: width before length, and the yaw
            turned by a right angle, clockwise
    """
    start = prefix.rstrip("/") + "/"
    cameras = frame.cameras
    own = quaternions(np.array([frame.lidar.to_ego, frame.lidar.ego]))
    found: dict[str, Any] = {
        "lidar_path": start + frame.lidar.data.filename,
        "num_features": POINT_FEATURES,
        "token": frame.token,
        "sweeps": described(
            frame.sweeps, ["lidar"] * len(frame.sweeps), start
        ),
        "cams": {
            channel: {
                **sensor,
                # one name in mmdetection3d, the other in BEVFusion
                "cam_intrinsic": intrinsic(camera),
                "camera_intrinsics": intrinsic(camera),
            }
            for (channel, camera), sensor in zip(
                cameras.items(),
                described(cameras.values(), cameras, start),
                strict=True,
            )
        },
        "lidar2ego_translation": frame.lidar.to_ego[:3, 3].tolist(),
        "lidar2ego_rotation": own[0],
        "ego2global_translation": frame.lidar.ego[:3, 3].tolist(),
        "ego2global_rotation": own[1],
        "timestamp": frame.timestamp,
        "location": frame.location,
    }
    boxes = frame.boxes
    if boxes is not None:
        gt_boxes = _lidar_boxes(frame, boxes)
        if bevfusion:
            gt_boxes = gt_boxes[:, [0, 1, 2, 4, 3, 5, 6]]
            gt_boxes[:, 6] = -gt_boxes[:, 6] - math.pi / 2
        found.update(
            gt_boxes=gt_boxes,
            gt_names=np.array(boxes.names, dtype=str),
            gt_velocity=_lidar_velocity(frame, boxes),
            num_lidar_pts=boxes.lidar_points.copy(),
            num_radar_pts=boxes.radar_points.copy(),
            valid_flag=boxes.valid,
        )
    return found


def _single(
    poses: list[np.ndarray], back: bool = False
) -> list[list[list[float]]]:
    """Returns poses in single precision, as the converter writes them.

    Args:
        poses: each (4, 4)
        back (False): invert them
    """
    if not poses:
        return []
    stacked = inverted(np.array(poses)) if back else np.array(poses)
    found: list[list[list[float]]] = stacked.astype(np.float32).tolist()
    return found


def _name(sensor: SensorPose) -> str:
    """File name; the folder is in the configuration (data_prefix)."""
    return PurePosixPath(sensor.data.filename).name
