"""Load, select, export, evaluate and mine: what goes in and what is shown."""

from __future__ import annotations

from typing import Any

import fiftyone as fo
import fiftyone.operators as foo
import pytest
from fiftyone.operators.executor import ExecutionError

from raremine.brain.evaluation.report import MiningReport
from raremine.brain.selection.result import Pick, Selection, Shortage


def _uri(name: str) -> str:
    return f"@raremine/raremine/{name}"


def test_load_opens_the_new_dataset(dataset: fo.Dataset, stage: Any) -> None:
    double = stage("load_nuscenes", lambda *_, **__: dataset)
    params = {
        "dataroot": "/data/nuscenes",
        "version": "v1.0-mini",
        "name": "mini",
        "split": ["mini_val"],
    }
    result = foo.execute_operator(_uri("load_nuscenes"), params=params)
    assert double.arguments == {**params, "progress": None}
    assert result.result == {
        "stage": "load_nuscenes",
        "dataset": dataset.name,
        "frames": 3,
        "slices": dataset.group_slices,
        "failures": 0,
    }
    requests = result.executor.to_json()["requests"]
    opened = [r for r in requests if "open_dataset" in r["operator_uri"]]
    assert opened[0]["params"]["dataset"] == dataset.name


def test_load_needs_to_know_what_and_how(stage: Any) -> None:
    stage("load_nuscenes")
    with pytest.raises(ExecutionError, match="version"):
        foo.execute_operator(
            _uri("load_nuscenes"), params={"dataroot": "/a", "name": "b"}
        )


@pytest.fixture
def selection() -> Selection:
    picks = [
        Pick(f"frame-{i}", "scene", "train", part, None, (), "why")
        for i, part in enumerate(["random", "target", "target"])
    ]
    short = Shortage("rare", 2, 0, "there are none")
    return Selection("s", tuple(picks), (short,), ("note",), 10, 0)


@pytest.mark.parametrize(
    ("params", "recipe"),
    [
        ({}, {"random": 0.1, "target": 0.1}),
        ({"target_share": 0.2}, {"target": 0.2}),
        (
            {"random_share": 0.0, "rare_share": 0.3},
            {"random": 0.0, "rare": 0.3},
        ),
        ({"recipe": "r.yml", "random_share": 0.1}, "r.yml"),
    ],
)
def test_shares_become_a_recipe(
    params: dict[str, Any],
    recipe: Any,
    mined: fo.Dataset,
    stage: Any,
    selection: Selection,
) -> None:
    double = stage("select_frames", selection)
    result = foo.execute_operator(
        _uri("select_frames"),
        dict(dataset=mined),
        params={"name": "s", "top_up": "random", **params},
    )
    args, arguments = double.calls[0]
    assert args[1] == recipe
    assert arguments == {"name": "s", "top_up": "random"}
    assert result.result == {
        "selection": "s",
        "frames": 3,
        "pool_size": 10,
        "by_component": {"random": 1, "target": 2},
        "shortages": [
            {
                "component": "rare",
                "asked": 2,
                "taken": 0,
                "reason": "there are none",
            }
        ],
        "notes": ["note"],
    }


def test_export_passes_the_selection_and_the_format(
    mined: fo.Dataset, stage: Any, tmp_path: Any
) -> None:
    double = stage("export_selection", tmp_path / "s.json")
    result = foo.execute_operator(
        _uri("export_selection"),
        dict(dataset=mined),
        params={"out_dir": str(tmp_path), "overwrite": True},
    )
    args, arguments = double.calls[0]
    assert args[1:] == (None, "tokens")
    assert arguments == {
        "out_dir": str(tmp_path),
        "overwrite": True,
        "progress": None,
    }
    assert result.result == {"path": str(tmp_path / "s.json")}


