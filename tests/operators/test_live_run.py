"""What the App gets of an immediate run: progress, then the result."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any

import fiftyone as fo
import fiftyone.operators as foo
import pytest
from fiftyone.operators.executor import ExecutionContext, Executor

from raremine.brain.errors import ModelError
from raremine.brain.progress import StageCancelled
from raremine.operators import live_run
from raremine.operators.next_steps import NEXT, steps_after

URI = "@raremine/raremine/detect_objects"


@pytest.fixture(autouse=True)
def in_app(monkeypatch: pytest.MonkeyPatch) -> None:
    """What FiftyOne sets in the process that serves the App."""
    monkeypatch.setenv("FIFTYONE_SERVER", "1")
    monkeypatch.setattr(live_run, "SHOW_AFTER", 0.2)
    monkeypatch.setattr(live_run, "ALIVE_EVERY", 0.1)


Messages = Generator[Any, None, None]


def _started(mined: fo.Dataset) -> tuple[Messages, ExecutionContext]:
    ctx = ExecutionContext(
        dict(dataset_name=mined.name, params={}, operator_uri=URI),
        executor=Executor(),
        operator_uri=URI,
    )
    return foo.get_operator(URI).execute(ctx), ctx


def _lines(mined: fo.Dataset) -> list[dict[str, Any]]:
    messages, _ = _started(mined)
    return [message.to_json() for message in messages]


def _operated(lines: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [
        line["body"]["params"]
        for line in lines
        if line.get("cls") == "InvocationRequest"
        and line["body"]["operator_uri"] == name
    ]


def test_the_app_knows_that_it_is_a_stream() -> None:
    assert foo.get_operator(URI).config.execute_as_generator


def test_a_short_run_just_ends_with_its_result(
    mined: fo.Dataset, stage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_run, "SHOW_AFTER", 60.0)
    stage("detect_objects")
    lines = _lines(mined)
    assert not _operated(lines, "set_progress")
    assert lines[-1]["cls"] == "ExecutionResult"
    assert lines[-1]["body"]["objects"] == 2
    assert _operated(lines, "reload_dataset") == [{}]


def test_a_long_run_shows_how_far_it_is_and_then_its_result_there(
    mined: fo.Dataset, stage: Any
) -> None:
    def work(samples: Any, *, progress: Any) -> dict[str, Any]:
        for step in range(6):
            progress(step, 6, "Detecting objects")
            time.sleep(0.15)
        return {"stage": "detect_objects", "objects": 2}

    stage("detect_objects", work)
    lines = _lines(mined)
    shown = [p["label"] for p in _operated(lines, "set_progress")]
    assert shown[-1].startswith("Detecting objects")
    (output,) = _operated(lines, "show_output")
    assert output["results"]["objects"] == 2
    assert "title" in output["outputs"]["type"]["properties"]
    # the window of the form shows nothing beside it
    result = lines[-1]["body"]
    ctx = ExecutionContext(
        dict(dataset_name=mined.name, results=result), operator_uri=URI
    )
    assert foo.get_operator(URI).resolve_output(ctx) is None


def test_a_mistake_is_a_sentence_and_a_defect_an_error(
    mined: fo.Dataset, stage: Any
) -> None:
    stage("detect_objects", ModelError("No such weights."))
    lines = _lines(mined)
    assert lines[-1]["body"] == {"error": "No such weights."}
    assert _operated(lines, "notify")[0]["variant"] == "error"
    stage("detect_objects", ZeroDivisionError("division by zero"))
    (line,) = _lines(mined)
    assert line["error_message"] == "division by zero"
    assert "ZeroDivisionError" in line["error"]


def test_closing_the_page_ends_the_run(mined: fo.Dataset, stage: Any) -> None:
    ended: list[bool] = []

    def work(samples: Any, *, progress: Any) -> dict[str, Any]:
        try:
            for step in range(10_000):
                progress(step, 10_000, "Detecting objects")
                time.sleep(0.02)
        except StageCancelled:
            ended.append(True)
            raise
        return {}

    stage("detect_objects", work)
    messages, _ = _started(mined)
    next(messages)
    messages.close()
    end = time.monotonic() + 20
    while not ended and time.monotonic() < end:
        time.sleep(0.05)
    assert ended


def test_a_panel_that_runs_an_operator_gets_its_result(
    mined: fo.Dataset, stage: Any
) -> None:
    stage("detect_objects")
    result = foo.execute_operator(URI, dict(dataset=mined))
    assert result.result["objects"] == 2


def test_failures_are_a_view_and_the_next_step_a_form(
    mined: fo.Dataset,
) -> None:
    images = mined.select_group_slices(media_type="image")
    images.set_values(
        "objects_status", ["failed" if n == 0 else "ok" for n in range(6)]
    )
    objects = [["failed", "ok"], *[["ok", "ok"]] * 5]
    mined.add_sample_field("objects.detections.caption_status", fo.StringField)
    images.set_values("objects.detections.caption_status", objects)

    summary = {"stage": "detect_objects", "failures": 1}
    steps = steps_after("detect_objects", mined, summary, "objects")
    assert [step.name for step in steps] == [
        "failures_of_detect_objects",
        "next_step",
    ]
    shown = fo.DatasetView._build(mined, steps[0].params["view"])
    assert shown.values("objects_status") == ["failed"]
    assert not steps[0].prompt
    assert steps[-1].operator.endswith("/embed_objects")
    assert steps[-1].prompt

    many = {"stages": [{"stage": "caption_objects", "failures": 1}]}
    patches = steps_after("mine", mined, many, "objects")[0].params["view"]
    assert len(fo.DatasetView._build(mined, patches)) == 1

    fine = {"stage": "detect_objects", "failures": 0}
    steps = steps_after("detect_objects", mined, fine, "objects_2")
    assert [step.name for step in steps] == ["next_step"]
    assert steps[0].params == {"field": "objects_2"}
    error = {"error": "No such weights."}
    assert steps_after("detect_objects", mined, error, "objects") == []


def test_every_next_step_is_an_operator_and_may_be_given_the_field() -> None:
    for stage, (following, label) in NEXT.items():
        uri = f"@raremine/raremine/{following}"
        assert foo.get_operator(uri).config.label == label, stage
