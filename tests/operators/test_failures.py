"""A user's mistake: a sentence in the App, an error everywhere else."""

from __future__ import annotations

from typing import Any

import fiftyone as fo
import fiftyone.operators as foo
import pytest
from fiftyone.operators.executor import (
    ExecutionContext,
    ExecutionError,
    Executor,
)

from raremine.brain.errors import DatarootError, ModelError

URI = "@raremine/raremine/detect_objects"
SENTENCE = "Weights 'x.pt' do not exist; pass the path of a .pt file."


@pytest.fixture
def in_app(monkeypatch: pytest.MonkeyPatch) -> None:
    """What FiftyOne sets in the process that serves the App."""
    monkeypatch.setenv("FIFTYONE_SERVER", "1")


def test_a_script_stops_with_the_sentence(
    mined: fo.Dataset, stage: Any
) -> None:
    stage("detect_objects", ModelError(SENTENCE))
    with pytest.raises(ExecutionError) as raised:
        foo.execute_operator(URI, dict(dataset=mined))
    assert str(raised.value).strip().endswith(SENTENCE)


def test_called_like_the_sdk_it_raises_the_sdks_error(
    mined: fo.Dataset, stage: Any
) -> None:
    stage("detect_objects", ModelError(SENTENCE))
    with pytest.raises(ModelError) as raised:
        foo.get_operator(URI)(mined)
    assert str(raised.value) == SENTENCE
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


def test_loading_raises_the_sdks_error_too(stage: Any) -> None:
    stage("load_nuscenes", DatarootError("No such folder /x."))
    load = foo.get_operator("@raremine/raremine/load_nuscenes")
    with pytest.raises(DatarootError, match=r"^No such folder /x\.$"):
        load("/x", "v1.0-mini", "mini")


def test_a_defect_is_not_dressed_up_as_a_mistake(
    mined: fo.Dataset, stage: Any, in_app: None
) -> None:
    stage("detect_objects", ZeroDivisionError("division by zero"))
    with pytest.raises(ExecutionError, match="ZeroDivisionError"):
        foo.get_operator(URI)(mined)


def test_the_app_shows_the_sentence_without_a_traceback(
    mined: fo.Dataset, stage: Any, in_app: None
) -> None:
    stage("detect_objects", ModelError(SENTENCE))
    result = foo.execute_operator(URI, dict(dataset=mined))
    assert result.error is None
    assert result.result == {"error": SENTENCE}
    requests = result.executor.to_json()["requests"]
    told = [r["params"] for r in requests if "notify" in r["operator_uri"]]
    assert told == [{"message": SENTENCE, "variant": "error"}]
    assert not any("reload" in r["operator_uri"] for r in requests)

    ctx = ExecutionContext(
        dict(dataset_name=mined.name, results=result.result),
        executor=Executor(),
        operator_uri=URI,
    )
    output = foo.get_operator(URI).resolve_output(ctx).to_json()
    shown = output["type"]["properties"]["error"]["view"]
    assert shown["description"] == SENTENCE


def test_a_success_reloads_the_dataset_in_the_app(
    mined: fo.Dataset, stage: Any, in_app: None
) -> None:
    stage("detect_objects")
    result = foo.execute_operator(URI, dict(dataset=mined))
    requests = result.executor.to_json()["requests"]
    assert [r["operator_uri"].split("/")[-1] for r in requests] == [
        "reload_dataset"
    ]
