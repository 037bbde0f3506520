"""A smaller dataroot: what stays, and what the devkit makes of it."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fiftyone import ViewField as F
from nuscenes.nuscenes import NuScenes

from demo.world import VERSION as WORLD_VERSION
from demo.world import WorldConfig, write_world
from raremine.brain.columns import all_slices
from raremine.brain.errors import RaremineError
from raremine.brain.nuscenes import rows
from raremine.brain.nuscenes.loader import load_nuscenes
from raremine.brain.nuscenes.problems import Problems
from raremine.brain.nuscenes.splits import scene_splits
from raremine.brain.nuscenes.tables import read_tables
from raremine.brain.objects import FrameTable
from raremine.brain.selection.export import export_selection
from raremine.brain.selection.exporters.job import ExportJob
from raremine.brain.selection.exporters.nuscenes import EXPORTER
from raremine.brain.selection.exporters.nuscenes_cut import LOST
from raremine.brain.selection.exporters.nuscenes_rows import RawTable
from raremine.brain.selection.stage import load_selection, select_frames

from .nuscenes_drive import (
    SPEED,
    VERSION,
    Drive,
    export,
    make_job,
    selection,
    table,
)
from .nuscenes_walk import multisweep, walk

CHOSEN = ["s0-2", "s0-3", "s0-7", "s2-5"]


@pytest.fixture
def drive(tmp_path: Path) -> Drive:
    """Not written yet."""
    return Drive(tmp_path / "nuscenes")


def raw_rows(folder: Path, name: str) -> set[bytes]:
    batches = RawTable(folder, name, Problems()).batches()
    return {bytes(row) for _, rows in batches for row in rows}


@pytest.mark.parametrize("sweeps", [True, False, 3])
def test_the_devkit_walks_it_without_a_complaint(
    drive: Drive,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    sweeps: bool | int,
) -> None:
    # tables of many windows, as real ones are
    monkeypatch.setattr(rows, "_WINDOW", 3000)
    drive.write()
    walk(drive.path, VERSION)  # or the walk says nothing
    out = export(drive, CHOSEN, tmp_path / "out", sweeps=sweeps)
    assert out.main == tmp_path / "out"
    nusc = walk(out.main, VERSION)
    val = [f"s1-{i}" for i in range(8)]
    assert {s["token"] for s in nusc.sample} == {*CHOSEN, *val}
    assert {len(s["data"]) for s in nusc.sample} == {3}
    assert nusc.map[0]["mask"].mask().shape == (4, 4)
    assert out.facts["rows"]["sample"] == 12
    assert not out.facts["media"]["missing"]


def test_only_the_selection_where_evaluation_is_not_wanted(
    drive: Drive, tmp_path: Path
) -> None:
    drive.write()
    out = export(
        *(drive, ["s0-4"], tmp_path / "out"), evaluation=False, media="copy"
    ).main
    nusc = walk(out, VERSION)
    assert [s["token"] for s in nusc.sample] == ["s0-4"]
    assert [s["name"] for s in nusc.scene] == ["scene-0061"]
    assert set(table(out, "map")) == {"map-0"}
    assert table(out, "map")["map-0"]["log_tokens"] == ["log-0"]
    assert set(table(out, "instance")) == {"i0-0"}
    assert not (out / "maps" / "1.png").exists()
    can_bus = [p.name for p in (out / "can_bus").iterdir()]
    assert can_bus == ["scene-0061_pose.json"]


def test_evaluation_scenes_stay_byte_for_byte(
    drive: Drive, tmp_path: Path
) -> None:
    drive.write()
    # of no training scene, and as little as possible of the others
    out = export(drive, ["s0-0"], tmp_path / "out", sweeps=False).main
    for name, mark in (
        ("sample", b'"s1-'),
        ("sample_data", b'"s1-'),
        ("sample_annotation", b'"s1-'),
        ("scene", b"scene-0103"),
        ("instance", b'"i1-'),
        ("ego_pose", b'"pose-d1-'),
        ("calibrated_sensor", b'"calib-1-'),
        ("log", b'"log-1"'),
        ("lidarseg", b'"label-d1-'),
    ):
        before = raw_rows(drive.path / VERSION, name)
        after = raw_rows(out / VERSION, name)
        held_out = {row for row in before if mark in row}
        assert held_out and held_out <= after
        assert {row for row in after if mark in row} == held_out


def test_training_rows_keep_what_is_not_about_links(
    drive: Drive, tmp_path: Path
) -> None:
    drive.write()
    out = export(drive, CHOSEN, tmp_path / "out").main
    about_links = {
        *("prev", "next", "nbr_samples", "nbr_annotations"),
        *("first_sample_token", "last_sample_token"),
        *("first_annotation_token", "last_annotation_token"),
        *("log_tokens", "sample_token", "is_key_frame"),
    }
    for name in drive.tables:
        before = table(drive.path, name)
        for token, row in table(out, name).items():
            assert list(row) == list(before[token])
            changed = {k for k in row if row[k] != before[token][k]}
            assert changed <= about_links


def test_aggregated_sweeps_are_those_of_the_source(
    drive: Drive, tmp_path: Path
) -> None:
    drive.write()
    out = export(drive, CHOSEN, tmp_path / "out").main
    source = NuScenes(VERSION, str(drive.path), verbose=False)
    smaller = walk(out, VERSION)
    for token in [*CHOSEN, "s1-0", "s1-4"]:
        expected = multisweep(source, token, 10)
        assert multisweep(smaller, token, 10).tobytes() == expected.tobytes()
        # and what code finds that walks ten sweeps back by itself
        for channel in ("LIDAR_TOP", "RADAR_FRONT"):
            files = []
            for nusc in (source, smaller):
                row = nusc.get("sample", token)["data"][channel]
                names: list[str] = []
                while row and len(names) < 11:
                    data = nusc.get("sample_data", row)
                    names.append(data["filename"])
                    row = data["prev"]
                files.append(names)
            assert files[0] == files[1]


def test_which_sweeps_belong_to_a_keyframe(
    drive: Drive, tmp_path: Path
) -> None:
    drive.write()
    out = export(
        drive, ["s0-4"], tmp_path / "out", evaluation=False, sweeps=12
    ).main
    data = table(out, "sample_data")
    of = {
        channel: {int(t.split("-")[-1]) for t in data if channel in t}
        for channel in ("LIDAR_TOP", "CAM_FRONT", "RADAR_FRONT")
    }
    # twelve clouds before the keyframe's own: 40 of LiDAR, 28 of radar
    assert of["LIDAR_TOP"] == set(range(28, 41))
    assert of["RADAR_FRONT"] == set(range(16, 29))
    # of cameras what nuScenes assigns to it
    assert of["CAM_FRONT"] == set(range(19, 25))
    was_keyframe = data["d0-LIDAR_TOP-30"]
    assert was_keyframe["is_key_frame"] is False
    assert was_keyframe["filename"].startswith("samples/LIDAR_TOP")
    assert {row["sample_token"] for row in data.values()} == {"s0-4"}
    assert sum(row["is_key_frame"] for row in data.values()) == 3
    # a label file belongs to a keyframe
    assert set(table(out, "lidarseg")) == {"label-d0-LIDAR_TOP-40"}


def test_keyframes_only(drive: Drive, tmp_path: Path) -> None:
    drive.write()
    out = export(
        *(drive, CHOSEN, tmp_path / "out"), sweeps=False, media="symlink"
    ).main
    data = table(out, "sample_data").values()
    own = [row for row in data if not row["sample_token"].startswith("s1")]
    assert len(own) == 3 * len(CHOSEN)
    assert all(row["is_key_frame"] for row in own)
    # evaluation keeps its sweeps
    assert sum(not row["is_key_frame"] for row in data) == 7 * (9 + 5 + 6)
    assert {p.parent.name for p in out.glob("sweeps/*/*")} == {
        *("LIDAR_TOP", "CAM_FRONT", "RADAR_FRONT")
    }


def test_velocities_over_gaps(drive: Drive, tmp_path: Path) -> None:
    """By the devkit's rule: 1.5 s to one side, 3 s over both."""
    drive.write()
    chosen = ["s0-0", "s0-2", "s0-3", "s0-7", "s2-0", "s2-4", "s2-5"]
    out = export(drive, chosen, tmp_path / "out")
    nusc = walk(out.main, VERSION)
    known = {
        "a0-0-0": True,  # 1 s to the next
        "a0-0-2": True,  # 1 s and 0.5 s
        "a0-0-3": True,  # 0.5 s and 2 s
        "a0-0-7": False,  # 2 s from the one before
        "a2-0-0": False,
        "a2-0-4": True,
        "a2-0-5": True,
        "a0-1-0": True,
        "a0-1-2": True,
        "a0-2-7": False,  # the only one of its instance
    }
    for token, has in known.items():
        velocity = nusc.box_velocity(token)
        expected = [SPEED, 0, 0] if has else [np.nan] * 3
        assert velocity == pytest.approx(expected, nan_ok=True)
    ours = {"a0-0", "a0-1", "a0-2", "a2-0", "a2-1"}
    boxes = [
        box["token"]
        for box in nusc.sample_annotation
        if box["token"].rpartition("-")[0] in ours
    ]
    without = sum(np.isnan(nusc.box_velocity(t)[0]) for t in boxes)
    assert out.facts["annotations_of_the_selection"] == len(boxes)
    # each of them had one
    assert out.facts[LOST] == without > 0
    assert any("have no velocity" in note for note in out.notes)


