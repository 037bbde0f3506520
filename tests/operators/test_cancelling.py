"""A cancelled run leaves whole data, and a rerun finishes it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fiftyone as fo
import pytest

import raremine.brain as rmb
from raremine.brain.columns import read_objects
from raremine.brain.evaluation.stage import load_report
from raremine.brain.progress import StageCancelled, listening
from raremine.brain.runs import run_params
from tests.brain.fakes import (
    FakeCaptioner,
    FakeDetector,
    FakeEmbedder,
    painted_dataset,
    scatter,
    values,
)
from tests.brain.nuscenes.conftest import Dataroot
from tests.brain.nuscenes.loading import NAME, contents, load

NAMES = [
    *["car"] * 9,
    *["person"] * 5,
    *["truck", "bicycle", "traffic light", "dog", "bench", "bus"],
]
RESULTS = (
    *("label", "outlier", "outlier_score", "caption", "caption_status"),
    *("concept", "group", "novelty", "pareto_front", "embedding_status"),
)


@pytest.fixture(autouse=True)
def quick_map(monkeypatch: pytest.MonkeyPatch) -> None:
    """UMAP's first call compiles for many seconds; it has its own tests."""
    from raremine.brain import presets

    monkeypatch.setitem(presets.PRESETS["default"], "map", {"method": "pca"})


class Listener:
    """Cancels the run at one of its reports.

    Args:
        at: number of the report; 0 = never
    """

    def __init__(self, at: int = 0) -> None:
        self.reports: list[str] = []
        self._at = at

    def __call__(self, done: int, total: int, label: str = "") -> None:
        self.reports.append(label)
        if len(self.reports) == self._at:
            raise StageCancelled


def run(work: Callable[[], Any], at: int = 0) -> list[str]:
    """Runs work, cancelled at a report; returns the reports' labels."""
    listener = Listener(at)
    with listening(listener):
        if at:
            with pytest.raises(StageCancelled):
                work()
        else:
            work()
    return listener.reports


@pytest.fixture
def dataset(tmp_path: Path) -> fo.Dataset:
    return painted_dataset(tmp_path / "images", scatter(NAMES), truth=True)


@pytest.fixture
def twin(tmp_path: Path) -> fo.Dataset:
    """The same images as a dataset of its own, for a run to the end."""
    return painted_dataset(tmp_path / "images", scatter(NAMES), truth=True)


def mine(dataset: fo.Dataset, **options: Any) -> dict[str, Any]:
    return rmb.mine(
        dataset,
        detector=FakeDetector(),
        embedder=FakeEmbedder(),
        captioner=FakeCaptioner(),
        recipe={"random": 0.5},
        **options,
    )


