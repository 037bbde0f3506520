"""Class labels of points: at the right point, or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fiftyone as fo
import numpy as np
import pytest
from pypcd4 import PointCloud

from raremine.brain.nuscenes.conversion import with_scenes
from raremine.brain.nuscenes.lidar import LIDAR_COLUMNS
from raremine.brain.nuscenes.records import Tables
from raremine.brain.nuscenes.scene_writer import SceneResult
from raremine.brain.nuscenes.tables import read_tables

from .conftest import VERSION, Dataroot

NAMES = {0: "noise", 24: "flat.driveable_surface", 31: "vehicle.ego"}
LIDAR = "LIDAR_TOP"


def labelled(tiny: Dataroot, **options: Any) -> Tables:
    """Tables whose clouds have labels: 100 and up in the points' order."""
    for data in tiny.tables["sample_data"]:
        if LIDAR in data["token"] and data["is_key_frame"]:
            name = f"lidarseg/{VERSION}/{data['token']}_lidarseg.bin"
            tiny.files[name] = bytes(range(100, 150))
    tables = read_tables(tiny.write(), VERSION, **options)
    tables.lidarseg = NAMES
    for frame in tables.frames:
        data = frame.data[LIDAR]
        data.lidarseg = f"lidarseg/{VERSION}/{data.token}_lidarseg.bin"
    return tables


def convert(tables: Tables, folder: Path) -> list[SceneResult]:
    (batch,) = with_scenes(tables, LIDAR, folder)
    return [result for _, result in batch if result is not None]


def cloud_of(result: SceneResult) -> PointCloud:
    scene = fo.Scene.from_fo3d(str(result.path))
    (node,) = (c for c in scene.children if c.name == LIDAR)
    return PointCloud.from_path(result.path.parent / node.pcd_path)


def spoil(tiny: Dataroot, tables: Tables, rows: list[int]) -> np.ndarray:
    """Makes points of the first cloud not finite; returns the others."""
    path = tiny.path / tables.frames[0].data[LIDAR].filename
    points = np.fromfile(path, "<f4").reshape(-1, 5)
    points[rows, 1] = np.nan
    points.tofile(path)
    return np.delete(points, rows, axis=0)


def test_labels_stay_with_their_points(tiny: Dataroot, tmp_path: Path) -> None:
    tables = labelled(tiny)
    rows = [0, 7, 49]
    left = spoil(tiny, tables, rows)
    first, *others = convert(tables, tmp_path)
    cloud = cloud_of(first)
    assert cloud.fields == (*LIDAR_COLUMNS, "lidarseg")
    expected = np.delete(np.arange(100, 150), rows)
    assert (cloud.numpy(("lidarseg",))[:, 0] == expected).all()
    assert (cloud.numpy(("intensity", "ring")) == left[:, 3:]).all()
    assert "3 points" in first.partial[LIDAR]
    for result in others:
        labels = cloud_of(result).numpy(("lidarseg",))[:, 0]
        assert (labels == np.arange(100, 150)).all()
        assert result.partial == result.failed == {}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file"),
        (b"", "0 labels for a cloud of 50 points"),
        (bytes(49), "49 labels for a cloud of 50 points"),
        (bytes(51), "51 labels for a cloud of 50 points"),
    ],
)
def test_labels_that_do_not_fit_cost_only_themselves(
    tiny: Dataroot, tmp_path: Path, content: bytes | None, reason: str
) -> None:
    tables = labelled(tiny)
    name = tables.frames[0].data[LIDAR].lidarseg
    path = tiny.path / name
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    for _ in range(2):  # a later load must be told again
        first, *others = convert(tables, tmp_path / "spoiled")
        assert first.failed == {}
        assert Path(name).name in first.partial[LIDAR]
        assert reason in first.partial[LIDAR]
        assert all(r.partial == {} for r in others)
    cloud = cloud_of(first)
    assert (cloud.numpy(("lidarseg",)) == -1).all()
    path.write_bytes(bytes(range(50)))
    (whole, *_) = convert(tables, tmp_path / "whole")
    assert (cloud.numpy(LIDAR_COLUMNS) == cloud_of(whole).numpy()[:, :5]).all()
    # and once the file is there, the labels are
    (mended, *_) = convert(tables, tmp_path / "spoiled")
    labels = cloud_of(mended).numpy(("lidarseg",))[:, 0]
    assert (labels == np.arange(50)).all() and mended.partial == {}


def test_labels_that_cannot_be_read(tiny: Dataroot, tmp_path: Path) -> None:
    tables = labelled(tiny)
    path = tiny.path / tables.frames[0].data[LIDAR].lidarseg
    path.unlink()
    path.mkdir()
    first, *_ = convert(tables, tmp_path)
    assert "directory" in first.partial[LIDAR] and first.failed == {}


def test_sweeps_have_no_labels(tiny: Dataroot, tmp_path: Path) -> None:
    tables = labelled(tiny, sweeps=2)
    for result in convert(tables, tmp_path):
        cloud = cloud_of(result)
        assert cloud.fields == (*LIDAR_COLUMNS, "time_lag", "lidarseg")
        lag, label = cloud.numpy(("time_lag", "lidarseg")).T
        assert (label[:50] == np.arange(100, 150)).all()
        assert len(label) > 100 and (label[50:] == -1).all()
        assert (lag[:50] == 0).all() and (lag[50:] > 0).all()


def test_all_clouds_of_a_load_have_the_column_or_none(
    tiny: Dataroot, tmp_path: Path
) -> None:
    tables = labelled(tiny, radar=True)
    tables.frames[2].data[LIDAR].lidarseg = ""
    results = convert(tables, tmp_path)
    assert all(cloud_of(r).fields[-1] == "lidarseg" for r in results)
    assert (cloud_of(results[2]).numpy(("lidarseg",)) == -1).all()
    assert results[2].partial == {}
    for path in tmp_path.rglob("*RADAR*.pcd"):
        assert "lidarseg" not in PointCloud.from_path(path).fields
    tables.lidarseg = {}
    for frame in tables.frames:
        frame.data[LIDAR].lidarseg = ""
    plain = convert(tables, tmp_path)
    assert not any("lidarseg" in cloud_of(r).fields for r in plain)
    # neither load has taken the other's files
    assert all(cloud_of(r).fields[-1] == "lidarseg" for r in results)
