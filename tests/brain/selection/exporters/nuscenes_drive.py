"""A nuScenes dataroot with everything that a smaller one has to get right.

Three scenes of eight keyframes, two seconds a scene of LiDAR, camera and
radar data between them, rows in no order, label files, two logs and maps,
instances that come and go, keys that nobody knows.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from PIL import Image

from raremine.brain.objects import FrameTable
from raremine.brain.selection.exporters.job import ExportJob, Written
from raremine.brain.selection.exporters.nuscenes import EXPORTER
from raremine.brain.selection.result import Pick, Selection

VERSION = "v1.0-mini"
SCENES = {
    "scene-0061": "mini_train",
    "scene-0103": "mini_val",
    "scene-0553": "mini_train",
}
KEYFRAMES = 8
SPEED = 3.0
"""Of every instance, m/s along x."""

Row = dict[str, Any]

# channel, modality, ending, data between two keyframes
_SENSORS = (
    ("LIDAR_TOP", "lidar", "pcd.bin", 9),
    ("CAM_FRONT", "camera", "jpg", 5),
    ("RADAR_FRONT", "radar", "pcd", 6),
)
_HALF = 500_000


class Drive:
    """The dataroot; ``tables`` may be changed before ``write``."""

    def __init__(self, path: Path, seed: int = 0) -> None:
        self.path = path
        self.rng = np.random.default_rng(seed)
        self.files: dict[str, bytes] = {}
        self.tables: dict[str, list[Row]] = {
            name: []
            for name in (
                *("scene", "sample", "sample_data", "ego_pose", "lidarseg"),
                *("sample_annotation", "instance", "calibrated_sensor"),
            )
        }
        self.tables["category"] = [
            {"token": "cat-car", "name": "vehicle.car", "index": 17}
        ]
        self.tables["attribute"] = [
            {"token": "attr-0", "name": "vehicle.moving", "description": "é"}
        ]
        self.tables["visibility"] = [{"token": "4", "level": "v80-100"}]
        self.tables["sensor"] = [
            {"token": f"sensor-{c}", "channel": c, "modality": kind}
            for c, kind, _, _ in _SENSORS
        ]
        self.tables["log"] = [
            {
                "token": f"log-{i}",
                "logfile": f"n{i}",
                "vehicle": "n",
                "date_captured": "2018-07-24",
                "location": "boston-seaport",
            }
            for i in range(3)
        ]
        self.tables["map"] = [
            {
                "token": f"map-{i}",
                "category": "semantic_prior",
                "filename": f"maps/{i}.png",
                "log_tokens": logs,
            }
            for i, logs in enumerate((["log-0", "log-1"], ["log-2"]))
        ]
        for number, name in enumerate(SCENES):
            self._scene(number, name)
        for name in ("sample", "sample_data", "sample_annotation"):
            self.rng.shuffle(self.tables[name])  # type: ignore[arg-type]

    def write(self) -> Path:
        folder = self.path / VERSION
        folder.mkdir(parents=True)
        for name, rows in self.tables.items():
            text = json.dumps(rows, indent=0)
            (folder / f"{name}.json").write_text(text)
        for name, content in self.files.items():
            file = self.path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        for i in range(2):
            mask = self.path / "maps" / f"{i}.png"
            mask.parent.mkdir(exist_ok=True)
            Image.new("L", (4, 4)).save(mask)
        for name in ("maps/expansion/boston-seaport.json",):
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
            (self.path / name).write_text("{}")
        (self.path / "can_bus").mkdir()
        for name in SCENES:
            (self.path / "can_bus" / f"{name}_pose.json").write_text("[]")
        return self.path

    def row(self, table: str, token: str) -> Row:
        return next(r for r in self.tables[table] if r["token"] == token)

    def _scene(self, number: int, name: str) -> None:
        start = 1_532_402_927_000_000 + number * 60_000_000
        samples = [f"s{number}-{i}" for i in range(KEYFRAMES)]
        self.tables["scene"].append(
            {
                "token": f"token-{name}",
                "name": name,
                "description": "parked",
                "log_token": f"log-{number}",
                "nbr_samples": KEYFRAMES,
                "first_sample_token": samples[0],
                "last_sample_token": samples[-1],
                "weather": "a key that the devkit does not know",
            }
        )
        for at, token in enumerate(samples):
            self.tables["sample"].append(
                {
                    "token": token,
                    "timestamp": start + at * _HALF,
                    "scene_token": f"token-{name}",
                    "prev": samples[at - 1] if at else "",
                    "next": samples[at + 1] if at + 1 < KEYFRAMES else "",
                }
            )
        for channel, kind, ending, between in _SENSORS:
            self._stream(
                number, start, samples, channel, kind, ending, between
            )
        # one that is always there, one that leaves, one that comes
        for thing, places in enumerate(
            (range(KEYFRAMES), range(3), range(6, KEYFRAMES))
        ):
            self._instance(number, thing, list(places), samples, start)

    def _stream(
        self,
        number: int,
        start: int,
        samples: list[str],
        channel: str,
        kind: str,
        ending: str,
        between: int,
    ) -> None:
        calibration = f"calib-{number}-{channel}"
        camera = kind == "camera"
        self.tables["calibrated_sensor"].append(
            {
                "token": calibration,
                "sensor_token": f"sensor-{channel}",
                "translation": [1.0, 0.1, 1.5],
                "rotation": [0.5, -0.5, 0.5, -0.5] if camera else [1, 0, 0, 0],
                "camera_intrinsic": [[100.0, 0, 80], [0, 100.0, 45], [0, 0, 1]]
                if camera
                else [],
            }
        )
        rows: list[Row] = []
        steps = between + 1
        for at in range((KEYFRAMES - 1) * steps + 1):
            stamp = start + at * _HALF // steps - (13_000 if camera else 0)
            key = at % steps == 0
            token = f"d{number}-{channel}-{at}"
            folder = "samples" if key else "sweeps"
            name = f"{folder}/{channel}/{token}.{ending}"
            # as in nuScenes: the keyframe that follows
            sample = samples[-(-at // steps)]
            rows.append(
                {
                    "token": token,
                    "sample_token": sample,
                    "ego_pose_token": f"pose-{token}",
                    "calibrated_sensor_token": calibration,
                    "timestamp": stamp,
                    "fileformat": ending.partition(".")[0],
                    "is_key_frame": key,
                    "height": 90 if camera else 0,
                    "width": 160 if camera else 0,
                    "filename": name,
                    "prev": rows[-1]["token"] if rows else "",
                    "next": "",
                }
            )
            if at:
                rows[-2]["next"] = token
            self.tables["ego_pose"].append(
                {
                    "token": f"pose-{token}",
                    "timestamp": stamp,
                    "rotation": [1.0, 0.0, 0.0, 0.0],
                    "translation": [
                        410.123456789012 + (stamp - start) * 7e-6,
                        1180.0,
                        0.0,
                    ],
                }
            )
            self.files[name] = self._content(kind)
            if key and kind == "lidar":
                label = f"lidarseg/{VERSION}/{token}_lidarseg.bin"
                self.files[label] = bytes([17] * 6)
                self.tables["lidarseg"].append(
                    {
                        "token": f"label-{token}",
                        "sample_data_token": token,
                        "filename": label,
                    }
                )
        self.tables["sample_data"] += rows

    def _content(self, kind: str) -> bytes:
        if kind == "lidar":
            cloud = self.rng.uniform(2, 40, (6, 5)).astype("<f4")
            return cloud.tobytes()
        return self.rng.bytes(30)

    def _instance(
        self,
        number: int,
        thing: int,
        places: list[int],
        samples: list[str],
        start: int,
    ) -> None:
        instance = f"i{number}-{thing}"
        tokens = [f"a{number}-{thing}-{p}" for p in places]
        self.tables["instance"].append(
            {
                "token": instance,
                "category_token": "cat-car",
                "nbr_annotations": len(places),
                "first_annotation_token": tokens[0],
                "last_annotation_token": tokens[-1],
            }
        )
        for at, place in enumerate(places):
            self.tables["sample_annotation"].append(
                {
                    "token": tokens[at],
                    "sample_token": samples[place],
                    "instance_token": instance,
                    "visibility_token": "4",
                    "attribute_tokens": ["attr-0"],
                    "translation": [
                        420.0 + SPEED * 0.5 * place,
                        1180.0 + 5 * thing,
                        1.0,
                    ],
                    "size": [2.0, 4.5, 1.6],
                    "rotation": [1.0, 0.0, 0.0, 0.0],
                    "prev": tokens[at - 1] if at else "",
                    "next": tokens[at + 1] if at + 1 < len(places) else "",
                    "num_lidar_pts": 5,
                    "num_radar_pts": 0,
                }
            )


def selection(tokens: list[str], name: str = "mine") -> Selection:
    picks = tuple(
        Pick(token, "", "", "random", None, (), "drawn") for token in tokens
    )
    return Selection(name, picks, (), (), len(picks), 0, {})


def frame_table(tables: dict[str, list[Row]]) -> FrameTable:
    names = {row["token"]: row["name"] for row in tables["scene"]}
    rows = sorted(tables["sample"], key=lambda row: row["token"])
    scenes = [names[row["scene_token"]] for row in rows]
    return FrameTable(
        np.array([row["token"] for row in rows]),
        np.array(scenes),
        np.array([SCENES[name] for name in scenes]),
        np.array([row["timestamp"] for row in rows]),
    )


def make_job(drive: Drive, tokens: list[str], folder: Path) -> ExportJob:
    """An export of a written drive, as of a dataset loaded from it."""
    folder.mkdir(parents=True)
    info = {"raremine": {"dataroot": str(drive.path), "version": VERSION}}
    dataset: Any = SimpleNamespace(name="drive", info=info)
    job = ExportJob(
        dataset, selection(tokens), folder, "mine", folder, progress=False
    )
    job.once("frames", lambda: frame_table(drive.tables))
    return job


def export(
    drive: Drive, tokens: list[str], folder: Path, **options: Any
) -> Written:
    return EXPORTER.write(make_job(drive, tokens, folder), **options)


def table(folder: Path, name: str, version: str = VERSION) -> dict[str, Row]:
    """A written table, by token."""
    path = folder / version / f"{name}.json"
    rows = json.loads(path.read_text(encoding="utf-8"))
    found = {row["token"]: row for row in rows}
    assert len(found) == len(rows)
    return found
