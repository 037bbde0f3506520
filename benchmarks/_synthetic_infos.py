"""Writes an info file of mmdetection3d with as many entries as wanted.

Entries have the form, the types and the usual number of parts of those that
mmdetection3d writes (35 cuboids, 45 of them in images, 6 cameras, 10 sweeps).
As objects, those of all of nuScenes take seven gigabytes. So one entry is
pickled as it would be after others, and its bytes are repeated with other
numbers, tokens and places in the pickler's memo.
"""

from __future__ import annotations

import pickle
import pickletools
import random
from pathlib import Path
from typing import Any

import numpy as np

CAMERAS = (
    *("CAM_FRONT", "CAM_FRONT_RIGHT", "CAM_FRONT_LEFT"),
    *("CAM_BACK", "CAM_BACK_LEFT", "CAM_BACK_RIGHT"),
)
CUBOIDS = 35
IN_IMAGES = 45
SWEEPS = 10

_PROTOCOL = 2
"""What mmengine writes."""

_BATCH = 1000
"""Entries that Python's pickler appends to a list at a time."""

_AT_ONCE = 250


def write_infos(path: Path, count: int, seed: int = 0) -> list[str]:
    """Writes an info file.

    Args:
        path: the file
        count: number of entries, 2 or more
        seed: of all numbers and tokens

    Returns:
        the entries' sample tokens
    """
    rng = random.Random(seed)
    numbers = np.random.default_rng(seed)
    entries = [_entry(rng, numbers) for _ in range(3)]
    metainfo = {"dataset": "nuscenes", "info_version": "1.1"}
    empty, two, three = (
        pickle.dumps({"metainfo": metainfo, "data_list": some}, _PROTOCOL)
        for some in ([], entries[:2], entries)
    )
    # the list's values, the dictionary's items, the end
    tail = b"eu."
    head = empty[: -len(b"u.")] + b"("
    first = two[len(head) : -len(tail)]
    template = _Template(three[len(head) + len(first) : -len(tail)])
    tokens = [entry["token"] for entry in entries[:2]]
    with path.open("wb") as file:
        file.write(head + first)
        done = 2
        while done < count:
            # to the next batch's border at most
            more = min(_AT_ONCE, count - done, _BATCH - done % _BATCH)
            rows, names = template.repeated(done - 2, more, numbers)
            file.write(rows)
            tokens += names
            done += more
            if done % _BATCH == 0 and done < count:
                file.write(b"e(")
        file.write(tail)
    return tokens


class _Template:
    """The bytes of an entry, and where its numbers are."""

    def __init__(self, data: bytes) -> None:
        self._data = np.frombuffer(data, np.uint8)
        puts: list[tuple[int, Any]] = []
        gets: list[tuple[int, Any]] = []
        floats, texts = [], []
        # a pickle of its own for the one who takes it apart
        for op, value, at in pickletools.genops(data + b"."):
            if at is None:
                continue
            if op.name == "LONG_BINPUT":
                puts.append((at + 1, value))
            elif op.name == "LONG_BINGET":
                gets.append((at + 1, value))
            elif op.name == "BINFLOAT":
                floats.append(at + 1)
            elif op.name == "BINUNICODE" and len(str(value)) == 32:
                texts.append(at + 5)
        low = puts[0][1]
        self._own = len(puts)
        numbered = puts + [(at, value) for at, value in gets if value >= low]
        self._places = _spread([at for at, _ in numbered], 4)
        self._numbers = np.array([value for _, value in numbered])
        self._floats = _spread(floats, 8)
        self._texts = _spread(texts, 32)
        # of the texts so long, the sample's token comes first
        self._token = texts[0]

    def repeated(
        self, start: int, count: int, rng: np.random.Generator
    ) -> tuple[bytes, list[str]]:
        """Returns entries' bytes and tokens.

        Args:
            start: number of entries like this one that come before
            count: number of entries
            rng: gives numbers and tokens
        """
        rows = np.tile(self._data, (count, 1))
        offset = (start + np.arange(count)) * self._own
        memo = (self._numbers + offset[:, None]).astype("<u4")
        rows[:, self._places] = memo.view(np.uint8)
        shape = count, self._floats.size // 8
        values = rng.normal(0, 20, shape).astype(">f8")
        rows[:, self._floats] = values.view(np.uint8)
        digits = np.frombuffer(b"0123456789abcdef", np.uint8)
        drawn = rng.integers(0, 16, (count, self._texts.size))
        rows[:, self._texts] = digits[drawn]
        names = rows[:, self._token : self._token + 32]
        return rows.tobytes(), [row.tobytes().decode() for row in names]


def _spread(places: list[int], width: int) -> np.ndarray:
    """Returns the places of all bytes of values of some width."""
    return (np.array(places)[:, None] + np.arange(width)).ravel()


def _entry(rng: random.Random, numbers: np.random.Generator) -> dict[str, Any]:
    def pose() -> list[list[float]]:
        found: list[list[float]] = numbers.normal(size=(4, 4)).tolist()
        return found

    def floats(count: int) -> list[float]:
        found: list[float] = numbers.normal(size=count).tolist()
        return found

    def token() -> str:
        return f"{rng.getrandbits(128):032x}"

    images = {
        camera: {
            "img_path": f"n015__{camera}__{rng.getrandbits(40)}.jpg",
            "cam2img": numbers.normal(size=(3, 3)).tolist(),
            "cam2ego": pose(),
            "sample_data_token": token(),
            "timestamp": rng.random(),
            "lidar2cam": pose(),
        }
        for camera in CAMERAS
    }
    sweeps = [
        {
            "timestamp": rng.random(),
            "ego2global": pose(),
            "lidar_points": {
                "num_pts_feats": None,
                "lidar_path": f"sweeps/LIDAR_TOP/n015__{rng.getrandbits(40)}",
                "lidar2ego": pose(),
                "lidar2sensor": pose(),
            },
            "sample_data_token": token(),
        }
        for _ in range(SWEEPS)
    ]
    cuboids = [
        {
            "bbox_label": rng.randrange(10),
            "bbox_3d": floats(7),
            "bbox_3d_isvalid": np.bool_(True),
            "bbox_label_3d": rng.randrange(10),
            "num_lidar_pts": np.int64(rng.randrange(400)),
            "num_radar_pts": np.int64(rng.randrange(9)),
            "velocity": floats(2),
        }
        for _ in range(CUBOIDS)
    ]
    in_images: dict[str, list[dict[str, Any]]] = {c: [] for c in CAMERAS}
    for at in range(IN_IMAGES):
        in_images[CAMERAS[at % len(CAMERAS)]].append(
            {
                "bbox_label": rng.randrange(10),
                "bbox_label_3d": rng.randrange(10),
                "bbox": [np.float64(value) for value in floats(4)],
                "bbox_3d_isvalid": True,
                "bbox_3d": floats(7),
                "velocity": floats(2),
                "center_2d": floats(2),
                "depth": rng.random(),
                "attr_label": rng.randrange(9),
            }
        )
    return {
        "sample_idx": 0,
        "token": token(),
        "timestamp": rng.random(),
        "ego2global": pose(),
        "images": images,
        "lidar_points": {
            "num_pts_feats": 5,
            "lidar_path": f"n015__LIDAR_TOP__{rng.getrandbits(40)}.pcd.bin",
            "lidar2ego": pose(),
        },
        "lidar_sweeps": sweeps,
        "instances": cuboids,
        "cam_instances": in_images,
    }
