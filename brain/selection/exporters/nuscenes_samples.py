"""Which keyframes a smaller nuScenes dataroot keeps of a larger one."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from raremine.brain.errors import DatarootError, RaremineError
from raremine.brain.nuscenes.problems import Problems
from raremine.brain.nuscenes.rows import Table


class _Scene(msgspec.Struct, gc=False):
    token: str
    name: str
    log_token: str = ""


class _Sample(msgspec.Struct, gc=False):
    token: str
    timestamp: int
    scene_token: str


@dataclass(frozen=True)
class Wanted:
    """What an export shall hold.

    Attributes:
        chosen: sample tokens of the selection
        evaluation: sample tokens of the evaluation splits
        other: sample tokens that are known to be in no evaluation split
        sweeps: how many sweeps before each chosen keyframe to keep
        max_gap: longest time that links of sensor data and annotations lead
            over, microseconds; None = any
    """

    chosen: frozenset[str]
    evaluation: frozenset[str]
    other: frozenset[str]
    sweeps: int
    max_gap: int | None = None


@dataclass
class Samples:
    """All keyframes of the source, (n,) each, in the order of the table.

    Attributes:
        number: by token
        token: their tokens
        scene: number of their scene
        stamp: microseconds
        kept: whether they stay
        whole: whether their scene stays untouched
        scenes: scene tokens, by number
        names: scene names, by number
        logs: log tokens, by number of the scene
    """

    number: dict[str, int]
    token: list[str]
    scene: np.ndarray
    stamp: np.ndarray
    kept: np.ndarray
    whole: np.ndarray
    scenes: list[str]
    names: list[str]
    logs: list[str]

    def kept_scenes(self) -> np.ndarray:
        """Returns the numbers of the scenes that stay, ascending."""
        return np.unique(self.scene[self.kept])


def read_samples(folder: Path, wanted: Wanted, problems: Problems) -> Samples:
    """Reads scenes and keyframes, and decides which stay.

    A scene of an evaluation split stays whole, with all that it has in the
    source; of the others only the chosen keyframes do.

    Args:
        folder: the version folder
        wanted: what to keep
        problems: grows by the rows that cannot be used

    Raises:
        RaremineError: if a keyframe that is wanted does not exist
    """
    rows = list(Table(folder, "scene", _Scene, problems))
    scene_of = {row.token: at for at, row in enumerate(rows)}
    table = Table(folder, "sample", _Sample, problems)
    found: list[_Sample] = []
    number: dict[str, int] = {}
    for at, sample in enumerate(table):
        if sample.scene_token not in scene_of:
            table.dangling(
                *("scene_token", sample.scene_token, "scene"),
                token=sample.token,
            )
        elif sample.token in number:
            table.twice("sample", sample.token, at, sample.token)
        else:
            number[sample.token] = len(found)
            found.append(sample)
    raise_fatal(folder, problems)
    if not wanted.chosen | wanted.evaluation:
        raise RaremineError(
            "There is no keyframe to export: the selection is empty and there "
            "are no evaluation splits."
        )
    absent = wanted.chosen - number.keys()
    if absent:
        raise RaremineError(
            f"{len(absent)} keyframes of the selection, such as "
            f"{min(absent)!r}, are not in {table.path}; pass the dataroot "
            "and source_version that they were loaded from."
        )
    elsewhere = wanted.evaluation - number.keys()
    if elsewhere:
        problems.add(
            "evaluation",
            f"{len(elsewhere)} keyframes of evaluation splits, such as "
            f"{min(elsewhere)!r}, are not in {table.path}; they were loaded "
            "from elsewhere and are left out.",
        )
    scene = np.array([scene_of[s.scene_token] for s in found], dtype=int)
    evaluation = _among(found, wanted.evaluation)
    whole = np.isin(scene, scene[evaluation]) & ~np.isin(
        scene, scene[_among(found, wanted.other)]
    )
    return Samples(
        number=number,
        token=[s.token for s in found],
        scene=scene,
        stamp=np.array([s.timestamp for s in found], dtype=np.int64),
        kept=_among(found, wanted.chosen) | evaluation | whole,
        whole=whole,
        scenes=[row.token for row in rows],
        names=[row.name for row in rows],
        logs=[row.log_token for row in rows],
    )


def _among(samples: Iterable[_Sample], tokens: Collection[str]) -> np.ndarray:
    return np.array([s.token in tokens for s in samples], dtype=bool)


def raise_fatal(folder: Path, problems: Problems) -> None:
    """Raises an error that lists what makes an export impossible.

    Raises:
        DatarootError: if there is anything of that kind
    """
    lines = problems.lines(fatal=True)
    if lines:
        listed = "\n".join(f"- {line}" for line in lines)
        raise DatarootError(
            f"The tables in {folder} cannot be exported:\n{listed}"
        )
