"""Format mmdet3d: the user's infos cut down, nothing else touched."""

from __future__ import annotations

import os
import pickle
import pickletools
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fiftyone as fo
import numpy as np
import pytest

from raremine.brain.errors import DatarootError, RaremineError
from raremine.brain.nuscenes.loader import load_nuscenes
from raremine.brain.pool import SplitLeakageError
from raremine.brain.selection.export import export_selection, plan_export
from raremine.brain.selection.exporters import info_files
from raremine.brain.selection.exporters.datasheet import read_datasheet
from raremine.brain.selection.stage import select_frames
from tests.brain.nuscenes.conftest import VERSION
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

NAME = "nuscenes_infos_train.pkl"
MADE = {"v2": v2_infos, "legacy": legacy_infos}
KEY = {"v2": "data_list", "legacy": "infos"}


@pytest.fixture(scope="module")
def template(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Path, fo.Dataset]]:
    root = chained_dataroot(tmp_path_factory.mktemp("data") / "nuscenes")
    root.write()
    dataset = dataset_of(root.path)
    yield root.path, dataset
    dataset.delete()


@pytest.fixture
def dataset(template: tuple[Path, fo.Dataset]) -> Iterator[fo.Dataset]:
    dataset = template[1].clone()
    yield dataset
    dataset.delete()


