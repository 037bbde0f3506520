"""A tiny mined dataset and a stand-in for SDK functions."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import fiftyone as fo
import pytest

import raremine.brain as rmb

CAMERAS = ("CAM_FRONT", "CAM_BACK")


@pytest.fixture
def dataset() -> Iterator[fo.Dataset]:
    """Three keyframes of two cameras and a cloud, no objects yet."""
    dataset = fo.Dataset()
    dataset.add_group_field("group", default="CAM_FRONT")
    samples = []
    for frame in range(3):
        group = fo.Group()
        for camera in CAMERAS:
            sample = fo.Sample(
                filepath=f"/none/{camera}/{frame}.jpg",
                group=group.element(camera),
                sample_token=f"frame-{frame}",
            )
            samples.append(sample)
        cloud = fo.Sample(
            filepath=f"/none/LIDAR_TOP/{frame}.fo3d",
            group=group.element("LIDAR_TOP"),
            sample_token=f"frame-{frame}",
        )
        samples.append(cloud)
    dataset.add_samples(samples)
    yield dataset
    dataset.delete()


@pytest.fixture
def mined(dataset: fo.Dataset) -> fo.Dataset:
    """The dataset with one car and one truck on every image."""
    for camera in CAMERAS:
        view = dataset.select_group_slices(camera)
        view.set_values(
            "objects",
            [
                fo.Detections(
                    detections=[
                        fo.Detection(
                            label=label,
                            bounding_box=[0.1, 0.1, 0.2, 0.2],
                            confidence=0.5,
                        )
                        for label in ("car", "truck")
                    ]
                )
                for _ in range(3)
            ],
        )
    return dataset


class Stage:
    """Stands in for an SDK function and keeps what it was called with."""

    def __init__(self, result: Any) -> None:
        self.result = result
        self.calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.calls.append((args, kwargs))
        if isinstance(self.result, Exception):
            raise self.result
        if callable(self.result):
            return self.result(*args, **kwargs)
        return self.result

    @property
    def arguments(self) -> dict[str, Any]:
        (call,) = self.calls
        return call[1]

    @property
    def samples(self) -> Any:
        (call,) = self.calls
        return call[0][0]

    @property
    def others(self) -> tuple[Any, ...]:
        """The positional arguments behind the collection."""
        (call,) = self.calls
        return call[0][1:]


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Stage]:
    """Replace an SDK function; its signature and docstring stay."""

    def replace(name: str, result: Any = None) -> Stage:
        original = getattr(rmb, name)
        if result is None:
            result = {"stage": name, "objects": 2, "failures": 0}
        double = Stage(result)
        wrapped = functools.wraps(original)(
            lambda *args, **kwargs: double(*args, **kwargs)
        )
        monkeypatch.setattr(rmb, name, wrapped)
        return double

    return replace
