"""Walks a dataroot with the devkit, along all links in both directions."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from nuscenes.nuscenes import NuScenes
from nuscenes.utils.data_classes import LidarPointCloud

Row = dict[str, Any]


def walk(
    root: Path, version: str, *, files: bool = True, cut: bool = False
) -> NuScenes:
    """Checks that a dataroot is whole; returns the devkit's view of it.

    Args:
        root: the dataroot
        version: its version
        files: whether every file is there
        cut: whether only keyframes are linked over gaps
    """
    nusc = NuScenes(version, str(root), verbose=False)
    _links(nusc, "sample", nusc.sample, lambda row: row["scene_token"])
    if not cut:
        _links(nusc, "sample_data", nusc.sample_data, _channel_of(nusc))
        _links(
            *(nusc, "sample_annotation", nusc.sample_annotation),
            lambda row: row["instance_token"],
        )
    _ends(nusc, cut)
    _references(nusc)
    _nothing_unused(nusc)
    for sample in nusc.sample:
        for token in sample["data"].values():
            path, boxes, _ = nusc.get_sample_data(token)
            assert Path(path).is_file() or not files
            assert len(boxes) <= len(sample["anns"])
        assert {
            nusc.get("sample_data", t)["channel"]
            for t in sample["data"].values()
        } == set(sample["data"])
    for data in nusc.sample_data:
        nusc.get_boxes(data["token"])
        assert (root / data["filename"]).is_file() or not files
    for box in nusc.sample_annotation:
        nusc.box_velocity(box["token"])
    for name in ("lidarseg", "panoptic"):
        for row in getattr(nusc, name, ()):
            data = nusc.get("sample_data", row["sample_data_token"])
            assert data["is_key_frame"]
            assert (root / row["filename"]).is_file()
    nusc.list_scenes()
    return nusc


def multisweep(nusc: NuScenes, token: str, count: int) -> np.ndarray:
    """Points (5, n) and time lags of a keyframe and the sweeps before it."""
    sample = nusc.get("sample", token)
    cloud, times = LidarPointCloud.from_file_multisweep(
        nusc, sample, "LIDAR_TOP", "LIDAR_TOP", nsweeps=count
    )
    return np.vstack([cloud.points, times])


def _channel_of(nusc: NuScenes) -> Any:
    def chain(row: Row) -> tuple[str, str]:
        sample = nusc.get("sample", row["sample_token"])
        return sample["scene_token"], row["channel"]

    return chain


def _stamp(nusc: NuScenes, row: Row) -> int:
    if "timestamp" in row:
        return int(row["timestamp"])
    return int(nusc.get("sample", row["sample_token"])["timestamp"])


def _links(nusc: NuScenes, name: str, rows: list[Row], chain: Any) -> None:
    """Every chain is one walk, forwards and backwards, in time."""
    chains: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        chains[chain(row)].append(row)
    for members in chains.values():
        for key in ("next", "prev"):
            other = "prev" if key == "next" else "next"
            starts = [row for row in members if row[other] == ""]
            assert len(starts) == 1, (name, starts)
            seen = [starts[0]]
            while seen[-1][key]:
                seen.append(nusc.get(name, seen[-1][key]))
                assert len(seen) <= len(members)
            assert {r["token"] for r in seen} == {r["token"] for r in members}
            stamps = [_stamp(nusc, row) for row in seen]
            assert stamps == sorted(stamps, reverse=key == "prev")


def _ends(nusc: NuScenes, cut: bool) -> None:
    for scene in nusc.scene:
        own = [s for s in nusc.sample if s["scene_token"] == scene["token"]]
        assert scene["nbr_samples"] == len(own)
        assert nusc.get("sample", scene["first_sample_token"])["prev"] == ""
        assert nusc.get("sample", scene["last_sample_token"])["next"] == ""
        assert {scene["first_sample_token"], scene["last_sample_token"]} <= {
            s["token"] for s in own
        }
    count: dict[str, int] = defaultdict(int)
    for box in nusc.sample_annotation:
        count[box["instance_token"]] += 1
    for thing in nusc.instance:
        assert thing["nbr_annotations"] == count[thing["token"]]
        for key, end in (("first", "prev"), ("last", "next")):
            token = thing[f"{key}_annotation_token"]
            box = nusc.get("sample_annotation", token)
            assert box["instance_token"] == thing["token"]
            assert box[end] == "" or cut


def _references(nusc: NuScenes) -> None:
    for scene in nusc.scene:
        assert nusc.get("log", scene["log_token"])["map_token"]
    for data in nusc.sample_data:
        for name in ("sample", "ego_pose", "calibrated_sensor"):
            nusc.get(name, data[f"{name}_token"])
    for row in nusc.map:
        for token in row["log_tokens"]:
            nusc.get("log", token)


def _nothing_unused(nusc: NuScenes) -> None:
    def used(rows: list[Row], key: str) -> set[str]:
        return {row[key] for row in rows}

    def tokens(name: str) -> set[str]:
        return used(getattr(nusc, name), "token")

    assert used(nusc.sample, "scene_token") == tokens("scene")
    assert used(nusc.scene, "log_token") == tokens("log")
    assert all(row["log_tokens"] for row in nusc.map)
    boxes = nusc.sample_annotation
    assert used(boxes, "instance_token") == tokens("instance")
    data = nusc.sample_data
    assert used(data, "ego_pose_token") == tokens("ego_pose")
    assert used(data, "calibrated_sensor_token") == tokens("calibrated_sensor")
