"""Format openpcdet: lists of entries, cut down or written from the tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fiftyone as fo
import numpy as np
import pytest

from raremine.brain.errors import RaremineError
from raremine.brain.pool import SplitLeakageError
from raremine.brain.selection.export import export_selection, plan_export
from raremine.brain.selection.exporters import info_files
from raremine.brain.selection.exporters.datasheet import read_datasheet
from tests.brain.selection.exporters.info_data import (
    TRAIN,
    VAL,
    assert_same,
    chained_dataroot,
    dataset_of,
    legacy_infos,
    load,
    notes_of,
    selection_of,
    v2_infos,
    write,
)

NAME = "nuscenes_infos_10sweeps_train.pkl"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Iterator[fo.Dataset]:
    root = chained_dataroot(tmp_path_factory.mktemp("data") / "nuscenes")
    root.write()
    dataset = dataset_of(root.path)
    yield dataset
    dataset.delete()


def pcdet_infos(*tokens: str) -> list[dict[str, Any]]:
    """Infos as OpenPCDet has them, which share their calibration."""
    ref_from_car = np.eye(4)
    return [
        {
            "lidar_path": f"samples/LIDAR_TOP/{token}.pcd.bin",
            "token": token,
            "timestamp": 1.5e9 + at,
            "ref_from_car": ref_from_car,
            "sweeps": [{"transform_matrix": None, "time_lag": 0}] * 9,
            "gt_boxes": np.arange(18.0).reshape(2, 9) + at,
            "gt_names": np.array(["car", "ignore"]),
            "num_lidar_pts": np.array([at, 1]),
        }
        for at, token in enumerate(tokens)
    ]


def export(
    dataset: fo.Dataset, folder: Path, *tokens: str, **options: Any
) -> Path:
    chosen = selection_of(*(tokens or TRAIN[:2]))
    return export_selection(
        dataset, chosen, "openpcdet", folder / "out", **options
    )


@pytest.mark.parametrize("large", [False, True])
def test_infos_are_cut_down_and_nothing_else(
    dataset: fo.Dataset,
    large: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if large:
        monkeypatch.setattr(info_files, "_LARGE", 0)
    tokens = (TRAIN[2], "x", TRAIN[0], VAL[0], TRAIN[1])
    train = write(pcdet_infos(*tokens), tmp_path / NAME, protocol=4)
    val = write(pcdet_infos(*VAL), tmp_path / "val.pkl")
    path = export(dataset, tmp_path, TRAIN[0], TRAIN[2], infos=train, val=val)
    assert path.name == NAME
    expected = pcdet_infos(*tokens)
    assert_same(load(path), [expected[0], expected[2]])
    assert (path.parent / "val.pkl").read_bytes() == val.read_bytes()
    assert "dbinfos" in notes_of(path)
    assert read_datasheet(path)["written"] == {
        "infos": {
            NAME: {"layout": "openpcdet", "entries": 2, "entries_before": 5}
        },
        "not_in_infos": 0,
        "val": "val.pkl",
    }


def test_infos_of_others_are_refused(
    dataset: fo.Dataset, tmp_path: Path
) -> None:
    for document in (v2_infos(*TRAIN), legacy_infos(*TRAIN)):
        path = write(document, tmp_path / NAME)
        with pytest.raises(RaremineError, match="format 'mmdet3d'"):
            export(dataset, tmp_path, infos=path)
    path = write(pcdet_infos(*VAL), tmp_path / NAME)
    with pytest.raises(RaremineError, match="None of the 2 selected frames"):
        export(dataset, tmp_path, infos=path)
    with pytest.raises(SplitLeakageError):
        export(dataset, tmp_path, TRAIN[0], VAL[0], infos=path)
    with pytest.raises(RaremineError, match="no option 'layout'"):
        export(dataset, tmp_path, infos=path, layout="v2")


@pytest.mark.parametrize("sweeps", [10, 3, 1])
def test_infos_from_the_tables(
    dataset: fo.Dataset, sweeps: int, tmp_path: Path
) -> None:
    chosen = selection_of(*TRAIN)
    plan = plan_export(dataset, chosen, "openpcdet", tmp_path, sweeps=sweeps)
    path = export(dataset, tmp_path, *TRAIN, sweeps=sweeps)
    assert path.name == f"nuscenes_infos_{sweeps}sweeps_train.pkl"
    train = load(path)
    assert [entry["token"] for entry in train] == list(TRAIN)
    # OpenPCDet draws sweeps - 1 of them, and fails where there are fewer
    assert {len(entry["sweeps"]) for entry in train} == {sweeps - 1}
    val = load(path.parent / f"nuscenes_infos_{sweeps}sweeps_val.pkl")
    assert [entry["token"] for entry in val] == list(VAL)
    used = sum(f.stat().st_size for f in path.parent.glob("*.pkl"))
    assert used <= plan.bytes < 20 * used + 500_000
    # training code makes databases of it, and draws by class
    for entry in train:
        boxes = len(entry["gt_boxes"])
        assert boxes and entry["gt_boxes"].shape == (boxes, 9)
        mask = entry["num_lidar_pts"] > 0
        assert entry["gt_names"][mask].shape == mask.nonzero()[0].shape
