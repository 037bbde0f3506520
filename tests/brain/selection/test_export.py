"""Exports: whole or not at all, in their own folder, never over others."""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections import namedtuple
from pathlib import Path

import fiftyone as fo
import pytest
from fiftyone import ViewField as F

from raremine.brain.columns import all_slices
from raremine.brain.errors import MissingStageError, RaremineError
from raremine.brain.pool import SplitLeakageError
from raremine.brain.selection import exporters
from raremine.brain.selection.export import (
    export_selection,
    file_stem,
    plan_export,
)
from raremine.brain.selection.exporters import register_format
from raremine.brain.selection.exporters.checksums import SUMS
from raremine.brain.selection.exporters.datasheet import (
    DATASHEET,
    DATASHEET_TEXT,
)
from raremine.brain.selection.exporters.job import ExportJob, Written
from raremine.brain.selection.stage import select_frames

BESIDE = (DATASHEET, DATASHEET_TEXT, SUMS)
"""What lies beside every export."""


@pytest.fixture(autouse=True)
def own_formats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporters, "_OWN", {})


class Broken:
    """A format whose disk fills up when it is halfway."""

    summary = "nothing"

    def space(self, job: ExportJob) -> int:
        return 0

    def write(self, job: ExportJob) -> Written:
        (job.folder / "half.json").write_text("{")
        raise OSError("No space left on device")


