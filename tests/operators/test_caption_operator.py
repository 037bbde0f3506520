"""The captioning form, and what it hands to the SDK for a server."""

from __future__ import annotations

import json
from typing import Any

import fiftyone as fo
import fiftyone.operators as foo
import pytest
from fiftyone.operators.executor import ExecutionContext

URI = "@raremine/raremine/caption_objects"
ADDRESS = "http://localhost:8000/v1"


def _properties(dataset: fo.Dataset) -> dict[str, Any]:
    operator = foo.get_operator(URI)
    ctx = ExecutionContext({"dataset_name": dataset.name}, operator_uri=URI)
    return operator.resolve_type(ctx, "inputs").type.properties


def _run(dataset: fo.Dataset, **params: Any) -> Any:
    return foo.execute_operator(URI, dict(dataset=dataset), params=params)


def test_the_form_counts_the_candidates(mined: fo.Dataset) -> None:
    view = mined.select_group_slices("CAM_BACK")
    view.set_values(
        "objects.detections.outlier", [[True, False]] * 3, dynamic=True
    )
    view.set_values(
        "objects.detections.caption_status", [["ok", None]] * 3, dynamic=True
    )
    notice = _properties(mined)["how_many_captions"].view
    assert notice.description.startswith(
        "3 outliers among 12 objects; 3 have a caption."
    )


def test_the_form_offers_a_server(mined: fo.Dataset) -> None:
    properties = _properties(mined)
    assert ADDRESS in properties["model"].view.description
    for name in ("served_model", "concurrency", "retry", "estimate_only"):
        assert name in properties
    # a key must never be typed into a form: parameters are stored
    assert "api_key" not in properties


def test_the_key_comes_from_fiftyones_secrets(
    mined: fo.Dataset, stage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-from-the-secrets")
    double = stage("caption_objects")
    result = _run(mined, model=ADDRESS, served_model="qwen", candidates="all")
    assert double.arguments == {
        "model": {"server": ADDRESS, "api_key": "sk-from-the-secrets"},
        "served_model": "qwen",
        "candidates": "all",
        "progress": None,
    }
    assert "sk-from" not in json.dumps(result.to_json(), default=str)


def test_without_a_secret_the_sdk_decides(
    mined: fo.Dataset, stage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    double = stage("caption_objects")
    _run(mined, model=ADDRESS, retry=["failed"])
    assert double.arguments["model"] == ADDRESS
    assert double.arguments["retry"] == ["failed"]


def test_another_secret_s_name_is_handed_on(
    mined: fo.Dataset, stage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-another-server")
    double = stage("caption_objects")
    _run(mined, model=ADDRESS, api_key_env="OURS")
    assert double.arguments["model"] == ADDRESS
    assert double.arguments["api_key_env"] == "OURS"


def test_a_model_loaded_here_gets_no_key(
    mined: fo.Dataset, stage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-for-this")
    double = stage("caption_objects")
    _run(mined, model="Qwen/Qwen2-VL-2B-Instruct")
    assert double.arguments["model"] == "Qwen/Qwen2-VL-2B-Instruct"
