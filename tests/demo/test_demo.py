"""The demo: its command line, what it prints, and one real run."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import fiftyone as fo
import pytest

from demo import __main__ as demo
from demo.config import WorldConfig
from demo.console import Console, quiet, table_lines
from demo.mining import render, world_name
from demo.options import FIRST_TRAINING_SEED, parse_options
from demo.summary import _without_paths
from demo.train_data import HELD_OUT_WORLDS, TRAIN_WORLDS
from demo.weights_folder import WEIGHTS, find_models
from raremine.brain.errors import ModelError, RaremineError


def test_defaults() -> None:
    options = parse_options([])
    assert options.out == Path("outputs/demo").resolve()
    assert not options.headless
    assert options.dataset == "raremine-demo"
    assert options.world.image_size == (800, 450)
    assert options.preset == "default"


def test_everything_can_be_chosen(tmp_path: Path) -> None:
    options = parse_options(
        f"--out {tmp_path} --headless --seed 3 --scenes 2 --keyframes 1 "
        "--size 320x180 --preset paper --port 6000 --address 0.0.0.0".split()
    )
    assert options.out == tmp_path
    assert options.headless
    assert options.world == WorldConfig(
        seed=3, scenes=2, keyframes=1, image_size=(320, 180)
    )
    assert (options.preset, options.port, options.address) == (
        "paper", 6000, "0.0.0.0",
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--scenes", "0"], "at least one scene"),
        (["--size", "big"], "not a size such as 800x450"),
        (["--size", "8x8"], "too small"),
        (["--seed", "-1"], "choose 0 to 999"),
        (["--seed", str(TRAIN_WORLDS[0].seed)], "learned from worlds"),
        (["--preset", "fast"], "invalid choice"),
        (["--workers", "0"], "at least 1"),
    ],
)
def test_a_wrong_argument_is_told_in_a_sentence(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        parse_options(arguments)
    assert end.value.code == 2
    assert says in capsys.readouterr().err


def test_the_models_never_saw_a_world_of_the_demo() -> None:
    seeds = [spec.seed for spec in (*TRAIN_WORLDS, *HELD_OUT_WORLDS)]
    assert min(seeds) >= FIRST_TRAINING_SEED


def test_missing_weights_end_with_what_to_do(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(demo.signal, "signal", lambda *_: None)
    (tmp_path / "weights" / "embedder").mkdir(parents=True)
    status = demo.main(
        ["--headless", "--weights", str(tmp_path / "weights"),
         "--out", str(tmp_path / "out")]
    )
    said = capsys.readouterr().err
    assert status == 2
    assert "detector.pt, embedder, captioner not found" in said
    assert "python demo/train.py" in said
    assert "Traceback" not in said
    assert not (tmp_path / "out").exists()


def test_weights_that_are_there_are_found(tmp_path: Path) -> None:
    (tmp_path / "detector.pt").write_bytes(b"weights")
    for folder in ("embedder", "captioner"):
        (tmp_path / folder).mkdir()
    with pytest.raises(ModelError, match=": embedder, captioner not found"):
        find_models(tmp_path)
    for folder in ("embedder", "captioner"):
        (tmp_path / folder / "config.json").write_text("{}")
    models = find_models(tmp_path)
    assert models.detector["model"] == str(tmp_path / "detector.pt")
    assert models.captioner["model"] == str(tmp_path / "captioner")


def test_a_folder_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr("demo.weights_folder.find_models", lambda _: None)
    with pytest.raises(RaremineError, match="choose another folder"):
        demo._check(parse_options(["--out", str(tmp_path / "file" / "x")]))


def test_a_taken_port_is_refused_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("demo.weights_folder.find_models", lambda _: None)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        options = ["--out", str(tmp_path), "--port", str(port)]
        with pytest.raises(RaremineError, match=f"Port {port} is taken"):
            demo._check(parse_options(options))
        demo._check(parse_options([*options, "--headless"]))


def test_a_rendered_world_is_used_again(tmp_path: Path) -> None:
    options = parse_options(["--out", str(tmp_path), "--seed", "3"])
    folder = tmp_path / "worlds" / world_name(options.world)
    folder.mkdir(parents=True)
    killed = folder.with_name(f".{folder.name}-x1y2")
    (killed / "samples").mkdir(parents=True)
    with (tmp_path / "console").open("w") as stream:
        assert render(options, Console(stream)) == (folder, True)
    assert not killed.exists()


def test_worlds_of_other_settings_have_other_names() -> None:
    worlds = [
        WorldConfig(seed=1),
        WorldConfig(seed=2),
        WorldConfig(seed=1, night=0.5),
        WorldConfig(seed=1, image_size=(400, 225)),
    ]
    assert len({world_name(world) for world in worlds}) == len(worlds)


def test_only_the_console_is_seen(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    print("before")
    with quiet(tmp_path / "log") as console:
        print("a library prints")
        os.system("echo a child prints; echo and complains >&2")
        console.say("the table")
    print("after")
    seen = capfd.readouterr()
    assert seen.out.splitlines() == ["before", "the table", "after"]
    assert seen.err == ""
    log = (tmp_path / "log").read_text()
    for line in ("a library prints", "a child prints", "and complains"):
        assert line in log


def test_output_comes_back_after_an_error(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(KeyError), quiet(tmp_path / "log"):
        raise KeyError("x")
    print("seen")
    assert capfd.readouterr().out == "seen\n"


def test_progress_is_for_terminals_only(tmp_path: Path) -> None:
    with (tmp_path / "console").open("w") as stream:
        console = Console(stream)
        console.progress(1, 2, "Detecting")
        console.say("done")
    assert (tmp_path / "console").read_text() == "done\n"


def test_a_table_is_aligned_and_no_wider_than_asked() -> None:
    lines = table_lines(
        ("Stage", "Outcome", "Seconds"),
        [("Detect", "word " * 20, "1.5"), ("Map", "", "10.0")],
        right=(2,),
        wrap=1,
        width=60,
    )
    assert max(map(len, lines)) <= 60
    assert " ".join(lines).count("word") == 20
    ends = {len(line) for line in (lines[0], lines[2], lines[-1])}
    assert len(ends) == 1


def test_a_summary_tells_no_paths() -> None:
    stage = {
        "stage": "detect_objects",
        "failed": [
            {
                "where": "/home/me/data/a.jpg",
                "reason": "cannot open /home/me/data/a.jpg",
            }
        ],
    }
    cleaned = _without_paths(stage)
    assert cleaned["failed"] == [
        {"where": "a.jpg", "reason": "cannot open a.jpg"}
    ]


@pytest.mark.slow
def test_the_whole_demo_on_a_tiny_world(
    tmp_path: Path, repo_root: Path
) -> None:
    try:
        find_models(WEIGHTS)
    except ModelError as error:
        pytest.skip(str(error))
    name = f"demo-test-{os.getpid()}"
    command = [
        sys.executable, "-m", "demo", "--headless",
        "--out", str(tmp_path), "--name", name,
        "--seed", "7", "--scenes", "3", "--keyframes", "2",
        "--size", "480x270",
    ]
    try:
        done = subprocess.run(
            command, cwd=repo_root, capture_output=True, text=True,
            timeout=900, check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stderr == ""
        _check_output(done.stdout)
        _check_summary(tmp_path)
        report = (tmp_path / "report.html").read_text("utf-8")
        assert len(report.encode()) < 3_000_000
        assert "data:image/jpeg" in report
        dataset = fo.load_dataset(name)
        assert len(dataset) == 6
        assert {"Target", "Rare", "Target/Rare selection"} <= set(
            dataset.list_saved_views()
        )
    finally:
        if fo.dataset_exists(name):
            fo.delete_dataset(name)


def _check_output(out: str) -> None:
    for word in ("Render", "Detect", "Caption", "Failures", "Target", "Total"):
        assert word in out
    for noise in ("Warning", "warn", "it/s", "\r", "INFO", "Traceback"):
        assert noise not in out


def _check_summary(folder: Path) -> None:
    text = (folder / "summary.json").read_text("utf-8")
    summary = json.loads(text)
    assert summary["frames"] == 6
    assert summary["images"] == 36
    assert summary["scenes"] == 3
    assert summary["objects"] == sum(summary["groups"].values()) > 0
    assert set(summary["groups"]) == {"target", "rare", "common"}
    assert summary["failures"] == 0
    stages = {"render", "load", "detect_and_embed", "outliers", "map",
              "caption", "concepts", "novelty", "pareto", "select"}
    assert stages <= set(summary["seconds"])
    assert all(s >= 0 for s in summary["seconds"].values())
    for key in ("target_recall_at_20", "random_recall_at_20"):
        assert summary[key] is None or 0 <= summary[key] <= 1
    assert summary["machine"]["cores"] >= 1
    name = summary["selection"]["name"]
    exported = f"{name}-tokens/{name}.json"
    assert exported in summary["files"]
    tokens = json.loads((folder / exported).read_text("utf-8"))["tokens"]
    assert summary["selection"]["frames"] == len(tokens)
    assert str(folder) not in text
    assert str(Path.home()) not in text or str(Path.home()) == "/"
    assert socket.gethostname() not in text