def test_a_far_neighbour_can_be_cut_off(drive: Drive, tmp_path: Path) -> None:
    drive.write()
    # the second link of s0-1 leads over 3 s: with the first one, too much
    chosen = ["s0-0", "s0-1", "s0-7"]
    out = export(drive, chosen, tmp_path / "all").main
    assert np.isnan(walk(out, VERSION).box_velocity("a0-0-1")).all()
    cut = export(drive, chosen, tmp_path / "cut", max_gap=1.5).main
    nusc = NuScenes(VERSION, str(cut), verbose=False)
    assert nusc.box_velocity("a0-0-1") == pytest.approx([SPEED, 0, 0])
    assert nusc.get("sample_annotation", "a0-0-1")["next"] == ""
    thing = nusc.get("instance", "i0-0")
    assert thing["nbr_annotations"] == 3
    assert thing["last_annotation_token"] == "a0-0-7"
    # keyframes stay one walk, and evaluation is not touched
    assert nusc.get("sample", "s0-1")["next"] == "s0-7"
    walk(cut, VERSION, cut=True)
    for name in ("sample_data", "sample_annotation"):
        before = raw_rows(drive.path / VERSION, name)
        kept = raw_rows(cut / VERSION, name)
        assert {r for r in before if b'"s1-' in r} <= kept


