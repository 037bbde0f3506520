"""Which annotations a smaller nuScenes dataroot keeps."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np

from raremine.brain.nuscenes.problems import Problems
from raremine.brain.nuscenes.rows import Table
from raremine.brain.selection.exporters.nuscenes_data import Kept
from raremine.brain.selection.exporters.nuscenes_links import link
from raremine.brain.selection.exporters.nuscenes_samples import (
    Samples,
    Wanted,
)


class _Token(msgspec.Struct, gc=False):
    token: str


class _Box(msgspec.Struct, gc=False):
    token: str
    sample_token: str
    instance_token: str
    prev: str = ""
    next: str = ""


@dataclass
class KeptBoxes(Kept):
    """Rows that stay of ``sample_annotation``.

    ``instance`` (n,) are their instances by number in ``instances``, and
    ``linked`` (n,) tells which had a neighbour in the source.
    """

    instance: np.ndarray = field(default_factory=lambda: np.zeros(0, int))
    instances: list[str] = field(default_factory=list)
    linked: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))


def read_boxes(
    folder: Path, samples: Samples, wanted: Wanted, problems: Problems
) -> KeptBoxes:
    """Decides which annotations stay.

    Args:
        folder: the version folder
        samples: the keyframes
        wanted: what to keep
        problems: grows by the rows that cannot be used
    """
    instances = {
        row.token: at
        for at, row in enumerate(Table(folder, "instance", _Token, problems))
    }
    number_of = samples.number.get
    instance_of = instances.get
    row, sample, instance = (array("q") for _ in range(3))
    linked = bytearray()
    tokens: list[str] = []
    total = 0
    table = Table(folder, "sample_annotation", _Box, problems)
    for first, rows in table.batches():
        total = first + len(rows)
        numbers = list(map(number_of, [r.sample_token for r in rows]))
        for at, (number, box) in enumerate(zip(numbers, rows, strict=True)):
            if number is None:
                table.dangling(
                    *("sample_token", box.sample_token, "sample"),
                    row=first + at,
                    token=box.token,
                )
                continue
            if not samples.kept[number]:
                continue
            its = instance_of(box.instance_token)
            if its is None:
                table.dangling(
                    *("instance_token", box.instance_token, "instance"),
                    row=first + at,
                    token=box.token,
                )
                continue
            row.append(first + at)
            sample.append(number)
            instance.append(its)
            linked.append(bool(box.prev or box.next))
            tokens.append(box.token)
    sample_ = np.array(sample, dtype=np.int64)
    instance_ = np.array(instance, dtype=np.int64)
    return KeptBoxes(
        row=np.array(row, dtype=np.int64),
        token=tokens,
        whole=samples.whole[sample_],
        sample=sample_,
        links=link(instance_, samples.stamp[sample_], wanted.max_gap),
        total=total,
        instance=instance_,
        instances=list(instances),
        linked=np.frombuffer(bytes(linked), dtype=bool),
    )