def test_evaluate_shows_recall_of_all_targets(
    mined: fo.Dataset, stage: Any
) -> None:
    def row(target: str, metric: str, mean: float) -> dict[str, Any]:
        return {
            "strategy": "random",
            "budget": 0.2,
            "target": target,
            "metric": metric,
            "mean": mean,
            "std": 0.0,
            "low": 0.45,
            "high": float("nan"),
        }

    rows = [
        row("all", "frame_recall", 0.5),
        row("truck", "frame_recall", 0.6),
        row("all", "scene_coverage", 0.7),
        row("all", "frame_lift", 2.51239),
    ]
    meta = {"notes": ["There is one scene."]}
    double = stage("evaluate_mining", MiningReport(rows, [], meta))
    result = foo.execute_operator(
        _uri("evaluate_mining"),
        dict(dataset=mined),
        params={"seeds": 5, "budgets": [0.2]},
    )
    given = dict(double.arguments)
    del given["progress"]
    assert given == {"seeds": range(5), "budgets": [0.2]}
    assert result.result == {
        "recall": [
            {
                "strategy": "random",
                "budget": 0.2,
                "mean": 0.5,
                "low": 0.45,
                "high": None,
                "lift": 2.5124,
            }
        ],
        "notes": ["There is one scene."],
    }


def test_evaluate_takes_filters_and_a_field_of_the_preset_paper(
    mined: fo.Dataset, stage: Any
) -> None:
    double = stage("evaluate_mining", MiningReport([], [], {}))
    foo.execute_operator(
        _uri("evaluate_mining"),
        dict(dataset=mined),
        params={
            "paper_field": "objects_paper",
            "min_points": 0,
            "min_visibility": 60.0,
            "gt_field": "truth",
        },
    )
    given = dict(double.arguments)
    del given["progress"]
    assert given == {
        "also": {"paper": "objects_paper"},
        "keep": {"min_points": 0, "min_visibility": 60.0},
        "gt_field": "truth",
    }


@pytest.fixture
def mining_result(selection: Selection) -> dict[str, Any]:
    return {
        "preset": "paper",
        "objects": 12,
        "groups": {"target": 1, "rare": 2, "common": 9},
        "stages": [{"stage": "detect_objects", "seconds": 1.5}],
        "selection": selection.to_dict(),
        "evaluation": "{}",
        "export": None,
    }


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, {}),
        (
            {"embedder": "ViT-B-16"},
            {
                "embedder": {
                    "model": "ViT-B-16",
                    "pretrained": "laion2b_s34b_b79k",
                }
            },
        ),
        (
            {"pretrained": "openai"},
            {"embedder": {"model": "ViT-B-32", "pretrained": "openai"}},
        ),
        (
            {"embedder": "./clip", "pretrained": "laion2b_s34b_b79k"},
            {"embedder": "./clip"},
        ),
        ({"captions": False, "captioner": "a/b"}, {"captioner": None}),
        ({"captions": True, "captioner": "a/b"}, {"captioner": "a/b"}),
        (
            {"preset": "paper", "vocabulary": "v.yml", "seed": 7},
            {"preset": "paper", "vocabulary": "v.yml", "seed": 7},
        ),
        ({"overwrite": True, "out_dir": "/o"}, None),
    ],
)
def test_mine_puts_models_and_shares_as_the_sdk_wants_them(
    params: dict[str, Any],
    expected: dict[str, Any] | None,
    mined: fo.Dataset,
    stage: Any,
    mining_result: dict[str, Any],
) -> None:
    double = stage("mine", mining_result)
    foo.execute_operator(_uri("mine"), dict(dataset=mined), params=params)
    assert double.arguments == {
        **(params if expected is None else expected),
        "recipe": {"random": 0.1, "target": 0.1},
        "progress": None,
    }


def test_mine_takes_a_servers_key_from_fiftyones_secrets(
    mined: fo.Dataset,
    stage: Any,
    mining_result: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-from-the-secrets")
    double = stage("mine", mining_result)
    address = "http://localhost:8000/v1"
    foo.execute_operator(
        _uri("mine"), dict(dataset=mined), params={"captioner": address}
    )
    assert double.arguments["captioner"] == {
        "server": address,
        "api_key": "sk-from-the-secrets",
    }


def test_mine_returns_what_a_person_reads(
    mined: fo.Dataset, stage: Any, mining_result: dict[str, Any]
) -> None:
    stage("mine", mining_result)
    result = foo.execute_operator(_uri("mine"), dict(dataset=mined)).result
    assert result["groups"] == {"target": 1, "rare": 2, "common": 9}
    assert result["selection"]["frames"] == 3
    assert "picks" not in result["selection"]
    assert "evaluation" not in result


def test_mine_works_on_the_whole_dataset(
    mined: fo.Dataset, stage: Any, mining_result: dict[str, Any]
) -> None:
    double = stage("mine", mining_result)
    foo.execute_operator(_uri("mine"), dict(view=mined.limit(1)))
    assert isinstance(double.samples, fo.Dataset)
