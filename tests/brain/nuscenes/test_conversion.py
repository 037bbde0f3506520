"""Writing many scenes, in this process and in others."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fiftyone as fo
import numpy as np
import psutil
import pytest
from pypcd4 import PointCloud

from raremine.brain.errors import RaremineError
from raremine.brain.nuscenes import pool
from raremine.brain.nuscenes.conversion import with_scenes
from raremine.brain.nuscenes.fo3d import ShownCloud, scene_template
from raremine.brain.nuscenes.pool import in_order, pool_size
from raremine.brain.nuscenes.records import Tables
from raremine.brain.nuscenes.tables import read_tables

from .conftest import VERSION, Dataroot

REPO = Path(__file__).resolve().parents[3]


def tables_of(tiny: Dataroot, **options: Any) -> Tables:
    return read_tables(tiny.write(), VERSION, **options)


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


def without_ids(node: dict) -> dict:
    """A scene's values without FiftyOne's random ids, which must be there."""
    node = {**node, "children": [without_ids(c) for c in node["children"]]}
    assert len(node.pop("uuid")) == 36
    return node


@pytest.mark.parametrize("kinds", [("lidar", "lidar", "radar"), ("radar",)])
def test_scenes_are_what_fiftyone_makes(
    kinds: tuple[str, ...], tmp_path: Path
) -> None:
    scene = fo.Scene(camera=fo.PerspectiveCamera(up="Z"))
    clouds = []
    for at, kind in enumerate(kinds):
        clouds.append(ShownCloud(f"C{at}", kind, f"deep/{at}.pcd"))
        if kind == "radar":
            material = fo.PointCloudMaterial(
                point_size=6, shading_mode="custom", custom_color="#ff6d04"
            )
        else:
            material = fo.PointCloudMaterial(
                point_size=2, shading_mode="height"
            )
        projected = kind == "lidar" or "lidar" not in kinds
        scene.add(
            fo.PointCloud(
                f"C{at}",
                f"deep/{at}.pcd",
                material=material,
                flag_for_projection=projected,
            )
        )
    content = scene_template().fill("scene", clouds)
    assert without_ids(content) == without_ids(scene.as_dict())
    ids = {content["uuid"], *(c["uuid"] for c in content["children"])}
    assert len(ids) == 1 + len(kinds)
    assert content == scene_template().fill("scene", clouds)
    path = tmp_path / "scene.fo3d"
    path.write_text(json.dumps(content))
    read = fo.Scene.from_fo3d(str(path))
    assert [c.pcd_path for c in read.children] == [c.path for c in clouds]


def test_processes_write_what_this_process_writes(
    tiny: Dataroot, tmp_path: Path
) -> None:
    tables = tables_of(tiny, radar=True, sweeps=2)
    found = {}
    for workers in (1, 2):
        folder = tmp_path / str(workers)
        batches = list(
            with_scenes(
                tables, "LIDAR_TOP", folder, workers=workers, batch_size=4
            )
        )
        assert [len(b) for b in batches] == [4, 2]
        pairs = [pair for batch in batches for pair in batch]
        assert [f.token for f, _ in pairs] == [f.token for f in tables.frames]
        for frame, result in pairs:
            assert result is not None
            assert frame.data["LIDAR_TOP"].token in str(result.path)
            assert result.failed == result.partial == {}
        found[workers] = files(folder)
    assert found[1] == found[2]
    ends = [Path(n).suffix for n in found[1]]
    assert {e: ends.count(e) for e in ends} == {
        ".fo3d": 6,
        ".png": 6,
        ".pcd": 12,
    }


def test_keyframes_without_the_3d_slice_stay_in_their_place(
    tiny: Dataroot, tmp_path: Path
) -> None:
    tables = tables_of(tiny)
    del tables.frames[1].data["LIDAR_TOP"]
    (batch,) = with_scenes(tables, "LIDAR_TOP", tmp_path)
    assert [f for f, _ in batch] == tables.frames
    assert [r is None for _, r in batch] == [False, True, *[False] * 4]
    (batch,) = with_scenes(tables, None, tmp_path / "none")
    assert [r for _, r in batch] == [None] * 6
    assert not (tmp_path / "none").exists()


def test_order_is_kept_whatever_takes_long() -> None:
    def slow_first(number: int) -> int:
        time.sleep(0.2 if number == 0 else 0)
        return number * number

    numbers = range(40)
    assert list(in_order(slow_first, numbers, 2)) == [n * n for n in numbers]


def test_jobs_are_drawn_as_they_are_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pool, "_AHEAD", 10)
    drawn: list[int] = []

    def jobs() -> Iterator[int]:
        for number in range(200):
            drawn.append(number)
            yield number

    with_results = in_order(abs, jobs(), 2)
    assert next(with_results) == 0
    time.sleep(1)
    assert len(drawn) <= 2 * 10
    assert list(with_results) == list(range(1, 200))


def test_workers_start_without_fiftyone_and_torch(
    tiny: Dataroot, tmp_path: Path
) -> None:
    def loaded(number: int) -> set[str]:
        import sys

        import raremine.brain.nuscenes.scene_writer  # noqa: F401

        return {name.partition(".")[0] for name in sys.modules}

    (modules,) = in_order(loaded, [0], 2)
    assert "raremine" in modules
    assert not modules & {"fiftyone", "torch", "scipy", "pandas", "msgspec"}


def test_a_killed_worker_is_told_and_the_next_load_works() -> None:
    def die(number: int) -> int:
        if number == 20:
            os.kill(os.getpid(), signal.SIGKILL)
        return number

    with pytest.raises(RaremineError, match="was killed"):
        list(in_order(die, range(40), 2))
    assert list(in_order(abs, range(10), 2)) == list(range(10))


def test_workers_that_cannot_work_are_told() -> None:
    class Job:
        def __reduce__(self) -> tuple:
            return (int, ("no number",))

    with pytest.raises(RaremineError, match="workers=1"):
        list(in_order(id, [Job()], 2))


@pytest.mark.filterwarnings("error")
def test_a_caller_may_stop_early() -> None:
    results = in_order(abs, range(500), 2)
    assert next(results) == 0
    results.close()
    assert list(in_order(abs, range(10), 2)) == list(range(10))


@pytest.mark.parametrize("workers", [1, 2])
def test_what_cannot_be_written_is_told(
    tiny: Dataroot, tmp_path: Path, workers: int
) -> None:
    tables = tables_of(tiny)
    (tmp_path / "file").write_bytes(b"")
    folder = tmp_path / "file" / "media"
    with pytest.raises(RaremineError, match=r"Cannot write .*media_dir"):
        list(with_scenes(tables, "LIDAR_TOP", folder, workers=workers))


def test_the_dataroots_radar_files_are_never_replaced(
    tiny: Dataroot, tmp_path: Path
) -> None:
    tables = tables_of(tiny, radar=True)
    before = files(tiny.path)
    with pytest.raises(RaremineError, match="is the dataroot"):
        list(with_scenes(tables, "LIDAR_TOP", tiny.path))
    # a folder that leads there by links is found file by file
    media = tmp_path / "media"
    media.mkdir()
    (media / "samples").symlink_to(tiny.path / "samples")
    with pytest.raises(RaremineError, match="file of the dataroot"):
        list(with_scenes(tables, "LIDAR_TOP", media))
    assert {n: c for n, c in files(tiny.path).items() if n in before} == before


def test_how_many_processes() -> None:
    assert pool_size(None, pool.FEW - 1) == 1
    assert 1 <= pool_size(None, 10**6) <= pool.MAX_WORKERS
    assert pool_size(3, 10**6) == 3
    assert pool_size(3, 2) == 2
    assert pool_size(3, 0) == 1
    with pytest.raises(RaremineError, match="workers=0"):
        pool_size(0, 5)


def script(folder: Path, body: str) -> Path:
    """A user's script, without a main guard, that loads with 2 workers."""
    path = folder / "script.py"
    path.write_text(
        textwrap.dedent(
            f"""
            from pathlib import Path
            with open({str(folder / "starts")!r}, "a") as file:
                file.write("x")
            from raremine.brain.nuscenes.conversion import with_scenes
            from raremine.brain.nuscenes.tables import read_tables
            tables = read_tables({str(folder / "nuscenes")!r}, {VERSION!r})
            tables.frames *= 50
            media = Path({str(folder / "media")!r})
            batches = with_scenes(
                tables, "LIDAR_TOP", media, workers=2, batch_size=8
            )
            """
        )
        + textwrap.dedent(body)
    )
    return path