def test_the_order_of_rows_is_the_sources(
    drive: Drive, tmp_path: Path
) -> None:
    drive.write()
    out = export(drive, CHOSEN, tmp_path / "out").main
    for name in drive.tables:
        kept = list(table(out, name))
        before = [t for t in table(drive.path, name) if t in set(kept)]
        assert kept == before


def test_the_same_export_is_the_same_bytes(
    drive: Drive, tmp_path: Path
) -> None:
    drive.write()
    found: list[dict[str, bytes]] = []
    for tokens in (CHOSEN, CHOSEN[::-1]):
        folder = tmp_path / f"out{len(found)}"
        export(drive, tokens, folder, media="copy")
        found.append(
            {
                str(p.relative_to(folder)): p.read_bytes()
                for p in folder.rglob("*")
                if p.is_file()
            }
        )
    assert found[0] == found[1] and len(found[0]) > 200


def test_what_converters_write_is_taken(drive: Drive, tmp_path: Path) -> None:
    """NaN, times as floats, null for no link; they stay what they are."""
    box = drive.row("sample_annotation", "a0-0-2")
    box["velocity"] = [float("nan"), 1.0]
    box["prev"] = None
    data = drive.row("sample_data", "d0-CAM_FRONT-12")
    data["timestamp"] = float(data["timestamp"])
    drive.write()
    out = export(drive, ["s0-2"], tmp_path / "out").main
    walk(out, VERSION)
    after = table(out, "sample_annotation")["a0-0-2"]
    assert after["prev"] == "" and np.isnan(after["velocity"][0])
    after = table(out, "sample_data")["d0-CAM_FRONT-12"]
    assert after["timestamp"] == data["timestamp"]