def test_mine_cancelled_in_each_of_its_stages(
    dataset: fo.Dataset, twin: fo.Dataset
) -> None:
    labels = run(lambda: mine(twin))
    stages = [label for n, label in enumerate(labels) if label]
    assert {"Scoring outliers", "Captioning objects", "Matching concepts"} <= (
        set(stages)
    )
    wanted = {
        labels.index(label) + 1
        for label in dict.fromkeys(stages)
        if not label.startswith(("Reading", "Comparing"))
    }
    # one dataset goes through it: cancelled ever later, never lost
    for at in sorted(wanted)[:: max(len(wanted) // 6, 1)]:
        with listening(Listener(at)):
            try:
                mine(dataset)
            except StageCancelled:
                continue
    run(lambda: mine(dataset))
    assert values(dataset, *RESULTS) == values(twin, *RESULTS)
    assert dataset.list_brain_runs() == twin.list_brain_runs()
    for key in dataset.list_brain_runs():
        assert dataset.load_brain_results(key) is not None, key
        assert "unfinished" not in (run_params(dataset, key) or {})


@pytest.mark.parametrize("at", [1, 3])
def test_detect_and_embed(
    dataset: fo.Dataset, twin: fo.Dataset, at: int
) -> None:
    def work(samples: fo.Dataset) -> dict[str, Any]:
        return rmb.detect_and_embed(samples, FakeDetector(), FakeEmbedder())

    run(lambda: work(twin))
    run(lambda: work(dataset), at=min(at, 2))
    for _, label, status in values(dataset, "label", "embedding_status"):
        assert label
        assert status in (None, "ok")
    out = work(dataset)
    assert out["detect"]["failures"] == 0
    names = ("label", "confidence", "embedding_status")
    assert values(dataset, *names) == values(twin, *names)
    index = dataset.load_brain_results("objects_clip")
    assert index.total_index_size == len(NAMES)


@pytest.fixture
def embedded(dataset: fo.Dataset) -> fo.Dataset:
    rmb.detect_and_embed(dataset, FakeDetector(), FakeEmbedder())
    return dataset


def test_scores_that_are_being_replaced_are_never_taken_for_finished(
    embedded: fo.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def score(k: int) -> dict[str, Any]:
        return rmb.score_outliers(embedded, k=k, methods=["knn"])

    labels = run(lambda: score(3))
    before = values(embedded, "knn", "outlier")
    # before the first write nothing has changed
    run(lambda: score(5), at=labels.index("Writing scores") + 1)
    assert values(embedded, "knn", "outlier") == before
    assert score(3)["skipped"] == len(NAMES)
    # in the middle of writing, everything has to be done again
    from raremine.brain import columns

    monkeypatch.setattr(columns, "WRITE_BATCH", 2)
    late = run(lambda: score(7)).index("Writing scores") + 2
    run(lambda: score(5), at=late)
    assert run_params(embedded, "objects_outliers")["unfinished"]
    assert score(3)["objects"] == len(NAMES)
    assert values(embedded, "knn", "outlier") == before
    assert "unfinished" not in run_params(embedded, "objects_outliers")


def test_captions(embedded: fo.Dataset, twin: fo.Dataset) -> None:
    asked = FakeCaptioner(batch_size=4)

    def caption(samples: Any, captioner: FakeCaptioner) -> dict[str, Any]:
        return rmb.caption_objects(samples, captioner, candidates="all")

    labels = run(lambda: caption(embedded, asked), at=2)
    assert labels[-1] == "Captioning objects"
    some = len(asked.seen)
    statuses = read_objects(embedded, names=["caption_status"])
    done = [s for s in statuses["caption_status"] if s == "ok"]
    assert 0 < len(done) <= some <= len(NAMES)
    rest = FakeCaptioner(batch_size=4)
    out = caption(embedded, rest)
    assert out["skipped"] == len(done)
    assert len(done) + len(rest.seen) == len(NAMES)


def test_an_export_is_whole_or_not_there(
    dataset: fo.Dataset, tmp_path: Path
) -> None:
    mine(dataset)

    def export() -> Path:
        return rmb.export_selection(
            dataset, "mined", "coco", tmp_path / "out", field="ground_truth"
        )

    run(export, at=2)
    left = [p for p in (tmp_path / "out").rglob("*") if p.is_file()]
    assert not [p for p in left if p.suffix == ".json"]
    export()
    written = list((tmp_path / "out").rglob("*.json"))
    assert written
    for file in written:
        json.loads(file.read_text())


def test_an_evaluation_is_recorded_whole_or_not_at_all(
    dataset: fo.Dataset, tmp_path: Path
) -> None:
    mine(dataset, evaluate=False)

    def evaluate() -> Any:
        return rmb.evaluate_mining(
            dataset, ["random", "oracle"], seeds=range(2), out_dir=tmp_path
        )

    run(evaluate, at=2)
    assert not dataset.has_brain_run("mining_evaluation")
    assert not list(tmp_path.glob("report.*"))
    report = evaluate()
    assert (tmp_path / "report.json").exists()
    assert len(load_report(dataset).rows) == len(report.rows)


def test_a_load_is_completed_by_append(tmp_path: Path) -> None:
    root = Dataroot(tmp_path / "root")
    root.write()
    try:
        whole = contents(load(root))
        fo.delete_dataset(NAME)

        def stop(done: int, total: int) -> None:
            raise StageCancelled

        with pytest.raises(StageCancelled):
            load(root, progress=stop)
        assert fo.load_dataset(NAME).info["raremine"]["state"] == "loading"
        assert contents(load(root, append=True)) == whole
    finally:
        if fo.dataset_exists(NAME):
            fo.delete_dataset(NAME)
