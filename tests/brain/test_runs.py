"""Our stages as brain runs: list, rename, delete, in any process."""

from __future__ import annotations

import subprocess
import sys
import uuid
from pathlib import Path

import fiftyone as fo
import pytest

import raremine.brain as rmb
from raremine.brain import runs
from raremine.brain.columns import read_objects, write_objects
from raremine.brain.errors import MissingStageError, RaremineError
from raremine.brain.runs import (
    MiningStageConfig,
    fingerprint,
    load_results,
    record_run,
    run_params,
)
from tests.brain.fakes import (
    FakeDetector,
    painted_dataset,
    scatter,
)

SCORE = "objects.detections.score"


@pytest.fixture
def dataset(tmp_path: Path) -> fo.Dataset:
    dataset = painted_dataset(tmp_path, scatter(["car", "dog"]))
    rmb.detect_objects(dataset, FakeDetector())
    write_objects(
        dataset, "objects", read_objects(dataset), {"score": [0.25, 0.5]}
    )
    return dataset


def record(dataset: fo.Dataset, key: str = "my_run", **kwargs: object) -> None:
    options = {
        "field": "objects",
        "fields": [SCORE],
        "params": {"k": 3, "names": ["a"]},
        "results": {"objects": 2},
    }
    record_run(dataset, key, "outliers", **{**options, **kwargs})


def test_a_run_is_listed_with_its_parameters(dataset: fo.Dataset) -> None:
    record(dataset)
    assert dataset.list_brain_runs(type="raremine_outliers") == ["my_run"]
    config = dataset.get_brain_info("my_run").config
    assert isinstance(config, MiningStageConfig)
    assert config.params == {"k": 3, "names": ["a"]}
    assert config.versions["fiftyone"] == fo.__version__
    assert load_results(dataset, "my_run") == {"objects": 2}
    assert run_params(dataset, "other") is None


def test_rename_keeps_and_delete_removes_the_fields(
    dataset: fo.Dataset,
) -> None:
    record(dataset)
    dataset.rename_brain_run("my_run", "renamed")
    assert dataset.get_field(SCORE) is not None
    assert load_results(dataset, "renamed") == {"objects": 2}
    dataset.delete_brain_run("renamed")
    assert dataset.get_field(SCORE) is None
    assert not dataset.has_brain_run("renamed")
    # the objects themselves are another run's
    assert len(read_objects(dataset)) == 2


def test_runs_work_in_a_process_that_imported_nothing_of_ours(
    dataset: fo.Dataset,
) -> None:
    dataset.name = f"fresh-{uuid.uuid4().hex[:8]}"
    dataset.persistent = True
    record(dataset)
    script = f"""
import fiftyone as fo
dataset = fo.load_dataset({dataset.name!r})
assert "my_run" in dataset.list_brain_runs(type="raremine_outliers")
assert dataset.load_brain_results("my_run").data == {{"objects": 2}}
dataset.rename_brain_run("my_run", "other")
dataset.delete_brain_run("other")
assert dataset.get_field({SCORE!r}) is None
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    dataset.reload()
    assert not dataset.has_brain_run("my_run")
    dataset.delete()


def test_a_rerun_owns_what_its_predecessor_made(dataset: fo.Dataset) -> None:
    record(dataset)
    write_objects(
        dataset, "objects", read_objects(dataset), {"second": [1.0, 2.0]}
    )
    record(dataset, fields=["objects.detections.second"])
    dataset.delete_brain_run("my_run")
    assert dataset.get_field(SCORE) is None
    assert dataset.get_field("objects.detections.second") is None


@pytest.mark.parametrize(
    ("key", "message"),
    [("my-run", "cannot name a run"), ("objects_detect", "belongs to a")],
)
def test_a_key_that_cannot_be_used_is_told(
    dataset: fo.Dataset, key: str, message: str
) -> None:
    with pytest.raises(RaremineError, match=message):
        record(dataset, key)
    assert dataset.list_brain_runs() == ["objects_detect"]


def test_a_run_that_cannot_be_saved_leaves_no_key(
    dataset: fo.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object, **kwargs: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(runs.MiningStage, "save_run_results", broken)
    with pytest.raises(OSError, match="disk full"):
        record(dataset)
    assert not dataset.has_brain_run("my_run")
    assert dataset.get_field(SCORE) is not None


def test_results_of_no_run_are_told_with_what_there_is(
    dataset: fo.Dataset,
) -> None:
    with pytest.raises(MissingStageError, match=r"'absent'.*objects_detect"):
        load_results(dataset, "absent")


def test_a_fingerprint_knows_a_set_not_an_order() -> None:
    assert fingerprint(["a", "b"]) == fingerprint(["b", "a"])
    assert fingerprint(["a", "b"]) != fingerprint(["a", "c"])
