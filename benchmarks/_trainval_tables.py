"""Writes nuScenes tables of trainval's size, without sensor files.

The counts are those of v1.0-trainval: 850 scenes, 34,149 samples, 2,631,083
sample_data and ego_pose rows, 64,386 instances, 1,166,187 annotations. Rows
have the keys, the order and the layout (``json.dump(..., indent=0)``) of the
published tables, so that reading them costs what reading those costs.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

VERSION = "v1.0-trainval"
SCENES = 850
SAMPLES = 34_149
SAMPLE_DATA = 2_631_083
INSTANCES = 64_386
ANNOTATIONS = 1_166_187

CAMERAS = (
    *("CAM_BACK", "CAM_BACK_LEFT", "CAM_BACK_RIGHT"),
    *("CAM_FRONT", "CAM_FRONT_LEFT", "CAM_FRONT_RIGHT"),
)
RADARS = (
    *("RADAR_BACK_LEFT", "RADAR_BACK_RIGHT"),
    *("RADAR_FRONT", "RADAR_FRONT_LEFT", "RADAR_FRONT_RIGHT"),
)
CHANNELS = (*CAMERAS, "LIDAR_TOP", *RADARS)
SENSOR_KINDS = (
    *((c, "camera", "jpg") for c in CAMERAS),
    ("LIDAR_TOP", "lidar", "pcd"),
    *((c, "radar", "pcd") for c in RADARS),
)

CATEGORIES = (
    *("human.pedestrian.adult", "human.pedestrian.child"),
    *("human.pedestrian.construction_worker", "animal"),
    *("human.pedestrian.personal_mobility", "human.pedestrian.stroller"),
    *("human.pedestrian.police_officer", "human.pedestrian.wheelchair"),
    *("movable_object.barrier", "movable_object.debris"),
    *("movable_object.pushable_pullable", "movable_object.trafficcone"),
    *("static_object.bicycle_rack", "vehicle.bicycle", "vehicle.bus.bendy"),
    *("vehicle.bus.rigid", "vehicle.car", "vehicle.construction"),
    *("vehicle.emergency.ambulance", "vehicle.emergency.police"),
    *("vehicle.motorcycle", "vehicle.trailer", "vehicle.truck"),
)
ATTRIBUTES = (
    *("vehicle.moving", "vehicle.stopped", "vehicle.parked"),
    *("cycle.with_rider", "cycle.without_rider"),
    *("pedestrian.sitting_lying_down", "pedestrian.standing"),
    "pedestrian.moving",
)
_HALF_SECOND = 500_000


@dataclass(frozen=True)
class Size:
    """How many rows each large table has."""

    scenes: int
    samples: int
    sample_data: int
    instances: int
    annotations: int

    @classmethod
    def of_trainval(cls, share: float = 1.0) -> Size:
        """Returns the counts of trainval, or of a share of it."""
        scenes = max(1, round(SCENES * share))
        share = scenes / SCENES
        return cls(
            scenes=scenes,
            samples=round(SAMPLES * share),
            sample_data=round(SAMPLE_DATA * share),
            instances=round(INSTANCES * share),
            annotations=round(ANNOTATIONS * share),
        )


def write_tables(dataroot: Path, size: Size, seed: int = 0) -> Path:
    """Writes the thirteen tables.

    Args:
        dataroot: the folder to write ``v1.0-trainval`` into
        size: numbers of rows
        seed: of tokens, poses and boxes

    Returns:
        the version folder
    """
    folder = dataroot / VERSION
    folder.mkdir(parents=True, exist_ok=True)
    (dataroot / "maps").mkdir(exist_ok=True)
    # the devkit will not start without a mask
    Image.new("L", (8, 8)).save(dataroot / "maps" / "none.png")
    rng = random.Random(seed)
    tokens = _Tokens(rng)
    small = _small_tables(tokens)
    scene_tokens = [tokens.new() for _ in range(size.scenes)]
    calibrations = [[tokens.new() for _ in CHANNELS] for _ in scene_tokens]
    samples = [
        [tokens.new() for _ in range(count)]
        for count in _shares(size.samples, size.scenes)
    ]
    small["scene"] = [
        {
            "token": token,
            "log_token": small["log"][at % len(small["log"])]["token"],
            "nbr_samples": len(samples[at]),
            "first_sample_token": samples[at][0],
            "last_sample_token": samples[at][-1],
            "name": f"scene-{at + 1:04d}",
            "description": "Parked cars, intersection, pedestrians",
        }
        for at, token in enumerate(scene_tokens)
    ]
    small["calibrated_sensor"] = [
        _calibration(token, sensor)
        for row in calibrations
        for token, sensor in zip(row, small["sensor"], strict=True)
    ]
    for name, rows in small.items():
        text = json.dumps(rows, indent=0)
        (folder / f"{name}.json").write_text(text, encoding="utf-8")
    _write(folder / "sample.json", _sample_rows(scene_tokens, samples))
    routes = [_Route.random(rng) for _ in scene_tokens]
    _write_sensor_data(
        *(folder, size, samples, calibrations, routes, tokens, rng)
    )
    _write_boxes(folder, size, samples, small, routes, tokens, rng)
    return folder


def start_of(scene: int) -> int:
    """Returns the time of a scene's first keyframe in microseconds."""
    return 1_532_402_927_647_951 + scene * 60_000_000