def export(
    dataset: fo.Dataset, folder: Path, *tokens: str, **options: Any
) -> Path:
    chosen = selection_of(*(tokens or TRAIN[:2]))
    return export_selection(
        dataset, chosen, "mmdet3d", folder / "out", **options
    )


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("layout", ["v2", "legacy"])
def test_infos_are_cut_down_and_nothing_else(
    dataset: fo.Dataset,
    layout: str,
    large: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if large:
        monkeypatch.setattr(info_files, "_LARGE", 0)
    # in an order of its own, one of them twice
    given = MADE[layout]("sample-02", "x", "sample-00", "sample-02", VAL[1])
    path = export(
        *(dataset, tmp_path, "sample-00", "sample-02"),
        infos=write(given, tmp_path / "my_infos_train.pkl"),
    )
    assert path.name == "my_infos_train.pkl"
    expected = MADE[layout]("sample-02", "x", "sample-00", "sample-02", VAL[1])
    entries = expected[KEY[layout]]
    expected[KEY[layout]] = [entries[0], entries[2], entries[3]]
    assert_same(load(path), expected)
    sheet = read_datasheet(path)
    assert sheet["written"] == {
        "infos": {
            path.name: {
                "layout": layout,
                "entries": 3,
                "entries_before": 5,
            }
        },
        "not_in_infos": 0,
    }
    assert "dbinfos" in notes_of(path)
    assert "option val" in notes_of(path)


def test_validation_infos_are_copied_as_they_are(
    dataset: fo.Dataset, tmp_path: Path
) -> None:
    train = write(v2_infos(*TRAIN, *VAL), tmp_path / NAME)
    val = tmp_path / "val.pkl"
    val.write_bytes(b"not even a pickle")
    path = export(dataset, tmp_path, infos=str(train), val=str(val))
    assert (path.parent / "val.pkl").read_bytes() == b"not even a pickle"
    assert [e["token"] for e in load(path)["data_list"]] == list(TRAIN[:2])
    assert "option val" not in notes_of(path)
    assert read_datasheet(path)["written"]["val"] == "val.pkl"


def test_several_infos(dataset: fo.Dataset, tmp_path: Path) -> None:
    parts = [
        write(v2_infos(TRAIN[0], "x"), tmp_path / "a.pkl"),
        write(legacy_infos("x", TRAIN[2]), tmp_path / "b.pkl"),
    ]
    path = export(dataset, tmp_path, *TRAIN, infos=parts)
    assert path.name == "a.pkl"
    assert len(load(path)["data_list"]) == 1
    assert len(load(path.parent / "b.pkl")["infos"]) == 1
    notes = notes_of(path)
    assert "1 of the selection's 3 frames are not in a.pkl or b.pkl" in notes
    assert f"the first is {TRAIN[1]}" in notes


def test_frames_that_infos_lack_are_told(
    dataset: fo.Dataset, tmp_path: Path
) -> None:
    given = write(v2_infos(TRAIN[1], "x", "y"), tmp_path / NAME)
    path = export(dataset, tmp_path, *TRAIN, infos=given)
    assert len(load(path)["data_list"]) == 1
    assert f"the first is {TRAIN[0]}" in notes_of(path)
    assert read_datasheet(path)["written"]["not_in_infos"] == 2


@pytest.mark.parametrize("large", [False, True])
def test_infos_without_any_of_the_frames_are_refused(
    dataset: fo.Dataset,
    large: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if large:
        monkeypatch.setattr(info_files, "_LARGE", 0)
    stems = write(
        v2_infos("n015__CAM_FRONT__1532402927612460", *VAL), tmp_path / NAME
    )
    with pytest.raises(
        RaremineError,
        match=r"(?s)None of the 2 .* 4 entries .*sample token.*'sample-00'.*"
        "mini_val go into the option val",
    ):
        export(dataset, tmp_path, infos=stems)
    assert not list((tmp_path / "out").iterdir())


def test_frames_that_are_judged_on_are_never_exported(
    dataset: fo.Dataset, tmp_path: Path
) -> None:
    given = write(v2_infos(*TRAIN, *VAL), tmp_path / NAME)
    with pytest.raises(SplitLeakageError, match="sample-11.*'mini_val'"):
        export(dataset, tmp_path, TRAIN[0], VAL[1], infos=given)
    with pytest.raises(SplitLeakageError, match="sample-11.*'mini_val'"):
        export(dataset, tmp_path, TRAIN[0], VAL[1])
    with pytest.raises(RaremineError, match="no frame in dataset"):
        export(dataset, tmp_path, "gone", infos=given)


def test_a_malicious_file_is_not_run(
    dataset: fo.Dataset, tmp_path: Path
) -> None:
    marker = tmp_path / "it ran"

    class Evil:
        def __reduce__(self) -> Any:
            return os.system, (f"touch '{marker}'",)

    given = v2_infos(*TRAIN)
    given["data_list"][1]["instances"].append(Evil())
    path = write(given, tmp_path / NAME)
    with pytest.raises(RaremineError, match=r"'posix.system'.*can run any"):
        export(dataset, tmp_path, infos=path)
    assert not marker.exists() and not list((tmp_path / "out").iterdir())


def test_mistakes_are_told(dataset: fo.Dataset, tmp_path: Path) -> None:
    v2 = write(v2_infos(*TRAIN), tmp_path / NAME)
    legacy = write(legacy_infos(*TRAIN), tmp_path / "legacy.pkl")
    listed = write(legacy_infos(*TRAIN)["infos"], tmp_path / "list.pkl")
    objects = write({"car": [], "bus": []}, tmp_path / "dbinfos.pkl")
    no_token = write({"infos": [{"token": "a"}, {}]}, tmp_path / "no.pkl")
    text = tmp_path / "infos.json"
    text.write_text("{}")
    (tmp_path / "sub").mkdir()
    again = shutil.copy(v2, tmp_path / "sub")
    for options, message in (
        ({"infos": tmp_path / "none.pkl"}, "There is no info file .*none.pkl"),
        ({"infos": v2, "val": tmp_path}, "There is no info file"),
        ({"infos": []}, "infos is empty"),
        ({"infos": text}, "infos.json does not end in .pkl"),
        ({"infos": [v2, again]}, f"are called {NAME}"),
        ({"infos": v2, "val": again}, f"are called {NAME}"),
        ({"val": again}, f"training infos are called {NAME}"),
        ({"infos": listed}, r"'openpcdet', not of .*format 'openpcdet'"),
        ({"infos": v2, "layout": "legacy"}, "layout 'v2', not of legacy"),
        ({"infos": v2, "layout": "bevfusion"}, "layout 'v2', not of legacy"),
        ({"infos": legacy, "layout": "v2"}, "layout 'legacy', not of v2"),
        ({"infos": objects}, "no info file: it holds a dictionary of car"),
        ({"infos": no_token}, "Entry 1 of .*no.pkl has no sample token"),
        ({"layout": "v3"}, "no layout 'v3'.*v2, legacy, bevfusion"),
        ({"prefix": "data"}, "prefix is for paths"),
        ({"infos": v2, "prefix": "data"}, "prefix is for paths"),
        ({"sweeps": -1}, "sweeps=-1"),
        ({"sweeps": "all"}, "sweeps='all'"),
        ({"dataroot": tmp_path / "none"}, "none is not a folder"),
        ({"source_version": "v9"}, "has no version 'v9'"),
    ):
        with pytest.raises(RaremineError, match=message):
            export(dataset, tmp_path, **options)
        if (tmp_path / "out").exists():
            assert not list((tmp_path / "out").iterdir())


def test_without_a_known_dataroot(
    dataset: fo.Dataset, template: tuple[Path, fo.Dataset], tmp_path: Path
) -> None:
    dataset.info.clear()
    dataset.save()
    with pytest.raises(RaremineError, match="does not tell which nuScenes"):
        export(dataset, tmp_path)
    path = export(
        *(dataset, tmp_path),
        dataroot=template[0],
        source_version=VERSION,
    )
    assert len(load(path)["data_list"]) == 2


def test_frames_that_the_tables_lack_are_told(
    template: tuple[Path, fo.Dataset], dataset: fo.Dataset, tmp_path: Path
) -> None:
    root = tmp_path / "nuscenes"
    shutil.copytree(template[0] / VERSION, root / VERSION)
    table = root / VERSION / "sample.json"
    table.write_text(table.read_text().replace('"sample-12"', '"other"'))
    with pytest.raises(RaremineError, match="no keyframe sample-12 and 0"):
        export(dataset, tmp_path, dataroot=root)
    (root / VERSION / "sample.json").unlink()
    with pytest.raises(DatarootError):
        export(dataset, tmp_path, dataroot=root)


def test_a_frame_without_its_cloud_is_left_out(
    dataset: fo.Dataset, tmp_path: Path
) -> None:
    root = chained_dataroot(tmp_path / "nuscenes")
    rows = root.tables["sample_data"]
    root.tables["sample_data"] = [
        row
        for row in rows
        if row["token"] not in ("sample-01-LIDAR_TOP", "sample-00-CAM_BACK")
    ]
    root.write()
    path = export(dataset, tmp_path, *TRAIN, dataroot=root.path)
    entries = load(path)["data_list"]
    assert [e["token"] for e in entries] == ["sample-00", "sample-02"]
    assert [e["sample_idx"] for e in entries] == [0, 1]
    assert "CAM_BACK" not in entries[0]["images"]
    assert len(entries[1]["images"]) == 6
    notes = notes_of(path)
    assert "1 keyframes have no LIDAR_TOP" in notes
    assert "first is sample-01" in notes
    assert "1 keyframes lack images" in notes and "is sample-00" in notes
    assert read_datasheet(path)["written"]["skipped"] == ["sample-01"]


@pytest.mark.parametrize("layout", ["v2", "legacy", "bevfusion"])
def test_train_is_the_selection_and_val_all_that_is_judged_on(
    dataset: fo.Dataset, layout: str, tmp_path: Path
) -> None:
    path = export(dataset, tmp_path, TRAIN[2], TRAIN[0], layout=layout)
    assert path.name == NAME
    key = "data_list" if layout == "v2" else "infos"
    assert [e["token"] for e in load(path)[key]] == [TRAIN[0], TRAIN[2]]
    val = load(path.parent / "nuscenes_infos_val.pkl")
    assert [e["token"] for e in val[key]] == list(VAL)
    whole = tmp_path / "whole"
    again = export(dataset, whole, TRAIN[2], TRAIN[0], layout=layout)
    assert again.read_bytes() == path.read_bytes()
    assert read_datasheet(path)["written"]["entries"] == {
        NAME: 2,
        "nuscenes_infos_val.pkl": 3,
    }


def test_own_validation_infos_beside_written_ones(
    dataset: fo.Dataset, tmp_path: Path
) -> None:
    val = write(v2_infos(*VAL), tmp_path / "nuscenes_infos_val.pkl")
    path = export(dataset, tmp_path, val=val)
    copied = path.parent / "nuscenes_infos_val.pkl"
    assert copied.read_bytes() == val.read_bytes()


@pytest.mark.parametrize("layout", [None, "legacy", "bevfusion"])
def test_the_space_is_enough(
    dataset: fo.Dataset, layout: str | None, tmp_path: Path
) -> None:
    options = {} if layout is None else {"layout": layout}
    chosen = selection_of(*TRAIN)
    plan = plan_export(dataset, chosen, "mmdet3d", tmp_path, **options)
    path = export(dataset, tmp_path, *TRAIN, **options)
    used = sum(f.stat().st_size for f in path.parent.glob("*.pkl"))
    assert used <= plan.bytes < 20 * used + 500_000


def test_the_space_of_filtered_infos_is_enough(
    dataset: fo.Dataset, tmp_path: Path
) -> None:
    """Also where the file was written more tightly than ours."""
    given = v2_infos(*TRAIN, *VAL)
    for entry in given["data_list"]:
        entry["tight"] = [[] for _ in range(20_000)]
    tight = tmp_path / NAME
    tight.write_bytes(pickletools.optimize(pickle.dumps(given, 4)))
    val = write(v2_infos(*VAL), tmp_path / "val.pkl")
    options = {"infos": tight, "val": val}
    chosen = selection_of(*TRAIN)
    plan = plan_export(dataset, chosen, "mmdet3d", tmp_path, **options)
    path = export(dataset, tmp_path, *TRAIN, **options)
    used = sum(f.stat().st_size for f in path.parent.glob("*.pkl"))
    assert used <= plan.bytes


@pytest.mark.parametrize(
    "options", [{}, {"layout": "legacy"}, {"infos": True}]
)
def test_infos_need_nothing_but_numpy(
    dataset: fo.Dataset, options: dict[str, Any], tmp_path: Path
) -> None:
    if options.get("infos"):
        given = write(legacy_infos(*TRAIN), tmp_path / NAME, protocol=5)
        options = {"infos": given}
    path = export(dataset, tmp_path, **options)
    data = path.read_bytes()
    assert data[:2] == b"\x80\x03"
    names = {a for op, a, _ in pickletools.genops(data) if op.name == "GLOBAL"}
    assert names <= {
        "builtins list",
        "numpy dtype",
        "numpy ndarray",
        "numpy.core.multiarray _reconstruct",
        "numpy.core.multiarray scalar",
    }
    code = (
        "import pickle, sys; pickle.load(open(sys.argv[1], 'rb'));"
        "sys.exit(any(m.startswith('raremine') for m in sys.modules))"
    )
    command = [sys.executable, "-I", "-c", code, str(path)]
    assert subprocess.run(command, check=False).returncode == 0


def test_entries_that_are_forgotten_while_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(info_files, "_FORGET", 3)
    entries = v2_infos(*map(str, range(10)))["data_list"]
    path = tmp_path / NAME
    head = {"metainfo": {"version": "x"}}
    info_files.write_streamed(
        "v2", head, info_files.Streamed(iter(entries)), path
    )
    assert_same(load(path), {**head, "data_list": entries})
    # what it could point to is of the last three alone
    ops = list(pickletools.genops(path.read_bytes()))
    numbers = [a for op, a, _ in ops if "BINPUT" in op.name]
    assert max(a or 0 for a in numbers) < len(numbers) / 3
    left = tmp_path / "left.pkl"
    info = info_files.filter_file(path, {"3", "7"}, left)
    assert info.tokens == ["3", "7"] and info.total == 10
    assert_same(load(left), {**head, "data_list": [entries[3], entries[7]]})


def close(found: Any, expected: Any, where: str, skip: str) -> None:
    """Fields equal one by one; numbers up to single precision."""
    if isinstance(expected, dict):
        assert set(found) == set(expected), where
        for key, value in expected.items():
            if key != skip:
                close(found[key], value, f"{where}.{key}", skip)
    elif isinstance(expected, list):
        assert len(found) == len(expected), where
        for one, other in zip(found, expected, strict=True):
            close(one, other, f"{where}[]", skip)
    elif isinstance(expected, str) or expected is None:
        assert found == expected, where
    elif isinstance(expected, bool | np.bool_ | int):
        assert type(found) in (bool, int) and found == expected, where
    else:
        # mmdetection3d projects in single precision
        rough = {"center_2d[]": 1e-3, "depth": 1e-5}
        allowed = rough.get(where.rpartition(".")[2], 1e-6)
        np.testing.assert_allclose(found, expected, 1e-7, allowed, True, where)


def test_the_real_keyframe_gives_the_infos_that_mmdetection3d_ships(
    shared_dir: Path, tmp_path: Path
) -> None:
    """All fields but the velocities, which need the keyframes beside it."""
    source = shared_dir / "nuscenes-keyframe"
    (given,) = (source / "infos").glob("*.pkl")
    expected = load(given)
    dataset = load_nuscenes(
        source, VERSION, "keyframe-infos", media_dir=tmp_path / "media"
    )
    try:
        select_frames(dataset, {"random": 1.0}, name="all")
        path = export_selection(dataset, "all", "mmdet3d", tmp_path)
        found = load(path)
        close(found, expected, "", skip="velocity")
        entry = found["data_list"][0]
        for instance in entry["instances"]:
            assert len(instance["velocity"]) == 2
        for instances in entry["cam_instances"].values():
            assert all(len(i["velocity"]) == 2 for i in instances)
        cut = export_selection(
            *(dataset, "all", "mmdet3d", tmp_path / "cut"), infos=given
        )
        assert cut.name == given.name
        assert repr(load(cut)) == repr(expected)
    finally:
        dataset.delete()