def test_a_plain_script_needs_no_main_guard(
    tiny: Dataroot, tmp_path: Path
) -> None:
    tiny.write()
    path = script(tmp_path, "print(sum(len(batch) for batch in batches))")
    run = subprocess.run(
        [sys.executable, path], cwd=REPO, capture_output=True, text=True
    )
    assert run.stdout.strip() == "300"
    assert run.stderr == "" and run.returncode == 0
    assert (tmp_path / "starts").read_text() == "x"


def alive(group: int) -> list[int]:
    """Returns the processes of a group that have not ended."""
    found = []
    for process in psutil.process_iter(["status"]):
        # zombies wait for a parent that is not ours
        if process.info["status"] != psutil.STATUS_ZOMBIE:
            with contextlib.suppress(ProcessLookupError):
                if os.getpgid(process.pid) == group:
                    found.append(process.pid)
    return found


def test_an_interrupt_ends_it_at_once(tiny: Dataroot, tmp_path: Path) -> None:
    tiny.write()
    body = """
    import time
    next(batches)
    print("started", flush=True)
    time.sleep(100)
    """
    path = script(tmp_path, body)
    with subprocess.Popen(
        [sys.executable, path],
        cwd=REPO,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # tests that run in the background are started with it ignored
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "started\n"
        # like Ctrl-C in a terminal, which every process of the group gets
        os.killpg(run.pid, signal.SIGINT)
        _, error = run.communicate(timeout=400)
    assert run.returncode == -signal.SIGINT
    # one traceback, the script's own
    assert error.count("Traceback") == 1
    assert error.rstrip().endswith("KeyboardInterrupt")
    # far more than it takes: only a worker that never ends shall fail
    deadline = time.monotonic() + 200
    while alive(run.pid):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    names = [p.name for p in (tmp_path / "media").rglob("*") if p.is_file()]
    assert names and not any(n.startswith(".") for n in names)


def custom_rig(tiny: Dataroot, modality: str, count: int) -> list[str]:
    """Replaces the rig by ``count`` sensors of one kind."""
    sources = {"lidar": "LIDAR_TOP", "radar": "RADAR_FRONT"}
    tables, source = tiny.tables, sources[modality]
    kept = [
        d
        for d in tables["sample_data"]
        if source in d["token"] and d["is_key_frame"]
    ]
    (sensor,) = (s for s in tables["sensor"] if s["channel"] == source)
    mounted = tiny.row("calibrated_sensor", token=f"calib-{source}")
    channels = [f"{modality.upper()}_{at}" for at in range(count)]
    tables["sensor"] = [
        {**sensor, "token": f"sensor-{c}", "channel": c} for c in channels
    ]
    tables["calibrated_sensor"] = [
        {
            **mounted,
            "token": f"calib-{c}",
            "sensor_token": f"sensor-{c}",
            "translation": [float(at), 0.0, 1.0],
        }
        for at, c in enumerate(channels)
    ]
    tables["sample_data"] = []
    for channel in channels:
        for data in kept:
            name = data["filename"].replace(source, channel)
            tiny.files[name] = tiny.files[data["filename"]]
            tables["sample_data"].append(
                {
                    **data,
                    "token": f"{data['token']}-{channel}",
                    "calibrated_sensor_token": f"calib-{channel}",
                    "filename": name,
                }
            )
    return channels


@pytest.mark.parametrize(("modality", "count"), [("lidar", 4), ("radar", 2)])
def test_a_rig_of_one_kind_of_sensor(
    tiny: Dataroot, tmp_path: Path, modality: str, count: int
) -> None:
    channels = custom_rig(tiny, modality, count)
    tables = tables_of(tiny, channels=channels)
    (batch,) = with_scenes(tables, channels[0], tmp_path)
    for frame, result in batch:
        assert result is not None and result.failed == {}
        scene = fo.Scene.from_fo3d(str(result.path))
        assert [c.name for c in scene.children] == channels
        assert all(c.flag_for_projection for c in scene.children)
        first, *others = (
            PointCloud.from_path(result.path.parent / c.pcd_path).numpy(
                ("x", "y", "z")
            )
            for c in scene.children
        )
        for at, other in enumerate(others, 1):
            # the same points from a sensor that stands a metre ahead
            apart = np.linalg.norm(other - first, axis=1)
            assert apart == pytest.approx(np.full(len(first), at), abs=1e-4)
        assert frame.data.keys() == set(channels)
