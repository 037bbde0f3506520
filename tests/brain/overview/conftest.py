"""The mined dataset, made anew for each test."""

from __future__ import annotations

from collections.abc import Iterator

import fiftyone as fo
import pytest

from tests.brain.overview.mined import mined_dataset


@pytest.fixture
def dataset() -> Iterator[fo.Dataset]:
    """Ten keyframes with 37 objects."""
    dataset = mined_dataset()
    yield dataset
    dataset.delete()
