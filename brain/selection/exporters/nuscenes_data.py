"""Which sensor data a smaller nuScenes dataroot keeps.

The table is read row by row, and of each row only what decides whether it
stays and what it is linked to.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np

from raremine.brain.nuscenes.problems import Problems
from raremine.brain.nuscenes.rows import Table
from raremine.brain.selection.exporters.nuscenes_links import (
    Links,
    link,
    with_sweeps,
)
from raremine.brain.selection.exporters.nuscenes_samples import (
    Samples,
    Wanted,
)

_CLOUDS = ("lidar", "radar")


class _Sensor(msgspec.Struct, gc=False):
    token: str
    channel: str
    modality: str


class _Calibration(msgspec.Struct, gc=False):
    token: str
    sensor_token: str


class _Data(msgspec.Struct, gc=False):
    token: str
    sample_token: str
    calibrated_sensor_token: str
    ego_pose_token: str
    timestamp: int
    is_key_frame: bool
    filename: str


@dataclass
class Kept:
    """Rows that stay of a large table, (n,) each, in its order.

    Attributes:
        row: their numbers in the source
        token: their tokens
        whole: whether they stay as they are
        sample: number of the sample that they belong to from now on
        links: their neighbours, by place in these arrays
        total: rows of the source
    """

    row: np.ndarray
    token: list[str]
    whole: np.ndarray
    sample: np.ndarray
    links: Links
    total: int


@dataclass
class KeptData(Kept):
    """Rows that stay of ``sample_data``.

    ``demoted`` (n,) tells which belonged to a keyframe that does not stay:
    they are sweeps of the next one from now on.
    """

    demoted: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))


def read_data(
    folder: Path, samples: Samples, wanted: Wanted, problems: Problems
) -> KeptData:
    """Decides which sensor data stay.

    Args:
        folder: the version folder
        samples: the keyframes
        wanted: what to keep
        problems: grows by the rows that cannot be used
    """
    kind_of, cloud = _channels(folder, problems)
    # only scenes of which something stays need a closer look
    looked_at = np.isin(samples.scene, samples.kept_scenes())
    number_of = samples.number.get
    table = Table(folder, "sample_data", _Data, problems)
    row, sample, kind, stamp = (array("q") for _ in range(4))
    key = bytearray()
    tokens: list[str] = []
    total = 0
    for first, rows in table.batches():
        total = first + len(rows)
        numbers = list(map(number_of, [r.sample_token for r in rows]))
        kinds = list(
            map(kind_of.get, [r.calibrated_sensor_token for r in rows])
        )
        if None in numbers or None in kinds:
            _tell_dangling(table, first, rows, numbers, kinds)
        taken = [
            at
            for at, (n, k) in enumerate(zip(numbers, kinds, strict=True))
            if n is not None and k is not None and looked_at[n]
        ]
        row.extend([first + at for at in taken])
        sample.extend([numbers[at] or 0 for at in taken])
        kind.extend([kinds[at] or 0 for at in taken])
        stamp.extend([rows[at].timestamp for at in taken])
        key.extend([rows[at].is_key_frame for at in taken])
        tokens.extend([rows[at].token for at in taken])
    return _kept_data(
        samples,
        wanted,
        cloud,
        np.array(row, dtype=np.int64),
        np.array(sample, dtype=np.int64),
        np.array(kind, dtype=np.int64),
        np.array(stamp, dtype=np.int64),
        np.frombuffer(bytes(key), dtype=bool),
        tokens,
        total,
    )


def _kept_data(
    samples: Samples,
    wanted: Wanted,
    cloud: np.ndarray,
    row: np.ndarray,
    sample: np.ndarray,
    kind: np.ndarray,
    stamp: np.ndarray,
    key: np.ndarray,
    tokens: list[str],
    total: int,
) -> KeptData:
    whole = samples.whole[sample]
    own = samples.kept[sample]
    chain = samples.scene[sample] * len(cloud) + kind
    kept, following = with_sweeps(
        chain, stamp, key & own, own, cloud[kind], wanted.sweeps
    )
    kept |= whole
    demoted = kept & ~own
    sample = np.where(demoted, sample[following], sample)
    at = np.flatnonzero(kept)
    return KeptData(
        row=row[at],
        token=[tokens[i] for i in at.tolist()],
        whole=whole[at],
        sample=sample[at],
        links=link(chain[at], stamp[at], wanted.max_gap),
        total=total,
        demoted=demoted[at],
    )


def _channels(
    folder: Path, problems: Problems
) -> tuple[dict[str, int], np.ndarray]:
    """Returns channel numbers by calibration, and which channels are clouds.

    Modalities are (c,) bool by channel number.
    """
    sensors = {r.token: r for r in Table(folder, "sensor", _Sensor, problems)}
    channels = sorted({(s.channel, s.modality) for s in sensors.values()})
    number = {channel: at for at, channel in enumerate(channels)}
    table = Table(folder, "calibrated_sensor", _Calibration, problems)
    kind_of = {}
    for row in table:
        sensor = sensors.get(row.sensor_token)
        if sensor is None:
            table.dangling(
                "sensor_token", row.sensor_token, "sensor", token=row.token
            )
        else:
            kind_of[row.token] = number[sensor.channel, sensor.modality]
    cloud = np.array([kind in _CLOUDS for _, kind in channels], dtype=bool)
    return kind_of, cloud


def _tell_dangling(
    table: Table[_Data],
    first: int,
    rows: list[_Data],
    samples: list[int | None],
    kinds: list[int | None],
) -> None:
    for at, row in enumerate(rows):
        if samples[at] is None:
            table.dangling(
                *("sample_token", row.sample_token, "sample"),
                row=first + at,
                token=row.token,
            )
        elif kinds[at] is None:
            table.dangling(
                "calibrated_sensor_token",
                row.calibrated_sensor_token,
                "calibrated_sensor",
                row=first + at,
                token=row.token,
            )