@dataclass(frozen=True)
class _Route:
    """A straight drive: start and heading, 2 m from keyframe to keyframe."""

    x: float
    y: float
    yaw: float

    @classmethod
    def random(cls, rng: random.Random) -> _Route:
        return cls(
            rng.uniform(0, 2000),
            rng.uniform(0, 2000),
            rng.uniform(-math.pi, math.pi),
        )

    def at(self, keyframe: float) -> tuple[float, float]:
        """Returns the place, m, at the time of a keyframe."""
        along = 2.0 * keyframe
        return (
            self.x + along * math.cos(self.yaw),
            self.y + along * math.sin(self.yaw),
        )


class _Tokens:
    """Random tokens of 32 hexadecimal digits."""

    def __init__(self, rng: random.Random) -> None:
        self._bits = rng.getrandbits

    def new(self) -> str:
        return f"{self._bits(128):032x}"


def _shares(total: int, parts: int) -> list[int]:
    """Splits a number into parts that differ by one at most."""
    return [
        (at + 1) * total // parts - at * total // parts for at in range(parts)
    ]


def _write(path: Path, rows: Iterable[str]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write("[\n")
        for at, row in enumerate(rows):
            file.write(f",\n{row}" if at else row)
        file.write("\n]")


def _small_tables(tokens: _Tokens) -> dict[str, list[dict]]:
    logs = [
        {
            "token": tokens.new(),
            "logfile": f"n015-2018-07-{at:02d}",
            "vehicle": "n015",
            "date_captured": "2018-07-24",
            "location": "singapore-onenorth",
        }
        for at in range(68)
    ]
    return {
        "log": logs,
        "map": [
            {
                "category": "semantic_prior",
                "token": tokens.new(),
                "filename": "maps/none.png",
                "log_tokens": [row["token"] for row in logs],
            }
        ],
        "sensor": [
            {"token": tokens.new(), "channel": channel, "modality": modality}
            for channel, modality, _ in SENSOR_KINDS
        ],
        "category": [
            {"token": tokens.new(), "name": name, "description": ""}
            for name in CATEGORIES
        ],
        "attribute": [
            {"token": tokens.new(), "name": name, "description": ""}
            for name in ATTRIBUTES
        ],
        "visibility": [
            {"description": "", "token": str(at + 1), "level": level}
            for at, level in enumerate(
                ("v0-40", "v40-60", "v60-80", "v80-100")
            )
        ],
    }


def _calibration(token: str, sensor: dict) -> dict:
    camera = sensor["modality"] == "camera"
    return {
        "token": token,
        "sensor_token": sensor["token"],
        "translation": [1.70079118954, 0.0159456324149, 1.51095763913],
        "rotation": [
            *(0.4998015430569128, -0.5030316162024876),
            *(0.4997798114386805, -0.49737083824542755),
        ],
        "camera_intrinsic": [
            [1266.417203046554, 0.0, 816.2670197447984],
            [0.0, 1266.417203046554, 491.50706579294757],
            [0.0, 0.0, 1.0],
        ]
        if camera
        else [],
    }


def _sample_rows(
    scene_tokens: list[str], samples: list[list[str]]
) -> Iterator[str]:
    for scene, (token, own) in enumerate(
        zip(scene_tokens, samples, strict=True)
    ):
        for at, sample in enumerate(own):
            before = own[at - 1] if at else ""
            after = own[at + 1] if at + 1 < len(own) else ""
            yield (
                f'{{\n"token": "{sample}",\n'
                f'"timestamp": {start_of(scene) + at * _HALF_SECOND},\n'
                f'"prev": "{before}",\n"next": "{after}",\n'
                f'"scene_token": "{token}"\n}}'
            )


def _write_sensor_data(
    folder: Path,
    size: Size,
    samples: list[list[str]],
    calibrations: list[list[str]],
    routes: list[_Route],
    tokens: _Tokens,
    rng: random.Random,
) -> None:
    """Writes sample_data and ego_pose side by side: one pose per file."""
    streams = size.scenes * len(CHANNELS)
    counts = iter(_shares(size.sample_data, streams))
    with (
        (folder / "sample_data.json").open("w", encoding="utf-8") as data,
        (folder / "ego_pose.json").open("w", encoding="utf-8") as poses,
    ):
        lead = "[\n"
        for scene, own in enumerate(samples):
            for calibration, kind in zip(
                calibrations[scene], SENSOR_KINDS, strict=True
            ):
                count = max(next(counts), len(own))
                rows = _stream(
                    own, count, calibration, kind, start_of(scene), tokens
                )
                for at, (row, token, stamp) in enumerate(rows):
                    data.write(lead + row)
                    x, y = routes[scene].at(at / count * len(own))
                    half = routes[scene].yaw / 2 + rng.uniform(-0.01, 0.01)
                    poses.write(
                        f'{lead}{{\n"token": "{token}",\n'
                        f'"timestamp": {stamp},\n"rotation": [\n'
                        f"{math.cos(half)!r},\n{rng.uniform(-0.01, 0.01)!r},\n"
                        f"{rng.uniform(-0.01, 0.01)!r},\n{math.sin(half)!r}\n"
                        f'],\n"translation": [\n'
                        f"{x!r},\n{y!r},\n0.0\n]\n}}"
                    )
                    lead = ",\n"
        data.write("\n]")
        poses.write("\n]")


def _stream(
    samples: list[str],
    count: int,
    calibration: str,
    kind: tuple[str, str, str],
    start: int,
    tokens: _Tokens,
) -> Iterator[tuple[str, str, int]]:
    """Yields one sensor's rows of one scene, their tokens and times."""
    channel, modality, form = kind
    width, height = (1600, 900) if modality == "camera" else (0, 0)
    name = "n015-2018-07-24-11-22-45+0800"
    ending = ".pcd.bin" if modality == "lidar" else f".{form}"
    span = len(samples) * _HALF_SECOND
    before, token, after = "", tokens.new(), tokens.new()
    shown = -1
    for at in range(count):
        keyframe = at * len(samples) // count
        key = keyframe != shown
        shown = keyframe
        stamp = start + at * span // count
        folder = "samples" if key else "sweeps"
        file = f"{folder}/{channel}/{name}__{channel}__{stamp}{ending}"
        link = after if at + 1 < count else ""
        yield (
            f'{{\n"token": "{token}",\n"sample_token": "{samples[keyframe]}"'
            f',\n"ego_pose_token": "{token}",\n'
            f'"calibrated_sensor_token": "{calibration}",\n'
            f'"timestamp": {stamp},\n"fileformat": "{form}",\n'
            f'"is_key_frame": {"true" if key else "false"},\n'
            f'"height": {height},\n"width": {width},\n"filename": "{file}",\n'
            f'"prev": "{before}",\n"next": "{link}"\n}}',
            token,
            stamp,
        )
        before, token, after = token, after, tokens.new()


def _write_boxes(
    folder: Path,
    size: Size,
    samples: list[list[str]],
    small: dict[str, list[dict]],
    routes: list[_Route],
    tokens: _Tokens,
    rng: random.Random,
) -> None:
    """Writes instance and sample_annotation, instance by instance."""
    categories = [row["token"] for row in small["category"]]
    attributes = [row["token"] for row in small["attribute"]]
    instances = _shares(size.instances, size.scenes)
    annotations = _shares(size.annotations, size.scenes)
    with (
        (folder / "instance.json").open("w", encoding="utf-8") as things,
        (folder / "sample_annotation.json").open(
            "w", encoding="utf-8"
        ) as boxes,
    ):
        lead = thing_lead = "[\n"
        for own, route, many, total in zip(
            samples, routes, instances, annotations, strict=True
        ):
            for wanted in _shares(total, many):
                count = min(wanted, len(own))
                first = rng.randrange(len(own) - count + 1)
                rows = [tokens.new() for _ in range(count)]
                instance = tokens.new()
                things.write(
                    f'{thing_lead}{{\n"token": "{instance}",\n'
                    f'"category_token": "{rng.choice(categories)}",\n'
                    f'"nbr_annotations": {count},\n'
                    f'"first_annotation_token": "{rows[0]}",\n'
                    f'"last_annotation_token": "{rows[-1]}"\n}}'
                )
                thing_lead = ",\n"
                x, y = route.at(first + count / 2)
                x, y = x + rng.gauss(0, 20), y + rng.gauss(0, 20)
                half = rng.uniform(-1.5, 1.5)
                for at, token in enumerate(rows):
                    before = rows[at - 1] if at else ""
                    after = rows[at + 1] if at + 1 < count else ""
                    boxes.write(
                        f'{lead}{{\n"token": "{token}",\n'
                        f'"sample_token": "{own[first + at]}",\n'
                        f'"instance_token": "{instance}",\n'
                        f'"visibility_token": "{rng.randint(1, 4)}",\n'
                        f'"attribute_tokens": [\n"{rng.choice(attributes)}"\n'
                        f'],\n"translation": [\n{x + at:.3f},\n{y:.3f},\n'
                        f'0.865\n],\n"size": [\n1.95,\n4.61,\n1.73\n],\n'
                        f'"rotation": [\n{math.cos(half)!r},\n0.0,\n0.0,\n'
                        f'{math.sin(half)!r}\n],\n"prev": "{before}",\n'
                        f'"next": "{after}",\n'
                        f'"num_lidar_pts": {rng.randint(0, 400)},\n'
                        f'"num_radar_pts": {rng.randint(0, 5)}\n}}'
                    )
                    lead = ",\n"
        things.write("\n]")
        boxes.write("\n]")
