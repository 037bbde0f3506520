"""What is read of tables that are whole, spoiled or of another rig."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from raremine.brain.errors import DatarootError, RaremineError
from raremine.brain.nuscenes import rows
from raremine.brain.nuscenes.check import missing_files
from raremine.brain.nuscenes.geometry import pose_matrix
from raremine.brain.nuscenes.problems import Problems
from raremine.brain.nuscenes.records import Tables
from raremine.brain.nuscenes.tables import read_tables

from .conftest import VERSION, Dataroot


def read(
    tiny: Dataroot, *, strict: bool = False, **options: Any
) -> tuple[Tables, Problems]:
    problems = Problems(strict)
    if not tiny.table("scene").is_file():
        tiny.write()
    return (
        read_tables(tiny.path, VERSION, problems=problems, **options),
        problems,
    )


def tokens(tables: Tables) -> list[str]:
    return [frame.token for frame in tables.frames]


def test_a_sound_dataroot_has_no_problems(tiny: Dataroot) -> None:
    tables, problems = read(tiny, strict=True, radar=True, sweeps=2)
    assert not problems
    assert missing_files(tables, problems) == []
    assert not problems
    assert len(tables.frames) == 6
    assert {len(frame.data) for frame in tables.frames} == {8}
    assert tables.annotations is not None
    assert len(tables.annotations) == len(tiny.tables["sample_annotation"])


def test_max_scenes_takes_the_first_by_name(tiny: Dataroot) -> None:
    tables, _ = read(tiny, max_scenes=1)
    assert [scene.name for scene in tables.scenes] == ["scene-0061"]
    assert len(tables.frames) == 3


def test_own_splits_are_the_only_ones(tiny: Dataroot, tmp_path: Path) -> None:
    own = {"mine": ["scene-0103"]}
    tables, _ = read(tiny, splits=own)
    assert [scene.split for scene in tables.scenes] == ["", "mine"]
    file = tmp_path / "own.json"
    file.write_text(json.dumps(own))
    tables, _ = read(tiny, splits=file, split="mine")
    assert [scene.name for scene in tables.scenes] == ["scene-0103"]
    with pytest.raises(RaremineError, match="no split 'mini_train'"):
        read(tiny, splits=own, split="mini_train")
    with pytest.raises(DatarootError, match="Cannot read the splits"):
        read(tiny, splits=tmp_path / "none.json")
    with pytest.raises(DatarootError, match="cannot be used"):
        read(tiny, splits={"mine": "scene-0103"})


def test_all_that_is_wrong_is_told_at_once(tiny: Dataroot) -> None:
    tiny.tables["ego_pose"][2]["rotation"] = [0, 0, 0]
    tiny.tables["sample_annotation"][3]["size"] = None
    tiny.tables["sample"][1]["timestamp"] = "noon"
    tiny.write()
    tiny.table("instance").write_text("[{")
    tiny.table("log").write_text("[3]")
    tiny.table("sensor").unlink()
    with pytest.raises(DatarootError, match="problems") as raised:
        read(tiny)
    told = str(raised.value)
    for part in (
        "sensor.json does not exist",
        "instance.json is not valid JSON",
        "log.json, row 0",
        "sample_annotation.json, row 3",
        "sample.json, row 1",
    ):
        assert part in told


def test_without_scenes_the_other_absent_tables_are_told(
    tiny: Dataroot,
) -> None:
    tiny.write()
    for name in ("scene", "sample_data", "ego_pose"):
        tiny.table(name).unlink()
    with pytest.raises(DatarootError) as raised:
        read_tables(tiny.path, VERSION, problems=Problems(strict=True))
    told = str(raised.value)
    assert "has 3 problems" in told
    for name in ("scene", "sample_data", "ego_pose"):
        assert f"{name}.json does not exist" in told


def test_many_problems_of_a_kind_are_counted(tiny: Dataroot) -> None:
    for row in tiny.tables["sample_annotation"]:
        row["size"] = [1]
    count = len(tiny.tables["sample_annotation"])
    with pytest.raises(DatarootError) as raised:
        read(tiny)
    told = str(raised.value)
    assert f"{count} problems" in told
    assert f"{count - 5} more problems" in told
    assert len(told.splitlines()) == 7


@pytest.mark.parametrize(
    "table",
    [
        *("scene", "sensor", "calibrated_sensor", "sample", "sample_data"),
        "ego_pose",
    ],
)
def test_tables_that_one_cannot_do_without(tiny: Dataroot, table: str) -> None:
    tiny.write()
    path = tiny.table(table)
    text = path.read_text()
    path.write_text(text[: len(text) // 2])
    with pytest.raises(DatarootError, match=rf"{table}\.json is not valid"):
        read(tiny)
    path.unlink()
    message = "has no version" if table == "sample" else "does not exist"
    with pytest.raises(DatarootError, match=message):
        read_tables(tiny.path, VERSION)


@pytest.mark.parametrize(
    "table", ["category", "instance", "sample_annotation"]
)
def test_without_annotation_tables_the_rest_is_read(
    tiny: Dataroot, table: str
) -> None:
    tiny.write()
    tiny.table(table).unlink()
    tables, problems = read(tiny)
    assert tables.annotations is None
    assert len(tables.frames) == 6
    (line,) = problems.lines()
    assert f"{table}.json does not exist, so there is no ground truth" in line
    with pytest.raises(DatarootError, match="no ground truth"):
        read(tiny, strict=True)
    _, problems = read(tiny, strict=True, ground_truth=False)
    assert not problems


def test_a_test_version_has_empty_annotations(tiny: Dataroot) -> None:
    tiny.tables["sample_annotation"] = []
    tiny.tables["instance"] = []
    tables, problems = read(tiny)
    assert not problems
    assert tables.annotations is not None
    assert len(tables.annotations) == 0
    assert set(tables.annotations.rows) == set(tokens(tables))


def test_small_tables_one_can_do_without(tiny: Dataroot) -> None:
    tiny.write()
    for table in ("log", "attribute", "visibility"):
        tiny.table(table).unlink()
    tables, problems = read(tiny)
    assert len(problems) == 3
    assert {scene.location for scene in tables.scenes} == {""}
    assert tables.annotations is not None
    assert set(tables.annotations.attributes) == {()}
    assert set(tables.annotations.visibility) == {"", "1", "4"}


@pytest.mark.parametrize(
    ("table", "key", "where"),
    [
        ("scene", "log_token", "log.json"),
        ("sample", "scene_token", "scene.json"),
        ("sample", "next", "Nothing is lost"),
        ("calibrated_sensor", "sensor_token", "sensor.json"),
        ("sample_data", "sample_token", "sample.json"),
        ("sample_data", "calibrated_sensor_token", "calibrated_sensor.json"),
        ("sample_data", "ego_pose_token", "ego_pose.json"),
        ("sample_annotation", "sample_token", "sample.json"),
        ("sample_annotation", "instance_token", "instance.json"),
        ("instance", "category_token", "category.json"),
    ],
)
def test_dangling_tokens_are_told_and_cost_their_rows_only(
    tiny: Dataroot, table: str, key: str, where: str
) -> None:
    tiny.tables[table][1][key] = "gone-token"
    tables, problems = read(tiny)
    told = "\n".join(problems.lines())
    assert "gone-token" in told
    assert where in told
    frames = 5 if (table, key) == ("sample", "scene_token") else 6
    assert len(tables.frames) == frames
    with pytest.raises(DatarootError, match="gone-token"):
        read(tiny, strict=True)


def test_a_sample_that_does_not_exist_takes_nothing_else_along(
    tiny: Dataroot,
) -> None:
    whole, _ = read(tiny)
    lost = tiny.tables["sample"].pop(1)["token"]
    for name in ("sample", "sample_data", "sample_annotation"):
        tiny.table(name).write_text(json.dumps(tiny.tables[name]))
    tables, problems = read(tiny)
    assert tokens(tables) == [t for t in tokens(whole) if t != lost]
    assert [f.index for f in tables.frames] == [0, 1, 0, 1, 2]
    told = "\n".join(problems.lines())
    assert "more problems of sample_token in sample_annotation.json" in told
    assert whole.annotations is not None
    assert tables.annotations is not None
    for token in tokens(tables):
        ours, theirs = tables.annotations, whole.annotations
        assert ours.token[ours.rows[token]] == theirs.token[theirs.rows[token]]
        np.testing.assert_array_equal(
            ours.center[ours.rows[token]], theirs.center[theirs.rows[token]]
        )


def test_an_unknown_attribute_costs_that_attribute(tiny: Dataroot) -> None:
    tiny.tables["sample_annotation"][2]["attribute_tokens"] = [
        *("gone", "attr-0"),
    ]
    tables, problems = read(tiny)
    (line,) = problems.lines()
    assert "row 2" in line
    assert "attribute 'gone'" in line
    assert "Such attributes are left out" in line
    assert tables.annotations is not None
    at = tables.annotations.token.index(
        tiny.tables["sample_annotation"][2]["token"]
    )
    assert tables.annotations.attributes[at] == ("vehicle.moving",)


def test_every_unknown_attribute_is_counted(
    tiny: Dataroot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "_WINDOW", 2000)
    for row in tiny.tables["sample_annotation"][::2]:
        row["attribute_tokens"] = ["gone"]
    _, problems = read(tiny)
    assert len(problems) == len(tiny.tables["sample_annotation"][::2])


def test_a_scene_without_its_log_is_read(tiny: Dataroot) -> None:
    tiny.tables["scene"][0]["log_token"] = "gone"
    tables, problems = read(tiny)
    assert [s.location for s in tables.scenes] == ["", "boston-seaport"]
    (line,) = problems.lines()
    assert "Such scenes have no location" in line


def test_repeated_rows_change_nothing(tiny: Dataroot) -> None:
    whole, _ = read(tiny)
    data = dict(tiny.data("sample-00", "CAM_FRONT"))
    tiny.tables["sample_data"].append({**data, "token": "x", "filename": "y"})
    tiny.tables["sample"].append(dict(tiny.tables["sample"][0]))
    for name in ("sample", "sample_data"):
        tiny.table(name).write_text(json.dumps(tiny.tables[name]))
    tables, problems = read(tiny)
    assert len(problems) == 2
    assert tokens(tables) == tokens(whole)
    assert tables.frames[0].data["CAM_FRONT"].filename == data["filename"]


@pytest.mark.parametrize(
    ("table", "key", "value"),
    [
        ("ego_pose", "rotation", [0, 0, 0]),
        ("ego_pose", "translation", [0, "x", 0]),
        ("sample_annotation", "size", [1, 2]),
        ("sample_annotation", "translation", [1, None, 2]),
        ("sample_annotation", "rotation", [0, 0, 0, 0]),
        ("sample", "timestamp", "noon"),
        ("calibrated_sensor", "camera_intrinsic", [[1, 0], [0, 1]]),
        ("calibrated_sensor", "rotation", [0, 0, 0, 0]),
    ],
)
def test_malformed_values_are_located(
    tiny: Dataroot, table: str, key: str, value: Any
) -> None:
    tiny.tables[table][0][key] = value
    with pytest.raises(DatarootError, match=rf"{table}\.json, row 0 .*{key}"):
        read(tiny)


def test_a_zero_ego_rotation_is_told(tiny: Dataroot) -> None:
    tiny.tables["ego_pose"][0]["rotation"] = [0, 0, 0, 0]
    with pytest.raises(DatarootError, match=r"ego_pose\.json.*zero quat"):
        read(tiny)


def test_what_converters_write_changes_nothing(tiny: Dataroot) -> None:
    whole, _ = read(tiny, sweeps=2)
    from scipy.spatial.transform import Rotation

    for name in ("sample", "sample_data"):
        for row in tiny.tables[name]:
            row["timestamp"] = float(row["timestamp"])
    for name in ("ego_pose", "calibrated_sensor", "sample_annotation"):
        for row in tiny.tables[name]:
            w, x, y, z = row["rotation"]
            row["rotation"] = (
                Rotation.from_quat([x, y, z, w]).as_matrix().tolist()
            )
    for row in tiny.tables["sample_annotation"]:
        row["visibility_token"] = row["visibility_token"] or None
    for name, content in tiny.tables.items():
        tiny.table(name).write_text(json.dumps(content, indent=1))
    tables, problems = read(tiny, sweeps=2)
    assert not problems
    np.testing.assert_allclose(tables.ego_poses, whole.ego_poses, atol=1e-9)
    for ours, theirs in zip(tables.frames, whole.frames, strict=True):
        assert ours.timestamp == theirs.timestamp
        for channel, data in theirs.data.items():
            assert ours.data[channel].timestamp == data.timestamp
            np.testing.assert_allclose(
                ours.data[channel].calibration.pose,
                data.calibration.pose,
                atol=1e-9,
            )
        assert [s.token for s in ours.sweeps["LIDAR_TOP"]] == [
            s.token for s in theirs.sweeps["LIDAR_TOP"]
        ]
    assert tables.annotations is not None
    assert whole.annotations is not None
    assert tables.annotations.visibility == whole.annotations.visibility
    np.testing.assert_allclose(
        tables.annotations.velocity, whole.annotations.velocity
    )


def test_velocities_do_not_depend_on_the_order_of_rows(
    tiny: Dataroot,
) -> None:
    whole, _ = read(tiny)
    boxes = tiny.tables["sample_annotation"]
    shuffled = [boxes[at] for at in tiny.rng.permutation(len(boxes))]
    tiny.table("sample_annotation").write_text(json.dumps(shuffled))
    tables, _ = read(tiny)
    assert whole.annotations is not None
    assert tables.annotations is not None
    assert np.isfinite(whole.annotations.velocity).any()
    place = {token: at for at, token in enumerate(tables.annotations.token)}
    order = [place[token] for token in whole.annotations.token]
    np.testing.assert_array_equal(
        tables.annotations.velocity[order], whole.annotations.velocity
    )


@pytest.mark.parametrize("window", [200, 1500])
def test_instances_are_followed_across_windows(
    tiny: Dataroot, monkeypatch: pytest.MonkeyPatch, window: int
) -> None:
    whole, _ = read(tiny)
    monkeypatch.setattr(rows, "_WINDOW", window)
    tables, _ = read(tiny)
    assert whole.annotations is not None
    assert tables.annotations is not None
    assert tables.annotations.token == whole.annotations.token
    assert tables.annotations.instance == whole.annotations.instance
    np.testing.assert_array_equal(
        tables.annotations.velocity, whole.annotations.velocity
    )


def pose_of(tables: Tables, token: str) -> np.ndarray:
    (data,) = (
        data
        for frame in tables.frames
        for data in frame.data.values()
        if data.token == token
    )
    return tables.ego_poses[data.ego]


@pytest.mark.parametrize("order", ["same", "reversed", "shuffled", "moved"])
def test_poses_belong_to_their_data_in_any_order(
    tiny: Dataroot, monkeypatch: pytest.MonkeyPatch, order: str
) -> None:
    poses = tiny.tables["ego_pose"]
    known = {
        row["token"]: (row["translation"], row["rotation"]) for row in poses
    }
    if order == "reversed":
        poses.reverse()
    elif order == "shuffled":
        tiny.rng.shuffle(poses)
    elif order == "moved":  # all but the last stand where they are expected
        poses.append(poses.pop(len(poses) // 2))
    monkeypatch.setattr(rows, "_WINDOW", 1000)
    tables, problems = read(tiny, radar=True)
    assert not problems
    for row in tiny.tables["sample_data"]:
        if row["is_key_frame"]:
            np.testing.assert_allclose(
                pose_of(tables, row["token"]),
                pose_matrix(*known[row["ego_pose_token"]]),
                atol=1e-12,
            )


def test_data_may_share_an_ego_pose(tiny: Dataroot) -> None:
    first = tiny.tables["sample_data"][0]["ego_pose_token"]
    for row in tiny.tables["sample_data"]:
        row["ego_pose_token"] = first
    tables, problems = read(tiny)
    assert not problems
    assert tables.ego_poses.shape == (1, 4, 4)
    assert np.isfinite(tables.ego_poses).all()


def test_ego_poses_that_do_not_exist_are_nan(tiny: Dataroot) -> None:
    row = tiny.tables["ego_pose"].pop(0)
    tables, problems = read(tiny)
    lost = np.isnan(tables.ego_poses).any(axis=(1, 2))
    assert lost.sum() == 1
    (line,) = problems.lines()
    assert row["token"] in line
    tiny.table("ego_pose").write_text("[]")
    tables, problems = read(tiny)
    assert np.isnan(tables.ego_poses).all()
    (line,) = problems.lines()
    assert "has none of the ego poses" in line


def test_lidarseg_names_files_and_classes(tiny: Dataroot) -> None:
    tiny.write()
    cloud = tiny.data("sample-00", "LIDAR_TOP")["token"]
    name = f"lidarseg/{VERSION}/{cloud}_lidarseg.bin"
    tiny.table("lidarseg").write_text(
        json.dumps(
            [
                {"token": "1", "sample_data_token": cloud, "filename": name},
                {"token": "2", "sample_data_token": "none", "filename": "x"},
            ]
        )
    )
    for index, row in enumerate(tiny.tables["category"]):
        row["index"] = index + 1
    tiny.table("category").write_text(json.dumps(tiny.tables["category"]))
    tables, problems = read(tiny)
    assert not problems
    assert tables.lidarseg[1] == tiny.tables["category"][0]["name"]
    named = [f.data["LIDAR_TOP"].lidarseg for f in tables.frames]
    assert named == [name, "", "", "", "", ""]


@pytest.mark.parametrize(
    "name",
    [
        *("../secret.jpg", "samples/../../secret.jpg", "/etc/hostname"),
        *("samples\\..\\..\\secret.jpg", "C:/secret.jpg", "", None),
    ],
)
@pytest.mark.parametrize("labels", [False, True])
def test_names_that_leave_the_dataroot_are_refused(
    tiny: Dataroot, name: Any, labels: bool
) -> None:
    (tiny.path.parent / "secret.jpg").write_bytes(b"x")
    if labels and not name:
        pytest.skip("an empty name says that there are no labels")
    if not labels:
        tiny.data("sample-00", "CAM_FRONT")["filename"] = name
        tiny.data("sample-01", "CAM_BACK")["filename"] = name
    tiny.write()
    if labels:
        labelled = [
            {
                "token": "1",
                "sample_data_token": f"sample-0{at}-LIDAR_TOP",
                "filename": name,
            }
            for at in range(2)
        ]
        tiny.table("lidarseg").write_text(json.dumps(labelled))
    tables, problems = read(tiny)
    missing_files(tables, problems)
    with pytest.raises(DatarootError, match="2 problems") as raised:
        problems.raise_fatal()
    assert "outside the dataroot" in str(raised.value)


def test_absent_files_are_found_without_asking_for_each(
    tiny: Dataroot, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.write()
    gone = [
        tiny.data("sample-00", "CAM_FRONT"),
        tiny.data("sample-02", "LIDAR_TOP"),
    ]
    for row in gone:
        (tiny.path / row["filename"]).unlink()
    tables, problems = read(tiny)
    with monkeypatch.context() as patch:
        for name in ("exists", "is_file", "stat"):
            patch.setattr(Path, name, None)
        faults = missing_files(tables, problems)
    assert {f.sample_data_token for f in faults} == {
        row["token"] for row in gone
    }
    told = "\n".join(problems.lines())
    assert all(row["filename"] in told for row in gone)
    assert not problems.lines(fatal=True)


def test_links_that_leave_the_dataroot_need_consent(
    tiny: Dataroot, tmp_path: Path
) -> None:
    tables, _ = read(tiny)
    folder = tiny.path / "samples" / "CAM_BACK"
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    problems = Problems()
    missing_files(tables, problems)
    with pytest.raises(DatarootError, match="follow_links=True"):
        problems.raise_fatal()
    problems = Problems()
    assert missing_files(tables, problems, follow_links=True) == []
    assert not problems
    # one file that is a link is found as well
    folder.unlink()
    (tmp_path / "elsewhere").rename(folder)
    file = next(folder.iterdir())
    file.rename(tmp_path / "image.jpg")
    file.symlink_to(tmp_path / "image.jpg")
    problems = Problems()
    missing_files(tables, problems)
    with pytest.raises(DatarootError, match="symbolic link"):
        problems.raise_fatal()
