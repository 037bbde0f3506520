"""Results: plain values, and what the App shows of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from raremine.operators.next_steps import Step
from raremine.operators.results import plain, show


def _properties(results: Any) -> dict[str, Any]:
    return show(results).to_json()["type"]["properties"]


def test_plain_values_are_json() -> None:
    value = {
        1: np.float32(0.5),
        "array": np.arange(3),
        "path": Path("/a") / "b",
        "set": {"b", "a"},
        "tuple": (np.int64(1), None, True),
    }
    assert plain(value) == {
        "1": 0.5,
        "array": [0, 1, 2],
        "path": str(Path("/a") / "b"),
        "set": ["a", "b"],
        "tuple": [1, None, True],
    }
    json.dumps(plain(value))


def test_what_is_no_value_is_refused() -> None:
    with pytest.raises(TypeError):
        plain({"model": object()})


def test_every_kind_of_value_has_its_place() -> None:
    properties = _properties(
        {
            "stage": "detect_objects",
            "objects": 3,
            "seconds": 1.5,
            "by_method": {"knn": 2},
            "failed": [{"where": "a.jpg", "reason": "unreadable"}],
            "names": ["Target", "Rare"],
            "none": None,
            "empty": [],
        }
    )
    assert set(properties) == {
        "title",
        "objects",
        "seconds",
        "by_method",
        "failed",
        "names",
    }
    columns = properties["failed"]["view"]["columns"]
    assert [c["key"] for c in columns] == ["where", "reason"]
    assert "knn" in properties["by_method"]["type"]["properties"]


def test_stages_are_one_table_however_they_differ() -> None:
    stages = [
        {"stage": "detect_objects", "images": 6, "objects": 3, "failed": []},
        {"stage": "score_outliers", "by_knn": 1, "seconds": 0.1},
    ]
    columns = _properties({"stages": stages})["stages"]["view"]["columns"]
    assert [c["key"] for c in columns] == [
        "stage",
        "images",
        "objects",
        "seconds",
    ]


def test_nothing_to_show_is_no_error() -> None:
    assert _properties(None) == {}


def test_what_to_do_next_stands_above_the_counts() -> None:
    steps = [
        Step("failures", "Show what failed", "set_view", {"view": []}, False),
        Step("next_step", "Next: Mine", "@raremine/raremine/mine"),
    ]
    shown = show({"objects": 3}, steps, "Detect objects: done").to_json()
    properties = shown["type"]["properties"]
    assert list(properties) == ["title", "steps", "objects"]
    buttons = properties["steps"]["type"]["properties"]
    failures, following = buttons["failures"], buttons["next_step"]
    assert failures["view"]["operator"] == "set_view"
    assert failures["view"]["params"] == {"view": []}
    assert not failures["view"]["prompt"]
    assert following["view"]["prompt"]
    assert following["view"]["operator"] == "@raremine/raremine/mine"


def test_what_the_stages_table_and_buttons_tell_is_not_told_twice() -> None:
    properties = _properties(
        {"seconds": {"detect": 1.0}, "views": ["Target"], "failures": 0}
    )
    assert set(properties) == {"title", "failures"}
