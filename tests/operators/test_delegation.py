"""Delegated runs: progress, result, failure, cancellation."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import fiftyone as fo
import fiftyone.operators as foo
import pytest
from fiftyone.operators.delegated import DelegatedOperationService
from fiftyone.operators.executor import ExecutionRunState

import raremine.brain as rmb
from raremine.brain.errors import ModelError
from raremine.brain.progress import Progress, checkpoint
from raremine.operators import OPERATORS, cancellation

URI = "@raremine/raremine/detect_objects"


@pytest.fixture
def service(mined: fo.Dataset) -> Iterator[DelegatedOperationService]:
    service = DelegatedOperationService()
    yield service
    for operation in service.list_operations(dataset_name=mined.name):
        service.delete_operation(operation.id)


def _run(service: Any, mined: fo.Dataset) -> Any:
    queued = foo.execute_operator(
        URI, dict(dataset=mined), request_delegation=True
    )
    assert queued.delegated
    service.execute_queued_operations(dataset_name=mined.name)
    (operation,) = service.list_operations(dataset_name=mined.name)
    return operation


def test_progress_and_summary_are_kept(
    service: Any, mined: fo.Dataset, stage: Any
) -> None:
    seen: list[float] = []

    def work(samples: Any, *, progress: Any) -> dict[str, Any]:
        with Progress(4, "Detecting objects", progress) as bar:
            for _ in range(4):
                bar.add()
        (run,) = service.list_operations(dataset_name=mined.name)
        seen.append(run.status.progress)
        assert run.status.label == "Detecting objects 4/4"
        return {"stage": "detect_objects", "objects": 7}

    stage("detect_objects", work)
    operation = _run(service, mined)
    assert operation.run_state == ExecutionRunState.COMPLETED
    assert operation.result.result == {"stage": "detect_objects", "objects": 7}
    assert seen == [1.0]


def test_a_mistake_fails_the_run_with_its_sentence(
    service: Any, mined: fo.Dataset, stage: Any
) -> None:
    stage("detect_objects", ModelError("No such weights."))
    operation = _run(service, mined)
    assert operation.run_state == ExecutionRunState.FAILED
    assert operation.result.error.strip().endswith("No such weights.")


def test_a_mistake_fails_the_run_of_the_apps_own_process_too(
    service: Any,
    mined: fo.Dataset,
    stage: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FIFTYONE_SERVER", "1")
    stage("detect_objects", ModelError("No such weights."))
    operation = _run(service, mined)
    assert operation.run_state == ExecutionRunState.FAILED


def _fail(service: Any, mined: fo.Dataset) -> None:
    (run,) = service.list_operations(dataset_name=mined.name)
    service.set_failed(run.id)


def test_a_cancelled_run_stops_at_its_next_report(
    service: Any, mined: fo.Dataset, stage: Any
) -> None:
    steps: list[int] = []

    def work(samples: Any, *, progress: Any) -> dict[str, Any]:
        _fail(service, mined)
        for step in range(1000):
            steps.append(step)
            time.sleep(0.05)
            progress(step, 1000, "Detecting objects")
        return {"stage": "detect_objects"}

    stage("detect_objects", work)
    operation = _run(service, mined)
    assert 0 < len(steps) < 100
    assert operation.run_state == ExecutionRunState.FAILED


def test_a_cancelled_run_stops_at_a_checkpoint_of_a_stage_without_a_bar(
    service: Any, mined: fo.Dataset, stage: Any
) -> None:
    steps: list[int] = []

    def work(samples: Any, **_: Any) -> dict[str, Any]:
        _fail(service, mined)
        for step in range(1000):
            steps.append(step)
            time.sleep(0.05)
            checkpoint("Scoring knn")
        return {"stage": "detect_objects"}

    stage("detect_objects", work)
    _run(service, mined)
    assert 0 < len(steps) < 100


def test_a_cancelled_run_stops_within_one_long_call(
    service: Any,
    mined: fo.Dataset,
    stage: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cancellation, "GRACE", 0.2)
    went_on: list[bool] = []

    def work(samples: Any, **_: Any) -> dict[str, Any]:
        _fail(service, mined)
        end = time.monotonic() + 60
        while time.monotonic() < end:
            # a library that forgives errors but not an interrupt
            with contextlib.suppress(Exception):
                sum(range(1000))
        went_on.append(True)
        return {"stage": "detect_objects"}

    stage("detect_objects", work)
    operation = _run(service, mined)
    assert not went_on
    assert operation.run_state == ExecutionRunState.FAILED


def test_cleaning_up_after_a_cancellation_is_not_interrupted(
    service: Any,
    mined: fo.Dataset,
    stage: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cancellation, "GRACE", 0.1)
    cleaned: list[bool] = []

    def work(samples: Any, *, progress: Any) -> dict[str, Any]:
        _fail(service, mined)
        try:
            while True:
                time.sleep(0.05)
                progress(0, 2, "Detecting objects")
        finally:
            end = time.monotonic() + 1
            while time.monotonic() < end:
                time.sleep(0.01)
            cleaned.append(True)

    stage("detect_objects", work)
    _run(service, mined)
    assert cleaned == [True]


def test_loaders_report_without_a_label(
    service: Any, mined: fo.Dataset, stage: Any
) -> None:
    def work(samples: Any, *, progress: Any) -> dict[str, Any]:
        progress(0, 0)
        return {"stage": "detect_objects"}

    stage("detect_objects", work)
    operation = _run(service, mined)
    assert operation.run_state == ExecutionRunState.COMPLETED


CALLS: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "detect_objects": (("yolov8n.pt",), {"conf": 0.3}),
    "embed_objects": (("ViT-B-16", "openai"), {}),
    "embed_frames": (("ViT-B-16",), {}),
    "detect_and_embed": (("yolov8n.pt", "ViT-B-16"), {"conf": 0.3}),
    "locate_objects": ((), {"workers": 1}),
    "search_objects": (("a truck",), {"k": 3}),
    "score_outliers": ((), {"methods": ["knn"]}),
    "fit_outliers": (("/tmp/usual.npz",), {"share": 0.1}),
    "map_objects": ((), {"method": "pca"}),
    "caption_objects": (("a/b",), {"candidates": "all"}),
    "match_concepts": (("paper",), {}),
    "correct_objects": (("truck",), {"labels": ["1" * 24]}),
    "score_novelty": ((), {"ngrams": 1}),
    "rank_pareto": ((["knn"],), {}),
    "select_frames": ((), {"name": "s", "random_share": 0.1}),
    "compare_selections": (("a", "b"), {}),
    "delete_selection": (("a",), {}),
    "export_selection": (("a", "tokens", "/tmp/out"), {}),
    "evaluate_mining": ((["random"], [0.1]), {}),
    "mine": (("paper",), {"captions": False}),
}


def test_every_operator_on_a_dataset_is_among_the_calls() -> None:
    assert {o.stage for o in OPERATORS if o.needs_dataset} == set(CALLS)


@pytest.mark.parametrize("name", CALLS)
def test_every_operator_is_called_and_delegated_from_python(
    service: Any,
    mined: fo.Dataset,
    stage: Any,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    monkeypatch.setattr(
        fo.Dataset,
        "list_brain_runs",
        lambda self, type=None, **_: (
            ["objects_clip"] if type == "similarity" else []
        ),
    )
    monkeypatch.setattr(rmb, "list_selections", lambda _: ["a", "b"])
    seen: list[Any] = []

    def look(samples: Any, *values: Any, **_: Any) -> Any:
        seen.append(samples._root_dataset.name)
        raise ModelError("It was called.")

    stage(name, look)
    values, arguments = CALLS[name]
    operator = foo.get_operator(f"@raremine/raremine/{name}")
    with pytest.raises(ModelError, match="It was called"):
        operator(mined, *values, **arguments)
    queued = operator(mined, *values, delegate=True, **arguments)
    assert queued.delegated
    assert seen == [mined.name]
    service.execute_queued_operations(dataset_name=mined.name)
    assert seen == [mined.name] * 2
    (operation,) = service.list_operations(dataset_name=mined.name)
    assert operation.result.error.strip().endswith("It was called.")


def test_what_the_app_schedules_from_folded_sections_arrives_flat(
    service: Any,
    mined: fo.Dataset,
    stage: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    double = stage("detect_objects")
    with monkeypatch.context() as app:
        app.setenv("FIFTYONE_SERVER", "1")
        params = {
            "conf": 0.4,
            "section_detector_options": {"iou": 0.6},
            "section_speed_and_memory": {"batch_size": 4, "device": None},
        }
        foo.execute_operator(
            URI, dict(dataset=mined), params=params, request_delegation=True
        )
    service.execute_queued_operations(dataset_name=mined.name)
    given = dict(double.arguments)
    del given["progress"]
    assert given == {"conf": 0.4, "iou": 0.6, "batch_size": 4}