def test_rows_that_refer_to_nothing_are_left_out_and_told(
    drive: Drive, tmp_path: Path
) -> None:
    drive.row("sample_annotation", "a0-0-2")["instance_token"] = "gone"
    drive.row("sample_data", "d0-CAM_FRONT-11")["sample_token"] = "gone"
    drive.row("sample_data", "d0-CAM_FRONT-10")["calibrated_sensor_token"] = (
        "gone"
    )
    drive.tables["sample"].append(drive.row("sample", "s0-2"))
    drive.write()
    out = export(drive, ["s0-2", "s0-3"], tmp_path / "out")
    walk(out.main, VERSION)
    assert "a0-0-2" not in table(out.main, "sample_annotation")
    told = "\n".join(out.notes)
    for token in ("a0-0-2", "d0-CAM_FRONT-11", "d0-CAM_FRONT-10", "s0-2"):
        assert f"token '{token}'" in told


def test_evaluation_frames_of_another_version(
    drive: Drive, tmp_path: Path
) -> None:
    """As in a dataset of trainval with test appended."""
    drive.write()
    job = make_job(drive, ["s0-2"], tmp_path / "out")
    job.frames.sample_token[job.frames.sample_token == "s2-0"] = "gone"
    job.frames.split[job.frames.sample_token == "gone"] = "test"
    out = EXPORTER.write(job)
    assert len(walk(out.main, VERSION).sample) == 9
    assert any("such as 'gone'" in note for note in out.notes)


def test_scenes_keep_their_splits(drive: Drive, tmp_path: Path) -> None:
    drive.write()
    names = ["scene-0061", "scene-0103"]
    same = export(drive, ["s0-2"], tmp_path / "same").main
    assert not (same / VERSION / "splits.json").exists()
    # a name that says nothing of nuScenes' splits
    out = export(drive, ["s0-2"], tmp_path / "named", version="mine").main
    walk(out, "mine")
    expected = dict(zip(names, ["mini_train", "mini_val"], strict=True))
    assert scene_splits(out / "mine", "mine", names) == expected
    # own splits of the source
    own = {"fold": ["scene-0061", "scene-0553"], "mini_val": ["scene-0103"]}
    (drive.path / VERSION / "splits.json").write_text(json.dumps(own))
    job = make_job(drive, ["s0-2"], tmp_path / "own")
    job.frames.split[job.frames.scene == "scene-0061"] = "fold"
    EXPORTER.write(job)
    path = tmp_path / "own" / VERSION / "splits.json"
    assert json.loads(path.read_text()) == {
        "fold": ["scene-0061"],
        "mini_val": ["scene-0103"],
    }


def test_space_is_enough(drive: Drive, tmp_path: Path) -> None:
    drive.write()
    bounds = {}
    for way in ("none", "folders", "hardlink", "symlink", "copy"):
        job = make_job(drive, CHOSEN, tmp_path / way)
        bounds[way] = EXPORTER.space(job, media=way)
        assert not list(job.folder.iterdir())
        EXPORTER.write(job, media=way)
        used = sum(
            p.lstat().st_size
            for p in job.folder.rglob("*")
            if p.lstat().st_nlink == 1 and not p.is_dir()
        )
        # a long link takes a block of the disk
        used += 4096 * sum(p.is_symlink() for p in job.folder.rglob("*"))
        assert 0 < used <= bounds[way]
    assert bounds["none"] < bounds["folders"] < bounds["symlink"]
    assert bounds["none"] < bounds["hardlink"] < bounds["copy"]


def test_mistakes_are_told(drive: Drive, tmp_path: Path) -> None:
    drive.write()

    def fails(match: str, *tokens: str, **options: Any) -> None:
        fails.number += 1  # type: ignore[attr-defined]
        folder = tmp_path / f"out{fails.number}"  # type: ignore[attr-defined]
        with pytest.raises(RaremineError, match=match):
            export(drive, list(tokens or CHOSEN), folder, **options)

    fails.number = 0  # type: ignore[attr-defined]
    fails("choose one of folders, symlink", media="move")
    fails("'skip' or 'error'", missing="ignore")
    fails("sweeps=-1", sweeps=-1)
    fails("max_gap=0", max_gap=0)
    for name in ("../up", "samples", "/abs", ".hidden", "a/b"):
        fails("no name for a version folder", version=name)
    fails("is not a folder", dataroot=tmp_path / "nowhere")
    fails("has no version 'v1.0-test'", source_version="v1.0-test")
    (drive.path / VERSION / "ego_pose.json").write_text('[{"token": "x"')
    fails("ego_pose.json is not valid JSON")
    other = Drive(tmp_path / "other", seed=1)
    for name in ("sample", "sample_data", "sample_annotation"):
        other.tables[name] = [
            row
            for row in other.tables[name]
            if "s0-2" not in (row["token"], row.get("sample_token"))
        ]
    other.write()
    fails("'s0-2', are not in ", dataroot=other.path)
    fails("no keyframe to export", "unknown", evaluation=False)


