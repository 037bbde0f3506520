"""What a smaller nuScenes dataroot keeps of a larger one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from raremine.brain.nuscenes.instance_links import velocities
from raremine.brain.nuscenes.problems import Problems
from raremine.brain.selection.exporters.nuscenes_boxes import (
    KeptBoxes,
    read_boxes,
)
from raremine.brain.selection.exporters.nuscenes_data import (
    Kept,
    KeptData,
    read_data,
)
from raremine.brain.selection.exporters.nuscenes_samples import (
    Samples,
    Wanted,
    raise_fatal,
    read_samples,
)

LOST = "of_these_without_the_velocity_they_had"
"""Name of a number of ``Cut.velocities``."""


@dataclass
class Cut:
    """What stays of a dataroot.

    Attributes:
        samples: its keyframes
        data: sensor data that stay
        boxes: annotations that stay, None where the source has none
        problems: what is wrong with the tables
    """

    samples: Samples
    data: KeptData
    boxes: KeptBoxes | None
    problems: Problems

    def scenes(self) -> set[str]:
        """Names of the scenes that stay."""
        names = self.samples.names
        return {names[at] for at in self.samples.kept_scenes().tolist()}

    def table_bytes(self, folder: Path) -> int:
        """Returns the bytes of the tables, at most.

        Rows of a table differ little; a quarter is added for that.

        Args:
            folder: the version folder of the source
        """
        sizes = {path.name: path.stat().st_size for path in folder.glob("*")}
        parts: list[tuple[str, Kept]] = [
            ("sample_data", self.data),
            ("ego_pose", self.data),
        ]
        if self.boxes is not None:
            parts.append(("sample_annotation", self.boxes))
        total = 0
        for name, kept in parts:
            share = min(1.0, 1.25 * len(kept.row) / max(kept.total, 1))
            # a row that is linked anew can be longer by two tokens
            total += int(sizes.pop(f"{name}.json", 0) * share)
            total += 100 * len(kept.row)
        return total + sum(sizes.values()) + (1 << 16)

    def velocities(self) -> dict[str, int]:
        """Counts annotations by the devkit's rule for velocities."""
        if self.boxes is None:
            return {}
        boxes = self.boxes
        seconds = self.samples.stamp[boxes.sample] * 1e-6
        known = np.isfinite(
            velocities(
                boxes.links.before,
                boxes.links.after,
                np.zeros((len(seconds), 3)),
                seconds,
            )
        ).all(axis=1)
        lost = boxes.linked & ~known & ~boxes.whole
        return {
            "annotations_of_the_selection": int((~boxes.whole).sum()),
            LOST: int(lost.sum()),
        }


def read_cut(folder: Path, wanted: Wanted) -> Cut:
    """Decides what stays of a dataroot.

    Args:
        folder: its version folder
        wanted: what to keep

    Raises:
        DatarootError: if the tables cannot be used
        RaremineError: if a keyframe that is wanted does not exist
    """
    problems = Problems()
    samples = read_samples(folder, wanted, problems)
    data = read_data(folder, samples, wanted, problems)
    boxes = None
    absent = [
        path
        for name in ("sample_annotation", "instance")
        if not (path := folder / f"{name}.json").is_file()
    ]
    if absent:
        problems.add(
            "annotations",
            f"Table {absent[0]} does not exist, so the export has no "
            "annotations, and the devkit does not load it.",
        )
    else:
        boxes = read_boxes(folder, samples, wanted, problems)
    raise_fatal(folder, problems)
    return Cut(samples, data, boxes, problems)
