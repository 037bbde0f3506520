"""A dataset with real pictures and a selection of three of its keyframes."""

from __future__ import annotations

from collections.abc import Iterator

import fiftyone as fo
import pytest

from raremine.brain.selection.stage import select_frames
from tests.brain.selection.exporters.pictures import picture_dataset


@pytest.fixture(scope="session")
def pictures_template(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[fo.Dataset]:
    """Selection "mine" has the keyframes a0, a1 and b0."""
    dataset = picture_dataset(tmp_path_factory.mktemp("pictures"))
    select_frames(dataset, {"random": 0.6}, name="mine", exclude=["a2", "b1"])
    yield dataset
    dataset.delete()


@pytest.fixture
def pictures(pictures_template: fo.Dataset) -> Iterator[fo.Dataset]:
    dataset = pictures_template.clone()
    # where a user may stand; no export may depend on it
    dataset.group_slice = "LIDAR_TOP"
    yield dataset
    dataset.delete()