def test_from_a_dataset_and_back(tmp_path: Path) -> None:
    root = tmp_path / "world"
    config = WorldConfig(seed=8, scenes=2, keyframes=4, image_size=(160, 90))
    write_world(root, config)
    dataset = load_nuscenes(
        *(root, WORLD_VERSION, "nuscenes-export"),
        media_dir=tmp_path / "media",
    )
    again = None
    try:
        select_frames(dataset, {"random": 0.5}, name="half", seed=3)
        out = export_selection(dataset, "half", "nuscenes", tmp_path / "out")
        assert out == tmp_path / "out" / "half-nuscenes"
        chosen = load_selection(dataset, "half").tokens
        held_out = all_slices(dataset).match(F("split") == "val")
        tokens = {*chosen, *held_out.distinct("sample_token")}
        assert len(chosen) == 2 and len(tokens) == 6
        nusc = walk(out, WORLD_VERSION)
        assert {s["token"] for s in nusc.sample} == tokens
        again = load_nuscenes(
            *(out, WORLD_VERSION, "nuscenes-export-again"),
            # its files are links into the world
            follow_links=True,
            media_dir=tmp_path / "media-again",
        )
        kept = all_slices(dataset).match(F("sample_token").is_in(tokens))
        assert contents_of(again) == contents_of(kept)
        assert again.info["raremine"]["problems"] == []
    finally:
        dataset.delete()
        if again is not None:
            again.delete()


def contents_of(samples: Any) -> dict[str, Any]:
    """What is loaded, but for neighbours in time and places on disk."""
    found = {}
    for sample in all_slices(samples):
        labels = [
            {
                name: value
                for name, value in label.to_dict().items()
                # these tell of a keyframe's neighbours
                if name not in ("velocity", "index")
            }
            for label in sample.ground_truth.detections
        ]
        found[sample.sample_data_token] = (
            *(sample.sample_token, sample.group.name, sample.split),
            *(sample.scene_name, sample.timestamp, sample.location),
            sample.ego_pose.to_dict(),
            sample.world_pose.to_dict(),
            sorted(labels, key=lambda label: str(label["ann_token"])),
        )
    return found


def test_the_real_keyframe(shared_dir: Path, tmp_path: Path) -> None:
    root = shared_dir / "nuscenes-keyframe"
    token = "ca9a282c9e77460f8360f564131a8af5"
    out = _export_as_loaded(root, VERSION, [token], tmp_path / "out")
    source = NuScenes(VERSION, str(root), verbose=False)
    nusc = walk(out, VERSION)
    assert [s["token"] for s in nusc.sample] == [token]
    assert len(nusc.sample_annotation) == 69
    assert (
        multisweep(nusc, token, 10).tobytes()
        == multisweep(source, token, 10).tobytes()
    )
    # all of the source stays, so each of its rows does, byte for byte
    for path in (root / VERSION).glob("*.json"):
        assert raw_rows(out / VERSION, path.stem) == raw_rows(
            root / VERSION, path.stem
        )


def _export_as_loaded(
    root: Path, version: str, tokens: list[str], folder: Path
) -> Path:
    """Exports as from a dataset that was loaded from a dataroot."""
    folder.mkdir()
    info = {"raremine": {"dataroot": str(root), "version": version}}
    dataset: Any = SimpleNamespace(name="loaded", info=info)
    job = ExportJob(
        dataset, selection(tokens), folder, "mine", folder, progress=False
    )
    frames = sorted(read_tables(root, version).frames, key=lambda f: f.token)
    job.once(
        "frames",
        lambda: FrameTable(
            np.array([f.token for f in frames]),
            np.array([f.scene.name for f in frames]),
            np.array([f.scene.split for f in frames]),
            np.array([f.timestamp for f in frames]),
        ),
    )
    return EXPORTER.write(job).main
