"""Files of a smaller dataroot: linked, copied, absent, or not to be had."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from nuscenes.nuscenes import NuScenes

from raremine.brain.errors import DatarootError, RaremineError

from .nuscenes_drive import VERSION, Drive, export, table
from .nuscenes_walk import walk

CLOUD = "samples/LIDAR_TOP/d0-LIDAR_TOP-20.pcd.bin"


@pytest.fixture
def drive(tmp_path: Path) -> Drive:
    """Not written yet."""
    return Drive(tmp_path / "nuscenes")


def below(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in folder.rglob("*")
        if p.is_file()
    }


@pytest.mark.parametrize("way", ["symlink", "hardlink", "copy"])
def test_ways_to_bring_files(drive: Drive, tmp_path: Path, way: str) -> None:
    drive.write()
    before = below(drive.path)
    staging = tmp_path / "staging"
    out = export(drive, ["s0-2"], staging, media=way)
    # as an export ends
    final = staging.rename(tmp_path / "final")
    walk(final, VERSION)
    file, source = final / CLOUD, drive.path / CLOUD
    assert file.is_symlink() == (way == "symlink")
    assert file.samefile(source) == (way != "copy")
    assert file.read_bytes() == source.read_bytes()
    named = {p for p in below(final) if not p.startswith(VERSION)}
    others = {p for p in named if p.startswith(("can_bus", "maps/exp"))}
    assert others == {
        "maps/expansion/boston-seaport.json",
        "can_bus/scene-0061_pose.json",
        "can_bus/scene-0103_pose.json",
    }
    assert out.facts["media"]["files"] == len(named - others)
    assert not {p for p in named if "/d2-" in p or "scene-0553" in p}
    assert below(drive.path) == before


def test_links_to_folders(drive: Drive, tmp_path: Path) -> None:
    drive.write()
    before = below(drive.path)
    staging = tmp_path / "staging"
    files = export(drive, ["s0-2"], staging).facts["media"]["files"]
    final = staging.rename(tmp_path / "final")
    walk(final, VERSION)
    links = {p.name for p in final.iterdir() if p.is_symlink()}
    assert links == {"samples", "sweeps", "maps", "can_bus"}
    assert (final / CLOUD).samefile(drive.path / CLOUD)
    # the devkit counts these
    labels = list((final / "lidarseg" / VERSION).iterdir())
    assert len(labels) == 9 and all(p.is_symlink() for p in labels)
    each = export(drive, ["s0-2"], tmp_path / "each", media="symlink")
    assert files == each.facts["media"]["files"]
    assert below(drive.path) == before


def test_nothing_is_written_through_a_linked_folder(
    drive: Drive, tmp_path: Path
) -> None:
    """Neither when sensor data are kept among labels."""
    row = drive.row("sample_data", "d0-LIDAR_TOP-20")
    row["filename"] = f"lidarseg/{VERSION}/cloud.bin"
    drive.files[row["filename"]] = b"cloud"
    drive.write()
    before = below(drive.path)
    folders = set(drive.path.rglob("*"))
    out = export(drive, ["s0-2"], tmp_path / "out", version="mine").main
    assert (out / row["filename"]).read_bytes() == b"cloud"
    assert len(list((out / "lidarseg" / "mine").iterdir())) == 9
    assert below(drive.path) == before
    assert set(drive.path.rglob("*")) == folders


def test_an_export_of_an_export(drive: Drive, tmp_path: Path) -> None:
    drive.write()
    first = export(drive, ["s0-2", "s0-3"], tmp_path / "first").main
    second = export(drive, ["s0-3"], tmp_path / "second", dataroot=first).main
    walk(second, VERSION)
    # its links lead out of it, which is not copied unasked
    with pytest.raises(DatarootError, match="follow_links=True"):
        export(
            *(drive, ["s0-3"], tmp_path / "x"), dataroot=first, media="copy"
        )
    third = export(
        *(drive, ["s0-3"], tmp_path / "third"),
        dataroot=first,
        media="copy",
        follow_links=True,
    ).main
    walk(third, VERSION)
    assert not any(p.is_symlink() for p in third.rglob("*"))


def test_tables_alone(drive: Drive, tmp_path: Path) -> None:
    drive.write()
    out = export(
        *(drive, ["s0-2"], tmp_path / "out"), media="none", version="mine"
    )
    assert [p.name for p in out.main.iterdir()] == ["mine"]
    assert not (out.main / "mine" / "lidarseg.json").exists()
    # beside the source's own tables, the devkit finds the media
    (out.main / "mine").rename(drive.path / "mine")
    walk(drive.path, "mine")


@pytest.mark.parametrize(
    "name",
    [
        "../secret/passwd",
        "samples/../../secret/passwd",
        "samples/LIDAR_TOP/..",
        "/etc/passwd",
        "C:\\secret",
        "..\\secret\\passwd",
        "samples/a\0b",
        "",
        "datasheet.json",
        f"{VERSION}/scene.json",
        f"./{VERSION}/attribute.json",
    ],
)
@pytest.mark.parametrize("way", ["folders", "symlink", "copy", "none"])
def test_names_that_lead_out_are_refused(
    drive: Drive, tmp_path: Path, name: str, way: str
) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "passwd").write_text("root")
    drive.row("sample_data", "d0-LIDAR_TOP-20")["filename"] = name
    drive.write()
    before = below(tmp_path)
    with pytest.raises(DatarootError, match="'d0-LIDAR_TOP-20' names") as e:
        export(drive, ["s0-2"], tmp_path / "out", media=way)
    assert repr(name) in str(e.value)
    after = below(tmp_path)
    assert {p for p in after if p not in before} <= {
        p for p in after if p.startswith(f"out/{VERSION}/")
    }
    assert {p: after[p] for p in before} == before


@pytest.mark.parametrize("place", ["map", "lidarseg"])
def test_other_tables_name_files_too(
    drive: Drive, tmp_path: Path, place: str
) -> None:
    token = {"map": "map-0", "lidarseg": "label-d0-LIDAR_TOP-20"}[place]
    drive.row(place, token)["filename"] = "../out"
    drive.write()
    with pytest.raises(DatarootError, match=f"{place} '{token}' names"):
        export(drive, ["s0-2"], tmp_path / "out")


@pytest.mark.parametrize("way", ["hardlink", "copy"])
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_links_out_of_the_dataroot_are_not_copied(
    drive: Drive, tmp_path: Path, way: str, kind: str
) -> None:
    drive.write()
    elsewhere = tmp_path / "elsewhere"
    inside = drive.path / (CLOUD if kind == "file" else "samples")
    inside.rename(elsewhere)
    inside.symlink_to(elsewhere)
    with pytest.raises(DatarootError, match="outside the dataroot") as e:
        export(drive, ["s0-2"], tmp_path / "no", media=way)
    assert str(elsewhere) in str(e.value)
    options: dict[str, Any] = {"media": way, "follow_links": True}
    walk(export(drive, ["s0-2"], tmp_path / "yes", **options).main, VERSION)
    # nothing is read for a link
    for linked in ("folders", "symlink"):
        out = export(drive, ["s0-2"], tmp_path / linked, media=linked)
        walk(out.main, VERSION)


def test_a_linked_dataroot(drive: Drive, tmp_path: Path) -> None:
    drive.write()
    link = tmp_path / "link"
    link.symlink_to(drive.path)
    inner = drive.path / CLOUD
    inner.rename(drive.path / "really here")
    inner.symlink_to(drive.path / "really here")
    for way in ("hardlink", "copy"):
        out = export(
            *(drive, ["s0-2"], tmp_path / way), dataroot=link, media=way
        ).main
        walk(out, VERSION)
        assert not (out / CLOUD).is_symlink()


def test_what_is_no_regular_file_is_not_linked(
    drive: Drive, tmp_path: Path
) -> None:
    drive.write()
    cloud = drive.path / CLOUD
    cloud.unlink()
    (cloud / "inside").mkdir(parents=True)
    radar = drive.path / "samples/RADAR_FRONT/d0-RADAR_FRONT-14.pcd"
    radar.unlink()
    os.mkfifo(radar)
    for way in ("symlink", "copy"):
        out = export(drive, ["s0-2"], tmp_path / way, media=way)
        assert out.facts["media"]["missing"] == 2
        assert not (out.main / CLOUD).exists()


@pytest.mark.parametrize("way", ["folders", "symlink", "copy"])
def test_absent_files_are_told_and_stop_nothing(
    drive: Drive, tmp_path: Path, way: str
) -> None:
    drive.write()
    (drive.path / CLOUD).unlink()
    for file in (drive.path / "sweeps" / "CAM_FRONT").iterdir():
        file.unlink()
    (drive.path / "sweeps" / "CAM_FRONT").rmdir()
    # the devkit counts label files
    label = drive.path / "lidarseg" / VERSION / "d0-LIDAR_TOP-20_lidarseg.bin"
    label.unlink()
    out = export(drive, ["s0-2"], tmp_path / "out", media=way)
    nusc = walk(out.main, VERSION, files=False)
    assert len(nusc.sample_data) == len(table(out.main, "sample_data"))
    assert out.facts["media"]["missing"] == 42
    assert out.facts["media"]["missing_in"] == {
        "samples/LIDAR_TOP": 1,
        f"lidarseg/{VERSION}": 1,
        "sweeps/CAM_FRONT": 40,
    }
    assert len(out.facts["media"]["first_missing"]) == 10
    assert any("42 files" in note for note in out.notes)
    assert "label-d0-LIDAR_TOP-20" not in table(out.main, "lidarseg")
    with pytest.raises(RaremineError, match="42 files .* Unpack them"):
        export(
            *(drive, ["s0-2"], tmp_path / "strict"), missing="error", media=way
        )


def test_an_absent_map_is_told(drive: Drive, tmp_path: Path) -> None:
    drive.write()
    (drive.path / "maps" / "0.png").unlink()
    out = export(drive, ["s0-2"], tmp_path / "out")
    assert any("map masks" in note for note in out.notes)


def test_label_files_follow_the_versions_name(
    drive: Drive, tmp_path: Path
) -> None:
    drive.tables["panoptic"] = [
        {
            "token": "panoptic-1",
            "sample_data_token": "d0-LIDAR_TOP-20",
            "filename": f"panoptic/{VERSION}/x_panoptic.npz",
        }
    ]
    drive.files[f"panoptic/{VERSION}/x_panoptic.npz"] = b"x"
    drive.write()
    out = export(drive, ["s0-2"], tmp_path / "out", version="v1.0-own").main
    nusc = walk(out, "v1.0-own")
    assert len(nusc.lidarseg) == 9
    assert [row["filename"] for row in nusc.panoptic] == [
        "panoptic/v1.0-own/x_panoptic.npz"
    ]
    # no cloud with labels is left: the devkit wants the folder all the same
    drive.tables["panoptic"] = []
    path = tmp_path / "empty"
    empty = Drive(path / "src")
    empty.tables["panoptic"] = []
    empty.write()
    walk(export(empty, ["s0-2"], path / "out").main, VERSION)


def test_one_file_of_two_rows(drive: Drive, tmp_path: Path) -> None:
    row = drive.row("sample_data", "d0-LIDAR_TOP-19")
    row["filename"] = f"./{CLOUD}".replace("LIDAR_TOP/", "LIDAR_TOP//")
    drive.write()
    out = export(drive, ["s0-2"], tmp_path / "out", media="symlink").main
    NuScenes(VERSION, str(out), verbose=False)
    assert (out / row["filename"]).is_file()