def test_tokens(dataset: fo.Dataset, tmp_path: Path) -> None:
    chosen = select_frames(
        dataset, {"random": 0.1, "target": 0.6}, name="mine 1", seed=1
    )
    path = export_selection(dataset, None, "tokens", tmp_path / "new")
    folder = tmp_path / "new" / "mine_1-tokens"
    assert path == folder / "mine_1.json"
    written = json.loads(path.read_text())
    assert written["tokens"] == chosen.tokens
    assert written["splits"] == {"train": chosen.tokens}
    assert written["meta"]["seed"] == 1
    assert written["meta"]["recipe"]["random"] == 0.1
    assert written["meta"]["shortages"][0]["component"] == "target"
    with (folder / "mine_1.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [r["sample_token"] for r in rows] == chosen.tokens
    assert [r["why"] for r in rows] == [p.why for p in chosen.picks]
    assert rows[0]["score"] == "" and float(rows[-1]["score"]) > 0
    assert rows[-1]["component"] == "target"


def test_an_export_is_replaced_only_on_demand_and_as_a_whole(
    dataset: fo.Dataset, tmp_path: Path
) -> None:
    select_frames(dataset, {"random": 0.1}, name="mine")
    path = export_selection(dataset, "mine", "tokens", tmp_path)
    before = path.read_bytes()
    with pytest.raises(RaremineError, match="mine-tokens exists already"):
        export_selection(dataset, "mine", "tokens", tmp_path)
    (path.parent / "left from before").touch()
    again = export_selection(
        dataset, "mine", "tokens", tmp_path, overwrite=True
    )
    assert again.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["mine-tokens"]
    assert sorted(p.name for p in path.parent.iterdir()) == sorted(
        {*BESIDE, "mine.csv", "mine.json", "splits.json"}
    )


def test_what_is_no_export_is_never_replaced(
    dataset: fo.Dataset, tmp_path: Path
) -> None:
    select_frames(dataset, {"random": 0.1}, name="mine")
    mine = tmp_path / "mine-tokens"
    mine.mkdir()
    (mine / "thesis.tex").touch()
    with pytest.raises(RaremineError, match="not an export"):
        export_selection(dataset, "mine", "tokens", tmp_path, overwrite=True)
    assert [p.name for p in mine.iterdir()] == ["thesis.tex"]
    mine.rename(tmp_path / "elsewhere")
    mine.symlink_to(tmp_path / "elsewhere")
    (mine / DATASHEET).touch()
    with pytest.raises(RaremineError, match="not an export"):
        export_selection(dataset, "mine", "tokens", tmp_path, overwrite=True)
    assert (tmp_path / "elsewhere" / "thesis.tex").exists()


def test_an_export_stays_in_its_folder(
    dataset: fo.Dataset, tmp_path: Path
) -> None:
    select_frames(dataset, {"random": 0.1}, name="../../out")
    out = tmp_path / "a" / "b"
    export_selection(dataset, "../../out", "tokens", out)
    assert {p for p in tmp_path.rglob("*") if p.is_file()} == {
        out / "out-tokens" / name
        for name in ("out.json", "out.csv", "splits.json", *BESIDE)
    }
    assert file_stem("..") == file_stem("/") == "selection"


def test_mistakes_are_told(dataset: fo.Dataset, tmp_path: Path) -> None:
    select_frames(dataset, {"random": 0.1}, name="mine")
    with pytest.raises(RaremineError, match="'tokenz'; choose one of "):
        export_selection(dataset, "mine", "tokenz", tmp_path)
    with pytest.raises(RaremineError, match="no option 'zip'; it has none"):
        export_selection(dataset, "mine", "tokens", tmp_path, zip=True)
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(RaremineError, match="Cannot write"):
        export_selection(dataset, "mine", "tokens", blocked / "x")
    with pytest.raises(MissingStageError, match="'other'"):
        export_selection(dataset, "other", "tokens", tmp_path)
    for folder in ("x" * 5000, "a\0b", "~nobody-of-that-name/x"):
        with pytest.raises(RaremineError, match="cannot be written into"):
            plan_export(dataset, "mine", "tokens", folder)


def test_frames_that_are_held_out_by_now_are_not_exported(
    dataset: fo.Dataset, tmp_path: Path
) -> None:
    chosen = select_frames(dataset, {"random": 0.2}, name="mine")
    moved = chosen.picks[0].scene
    all_slices(dataset).match(F("scene_name") == moved).set_field(
        "split", "val"
    ).save("split")
    with pytest.raises(SplitLeakageError, match="in split 'val' now"):
        export_selection(dataset, "mine", "tokens", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_dataset_never_loses_its_own_files_to_an_export(
    dataset: fo.Dataset, tmp_path: Path
) -> None:
    select_frames(dataset, {"random": 0.1}, name="mine")
    folder = export_selection(dataset, "mine", "tokens", tmp_path).parent
    image = folder / "image.jpg"
    image.write_bytes(b"the only one")
    (one,) = dataset.select_group_slices("CAM_BACK").limit(1).values("id")
    dataset.set_values("filepath", {one: str(image)}, key_field="id")
    with pytest.raises(RaremineError, match="holds 1 files of dataset"):
        export_selection(dataset, "mine", "tokens", tmp_path, overwrite=True)
    assert image.exists()


def test_a_failed_export_leaves_nothing(
    dataset: fo.Dataset, tmp_path: Path
) -> None:
    select_frames(dataset, {"random": 0.1}, name="mine")
    register_format("broken", Broken())
    with pytest.raises(RaremineError, match="No space left"):
        export_selection(dataset, "mine", "broken", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_export_leaves_the_one_before(
    dataset: fo.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    select_frames(dataset, {"random": 0.1}, name="mine")
    path = export_selection(dataset, "mine", "tokens", tmp_path)
    rename = os.rename

    def fails_the_second_time(source: Path, target: Path) -> None:
        staged = Path(source).name.startswith(".raremine-")
        if staged and Path(target) == path.parent and not failed:
            failed.append(True)
            raise OSError("the disk is gone")
        rename(source, target)

    failed: list[bool] = []
    monkeypatch.setattr(os, "rename", fails_the_second_time)
    with pytest.raises(RaremineError, match="the disk is gone"):
        export_selection(dataset, "mine", "tokens", tmp_path, overwrite=True)
    assert failed and path.exists()
    assert [p.name for p in tmp_path.iterdir()] == ["mine-tokens"]


def test_a_disk_that_is_too_small_is_told_before_anything_is_written(
    dataset: fo.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    select_frames(dataset, {"random": 0.1}, name="mine")
    plan = plan_export(dataset, "mine", "tokens", tmp_path / "new" / "deep")
    assert plan.destination == tmp_path / "new" / "deep" / "mine-tokens"
    assert not plan.exists and not (tmp_path / "new").exists()
    assert 0 < plan.bytes < plan.free

    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(9, 8, 1))
    with pytest.raises(RaremineError, match="has 1 bytes left"):
        export_selection(dataset, "mine", "tokens", tmp_path / "new")
    assert not (tmp_path / "new").exists()
    exported = plan.bytes
    monkeypatch.undo()
    folder = export_selection(dataset, "mine", "tokens", tmp_path).parent
    assert sum(p.stat().st_size for p in folder.iterdir()) <= exported
