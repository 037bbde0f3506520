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
    invert_pose,
    project_boxes,
    project_points,
)
from raremine.brain.selection.exporters.info_frames import (
    FrameBoxes,
    InfoFrame,
    SensorPose,
    devkit_yaw,
    quaternion,
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
_IMAGE = (1600, 900)


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
    found: dict[str, Any] = {
        "sample_idx": index,
        "token": frame.token,
        "timestamp": frame.timestamp / 1e6,
        "ego2global": _single(frame.lidar.ego),
        "images": {
            channel: {
                "img_path": _name(camera),
                "cam2img": _intrinsic(camera).tolist(),
                "cam2ego": _single(camera.to_ego),
                "sample_data_token": camera.data.token,
                "timestamp": camera.data.timestamp / 1e6,
                "lidar2cam": _single(invert_pose(camera.to_lidar)),
            }
            for channel, camera in frame.cameras.items()
        },
        "lidar_points": {
            "num_pts_feats": POINT_FEATURES,
            "lidar_path": _name(frame.lidar),
            "lidar2ego": _single(frame.lidar.to_ego),
        },
        "lidar_sweeps": [
            {
                "timestamp": sweep.data.timestamp / 1e6,
                "ego2global": _single(sweep.ego),
                "lidar_points": {
                    "num_pts_feats": POINT_FEATURES,
                    "lidar_path": sweep.data.filename,
                    "lidar2ego": _single(sweep.to_ego),
                    "lidar2sensor": _single(invert_pose(sweep.to_lidar)),
                },
                "sample_data_token": sweep.data.token,
            }
            for sweep in frame.sweeps
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
    known = np.array([name in _LABEL for name in boxes.names], dtype=bool)
    return {
        channel: _shown(camera, boxes, known)
        for channel, camera in frame.cameras.items()
    }


def _shown(
    camera: SensorPose, boxes: FrameBoxes, known: np.ndarray
) -> list[dict[str, Any]]:
    to_camera = invert_pose(camera.ego @ camera.to_ego)
    turn = to_camera[:3, :3]
    center = boxes.center @ turn.T + to_camera[:3, 3]
    rows = np.flatnonzero(known & (center[:, 2] > 0))
    center, size = center[rows], boxes.size[rows]
    rotation = turn @ boxes.rotation[rows]
    intrinsic = _intrinsic(camera)
    corners = box_corners(center, size, rotation)
    ahead = corners[..., 2] > 0
    # the centre is ahead, so a corner is
    one = corners[np.arange(len(rows)), ahead.argmax(axis=1)]
    bounds = project_boxes(
        np.where(ahead[..., None], corners, one[:, None]),
        intrinsic,
        camera.data.width or _IMAGE[0],
        camera.data.height or _IMAGE[1],
        near=0.0,
    )
    seen = np.flatnonzero(~np.isnan(bounds[:, 0]))
    if not len(seen):
        return []
    rows, center = rows[seen], center[seen]
    columns = zip(
        rows.tolist(),
        bounds[seen].tolist(),
        np.column_stack(
            [
                center,
                size[seen][:, [1, 2, 0]],
                -devkit_yaw(rotation[seen]),
            ]
        ).tolist(),
        (_flat(boxes.velocity[rows]) @ turn.T)[:, [0, 2]].tolist(),
        project_points(center, intrinsic).tolist(),
        center[:, 2].tolist(),
        strict=True,
    )
    return [
        {
            "bbox_label": _LABEL[boxes.names[row]],
            "bbox_label_3d": _LABEL[boxes.names[row]],
            "bbox": bound,
            "bbox_3d_isvalid": True,
            "bbox_3d": box,
            "velocity": velocity,
            "center_2d": pixel,
            "depth": depth,
            "attr_label": _attribute(boxes.attributes[row]),
        }
        for row, bound, box, velocity, pixel, depth in columns
    ]


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
    found: dict[str, Any] = {
        "lidar_path": _path(prefix, frame.lidar),
        "token": frame.token,
        "sweeps": [
            _legacy_sensor(sweep, "lidar", prefix) for sweep in frame.sweeps
        ],
        "cams": {
            channel: {
                **_legacy_sensor(camera, channel, prefix),
                # one name in mmdetection3d, the other in BEVFusion
                "cam_intrinsic": _intrinsic(camera),
                "camera_intrinsics": _intrinsic(camera),
            }
            for channel, camera in frame.cameras.items()
        },
        "lidar2ego_translation": frame.lidar.to_ego[:3, 3].tolist(),
        "lidar2ego_rotation": quaternion(frame.lidar.to_ego),
        "ego2global_translation": frame.lidar.ego[:3, 3].tolist(),
        "ego2global_rotation": quaternion(frame.lidar.ego),
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


def _legacy_sensor(
    sensor: SensorPose, kind: str, prefix: str
) -> dict[str, Any]:
    return {
        "data_path": _path(prefix, sensor),
        "type": kind,
        "sample_data_token": sensor.data.token,
        "sensor2ego_translation": sensor.to_ego[:3, 3].tolist(),
        "sensor2ego_rotation": quaternion(sensor.to_ego),
        "ego2global_translation": sensor.ego[:3, 3].tolist(),
        "ego2global_rotation": quaternion(sensor.ego),
        "timestamp": sensor.data.timestamp,
        "sensor2lidar_rotation": sensor.to_lidar[:3, :3].copy(),
        "sensor2lidar_translation": sensor.to_lidar[:3, 3].copy(),
    }


def _single(pose: np.ndarray) -> list[list[float]]:
    """Returns a pose in single precision, as the converter writes it."""
    found: list[list[float]] = pose.astype(np.float32).tolist()
    return found


def _intrinsic(camera: SensorPose) -> np.ndarray:
    intrinsic = camera.data.calibration.intrinsic
    # the tables' reader refuses cameras without one
    assert intrinsic is not None
    return intrinsic


def _name(sensor: SensorPose) -> str:
    """File name; the folder is in the configuration (data_prefix)."""
    return PurePosixPath(sensor.data.filename).name


def _path(prefix: str, sensor: SensorPose) -> str:
    return f"{prefix.rstrip('/')}/{sensor.data.filename}"
