"""A dataroot, a dataset of it and info files to make and to filter."""

from __future__ import annotations

import itertools
import pickle
from pathlib import Path
from typing import Any

import fiftyone as fo
import numpy as np

from raremine.brain.selection.exporters.datasheet import read_datasheet
from raremine.brain.selection.result import Pick, Selection
from tests.brain.grouped import Keyframe, grouped_dataset
from tests.brain.nuscenes.conftest import VERSION, Dataroot

SCENES = {"scene-0061": "mini_train", "scene-0103": "mini_val"}
TRAIN = ("sample-00", "sample-01", "sample-02")
VAL = ("sample-10", "sample-11", "sample-12")


def chained_dataroot(folder: Path) -> Dataroot:
    """A dataroot whose sensor data are linked, so that the devkit walks."""
    root = Dataroot(folder, seed=3)
    scene_of = {s["token"]: s["scene_token"] for s in root.tables["sample"]}
    chains: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in root.tables["sample_data"]:
        key = scene_of[row["sample_token"]], row["calibrated_sensor_token"]
        chains.setdefault(key, []).append(row)
    for rows in chains.values():
        rows.sort(key=lambda row: row["timestamp"])
        for before, after in itertools.pairwise(rows):
            before["next"], after["prev"] = after["token"], before["token"]
    return root


def dataset_of(dataroot: Path) -> fo.Dataset:
    """A dataset with the keyframes of ``chained_dataroot``."""
    dataset = grouped_dataset(
        [
            Keyframe(token, scene=scene, split=SCENES[scene])
            for scene, tokens in zip(SCENES, (TRAIN, VAL), strict=True)
            for token in tokens
        ],
        summary=False,
    )
    dataset.info["raremine"] = {"dataroot": str(dataroot), "version": VERSION}
    dataset.save()
    return dataset


def selection_of(*tokens: str, name: str = "mine") -> Selection:
    picks = tuple(
        Pick(token, "scene-0061", "mini_train", "random", None, (), "drawn")
        for token in tokens
    )
    return Selection(name, picks, (), (), 3, 0, {"random": 1.0})


def v2_infos(*tokens: str) -> dict[str, Any]:
    """Infos as mmdetection3d 1.1 and later has them, and more."""
    return {
        "metainfo": {
            "categories": {"car": 0, "pushable": -1},
            "dataset": "nuscenes",
            "version": VERSION,
            "info_version": "1.1",
            "mine": np.arange(3),
        },
        "data_list": [
            {
                "sample_idx": 100 + at,
                "token": token,
                "timestamp": 1.5e9 - at,
                "instances": [
                    {
                        "bbox_3d": [float(at)] * 7,
                        "bbox_label_3d": -1,
                        "num_lidar_pts": np.int64(at),
                        "bbox_3d_isvalid": np.bool_(True),
                        "velocity": [float("nan")] * 2,
                    }
                ],
                "cam_instances": {"CAM_FRONT": []},
                "extra": ("kept", None),
            }
            for at, token in enumerate(tokens)
        ],
    }


def legacy_infos(*tokens: str) -> dict[str, Any]:
    """Infos as mmdetection3d before 1.1 and BEVFusion have them."""
    calibration = [1.0, 2.0, 3.0]
    return {
        "infos": [
            {
                "token": token,
                "timestamp": 1_500_000_000 - at,
                "lidar2ego_translation": calibration,
                "gt_boxes": np.arange(14.0).reshape(2, 7) + at,
                "gt_names": np.array(["car", "pedestrian"]),
                "valid_flag": np.array([True, False]),
                "cams": {"CAM_FRONT": {"cam_intrinsic": np.eye(3) * at}},
                "sweeps": [],
            }
            for at, token in enumerate(tokens)
        ],
        "metadata": {"version": VERSION},
    }


def write(document: Any, path: Path, protocol: int = 2) -> Path:
    path.write_bytes(pickle.dumps(document, protocol))
    return path


def load(path: Path) -> Any:
    return pickle.loads(path.read_bytes())


def notes_of(path: Path) -> str:
    return "\n".join(read_datasheet(path)["notes"])


def assert_same(found: Any, expected: Any, where: str = "") -> None:
    """Same keys in the same order, same types, same values; NaN is NaN."""
    assert type(found) is type(expected), where
    if isinstance(expected, dict):
        assert list(found) == list(expected), where
        for key, value in expected.items():
            assert_same(found[key], value, f"{where}.{key}")
    elif isinstance(expected, list | tuple):
        assert len(found) == len(expected), where
        for at, (one, other) in enumerate(zip(found, expected, strict=True)):
            assert_same(one, other, f"{where}[{at}]")
    elif isinstance(expected, np.ndarray):
        assert found.dtype == expected.dtype, where
        np.testing.assert_array_equal(found, expected, where)
    else:
        assert found == expected or found != found, where
