"""Entries of OpenPCDet's info files.

What each field means was taken from what OpenPCDet's ``NuScenesDataset``
reads and its ``nuscenes_utils.fill_trainval_infos`` writes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from raremine.brain.nuscenes.geometry import invert_pose
from raremine.brain.nuscenes.taxonomy import detection_class
from raremine.brain.selection.exporters.info_frames import (
    FrameBoxes,
    InfoFrame,
    described,
    heading,
    intrinsic,
)

_FRONT = "CAM_FRONT"


def entry(frame: InfoFrame, sweeps: int) -> dict[str, Any]:
    """Returns a keyframe's entry.

    Args:
        frame: the keyframe
        sweeps: number of sweeps to list; the last is repeated where there
            are fewer, as OpenPCDet draws from so many
    """
    front = frame.cameras.get(_FRONT)
    found: dict[str, Any] = {
        "lidar_path": frame.lidar.data.filename,
        "cam_front_path": "" if front is None else front.data.filename,
        "cam_intrinsic": (None if front is None else intrinsic(front)),
        "token": frame.token,
        "sweeps": _sweeps(frame, sweeps),
        "ref_from_car": invert_pose(frame.lidar.to_ego),
        "car_from_global": invert_pose(frame.lidar.ego),
        "timestamp": 1e-6 * frame.lidar.data.timestamp,
        "cams": {
            channel: {**sensor, "camera_intrinsics": intrinsic(camera)}
            for (channel, camera), sensor in zip(
                frame.cameras.items(),
                described(frame.cameras.values(), frame.cameras),
                strict=True,
            )
        },
    }
    if frame.boxes is not None:
        found.update(_boxes(frame, frame.boxes))
    return found


def _sweeps(frame: InfoFrame, count: int) -> list[dict[str, Any]]:
    lidar = frame.lidar.data
    found = [
        {
            "lidar_path": sweep.data.filename,
            "sample_data_token": sweep.data.token,
            "transform_matrix": sweep.to_lidar,
            "global_from_car": sweep.ego,
            "car_from_current": sweep.to_ego,
            "time_lag": 1e-6 * lidar.timestamp - 1e-6 * sweep.data.timestamp,
        }
        for sweep in frame.sweeps[:count]
    ]
    if not found:
        # the keyframe itself stands in
        found.append(
            {
                "lidar_path": lidar.filename,
                "sample_data_token": lidar.token,
                "transform_matrix": None,
                "time_lag": 0,
            }
        )
    return (found + found[-1:] * count)[:count]


def _boxes(frame: InfoFrame, boxes: FrameBoxes) -> dict[str, Any]:
    """Returns the cuboids that have a point inside, in the LiDAR's frame."""
    kept = boxes.valid
    to_lidar = frame.from_global
    turn = to_lidar[:3, :3]
    velocity = boxes.velocity @ turn.T
    gt_boxes = np.column_stack(
        [
            boxes.center @ turn.T + to_lidar[:3, 3],
            boxes.size[:, [1, 0, 2]],
            heading(turn @ boxes.rotation),
            velocity[:, :2],
        ]
    )
    names = [detection_class(category) for category in boxes.category]
    return {
        "gt_boxes": gt_boxes[kept],
        "gt_boxes_velocity": velocity[kept],
        "gt_names": np.array(names, dtype=str)[kept],
        "gt_boxes_token": np.array(boxes.token, dtype=str)[kept],
        "num_lidar_pts": boxes.lidar_points[kept],
        "num_radar_pts": boxes.radar_points[kept],
    }
