"""A tiny nuScenes dataroot, made anew for each test that spoils one."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from demo.world import VERSION as WORLD_VERSION
from demo.world import WorldConfig, write_world

CAMERAS = {
    "CAM_FRONT": 0.0,
    "CAM_FRONT_RIGHT": -55.0,
    "CAM_BACK_RIGHT": -110.0,
    "CAM_BACK": 180.0,
    "CAM_BACK_LEFT": 110.0,
    "CAM_FRONT_LEFT": 55.0,
}
WIDTH, HEIGHT = 1600, 900
VERSION = "v1.0-mini"

RADAR_FIELDS = [
    *(("x", "F", 4), ("y", "F", 4), ("z", "F", 4), ("dyn_prop", "I", 1)),
    *(("id", "I", 2), ("rcs", "F", 4), ("vx", "F", 4), ("vy", "F", 4)),
    *(("vx_comp", "F", 4), ("vy_comp", "F", 4)),
    *(("is_quality_valid", "I", 1), ("ambig_state", "I", 1)),
    *(("x_rms", "I", 1), ("y_rms", "I", 1), ("invalid_state", "I", 1)),
    *(("pdh0", "I", 1), ("vx_rms", "I", 1), ("vy_rms", "I", 1)),
]


def wxyz(rotation: Rotation) -> list[float]:
    x, y, z, w = rotation.as_quat()
    return [float(w), float(x), float(y), float(z)]


class Dataroot:
    """Two scenes of three keyframes with sweeps, radar and annotations.

    ``tables`` may be changed before ``write``.
    """

    def __init__(self, folder: Path, seed: int = 0) -> None:
        self.path = folder
        self.version = VERSION
        self.rng = np.random.default_rng(seed)
        self.files: dict[str, bytes] = {"maps/none.png": b""}
        self.tables: dict[str, list[dict[str, Any]]] = {
            "category": [
                {"token": f"cat-{i}", "name": name, "description": ""}
                for i, name in enumerate(
                    ["vehicle.car", "human.pedestrian.adult", "animal"]
                )
            ],
            "attribute": [
                {"token": "attr-0", "name": "vehicle.moving"},
                {"token": "attr-1", "name": "pedestrian.standing"},
            ],
            "visibility": [
                {"token": "1", "level": "v0-40", "description": ""},
                {"token": "4", "level": "v80-100", "description": ""},
            ],
            "log": [
                {
                    "token": "log-0",
                    "logfile": "",
                    "vehicle": "",
                    "date_captured": "2018-07-24",
                    "location": "boston-seaport",
                }
            ],
            "map": [
                {
                    "token": "map-0",
                    "category": "semantic_prior",
                    "filename": "maps/none.png",
                    "log_tokens": ["log-0"],
                }
            ],
        }
        for name in (
            *("instance", "sensor", "calibrated_sensor", "ego_pose"),
            *("scene", "sample", "sample_data", "sample_annotation"),
        ):
            self.tables[name] = []
        self._sensors()
        self._image = _jpeg()
        self._scene("scene-0061", "Night, rain, busy terrain", 0)
        self._scene("scene-0103", "Train station in the terrain", 1)

    def write(self) -> Path:
        folder = self.path / self.version
        folder.mkdir(parents=True)
        for name, rows in self.tables.items():
            (folder / f"{name}.json").write_text(json.dumps(rows, indent=0))
        for name, content in self.files.items():
            file = self.path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        return self.path

    def table(self, name: str) -> Path:
        return self.path / self.version / f"{name}.json"

    def row(self, table: str, **values: Any) -> dict[str, Any]:
        """Returns the first row that has these values."""
        for row in self.tables[table]:
            if all(row[k] == v for k, v in values.items()):
                return row
        raise KeyError(values)

    def data(self, sample: str, channel: str) -> dict[str, Any]:
        token = f"{sample}-{channel}"
        return self.row("sample_data", token=token)

    def _sensors(self) -> None:
        k = [[1266.0, 0.0, 816.0], [0.0, 1260.0, 491.0], [0.0, 0.0, 1.0]]
        # optical axes: x right, y down, z forward
        optical = Rotation.from_matrix([[0, 0, 1], [-1, 0, 0], [0, -1, 0]])
        for channel, yaw in CAMERAS.items():
            turn = Rotation.from_euler("ZYX", [yaw, 1.0, 0.5], degrees=True)
            x, y, z = turn.apply([1.2, 0, 0])
            offset = [x + 0.5, y, z + 1.5]
            self._sensor(channel, "camera", offset, turn * optical, k)
        turn = Rotation.from_euler("ZYX", [-89.0, 0.5, 1.0], degrees=True)
        self._sensor("LIDAR_TOP", "lidar", [0.94, 0.0, 1.84], turn, [])
        turn = Rotation.from_euler("Z", 3.0, degrees=True)
        self._sensor("RADAR_FRONT", "radar", [3.4, 0.0, 0.5], turn, [])

    def _sensor(
        self,
        channel: str,
        modality: str,
        offset: list[float],
        turn: Rotation,
        intrinsic: list,
    ) -> None:
        self.tables["sensor"].append(
            {
                "token": f"sensor-{channel}",
                "channel": channel,
                "modality": modality,
            }
        )
        self.tables["calibrated_sensor"].append(
            {
                "token": f"calib-{channel}",
                "sensor_token": f"sensor-{channel}",
                "translation": offset,
                "rotation": wxyz(turn),
                "camera_intrinsic": intrinsic,
            }
        )

    def _scene(self, name: str, description: str, number: int) -> None:
        start = 1_532_402_927_000_000 + number * 60_000_000
        samples = [f"sample-{number}{i}" for i in range(3)]
        self.tables["scene"].append(
            {
                "token": f"token-{name}",
                "name": name,
                "description": description,
                "log_token": "log-0",
                "nbr_samples": 3,
                "first_sample_token": samples[0],
                "last_sample_token": samples[-1],
            }
        )
        for i, sample in enumerate(samples):
            stamp = start + i * 500_000
            self.tables["sample"].append(
                {
                    "token": sample,
                    "timestamp": stamp,
                    "scene_token": f"token-{name}",
                    "prev": samples[i - 1] if i else "",
                    "next": samples[i + 1] if i < 2 else "",
                }
            )
            for j, channel in enumerate(CAMERAS):
                at = stamp - 40_000 + 7_000 * j
                self._data(sample, channel, at, start, "jpg", self._image)
            for lag in (2, 1, 0):
                cloud = self.rng.uniform(-40, 40, (50, 5)).astype("<f4")
                self._data(
                    sample,
                    "LIDAR_TOP",
                    stamp - lag * 50_000,
                    start,
                    "pcd.bin",
                    cloud.tobytes(),
                    key=lag == 0,
                )
            self._data(
                sample,
                "RADAR_FRONT",
                stamp - 13_000,
                start,
                "pcd",
                self._radar(),
            )
        self._things(number, samples, start)

    def _data(
        self,
        sample: str,
        channel: str,
        stamp: int,
        start: int,
        ending: str,
        content: bytes,
        key: bool = True,
    ) -> None:
        token = f"{sample}-{channel}" + ("" if key else f"-{stamp}")
        seconds = (stamp - start) * 1e-6
        pose = Rotation.from_euler(
            "ZYX", [130 + 8 * seconds, 1.5, -2.0], degrees=True
        )
        self.tables["ego_pose"].append(
            {
                "token": f"pose-{token}",
                "timestamp": stamp,
                "rotation": wxyz(pose),
                "translation": [
                    411.3 - 7.0 * seconds,
                    1180.9 + 8.0 * seconds,
                    0.2 * seconds,
                ],
            }
        )
        folder = "samples" if key else "sweeps"
        filename = f"{folder}/{channel}/{token}__{stamp}.{ending}"
        camera = ending == "jpg"
        self.files[filename] = content
        self.tables["sample_data"].append(
            {
                "token": token,
                "sample_token": sample,
                "ego_pose_token": f"pose-{token}",
                "calibrated_sensor_token": f"calib-{channel}",
                "timestamp": stamp,
                "fileformat": ending.partition(".")[0],
                "is_key_frame": key,
                "height": HEIGHT if camera else 0,
                "width": WIDTH if camera else 0,
                "filename": filename,
                "prev": "",
                "next": "",
            }
        )

    def _radar(self) -> bytes:
        dtype = np.dtype([(n, f"<{t.lower()}{s}") for n, t, s in RADAR_FIELDS])
        rows = np.zeros(20, dtype)
        for name in ("x", "y", "rcs", "vx", "vy", "vx_comp", "vy_comp"):
            rows[name] = self.rng.uniform(-20, 20, 20)
        rows["ambig_state"] = self.rng.integers(2, 4, 20)
        rows["dyn_prop"] = self.rng.integers(0, 8, 20)
        columns = list(zip(*RADAR_FIELDS, strict=True))
        ones = ["1"] * len(RADAR_FIELDS)
        head = [
            "# .PCD v0.7 - Point Cloud Data file format",
            "VERSION 0.7",
            f"FIELDS {' '.join(columns[0])}",
            f"SIZE {' '.join(map(str, columns[2]))}",
            f"TYPE {' '.join(columns[1])}",
            f"COUNT {' '.join(ones)}",
            "WIDTH 20",
            "HEIGHT 1",
            "VIEWPOINT 0 0 0 1 0 0 0",
            "POINTS 20",
            "DATA binary",
            "",
        ]
        return "\n".join(head).encode() + rows.tobytes() + b"\0"

    def _things(self, number: int, samples: list[str], start: int) -> None:
        """Cuboids all around, some of them across image planes."""
        for i in range(40):
            near = i < 12
            angle = self.rng.uniform(0, 2 * np.pi)
            reach = self.rng.uniform(1.5, 4) if near else 6 + i * 1.2
            place = [
                408.0 + reach * np.cos(angle),
                1184.0 + reach * np.sin(angle),
                self.rng.uniform(0.5, 1.5),
            ]
            yaw = self.rng.uniform(-np.pi, np.pi)
            size = self.rng.uniform([0.5, 1.0, 0.8], [2.5, 6.0, 3.0])
            instance = f"inst-{number}-{i}"
            kept = samples[i % 3 :] if i % 5 == 0 else samples
            tokens = [f"ann-{instance}-{s}" for s in kept]
            self.tables["instance"].append(
                {
                    "token": instance,
                    "category_token": f"cat-{i % 3}",
                    "nbr_annotations": len(kept),
                    "first_annotation_token": tokens[0],
                    "last_annotation_token": tokens[-1],
                }
            )
            for at, sample in enumerate(kept):
                step = 0.4 * at
                last = at == len(kept) - 1
                self.tables["sample_annotation"].append(
                    {
                        "token": tokens[at],
                        "sample_token": sample,
                        "instance_token": instance,
                        "visibility_token": ["", "1", "4"][i % 3],
                        "attribute_tokens": [[], ["attr-0"], ["attr-1"]][
                            i % 3
                        ],
                        "translation": [
                            place[0] + step,
                            place[1] - step,
                            place[2],
                        ],
                        "size": size.tolist(),
                        "rotation": wxyz(
                            Rotation.from_euler("Z", yaw + 0.1 * at)
                        ),
                        "prev": tokens[at - 1] if at else "",
                        "next": "" if last else tokens[at + 1],
                        "num_lidar_pts": i,
                        "num_radar_pts": i % 4,
                    }
                )


def _jpeg() -> bytes:
    buffer = io.BytesIO()
    image = Image.new("RGB", (WIDTH, HEIGHT), (90, 120, 150))
    image.save(buffer, "JPEG", quality=30)
    return buffer.getvalue()


@pytest.fixture
def tiny(tmp_path: Path) -> Dataroot:
    """A tiny dataroot that is not written yet."""
    return Dataroot(tmp_path / "nuscenes")


@pytest.fixture
def no_loaded_datasets() -> Iterator[None]:
    """Deletes the datasets of ``loading`` when a test is over."""
    import fiftyone as fo

    yield
    for name in fo.list_datasets("loader-test*"):
        fo.delete_dataset(name)


@pytest.fixture(scope="module", params=["tiny", "world", "keyframe"])
def judged(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """Dataroots and versions on which the devkit is the judge."""
    folder = tmp_path_factory.mktemp("judged") / "nuscenes"
    if request.param == "keyframe":
        shared: Path = request.getfixturevalue("shared_dir")
        return shared / "nuscenes-keyframe", VERSION
    if request.param == "world":
        size = (320, 180)
        config = WorldConfig(seed=8, scenes=2, keyframes=3, image_size=size)
        write_world(folder, config)
        return folder, WORLD_VERSION
    return Dataroot(folder, seed=3).write(), VERSION
